/// The process at the other end of a connection to the control socket, as the kernel knew it when it connected (unix(7): SO_PEERCRED, SO_PEERGROUPS).
public struct Peer: Equatable, Sendable, CustomStringConvertible {
    public var pid: Int32
    public var uid: UInt32
    /// Its effective group and its supplementary groups.
    public var groups: Set<UInt32>
    /// The name of its program, as in /proc/PID/comm; empty: it had ended already.
    public var command: String

    public init(pid: Int32, uid: UInt32, groups: Set<UInt32>, command: String) {
        self.pid = pid
        self.uid = uid
        self.groups = groups
        self.command = command
    }

    /// Such as `uid 0 pid 4711 sluice`.
    public var description: String { "uid \(uid) pid \(pid)\(command.isEmpty ? "" : " \(command)")" }
}
