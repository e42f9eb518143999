import Glibc

/// Files of sockets that a port is to listen on or to connect to. A killed daemon leaves its own behind, and nobody else can listen there before they are removed.
enum SocketFile {
    /// Removes a socket that nobody listens on any more.
    /// - Throws: a sentence for what stands in the way otherwise.
    static func removeStale(_ path: String, port: String) throws(DataPlaneError) {
        try check(path, port: port)
        removeStale(path)
    }

    /// Removes a socket that nobody listens on any more; whatever else is there stays.
    static func removeStale(_ path: String) {
        if kind(path) == S_IFSOCK, !isListening(path) { unlink(path) }
    }

    /// - Throws: a sentence if something is there that is not such a socket.
    static func check(_ path: String, port: String) throws(DataPlaneError) {
        if let obstacle = obstacle(path) { throw DataPlaneError("port \(port): \(obstacle)") }
        if isListening(path) {
            throw DataPlaneError("port \(port): another process has the socket \(path): choose another path, or end that process (`ss -xap` names it)")
        }
    }

    /// Why no socket can be at a path, whoever makes it; nil: nothing is there, or one.
    static func obstacle(_ path: String) -> String? {
        guard let kind = kind(path), kind != S_IFSOCK else { return nil }
        return "\(path) exists and is not a socket: choose another path, or remove it"
    }

    /// Whether two paths lead to the same place, however they are written.
    static func isSame(_ path: String, _ other: String) -> Bool { path == other || place(path) == place(other) }

    /// With the folder as the kernel names it, where that is there.
    private static func place(_ path: String) -> String {
        let cut = path.lastIndex(of: "/")
        let folder = cut.map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
        guard let real = realpath(folder, nil) else { return path }
        defer { free(real) }
        return String(cString: real) + "/" + path[(cut.map { path.index(after: $0) } ?? path.startIndex)...]
    }

    /// As stat(2) says in `st_mode`; nil: nothing is there.
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
                // EPROTOTYPE: a datagram or seqpacket socket that somebody has open (unix(7)). EAGAIN: a backlog is full, so somebody listens.
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 || errno == EPROTOTYPE || errno == EAGAIN
            }
        }
    }
}
