import Packet

/// An 802.1D bridge: a set of ports among which frames are forwarded by MAC address.
public struct BridgeSettings: Equatable, Sendable {
    public var name: String
    /// Seconds after which a learned address that was not seen again is forgotten (802.1D: 300).
    public var ageing: Int = 300
    /// Most addresses the forwarding database holds.
    public var fdbSize: Int = 65_536
    /// Root of the inbound tree (traffic towards guests and taps), bit/s; nil: unlimited, and then no inbound floor can be
    /// guaranteed.
    public var rate: UInt64?
    /// Bytes added to each frame's length when it is charged (24: preamble, FCS and gap, as on the wire).
    public var overhead: Int = 0
    /// What the classes without a floor have of `rate`.
    public var rest = RestSettings()
    public var snooping = SnoopingSettings()
    public var staticEntries: [StaticEntry] = []
    public init(name: String) { self.name = name }
}

/// A forwarding entry that neither ages nor moves.
public struct StaticEntry: Hashable, Sendable {
    public var mac: MACAddress
    public var port: String
    /// nil: the port's VLAN of frames without a tag, where the bridge has VLANs.
    public var vlan: Int?
    public init(mac: MACAddress, port: String, vlan: Int? = nil) { self.mac = mac; self.port = port; self.vlan = vlan }
}

extension Field<BridgeSettings> {
    static var bridge: [Field] {
        let standard = BridgeSettings(name: "")
        return [
            .name(\.name),
            .value(
                "ageing", \.ageing, .seconds("ageing", 1...1_000_000, example: standard.ageing), standard: standard.ageing,
                help: "when a learned address is forgotten that was not seen again"),
            .integer("fdb-size", \.fdbSize, 16...16_777_216, standard: standard.fdbSize, help: "most addresses that it knows"),
            .rate("rate", \.rate, help: "what all traffic towards its guests may take together, and what inbound floors are guaranteed from"),
            .overhead(\.overhead),
            .rest(\.rest),
        ] + snooping + [
            .list(
                "static", \.staticEntries, of: StaticEntry.kind, example: "[{mac: 52:54:00:12:34:56, port: vm1}]", help: "addresses that neither age nor move"
            ).inFilesOnly,
        ]
    }
}

extension Field {
    /// Of what has a tree.
    static func overhead(_ path: WritableKeyPath<Object, Int>) -> Field {
        integer("overhead", path, 0...256, standard: 0, help: "bytes added to each frame when its rate is reckoned; 24 as on the wire")
    }

    /// Of what has a tree.
    static func rest(_ path: WritableKeyPath<Object, RestSettings>) -> Field {
        nested("rest", path, Field<RestSettings>.rest, name: "rest", help: "what guests and groups without a floor have of the rate together")
    }
}

extension StaticEntry {
    fileprivate typealias Draft = (mac: MACAddress?, port: String?, vlan: Int?)

    fileprivate static var kind: ValueKind<StaticEntry> {
        let fields: [Field<Draft>] = [
            .optional("mac", \.mac, .mac, help: "the address").lasting.required,
            .optional("port", \.port, .text(.name, example: "a port's name"), help: "where it is").lasting.required,
            .optional("vlan", \.vlan, .vlan, help: "its VLAN; by default the port's of frames without a tag").lasting,
        ]
        return MapKind(
            noun: "a static entry", empty: (nil, nil, nil), fields: fields,
            value: { draft in draft.mac.flatMap { mac in draft.port.map { StaticEntry(mac: mac, port: $0, vlan: draft.vlan) } } },
            draft: { ($0.mac, $0.port, $0.vlan) }, missing: "a static entry needs mac and port: write {mac: 52:54:00:12:34:56, port: vm1}"
        ).kind
    }
}
