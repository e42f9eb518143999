import Packet

/// The keys of every object: the one table behind YAML, JSON and the command line's words.
struct Fields {
    let daemon: [Field<DaemonSettings>]
    let bridge: [Field<BridgeSettings>]
    let port: [Field<PortDraft>]
    let pace: [Field<PaceDraft>]
    let classes: [Field<ClassSettings>]
    let rest: [Field<RestSettings>]
    let group: [Field<GroupSettings>]
    let guest: [Field<GuestSettings>]
    let protocolRow: [Field<ProtocolDraft>]
    let filter = FilterSettings.fields
    let mirror = Field<MirrorDraft>.mirror

    /// Made once; nothing in it changes.
    nonisolated(unsafe) static let all = Fields()

    private init() {
        let classes = Self.classFields()
        let pace = Self.paceFields()
        let rest: [Field<RestSettings>] = [
            .rate("floor", \.floor), .rate("ceiling", \.ceiling), .optionalInteger("priority", \.priority, 0...7),
        ]
        self.classes = classes
        self.rest = rest
        self.pace = pace
        daemon = Self.daemonFields()
        bridge = Self.bridgeFields(rest: rest)
        port = Self.portFields(pace: pace, rest: rest)
        group = Self.groupFields(classes)
        guest = Self.guestFields(classes)
        protocolRow = Self.protocolFields()
    }

    private static func daemonFields() -> [Field<DaemonSettings>] {
        let standard = DaemonSettings()
        return [
            .cpus(\.cpus),
            Field(
                key: "polling", unset: { $0.polling = standard.polling }, read: { if let value = $2.choice($1, PollingMode.self) { $0.polling = value } },
                write: { $0.polling == standard.polling ? nil : .text($0.polling.rawValue) }),
            .cores,
            .wakeLatency,
            .flag("balance", \.balance, standard: false),
            .integer("buffers", \.buffers, 1_024...16_777_216, standard: standard.buffers),
            .bytes("buffer-size", \.bufferSize, DaemonSettings.bufferSizes, standard: standard.bufferSize),
            .flag("hugepages", \.hugepages, standard: true),
            Field(
                key: "memory", unset: { $0.memory = standard.memory },
                read: { if let value = $2.quantity($1, .size) { $0.memory = value } },
                write: { $0.memory == 0 ? nil : .text(Quantity.size.format($0.memory)) }),
        ]
    }

    private static func bridgeFields(rest: [Field<RestSettings>]) -> [Field<BridgeSettings>] {
        [
            .name(\.name),
            Field(
                key: "ageing", unset: { $0.ageing = 300 },
                read: { bridge, element, problems in
                    guard let value = problems.quantity(element, .time) else { return }
                    guard value % 1_000 == 0, (1_000...1_000_000_000).contains(value) else {
                        problems.add(element, "ageing is whole seconds from 1s to 1000000s, such as 300s")
                        return
                    }
                    bridge.ageing = Int(value / 1_000)
                },
                write: { $0.ageing == 300 ? nil : .text("\($0.ageing)s") }),
            .integer("fdb-size", \.fdbSize, 16...16_777_216, standard: 65_536),
            .rate("rate", \.rate),
            .integer("overhead", \.overhead, 0...256, standard: 0),
            .nested("rest", \.rest, rest),
        ] + Field<BridgeSettings>.snooping + [
            Field(
                key: "static", shape: .list, unset: { $0.staticEntries = [] },
                read: { bridge, element, problems in
                    guard let items = problems.items(of: element, example: "[{mac: 52:54:00:12:34:56, port: vm1}]") else { return }
                    bridge.staticEntries = items.compactMap { item in
                        var draft = (mac: MACAddress?.none, port: String?.none, vlan: Int?.none)
                        let fields: [Field<(mac: MACAddress?, port: String?, vlan: Int?)>] = [
                            Field(key: "mac", read: { $0.mac = $2.mac($1) }, write: { _ in nil }),
                            Field(key: "port", read: { $0.port = $2.text($1, example: "a port's name") }, write: { _ in nil }),
                            Field(key: "vlan", read: { $0.vlan = $2.vlan($1) }, write: { _ in nil }),
                        ]
                        let before = problems.count
                        problems.read(item, into: &draft, fields, of: "a static entry")
                        guard let mac = draft.mac, let port = draft.port else {
                            if problems.count == before {
                                problems.add(item, "a static entry needs mac and port: write {mac: 52:54:00:12:34:56, port: vm1}")
                            }
                            return nil
                        }
                        return StaticEntry(mac: mac, port: port, vlan: draft.vlan)
                    }
                },
                write: { bridge in
                    bridge.staticEntries.isEmpty
                        ? nil
                        : .list(bridge.staticEntries.map { .map([("mac", .text($0.mac.description)), ("port", .text($0.port))] + ($0.vlan.map { [("vlan", .number(Int64($0)))] } ?? [])) })
                }),
        ]
    }

    private static func portFields(pace: [Field<PaceDraft>], rest: [Field<RestSettings>]) -> [Field<PortDraft>] {
        [
            .name(\.name),
            Field(
                key: "type", read: { if let value = $2.choice($1, PortType.self) { $0.type = value } },
                write: { $0.type.map { .text($0.rawValue) } }),
            .text("bridge", \.bridge, example: "a bridge's name"),
            .text("socket", \.socket, example: "/run/sluice/vm1.sock"),
            Field(
                key: "mode", unset: { $0.mode = nil }, read: { if let value = $2.choice($1, VhostMode.self) { $0.mode = value } },
                write: { $0.mode == .client ? nil : $0.mode.map { .text($0.rawValue) } }),
            Field(
                key: "queues", unset: { $0.queues = nil }, read: { if let value = $2.integer($1, 1...64) { $0.queues = value } },
                write: { $0.type == .vhost && $0.queues == 1 ? nil : $0.queues.map { .number(Int64($0)) } }),
            .text("interface", \.interface, example: "tap0"),
            .text("netns", \.netns, example: "lab"),
            Field(
                key: "mac", unset: { $0.mac = nil }, read: { if let value = $2.mac($1) { $0.mac = value } },
                write: { $0.mac.map { .text($0.description) } }),
            .text("device", \.device, example: "\"net_af_packet0,iface=eth1\""),
            .integer("mtu", \.mtu, 68...9_000, standard: 1_500),
            .cpus(\.cpus),
            .rate("rate", \.rate),
            .integer("overhead", \.overhead, 0...256, standard: 0),
            .nested("rest", \.rest, rest),
            .flag("dcb", \.dcb, standard: true),
            .flag("spoof-check", \.spoofCheck, standard: false),
            .vlan,
            .nested("filter", \.filter, [.text("inbound", \.inbound, example: "a filter's name"), .text("outbound", \.outbound, example: "a filter's name")]),
            .addresses,
            .flag("dhcp-guard", \.dhcpGuard, standard: false),
            .flag("ra-guard", \.raGuard, standard: false),
            Field(
                key: "pace", shape: .map(keys: pace.map(\.key)), unset: { $0.pace = nil },
                read: { port, element, problems in
                    var draft = port.pace ?? PaceDraft()
                    let before = problems.count
                    problems.read(element, into: &draft, pace, of: "pace")
                    port.pace = draft
                    if draft.average == nil, problems.count == before {
                        problems.add(element, "pace needs an average, such as 1gbit")
                    }
                },
                write: { port in port.pace.map { draft in write(draft, pace) } }),
        ] + Field<PortDraft>.rules + Field<PortDraft>.snooping
    }

    private static func paceFields() -> [Field<PaceDraft>] {
        [.rate("average", \.average), .rate("peak", \.peak), .size("burst", \.burst)]
    }

    private static func classFields() -> [Field<ClassSettings>] {
        [
            .rate("floor", \.floor), .rate("ceiling", \.ceiling),
            .size("burst", \.burst), .size("ceiling-burst", \.ceilingBurst),
            .rate("peak", \.peak),
            .packets("floor-packets", \.floorPackets), .packets("ceiling-packets", \.ceilingPackets),
            .optionalInteger("priority", \.priority, 0...7),
            Field(
                key: "quantum", unset: { $0.quantum = nil },
                read: { if let value = $2.bytes($1, 64...16_777_216) { $0.quantum = value } },
                write: { $0.quantum.map { .text(Quantity.size.format(UInt64($0))) } }),
            .optionalInteger("limit", \.limit, 1...1_048_576),
            Field(
                key: "limit-bytes", unset: { $0.limitBytes = nil },
                read: { if let value = $2.bytes($1, 1_024...1 << 40) { $0.limitBytes = value } },
                write: { $0.limitBytes.map { .text(Quantity.size.format(UInt64($0))) } }),
            .delay("limit-delay", \.limitDelay),
            Field(
                key: "queue", unset: { $0.queue = nil },
                read: { if let value = $2.choice($1, QueueDiscipline.self) { $0.queue = value } },
                write: { $0.queue.map { .text($0.rawValue) } }),
            .delay("codel-target", \.codelTarget), .delay("codel-interval", \.codelInterval),
        ]
    }

    private static func groupFields(_ classes: [Field<ClassSettings>]) -> [Field<GroupSettings>] {
        [
            .name(\.name),
            Field(
                key: "bridge", read: { if let value = $2.text($1, example: "a bridge's name") { $0.bridge = value } },
                write: { .text($0.bridge) }),
            .text("parent", \.parent, example: "a group's name"),
            .nested("inbound", \.inbound, classes), .nested("outbound", \.outbound, classes),
        ]
    }

    private static func guestFields(_ classes: [Field<ClassSettings>]) -> [Field<GuestSettings>] {
        let directions: [Field<ProtocolClasses>] = [
            .nested("inbound", \.inbound, classes), .nested("outbound", \.outbound, classes),
        ]
        return [
            .name(\.name),
            Field(
                key: "port", read: { if let value = $2.text($1, example: "a port's name") { $0.port = value } },
                write: { .text($0.port) }),
            Field(
                key: "macs", shape: .list, unset: { $0.macs = [] },
                read: { guest, element, problems in
                    guard let items = problems.items(of: element, example: "[52:54:00:12:34:56]") else { return }
                    guest.macs = items.compactMap { problems.mac($0) }
                },
                write: { $0.macs.isEmpty ? nil : .list($0.macs.map { .text($0.description) }) }),
            .optionalInteger("vlan", \.vlan, VLANSet.identifiers),
            .text("group", \.group, example: "a group's name"),
            .nested("inbound", \.inbound, classes), .nested("outbound", \.outbound, classes),
            Field(
                key: "protocols", unset: { $0.protocols = [:] },
                read: { guest, element, problems in
                    for entry in problems.entries(of: element, "protocols") ?? [] {
                        var value = guest.protocols[entry.key] ?? ProtocolClasses()
                        problems.read(entry.value, into: &value, directions, of: "a protocol of a guest")
                        guest.protocols[entry.key] = value
                    }
                },
                write: { guest in
                    guest.protocols.isEmpty
                        ? nil : .map(guest.protocols.sorted { $0.key < $1.key }.map { ($0.key, write($0.value, directions)) })
                }),
        ]
    }

    private static func protocolFields() -> [Field<ProtocolDraft>] {
        [
            .name(\.name),
            Field(
                key: "match", shape: .list, unset: { $0.matches = [] },
                read: { row, element, problems in
                    guard let items = problems.items(of: element, example: "[tcp 873]") else { return }
                    row.matches = items.compactMap { (item: Element) -> ProtocolMatch? in
                        guard let text = problems.text(item, example: "tcp 873") else { return nil }
                        do throws(UnitError) {
                            return try ProtocolMatch.parse(text)
                        } catch {
                            problems.add(item, error.description)
                            return nil
                        }
                    }
                },
                write: { $0.matches.isEmpty ? nil : .list($0.matches.map { .text($0.description) }) }),
            Field(
                key: "pcp", unset: { $0.pcp = nil }, read: { if let value = $2.integer($1, 0...7) { $0.pcp = value } },
                write: { $0.pcp.map { .number(Int64($0)) } }),
        ]
    }

    /// An object as a document: what differs from the defaults.
    static func write<Object>(_ object: Object, _ fields: [Field<Object>]) -> Document {
        .map(fields.compactMap { field in field.write(object).map { (field.key, $0) } })
    }
}
