import Glibc
import VhostSessions
import VhostUser

/// The journals of a guest's rings, in a file that outlives this process. It stays when the process ends, in whatever way, and is removed with its port.
///
/// The file belongs to the guest at a socket rather than to a port's name, as a port may be renamed or made again while its guest runs. It belongs to the
/// process that has locked it. If it cannot be had, the journals are in memory of this process, and its `takeObstacle` says why.
final class JournalFile {
    /// A folder of its own that only root can write to, as guests' processes may be able to write to the folder of the sockets. It is in memory: a page of a file
    /// on a disk could not be written to while the kernel writes it back, and a poll loop would wait for that.
    static let standardFolder = "/run/sluice-rings"

    private let path: String
    private let memory: UnsafeMutableRawBufferPointer
    /// -1: the journals are in memory of this process.
    private let descriptor: CInt
    private var obstacle: String?

    init(folder: String = standardFolder, socket: String, rings: Int) {
        path = "\(folder)/\(Self.name(socket))"
        let size = rings * RingJournal.bytes
        mkdir(folder, 0o700)
        var descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        if descriptor < 0 {
            obstacle = "\(path): \(DataPlaneError.errorText(errno))"
        } else if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            obstacle = "another process has \(path)"
        } else if ftruncate(descriptor, off_t(size)) != 0 {
            obstacle = "\(path): \(DataPlaneError.errorText(errno))"
        }
        var mapped = UnsafeMutableRawPointer(bitPattern: -1)
        if obstacle == nil {
            mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0)
            if mapped == MAP_FAILED { obstacle = "\(path): \(DataPlaneError.errorText(errno))" }
        }
        if obstacle != nil {
            if descriptor >= 0 { Glibc.close(descriptor) }
            descriptor = -1
            mapped = mmap(nil, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        }
        self.descriptor = descriptor
        guard let mapped, mapped != MAP_FAILED else { fatalError("no memory for the journals of \(rings) rings") }
        memory = UnsafeMutableRawBufferPointer(start: mapped, count: size)
    }

    /// The journal of a ring. Its memory is there from then on, so that no write to it has to wait or fail.
    subscript(ring: Int) -> RingJournal {
        let place = memory.baseAddress.unsafelyUnwrapped + ring * RingJournal.bytes
        if descriptor >= 0 {
            let error = posix_fallocate(descriptor, off_t(ring * RingJournal.bytes), off_t(RingJournal.bytes))
            if error != 0 {
                obstacle = "\(path): \(DataPlaneError.errorText(error))"
                mmap(place, RingJournal.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1, 0)
            }
        }
        return RingJournal(memory: place)
    }

    /// Why the journals do not outlive this process; nil: they do, or it has been said already.
    func takeObstacle() -> String? {
        defer { obstacle = nil }
        return obstacle
    }

    /// - Parameter keeps: whether the file stays.
    func close(keeps: Bool) {
        munmap(memory.baseAddress, memory.count)
        guard descriptor >= 0 else { return }
        if !keeps { unlink(path) }
        Glibc.close(descriptor)
    }

    /// Removes the files of sockets whose folders are gone, and so are their guests.
    static func removeForsaken(in folder: String = standardFolder) {
        guard let entries = opendir(folder) else { return }
        defer { closedir(entries) }
        while let entry = readdir(entries) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) { $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) } }
            guard let socket = socket(name), let end = socket.lastIndex(of: "/"), access(String(socket[...end]), F_OK) != 0, errno == ENOENT else { continue }
            unlink("\(folder)/\(name)")
        }
    }

    /// The name of a socket's file: its path, in which "+" stands for "/", and "%" before a character for itself.
    private static func name(_ socket: String) -> String {
        socket.reduce(into: "") { $0 += $1 == "/" ? "+" : $1 == "+" || $1 == "%" ? "%\($1)" : "\($1)" }
    }

    /// The path of the socket to which a file belongs; nil: to none.
    private static func socket(_ name: String) -> String? {
        var path = "", isEscaped = false
        for character in name {
            if isEscaped || character != "%" && character != "+" { path.append(character) } else if character == "+" { path.append("/") }
            isEscaped = !isEscaped && character == "%"
        }
        return path.hasPrefix("/") ? path : nil
    }
}

extension StartedRing {
    /// What tells a ring from others, and from one that another driver makes in its place: its memory, its size, and what was agreed on.
    var identity: UInt64 {
        func address(_ pointer: UnsafeMutableRawPointer) -> [UInt64] {
            for region in memory {
                let offset = UInt64(truncatingIfNeeded: pointer - region.hostPointer)
                if offset < region.length { return [region.device, region.inode, region.guestStart &+ offset] }
            }
            return []
        }
        var parts: [UInt64] = [UInt64(index), UInt64(size), features.subtracting(.logAll).rawValue]
        for part in [descriptors, driverArea, deviceArea] { parts += address(part) }
        // FNV-1a.
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for part in parts {
            for shift in stride(from: UInt64(0), to: 64, by: 8) { hash = (hash ^ (part >> shift & 0xff)) &* 0x100_0000_01b3 }
        }
        return hash
    }
}
