/// What libvirt asks Open vSwitch about an interface of type vhostuser, by calling `ovs-vsctl` (util/virnetdevopenvswitch.c): what it is called, before the
/// domain starts, and its counters, for `virsh domifstat`. It asks whatever switch is there.
public enum OpenvSwitchQuestion: Equatable, Sendable {
    /// The name of the interface whose socket QEMU makes at this path.
    case nameOfServer(path: String)
    /// The name of the interface whose socket, which the switch makes, has this last component.
    case nameOfClient(file: String)
    /// The counters of the interface of a name, as JSON.
    case statistics(name: String)

    /// - Parameter words: the words after `ovs-vsctl`.
    /// - Returns: nil if this is none of libvirt's questions.
    public init?(words: [String]) {
        let plain = words.filter { !$0.hasPrefix("--") }, options = "options:vhost-server-path="
        guard plain.count >= 3, plain[1] == "Interface" else { return nil }
        switch (plain[0], plain.count) {
        case ("find", 3) where plain[2].hasPrefix(options) && words.contains("--columns=name"):
            self = .nameOfServer(path: String(plain[2].dropFirst(options.count)).trimmingQuotes)
        case ("get", 4) where plain[3] == "name": self = .nameOfClient(file: plain[2])
        case ("list", 3) where words.contains("--columns=statistics") && words.contains("--data=json"): self = .statistics(name: plain[2])
        default: return nil
        }
    }

    /// Counters as Open vSwitch prints a map (RFC 7047, section 5.1). What is received is what the guest has sent; libvirt turns them round.
    public static func map(_ counters: KeyValuePairs<String, UInt64>) -> String {
        "[\"map\",[" + counters.map { "[\"\($0.key)\",\($0.value)]" }.joined(separator: ",") + "]]"
    }
}

extension String {
    fileprivate var trimmingQuotes: String { count >= 2 && hasPrefix("\"") && hasSuffix("\"") ? String(dropFirst().dropLast()) : self }
}
