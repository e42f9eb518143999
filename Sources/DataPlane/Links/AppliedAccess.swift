import Configuration
import Glibc

/// The owner and the mode of a port's socket, as the numbers that this host has for them.
struct AppliedAccess {
    private let user: uid_t
    private let group: gid_t
    private let mode: mode_t

    /// Mode of a socket that says nothing else: its owner alone may connect, as that takes the right to write (unix(7)).
    private static let standardMode: mode_t = 0o755

    /// - Throws: a sentence if this host has no such user or group.
    init(_ access: SocketAccess, port: String) throws(DataPlaneError) {
        mode = access.mode.map { mode_t($0.bits) } ?? Self.standardMode
        guard let owner = access.owner else {
            (user, group) = (geteuid(), getegid())
            return
        }
        // The control thread alone asks, so the functions' shared results are no one else's.
        let entry = getpwnam(owner.user)
        guard let user = entry?.pointee.pw_uid ?? uid_t(owner.user) else {
            throw DataPlaneError("port \(port): this host has no user \(owner.user) to own the socket: write one that `getent passwd` lists, or a number")
        }
        self.user = user
        guard let name = owner.group else {
            guard let own = entry?.pointee.pw_gid ?? getpwuid(user)?.pointee.pw_gid else {
                throw DataPlaneError("port \(port): this host has no user \(owner.user) whose group could own the socket: write socket-owner \(owner.user):GROUP")
            }
            group = own
            return
        }
        guard let group = getgrnam(name)?.pointee.gr_gid ?? gid_t(name) else {
            throw DataPlaneError("port \(port): this host has no group \(name) to own the socket: write one that `getent group` lists, or a number")
        }
        self.group = group
    }

    /// Nobody may connect who may not in the end: the mode that lets more connect comes after the owner.
    func apply(to socket: String, port: String) throws(DataPlaneError) {
        guard lchown(socket, user, group) == 0, chmod(socket, mode) == 0 else {
            throw DataPlaneError("port \(port): the owner and the mode of \(socket) cannot be set: \(DataPlaneError.errorText(errno))")
        }
    }
}
