/// What a port lets through, beyond what addresses and VLANs decide. Names are those of bridge(8) where it has them.
public struct PortRules: Equatable, Sendable {
    /// Isolated ports never exchange frames with each other.
    public var isolated = false
    /// A frame may leave by the port that it came in by (reflective relay).
    public var hairpin = false
    /// The source addresses of frames that come in are learned.
    public var learning = true
    /// Copies of frames to unknown unicast addresses (`flood`), to groups (`mcastFlood`) and to everybody (`bcastFlood`) leave by the port.
    public var flood = true
    public var mcastFlood = true
    public var bcastFlood = true
    /// Only addresses that are configured for the port may send: those of its guests and those of its static entries.
    public var locked = false
    /// Where frames go that come in by a guest's port.
    public var forward = ForwardMode.bridge
    /// The most addresses that are learned behind the port; nil: as many as its bridge has room for.
    public var fdbLimit: Int?
    /// The highest rates at which the port lets in broadcast frames, frames to groups, and frames to unknown addresses; nil: no limit.
    public var stormBroadcast: StormRate?
    public var stormMulticast: StormRate?
    public var stormUnknown: StormRate?
    public var bpdu = BPDUMode.drop
    public var snooping = PortSnooping()

    public init() {}

    var hasStormControl: Bool { stormBroadcast != nil || stormMulticast != nil || stormUnknown != nil }
}

/// Where frames go that come in by a guest's port, as the modes of macvtap define it.
public enum ForwardMode: String, Equatable, Sendable, CaseIterable {
    /// To the port of the destination: directly to other guests, and by the uplink to everybody else.
    case bridge
    /// All frames leave by the uplink; the switch there sends back those for other guests (IEEE 802.1Q, reflective relay).
    case vepa
    /// All frames leave by the uplink, and frames between this port and other guests are not delivered even if the switch there sends them back.
    case `private`
    /// All frames leave by the uplink, and all frames that come in by it go to this port.
    case passthru
}

/// What happens to spanning tree frames (to 01-80-C2-00-00-00) that come in by a port.
public enum BPDUMode: String, Equatable, Sendable, CaseIterable {
    case drop
    /// They are forwarded to the other ports that are set to `forward`.
    case forward
    /// The port is shut down for a while.
    case `guard`
}

/// A limit on flooded frames, or on a mirror's copies.
public enum StormRate: Equatable, Sendable {
    /// A limit in packets per second.
    case packets(UInt64)
    /// A limit in bit/s.
    case bits(UInt64)

    public var text: String {
        switch self {
        case .packets(let value): Quantity.packets.format(value)
        case .bits(let value): Quantity.rate.format(value)
        }
    }
}

extension Model {
    /// Bridges on which the frames of some port all take the uplink, whatever their destination (any mode but `bridge`).
    public var bridgesWithDetours: Set<String> { Set(ports.lazy.filter { $0.rules.forward != .bridge }.map(\.bridge)) }
}

extension PortSettings {
    /// The rules that differ from the default, in the words that set them.
    public var ruleWords: [(key: String, value: String)] { Fields.shown(PortDraft(self), Fields.all.port) }
}

extension Field<PortDraft> {
    static var rules: [Field] {
        let standard = PortRules()
        let rows: [Field] = [
            .flag("isolated", \.rules.isolated, standard: standard.isolated, help: "isolated ports never exchange frames with each other"),
            .flag("hairpin", \.rules.hairpin, standard: standard.hairpin, help: "a frame may leave by the port that it came in by"),
            .flag("learning", \.rules.learning, standard: standard.learning, help: "source addresses are learned"),
            .flag("flood", \.rules.flood, standard: standard.flood, help: "copies of frames to unknown addresses leave by it"),
            .flag("mcast-flood", \.rules.mcastFlood, standard: standard.mcastFlood, help: "copies of frames to groups leave by it"),
            .flag("bcast-flood", \.rules.bcastFlood, standard: standard.bcastFlood, help: "copies of frames to everybody leave by it"),
            .flag("locked", \.rules.locked, standard: standard.locked, help: "only the macs of its guests and its static entries may send"),
            .choice("forward", \.rules.forward, standard: standard.forward, help: "where frames of a guest's port, vhost or tap, go, as macvtap's modes"),
            .optionalInteger("fdb-limit", \.rules.fdbLimit, 1...16_777_216, help: "most addresses learned behind it; by default as many as its bridge has room for"),
            .packetsOrBits("storm-broadcast", \.rules.stormBroadcast, help: "how much is let in that is for everybody"),
            .packetsOrBits("storm-multicast", \.rules.stormMulticast, help: "how much is let in that is for groups"),
            .packetsOrBits("storm-unknown", \.rules.stormUnknown, help: "how much is let in that is for unknown addresses"),
            .choice(
                "bpdu", \.rules.bpdu, standard: standard.bpdu,
                help: "what becomes of spanning tree's frames; guard: the port that one comes in by is shut"),
        ]
        return rows.map(\.shown)
    }
}

extension Validator {
    /// - Parameters:
    ///   - neighbours: all ports of the port's bridge, itself included.
    ///   - addressed: names of the ports on which a guest has addresses.
    mutating func checkRules(of port: PortSettings, _ path: String, neighbours: [PortSettings], addressed: Set<String>) {
        let rules = port.rules
        if rules == PortRules() { return }
        if rules.locked, !addressed.contains(port.name), !(bridges[port.bridge]?.staticEntries.contains { $0.port == port.name } ?? false) {
            add(
                path + ".locked",
                "locked would drop everything from \(port.name), as no guest there has macs and no static entry is for it: write macs for a guest of port"
                    + " \(port.name), or leave locked out")
        }
        checkSnooping(of: port, path)
        if rules.forward != .bridge { checkForward(port, path + ".forward", neighbours) }
    }

    private mutating func checkForward(_ port: PortSettings, _ path: String, _ neighbours: [PortSettings]) {
        let mode = port.rules.forward.rawValue
        if port.isPhysical { return add(path, "forward is where a guest's frames go, and \(port.name) is a physical port: leave it out") }
        let uplinks = neighbours.filter(\.isPhysical).map(\.name)
        guard uplinks.count == 1 else {
            let there = uplinks.isEmpty ? "no physical port" : "\(uplinks.count) (\(uplinks.sorted().joined(separator: ", ")))"
            return add(path, "with \(mode) frames go to the one physical port of the bridge, and \(port.bridge) has \(there): see that it has one, or write bridge")
        }
        let others = neighbours.filter { !$0.isPhysical && $0.name != port.name }.map(\.name).sorted()
        if port.rules.forward == .passthru, !others.isEmpty {
            let shown = others.prefix(12).joined(separator: ", ") + (others.count > 12 ? " and \(others.count - 12) more" : "")
            add(path, "with passthru the uplink is for \(port.name) alone, and bridge \(port.bridge) has \(shown) too: take them to another bridge, or write vepa")
        }
    }
}
