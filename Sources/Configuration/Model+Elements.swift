/// Reads a whole model from a document, and makes a document of it.
extension Model {
    /// Reads what was written in another form than YAML. What the keys say is checked, not whether they go together: that is `problems`.
    package init(_ element: Element) throws(ConfigurationError) {
        var problems = ProblemList()
        self.init(element, DaemonSettings(), &problems)
        if !problems.isEmpty { throw problems.error { ($0.line ?? 0) < ($1.line ?? 0) } }
    }

    /// Reads a model. What is wrong is added to `problems`.
    /// - Parameter standing: the daemon's settings if the document names none of them. If it names some, all others have their defaults.
    init(_ element: Element, _ standing: DaemonSettings, _ problems: inout ProblemList) {
        self.init()
        daemon = standing
        let fields = Fields.all
        for entry in problems.entries(of: element, "the configuration") ?? [] {
            let value = entry.value
            switch entry.key {
            case "daemon":
                guard problems.entries(of: value, "daemon")?.isEmpty == false else { continue }
                daemon = DaemonSettings()
                problems.read(value, into: &daemon, fields.daemon, of: "daemon")
            case "bridges":
                bridges = problems.objects(value, BridgeSettings(name: ""), fields.bridge, of: "a bridge", example: "[{name: br0}]")
                    .map(\.object)
            case "ports":
                let example = "[{name: vm1, type: vhost, bridge: br0, socket: /run/sluice/vm1.sock}]"
                ports = problems.objects(value, PortDraft(), fields.port, of: "a port", example: example)
                    .compactMap { $0.object.port(at: $0.element, &problems) }
            case "groups":
                let all = problems.objects(
                    value, GroupSettings(name: "", bridge: ""), fields.group, of: "a group",
                    example: "[{name: tenant-a, bridge: br0}]")
                groups = all.map(\.object)
                for (group, element) in all where group.bridge.isEmpty {
                    problems.add(element, "a group needs a bridge, such as br0")
                }
            case "guests":
                let all = problems.objects(
                    value, GuestSettings(name: "", port: ""), fields.guest, of: "a guest", example: "[{name: vm1, port: vm1}]")
                guests = all.map(\.object)
                for (guest, element) in all where guest.port.isEmpty {
                    problems.add(element, "a guest needs a port, such as \(guest.name)")
                }
            case "protocols":
                let all = problems.objects(
                    value, ProtocolDraft(), fields.protocolRow, of: "a protocol",
                    example: "[{name: backup, match: [tcp 873], pcp: 1}]")
                protocols = all.map(\.object.row)
            case "filters":
                let example = "[{name: no-smtp, rules: [{deny: tcp dst port 25}]}]"
                filters = problems.objects(value, FilterSettings(name: ""), fields.filter, of: "a filter", example: example).map(\.object)
            case "mirrors":
                mirrors = problems.objects(value, MirrorDraft(), fields.mirror, of: "a mirror", example: "[{name: m1, port: vm1, to: mon0}]")
                    .compactMap { $0.object.mirror(at: $0.element, &problems) }
            default: problems.unknown(entry, in: fields.sections.map(\.key), of: "the configuration")
            }
        }
    }

    /// The model as a document with only the values that differ from the defaults.
    public var document: Document {
        let fields = Fields.all
        var entries: [(key: String, value: Document)] = []
        if daemon != DaemonSettings() { entries.append(("daemon", Fields.write(daemon, fields.daemon))) }
        func append<Object>(_ key: String, _ objects: [Object], _ table: [Field<Object>]) {
            if !objects.isEmpty { entries.append((key, .list(objects.map { Fields.write($0, table) }))) }
        }
        append("bridges", bridges, fields.bridge)
        append("ports", ports.map(PortDraft.init), fields.port)
        append("groups", groups, fields.group)
        append("guests", guests, fields.guest)
        append("protocols", protocols.map(ProtocolDraft.init), fields.protocolRow)
        append("filters", filters, fields.filter)
        append("mirrors", mirrors.map(MirrorDraft.init), fields.mirror)
        return .map(entries)
    }
}

extension ProblemList {
    /// Reads a list of named objects; every one must have a name.
    mutating func objects<Object>(
        _ element: Element, _ empty: Object, _ fields: [Field<Object>], of noun: String, example: String
    ) -> [(object: Object, element: Element)] {
        var result: [(object: Object, element: Element)] = []
        for item in items(of: element, example: example) ?? [] {
            var object = empty
            guard case .map(let entries) = item.content else {
                add(item, "\(noun) is a map of keys and values, not \(item.noun): write \(example.dropFirst().dropLast())")
                continue
            }
            read(item, into: &object, fields, of: noun)
            if !entries.contains(where: { $0.key == "name" }) { add(item, "\(noun) needs a name: write name: ...") }
            result.append((object, item))
        }
        return result
    }
}
