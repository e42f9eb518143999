import Glibc

/// The files of sockets on which a port is to listen or to which it is to connect. A daemon that is killed leaves its socket files behind, and nobody can
/// listen there until they are removed.
enum SocketFile {
    /// Removes a socket on which nobody listens any more.
    /// - Throws: a sentence if something else is at that path, or if somebody listens there.
    static func removeStale(_ path: String, port: String) throws(DataPlaneError) {
        try check(path, port: port)
        removeStale(path)
    }

    /// Removes a socket on which nobody listens any more; anything else that is there stays.
    static func removeStale(_ path: String) {
        if kind(path) == S_IFSOCK, !isListening(path) { unlink(path) }
    }

    /// - Throws: a sentence if something is at the path that `removeStale` would not remove.
    static func check(_ path: String, port: String) throws(DataPlaneError) {
        if let obstacle = obstacle(path) { throw DataPlaneError("port \(port): \(obstacle)") }
        if isListening(path) {
            throw DataPlaneError("port \(port): another process has the socket \(path): choose another path, or end that process (`ss -xap` names it)")
        }
    }

    /// Why there can be no socket at a path, whoever makes it; nil: nothing is there, or a socket is.
    static func obstacle(_ path: String) -> String? {
        guard let kind = kind(path), kind != S_IFSOCK else { return nil }
        return "\(path) exists and is not a socket: choose another path, or remove it"
    }

    /// Whether two paths lead to the same place, even if they are written differently.
    static func isSame(_ path: String, _ other: String) -> Bool { path == other || place(path) == place(other) }

    /// The path with its folder as the kernel names it; if there is no such folder, the path as it is.
    private static func place(_ path: String) -> String {
        let cut = path.lastIndex(of: "/")
        let folder = cut.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard let real = realpath(folder, nil) else { return path }
        defer { free(real) }
        return String(cString: real) + "/" + path[(cut.map { path.index(after: $0) } ?? path.startIndex)...]
    }

    /// The type of file at a path, as in `st_mode` (stat(2)); nil: nothing is there.
    private static func kind(_ path: String) -> mode_t? {
        var info = stat()
        return stat(path, &info) == 0 ? info.st_mode & S_IFMT : nil
    }

    private static func isListening(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue) | CInt(SOCK_CLOEXEC.rawValue) | CInt(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                // EPROTOTYPE means that the socket is a datagram or seqpacket socket that somebody has open (unix(7)); EAGAIN means that the backlog is full,
                // so somebody listens.
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 || errno == EPROTOTYPE || errno == EAGAIN
            }
        }
    }
}
