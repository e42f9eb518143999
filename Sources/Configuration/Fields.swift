/// The keys of every object, in one table from which YAML, JSON, the command line's words, help texts and the schema are all derived.
struct Fields {
    let daemon = Field<DaemonSettings>.daemon
    let bridge = Field<BridgeSettings>.bridge
    let port = Field<PortDraft>.port
    let classes = Field<ClassSettings>.class
    let group = Field<GroupSettings>.group
    let guest = Field<GuestSettings>.guest
    let protocolRow = Field<ProtocolDraft>.protocolRow
    let filter = Field<FilterSettings>.filter
    let mirror = Field<MirrorDraft>.mirror

    /// The only instance. It is made once, and nothing in it changes afterwards.
    nonisolated(unsafe) static let all = Fields()

    private init() {}

    /// The keys at the top level of a configuration.
    var sections: [FieldDescription] {
        func list(_ key: String, _ fields: [FieldDescription], _ help: String) -> FieldDescription {
            FieldDescription(key: key, value: .list(.map(fields)), help: help)
        }
        return [
            FieldDescription(key: "daemon", value: .map(daemon.map(\.about)), help: "the daemon itself"),
            list("bridges", bridge.map(\.about), "sets of ports among which frames are forwarded"),
            list("ports", port.map(\.about), "where frames come in and leave"),
            list("groups", group.map(\.about), "classes above guests, such as tenants"),
            list("guests", guest.map(\.about), "whose traffic it is"),
            list("protocols", protocolRow.map(\.about), "how protocols are known, and the priority that their frames leave with"),
            list("filters", filter.map(\.about), "rules about frames, for ports to name"),
            list("mirrors", mirror.map(\.about), "copies of a port's, a guest's or a class's frames"),
        ]
    }

    /// The values that `show` prints under their keys: those that differ from the defaults, in the words that set them.
    static func shown<Object>(_ object: Object, _ fields: [Field<Object>]) -> [(key: String, value: String)] {
        fields.compactMap { field in field.about.isShown ? field.write(object).map { (field.key, $0.words) } : nil }
    }

    /// An object as a document with the values that differ from the defaults.
    static func write<Object>(_ object: Object, _ fields: [Field<Object>]) -> Document {
        .map(fields.compactMap { field in field.write(object).map { (field.key, $0) } })
    }
}
