import CNetlink

/// What went wrong with an interface or a namespace. The description also says what can be done about it.
public enum NetlinkError: Error, Equatable, Sendable {
    /// `place` is a phrase such as "on this host" or "in the network namespace blue".
    case noSuchLink(name: String, place: String)
    case noSuchIndex(index: Int, place: String)
    case badName(String)
    case noSuchNamespace(path: String)
    case notANamespace(path: String)
    case nameTaken(name: String, place: String)
    case notPermitted(doing: String)
    /// The kernel refused a change; `reason` says why.
    case refused(doing: String, reason: String)
    /// The routing netlink itself could not be used.
    case unavailable(reason: String)
}

extension NetlinkError: CustomStringConvertible {
    public var description: String {
        switch self {
        case .noSuchLink(let name, let place): "no interface \(name) \(place); `ip link` lists them"
        case .noSuchIndex(let index, let place): "no interface with index \(index) \(place); `ip link` lists them"
        case .badName(let name):
            "\"\(name)\" cannot be an interface's name: write 1 to 15 characters, without slash, colon and white space, and not \".\" or \"..\""
        case .noSuchNamespace(let path): "no network namespace \(path); `ip netns add NAME` makes /run/netns/NAME, `ip netns` lists them"
        case .notANamespace(let path): "\(path) is not a network namespace; name one that `ip netns` lists, or a path such as /proc/PID/ns/net"
        case .nameTaken(let name, let place): "there already is an interface \(name) \(place); rename one of the two (`ip link set NAME name OTHER`)"
        case .notPermitted(let doing): "not permitted to \(doing): run as root or with CAP_NET_ADMIN (and CAP_SYS_ADMIN for other namespaces)"
        case .refused(let doing, let reason): "cannot \(doing): \(reason)"
        case .unavailable(let reason): "the kernel's routing netlink cannot be reached: \(reason)"
        }
    }
}
