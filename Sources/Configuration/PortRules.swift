/// What a port lets through beyond what addresses and VLANs say, in the words of bridge(8) where it has them.
public struct PortRules: Equatable, Sendable {
    /// Isolated ports never exchange frames with each other.
    public var isolated = false
    /// A frame may leave by the port that it came in by: reflective relay.
    public var hairpin = false
    /// Source addresses are learned.
    public var learning = true
    /// Frames to unknown addresses, to groups and to everybody are copied to it.
    public var flood = true
    public var mcastFlood = true
    public var bcastFlood = true
    /// Only configured addresses of the port may send: those of its guests and of static entries.
    public var locked = false
    /// Where frames of a guest's port go.
    public var forward = ForwardMode.bridge
    /// Most addresses learned behind the port; nil: as many as its bridge has room for.
    public var fdbLimit: Int?
    /// How much is let in that is for everybody, for groups, and for addresses that are not known; nil: all.
    public var stormBroadcast: StormRate?
    public var stormMulticast: StormRate?
    public var stormUnknown: StormRate?
    public var bpdu = BPDUMode.drop
    public var snooping = PortSnooping()

    public init() {}

    var hasStormControl: Bool { stormBroadcast != nil || stormMulticast != nil || stormUnknown != nil }
}

/// Where frames of a guest's port go, as the modes of macvtap have it.
public enum ForwardMode: String, Equatable, Sendable, CaseIterable {
    /// To whom they are for: other guests directly, the rest by the uplink.
    case bridge
    /// All by the uplink; the switch there sends back what is for other guests (IEEE 802.1Q, reflective relay).
    case vepa
    /// All by the uplink, and what comes back is not delivered.
    case `private`
    /// All by the uplink, and all that comes from there goes to this port.
    case passthru
}

/// What becomes of spanning tree's frames (to 01-80-C2-00-00-00) that come in.
public enum BPDUMode: String, Equatable, Sendable, CaseIterable {
    case drop
    /// They go to the other ports that say so, too.
    case forward
    /// The port is shut for a while.
    case `guard`
}

public enum StormRate: Equatable, Sendable {
    /// Packets per second
    case packets(UInt64)
    /// bit/s
    case bits(UInt64)

    public var text: String {
        switch self {
        case .packets(let value): Quantity.packets.format(value)
        case .bits(let value): Quantity.rate.format(value)
        }
    }
}

extension Model {
    /// Bridges of which a port's frames take the uplink wherever they go.
    public var bridgesWithDetours: Set<String> { Set(ports.lazy.filter { $0.rules.forward != .bridge }.map(\.bridge)) }
}

extension PortSettings {
    /// Rules that are not the default, in the words that set them.
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
    /// - Parameter neighbours: all ports of its bridge.
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
