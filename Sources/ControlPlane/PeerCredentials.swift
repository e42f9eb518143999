import ControlAPI
import Foundation

extension Peer {
    /// Asks the kernel who is at the other end of a connected Unix socket; nil: it does not say.
    init?(socket: CInt) {
        // struct ucred (unix(7)): pid, uid, gid.
        var credentials: [UInt32] = [0, 0, 0]
        var length = socklen_t(MemoryLayout<UInt32>.size * credentials.count)
        guard getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &length) == 0 else { return nil }
        let pid = Int32(bitPattern: credentials[0])
        self.init(pid: pid, uid: credentials[1], groups: Self.groups(socket).union([credentials[2]]), command: Self.command(pid))
    }

    /// The supplementary groups; empty if the kernel does not say (before Linux 4.13).
    private static func groups(_ socket: CInt) -> Set<UInt32> {
        // SO_PEERGROUPS of asm-generic/socket.h, which Glibc's module map leaves out. A process has 65 536 groups at most (credentials(7)).
        let option: CInt = 59
        var groups = [UInt32](repeating: 0, count: 64)
        while groups.count <= 65_536 {
            var length = socklen_t(MemoryLayout<UInt32>.size * groups.count)
            if getsockopt(socket, SOL_SOCKET, option, &groups, &length) == 0 { return Set(groups.prefix(Int(length) / MemoryLayout<UInt32>.size)) }
            // The kernel has written how much room it needs.
            guard errno == ERANGE, Int(length) > MemoryLayout<UInt32>.size * groups.count else { return [] }
            groups = [UInt32](repeating: 0, count: Int(length) / MemoryLayout<UInt32>.size)
        }
        return []
    }

    private static func command(_ pid: Int32) -> String {
        let descriptor = open("/proc/\(pid)/comm", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = read(descriptor, &bytes, bytes.count)
        // The name is the process's own choice, and is logged: what could begin a new line or move a terminal's cursor is left out.
        return String(decoding: bytes.prefix(max(0, count)).filter { $0 >= 0x20 && $0 != 0x7f }, as: UTF8.self)
    }
}
