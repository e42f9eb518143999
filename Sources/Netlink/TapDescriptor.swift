import CNetlink
import Glibc

/// The descriptor by which a program holds one queue of a tap interface, whoever opened it and wherever the interface is by now: it may be renamed
/// or moved to another namespace. It keeps neither interface nor namespace alive; who opened it closes it.
public struct TapDescriptor: Sendable {
    public enum State: Sendable { case up, down, gone }

    private let descriptor: CInt

    /// The one of this process for an interface, while it has this name.
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

    /// The kernel tells by `poll` (tun_chr_poll in drivers/net/tun.c): an error once the interface is gone, room to write only while it is up.
    public var state: State {
        var request = pollfd(fd: descriptor, events: CShort(POLLOUT), revents: 0)
        guard poll(&request, 1, 0) > 0 else { return .down }
        let events = CInt(request.revents)
        if events & (CInt(POLLERR) | CInt(POLLNVAL)) != 0 { return .gone }
        return events & CInt(POLLOUT) != 0 ? .up : .down
    }

    /// What the interface is called now, wherever it is; nil: it is gone.
    public var name: String? { Self.name(of: descriptor) }

    private static func isTap(_ descriptor: CInt) -> Bool {
        var path = [UInt8](repeating: 0, count: 64)
        let length = path.withUnsafeMutableBytes { readlink("/proc/self/fd/\(descriptor)", $0.baseAddress!.assumingMemoryBound(to: CChar.self), $0.count) }
        return length > 0 && String(decoding: path[..<length], as: UTF8.self) == "/dev/net/tun"
    }

    /// TUNGETIFF (linux/if_tun.h); nil for a descriptor of no interface, or whose queue is detached.
    private static func name(of descriptor: CInt) -> String? {
        var request = interface_request()
        guard ioctl(descriptor, 0x8004_54d2, &request) == 0 else { return nil }
        let flags = withUnsafeBytes(of: request.data) { $0.load(as: UInt16.self) }
        if flags & 0x0400 /* IFF_DETACH_QUEUE */ != 0 { return nil }
        return withUnsafeBytes(of: request.name) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    }
}
