import Packet

/// An 802.1D bridge: a set of ports among which frames are forwarded by MAC address.
public struct BridgeSettings: Equatable, Sendable {
    public var name: String
    /// Seconds after which a learned address is forgotten if no frame from it was seen again (IEEE 802.1D recommends 300).
    public var ageing: Int = 300
    /// The largest number of addresses that the forwarding database holds.
    public var fdbSize: Int = 65_536
    /// Rate of the root of the inbound tree, which schedules traffic towards guests and taps, in bit/s. nil: the tree is unlimited, and then no inbound floor
    /// can be guaranteed.
    public var rate: UInt64?
    /// Bytes added to each frame's length when it is charged in the inbound tree. 24 stands for preamble, FCS and gap, so that frames are charged as on the
    /// wire.
    public var overhead: Int = 0
    /// Settings of the class below which all guests and groups without a floor stand in the inbound tree.
    public var rest = RestSettings()
    public var snooping = SnoopingSettings()
    public var staticEntries: [StaticEntry] = []
    public init(name: String) { self.name = name }
}

/// A forwarding entry that neither ages nor moves to another port.
public struct StaticEntry: Hashable, Sendable {
    public var mac: MACAddress
    public var port: String
    /// The VLAN that the entry is for. nil: on a bridge with VLANs, the port's VLAN of frames without a tag; on a bridge without VLANs there is nothing to say.
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
    /// The field `overhead` of an object that has a scheduling tree: a bridge or a physical port.
    static func overhead(_ path: WritableKeyPath<Object, Int>) -> Field {
        integer("overhead", path, 0...256, standard: 0, help: "bytes added to each frame when its rate is reckoned; 24 as on the wire")
    }

    /// The field `rest` of an object that has a scheduling tree: a bridge or a physical port.
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
