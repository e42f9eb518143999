import Packet

/// A guest is whose traffic it is: the MAC addresses of one guest behind one port. For a port without guests, one with the port's name is made.
public struct GuestSettings: Equatable, Sendable {
    public var name: String
    public var port: String
    /// The guest's addresses. Empty: all addresses of the port, or of the guest's VLAN there, that no other guest has. There is at most one such guest for a
    /// port, and one for each VLAN of it.
    public var macs: [MACAddress] = []
    /// The VLAN that the guest's addresses are in; nil: all VLANs of the port.
    public var vlan: Int?
    public var group: String?
    /// Settings of the guest's class for traffic towards it, in the bridge's tree.
    public var inbound = ClassSettings()
    /// Settings of the guest's class for traffic from it, in the tree of every physical port of the bridge.
    public var outbound = ClassSettings()
    /// Settings of leaves that the guest has for single protocols, by the protocol's name. All other protocols share the guest's default leaf.
    public var protocols: [String: ProtocolClasses] = [:]
    public init(name: String, port: String) { self.name = name; self.port = port }
}

/// Settings of the leaves that a guest has for one protocol, towards it and from it.
public struct ProtocolClasses: Equatable, Sendable {
    public var inbound = ClassSettings()
    public var outbound = ClassSettings()
    public init() {}
}

/// A class above guests, such as one for a tenant: the guests below it share its floor and ceiling.
public struct GroupSettings: Equatable, Sendable {
    public var name: String
    public var bridge: String
    /// The group that this group stands below; nil: it stands below the root.
    public var parent: String?
    public var inbound = ClassSettings()
    public var outbound = ClassSettings()
    public init(name: String, bridge: String) { self.name = name; self.bridge = bridge }
}

extension GuestSettings {
    /// The keys and values that `show` prints with a guest: those that differ from the default and have no column of their own.
    public var optionWords: [(key: String, value: String)] { Fields.shown(self, Fields.all.guest) }
}

extension Field<GuestSettings> {
    static var guest: [Field] {
        let classes = Field<ProtocolClasses>.directions(\.inbound, \.outbound)
        return [
            .name(\.name),
            .reference("port", \.port, example: "a port's name", help: "the port that it is behind").required,
            .list("macs", \.macs, of: .mac, example: "[52:54:00:12:34:56]", help: "its addresses; by default all of the port that no other guest has"),
            .optional("vlan", \.vlan, .vlan, help: "the VLAN that its addresses are in; by default all of the port").shown,
            .text("group", \.group, example: "a group's name", form: .name, help: "the group whose floor and ceiling it shares"),
        ] + directions(\.inbound, \.outbound) + [
            Field(
                key: "protocols", takes: .named(.map(classes.map(\.about))), help: "classes of its own for protocols, by their names",
                unset: { $0.protocols = [:] },
                read: { guest, element, problems in
                    for entry in problems.entries(of: element, "protocols") ?? [] {
                        var value = guest.protocols[entry.key] ?? ProtocolClasses()
                        problems.read(entry.value, into: &value, classes, of: "a protocol of a guest")
                        guest.protocols[entry.key] = value
                    }
                },
                write: { guest in
                    guest.protocols.isEmpty ? nil : .map(guest.protocols.sorted { $0.key < $1.key }.map { ($0.key, Fields.write($0.value, classes)) })
                },
                check: { guest, path, problems in
                    for (name, value) in guest.protocols.sorted(by: { $0.key < $1.key }) {
                        for field in classes { field.check?(value, { "\(path()).protocols.\(name)" }, &problems) }
                    }
                }
            ).inFilesOnly
        ]
    }
}

extension Field<GroupSettings> {
    static var group: [Field] {
        [
            .name(\.name),
            .reference("bridge", \.bridge, example: "a bridge's name", help: "the bridge that its guests are on").required,
            .text("parent", \.parent, example: "a group's name", form: .name, help: "the group that it is in"),
        ] + directions(\.inbound, \.outbound)
    }
}

extension Field {
    static func directions(_ inbound: WritableKeyPath<Object, ClassSettings>, _ outbound: WritableKeyPath<Object, ClassSettings>) -> [Field] {
        let classes = Field<ClassSettings>.class
        return [
            .nested("inbound", inbound, classes, name: "class", help: "of the traffic towards guests"),
            .nested("outbound", outbound, classes, name: "class", help: "of the traffic from guests"),
        ]
    }
}
