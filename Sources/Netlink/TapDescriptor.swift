import CNetlink
import Glibc

/// A descriptor through which this process holds one queue of a tap interface. It does not matter what opened it, nor whether the interface has since been
/// renamed or moved to another namespace. This value does not own the descriptor: whoever opened it must close it, and it keeps neither the interface nor the
/// namespace alive.
public struct TapDescriptor: Sendable {
    public enum State: Sendable { case up, down, gone }

    private let descriptor: CInt

    /// Finds this process's descriptor of the interface that now has this name; nil if it has none.
    public init?(named name: String) {
        guard let folder = opendir("/proc/self/fd") else { return nil }
        defer { closedir(folder) }
        while let entry = readdir(folder) {
            let number = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: entry.pointee.d_name)) { String(cString: $0) }
            }
            guard let descriptor = CInt(number), Self.isTap(descriptor), Self.name(of: descriptor) == name else { continue }
            self.descriptor = descriptor
            return
        }
        return nil
    }

    /// The interface's state, which the kernel tells through `poll` (tun_chr_poll in drivers/net/tun.c): it reports an error once the interface is gone, and
    /// that it is writable only while the interface is up.
    public var state: State {
        var request = pollfd(fd: descriptor, events: CShort(POLLOUT), revents: 0)
        guard poll(&request, 1, 0) > 0 else { return .down }
        let events = CInt(request.revents)
        if events & (CInt(POLLERR) | CInt(POLLNVAL)) != 0 { return .gone }
        return events & CInt(POLLOUT) != 0 ? .up : .down
    }

    /// The interface's present name, whatever namespace it is in; nil if it is gone.
    public var name: String? { Self.name(of: descriptor) }

    /// Makes the interface outlive the descriptors of its queues, or end with them: TUNSETPERSIST (linux/if_tun.h).
    ///
    /// - Throws: the error's number (errno).
    public func setPersistent(_ isPersistent: Bool) throws(TapError) {
        guard ioctl(descriptor, 0x4004_54cb, isPersistent ? 1 : 0) == 0 else { throw TapError(number: errno) }
    }

    /// Has the kernel finish and cut all frames that the interface gives to its queues: TUNSETOFFLOAD (linux/if_tun.h). An interface that outlived a daemon still
    /// has what that one asked for, and a queue without headers of virtio-net would get frames that nothing says how to cut.
    public func takeNoOffloads() { _ = ioctl(descriptor, 0x4004_54d0, 0) }

    private static func isTap(_ descriptor: CInt) -> Bool {
        var path = [UInt8](repeating: 0, count: 64)
        let length = path.withUnsafeMutableBytes { readlink("/proc/self/fd/\(descriptor)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count) }
        return length > 0 && String(decoding: path[..<length], as: UTF8.self) == "/dev/net/tun"
    }

    /// The name that TUNGETIFF (linux/if_tun.h) reports; nil if no interface belongs to the descriptor, or its queue is detached.
    private static func name(of descriptor: CInt) -> String? {
        var request = interface_request()
        guard ioctl(descriptor, 0x8004_54d2, &request) == 0 else { return nil }
        let flags = withUnsafeBytes(of: request.data) { $0.load(as: UInt16.self) }
        if flags & 0x0400 /* IFF_DETACH_QUEUE */ != 0 { return nil }
        return withUnsafeBytes(of: request.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}

/// The kernel's refusal of a request about a tap.
public struct TapError: Error, Equatable, Sendable, CustomStringConvertible {
    /// As errno has it.
    public var number: CInt
    public var description: String { String(cString: strerror(number)) }
}

/// What a tap or tun interface was made as: the attribute `tun_flags` in sysfs (tun_flags_show in drivers/net/tun.c), with the flags of linux/if_tun.h.
public struct TapFlags: OptionSet, Sendable {
    public let rawValue: UInt32
    public init(rawValue: UInt32) { self.rawValue = rawValue }
    public static let tap = TapFlags(rawValue: 0x0002), multiQueue = TapFlags(rawValue: 0x0100), persistent = TapFlags(rawValue: 0x0800)

    /// - Returns: nil if there is no such interface in the namespace that sysfs shows, or if it is neither tap nor tun.
    public init?(of name: String) {
        guard LinkSocket.isName(name), let file = fopen("/sys/class/net/\(name)/tun_flags", "re") else { return nil }
        defer { fclose(file) }
        var text = [CChar](repeating: 0, count: 16)
        guard fgets(&text, CInt(text.count), file) != nil else { return nil }
        // "0x1102", and the end of the line.
        let digits = String(decoding: text.dropFirst(2).prefix { $0 > 32 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard let flags = UInt32(digits, radix: 16) else { return nil }
        self.init(rawValue: flags)
    }
}
