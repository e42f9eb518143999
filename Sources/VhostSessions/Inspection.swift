import Glibc
import VhostUser

/// What the system says about descriptors that a frontend sent.
enum Inspection {
    /// F_GET_SEALS and F_SEAL_SHRINK (fcntl(2)), which Glibc's module leaves out.
    private static let getSeals: Int32 = 1034
    private static let sealShrink: Int32 = 2

    /// Looks at a descriptor and makes sure that nobody who uses it waits for the frontend.
    static func inspect(_ number: Int32) -> ReceivedDescriptor {
        var info = stat()
        guard fstat(number, &info) == 0 else { return ReceivedDescriptor(number, DescriptorFacts(kind: .other)) }
        let kind = kind(number, info)
        switch kind {
        case .eventfd: return ReceivedDescriptor(withoutWaiting(number), DescriptorFacts(kind: kind))
        case .pipe:
            if let own = own(number) { return ReceivedDescriptor(own, DescriptorFacts(kind: kind)) }
            return ReceivedDescriptor(number, DescriptorFacts(kind: .other))
        case .file:
            let seals = fcntl(number, getSeals)
            return ReceivedDescriptor(number, DescriptorFacts(
                kind: kind, size: UInt64(max(0, info.st_size)), device: UInt64(info.st_dev), inode: UInt64(info.st_ino),
                isSealedAgainstShrinking: seals >= 0 && seals & sealShrink != 0))
        case .socket, .other: return ReceivedDescriptor(number, DescriptorFacts(kind: kind))
        }
    }

    private static func kind(_ number: Int32, _ info: stat) -> DescriptorFacts.Kind {
        switch info.st_mode & S_IFMT {
        case S_IFIFO: return .pipe
        case S_IFSOCK: return .socket
        case S_IFCHR, S_IFBLK, S_IFDIR: return .other
        default: break
        }
        // Depending on the kernel, an eventfd has no type or that of a regular file.
        var target = [CChar](repeating: 0, count: 64)
        let length = readlink("/proc/self/fd/\(number)", &target, target.count)
        let name = String(decoding: target.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if name.hasPrefix("anon_inode:") { return name == "anon_inode:[eventfd]" ? .eventfd : .other }
        return info.st_mode & S_IFMT == S_IFREG ? .file : .other
    }

    /// The flag is shared with the frontend, which may take it back: a write that must not wait takes other means.
    private static func withoutWaiting(_ number: Int32) -> Int32 {
        let flags = fcntl(number, F_GETFL)
        if flags >= 0 { _ = fcntl(number, F_SETFL, flags | O_NONBLOCK) }
        return number
    }

    /// The same pipe with flags of its own: those of the frontend's descriptor are the frontend's to change. As it is open for reading and for writing, nobody
    /// who writes gets SIGPIPE.
    /// - Returns: nil if it cannot be had.
    private static func own(_ number: Int32) -> Int32? {
        let reopened = open("/proc/self/fd/\(number)", O_RDWR | O_NONBLOCK | O_CLOEXEC)
        guard reopened >= 0 else { return nil }
        close(number)
        return reopened
    }
}
