import Foundation

/// A sentence that says why a control socket cannot be served.
public struct ControlSocketError: Error, Equatable, Sendable, CustomStringConvertible {
    public let description: String
    init(_ description: String) { self.description = description }
}

/// The path of a Unix socket in the file system, with the lock file beside it that keeps two daemons apart.
struct SocketPath {
    let path: String
    /// What the socket is, and how another path is given, for sentences.
    var what = "control socket"
    var remedy = "give another path with --socket"

    private var lockPath: String { path + ".lock" }

    // MARK: Who is there

    /// - Throws: a sentence if a server answers at this path, or if something else than a socket is there.
    func requireFree() throws(ControlSocketError) {
        guard !path.isEmpty else { throw ControlSocketError("the \(what)'s path is empty: \(remedy)") }
        guard path.utf8.count < MemoryLayout.size(ofValue: sockaddr_un().sun_path) else {
            throw ControlSocketError("the \(what)'s path has \(path.utf8.count) bytes, and the system takes 107 at most: \(remedy), shorter than \(path)")
        }
        var status = stat()
        guard lstat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFSOCK else {
            throw ControlSocketError("\(path) is there and is no socket: move it away, or \(remedy)")
        }
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        // EAGAIN means that the backlog is full, so somebody listens.
        guard withAddress({ connect(descriptor, $0, $1) }) == 0 || errno == EAGAIN else {
            // EPROTOTYPE means that the socket is a datagram or seqpacket socket that somebody has open (unix(7)).
            if errno == EPROTOTYPE {
                throw ControlSocketError("\(path) is another process's socket (`ss -xap` names it): \(remedy)")
            }
            if errno == EACCES || errno == EPERM {
                throw ControlSocketError("the \(what) \(path) is another user's: \(remedy)")
            }
            return
        }
        // struct ucred (unix(7)): pid, uid, gid.
        var peer: [Int32] = [0, 0, 0]
        var length = socklen_t(MemoryLayout<Int32>.size * peer.count)
        let isKnown = getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer[0] > 0
        throw ControlSocketError(
            "another sluiced\(isKnown ? " (pid \(peer[0]))" : "") answers on \(path): stop it, or \(remedy)")
    }

    /// Makes a listening socket of mode 0660. A socket on which nobody answers any more is replaced.
    /// - Parameter access: the groups whose members may connect; nil: those of the socket's own group.
    /// - Throws: a sentence if that is not possible.
    func listen(backlog: Int32, _ access: Access? = nil) throws(ControlSocketError) -> CInt {
        try requireFree()
        try makeDirectory()
        unlink(path)
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0)
        guard descriptor >= 0 else { throw failure("a socket cannot be made") }
        // Linux creates the socket's file with the mode of the descriptor less the umask, so that it is never open to more than its group.
        fchmod(descriptor, 0o660)
        guard withAddress({ bind(descriptor, $0, $1) }) == 0, chmod(path, 0o660) == 0 else {
            let error = failure("the \(what) \(path) cannot be made")
            close(descriptor)
            throw error
        }
        do {
            try access?.open(path)
        } catch {
            close(descriptor)
            unlink(path)
            throw error
        }
        guard Glibc.listen(descriptor, backlog) == 0 else {
            let error = failure("the \(what) \(path) cannot be made")
            close(descriptor)
            throw error
        }
        return descriptor
    }

    func remove() { unlink(path) }

    // MARK: Lock

    /// Keeps other daemons from using this path.
    func lock() throws(ControlSocketError) -> FileLock {
        try requireFree()
        try makeDirectory()
        do throws(FileLock.Failure) {
            return try FileLock(lockPath)
        } catch {
            switch error {
            case .held(let owner):
                throw ControlSocketError(
                    "another sluiced\(owner.map { " (pid \($0))" } ?? "") holds \(path): stop it, or \(remedy)")
            case .system(let code): throw ControlSocketError("\(lockPath) cannot be made: \(String(cString: strerror(code)))")
            case .contended:
                throw ControlSocketError("\(lockPath) is made and removed all the time: another sluiced is starting over and over")
            }
        }
    }

    // MARK: Helpers

    private func makeDirectory() throws(ControlSocketError) {
        guard let slash = path.lastIndex(of: "/"), slash > path.startIndex else { return }
        let directory = String(path[..<slash])
        do {
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o755])
        } catch {
            throw ControlSocketError("the folder \(directory) cannot be made: make it, or \(remedy)")
        }
    }

    private func failure(_ what: String) -> ControlSocketError {
        ControlSocketError("\(what): \(String(cString: strerror(errno)))")
    }

    private func withAddress<Result>(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Result) -> Result {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
    }
}
