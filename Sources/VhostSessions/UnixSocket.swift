import Glibc

/// Stream sockets with a path, none of which ever blocks.
enum UnixSocket {
    private static let longestPath = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

    /// A new socket.
    private static func make() throws(VhostError) -> Int32 {
        let socket = Glibc.socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        if socket < 0 { throw VhostError("no socket can be made: \(errorText())") }
        return socket
    }

    static func checkLength(_ path: String) throws(VhostError) {
        if path.utf8.isEmpty || path.utf8.count > longestPath {
            throw VhostError("the socket's path has \(path.utf8.count) bytes; it can have 1 to \(longestPath): choose a shorter one")
        }
    }

    private static func withAddress(_ path: String, _ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8.prefix(longestPath)) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }

    /// Connects to a socket.
    /// - Returns: the socket, or the error's number.
    static func connect(to path: String) throws(VhostError) -> Result<Int32, Failure> {
        let socket = try make()
        // A stream socket's connect is done at once or fails: EAGAIN says that too many wait already.
        if uninterrupted({ Int(withAddress(path) { Glibc.connect(socket, $0, $1) }) }) == 0 { return .success(socket) }
        let number = errno
        close(socket)
        return .failure(Failure(number: number))
    }

    struct Failure: Error {
        let number: Int32
    }

    /// Listens at a path. A socket that an earlier process left there is removed.
    /// - Parameter prepare: called before anybody can connect.
    static func listen(at path: String, prepare: ((String) throws -> Void)?) throws(VhostError) -> Listener {
        try removeStale(path)
        let socket = try make()
        if withAddress(path, { bind(socket, $0, $1) }) != 0 {
            let text = errorText()
            close(socket)
            throw VhostError("no socket can be made at \(path): \(text)")
        }
        var info = stat()
        lstat(path, &info)
        let listener = Listener(descriptor: socket, path: path, device: UInt64(info.st_dev), inode: UInt64(info.st_ino))
        do {
            try prepare?(path)
        } catch {
            listener.end()
            throw VhostError("\(error)")
        }
        if Glibc.listen(socket, 16) != 0 {
            let text = errorText()
            listener.end()
            throw VhostError("nobody could connect to \(path): \(text)")
        }
        return listener
    }

    /// Why there can be no socket at a path; nil: nothing is there, or a socket is.
    static func obstacle(at path: String) -> String? {
        var info = stat()
        guard stat(path, &info) == 0, info.st_mode & S_IFMT != S_IFSOCK else { return nil }
        return "\(path) exists and is not a socket: choose another path, or remove it"
    }

    private static func removeStale(_ path: String) throws(VhostError) {
        if let obstacle = obstacle(at: path) { throw VhostError(obstacle) }
        if access(path, F_OK) != 0 { return }
        switch try connect(to: path) {
        case .success(let socket):
            close(socket)
            throw VhostError("another process has the socket \(path): choose another path, or end that process (`ss -xap` names it)")
        // EPROTOTYPE: a socket of another type that somebody has open. EAGAIN: somebody listens, and too many wait already.
        case .failure(let failure) where failure.number == EPROTOTYPE || failure.number == EAGAIN:
            throw VhostError("another process has the socket \(path): choose another path, or end that process (`ss -xap` names it)")
        case .failure: unlink(path)
        }
    }

    /// Whether the other side of a connection has closed it, or its half of it.
    static func isHungUp(_ socket: Int32) -> Bool {
        // POLLRDHUP, which Glibc's module leaves out.
        let readHangUp: Int16 = 0x2000
        var place = pollfd(fd: socket, events: readHangUp, revents: 0)
        return poll(&place, 1, 0) == 1 && place.revents & (Int16(POLLHUP) | Int16(POLLERR) | readHangUp) != 0
    }
}

/// A socket on which this process listens.
struct Listener {
    let descriptor: Int32
    let path: String
    /// The socket's file, which may have been replaced by another process's meanwhile.
    let device: UInt64
    let inode: UInt64

    func end() {
        var info = stat()
        if lstat(path, &info) == 0, UInt64(info.st_dev) == device, UInt64(info.st_ino) == inode { unlink(path) }
        close(descriptor)
    }
}
