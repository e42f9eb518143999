import Configuration
import Foundation
import TestSupport
import Testing

@Suite("The schema of configuration files") struct SchemaTests {
    private let validator = SchemaValidator(Value(Model.schema))

    /// The README of this package.
    static func readme() throws -> String {
        let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
        return try String(contentsOf: root.appendingPathComponent("README.md"), encoding: .utf8)
    }

    /// Keys that the other documents here do not use.
    private static let more = """
        bridges:
          - {name: br0, mcast-snooping: true, mcast-querier: "on", mcast-querier-address: 192.0.2.1, mcast-max-groups: 100}
        ports:
          - {name: a, type: tap, bridge: br0, interface: a, vlan: {trunk: [10, 20-29], native: 1}, mcast-fast-leave: true, mcast-router: never, mcast-max-groups: 8}
          - {name: b, type: tap, bridge: br0, interface: b, vlan: {service: 100}, addresses: [10.0.0.5], filter: {inbound: f}}
          - {name: up, type: physical, bridge: br0, device: eth1, rate: 1gbit, rest: {floor: 1mbit, priority: 1}, dcb: false, vlan: 10}
        filters: [{name: f, default: deny, rules: [{allow: arp}, {deny: "tcp dst port 25"}]}]
        mirrors:
          - {name: m1, port: a, direction: in, filter: tcp port 80, truncate: 128, rate: 100mbit, to: b}
          - {name: m2, guest: b, rate: 10kpps, gre: {remote: 192.0.2.9, local: 192.0.2.1, via: up, mac: "52:54:00:00:00:99", source-mac: "52:54:00:00:00:98", vlan: 10}}
          - {name: m3, class: a, direction: inbound, erspan: {remote: "2001:db8::9", local: "2001:db8::1", via: up, mac: "52:54:00:00:00:99", session: 7}}

        """

    @Test("it lets pass what README shows, and what is read elsewhere in these tests")
    func examples() throws {
        let blocks = try Self.readme().split(separator: "```yaml\n").dropFirst().map { String($0.prefix(upTo: $0.firstRange(of: "```")!.lowerBound)) }
        #expect(blocks.count >= 3)
        for yaml in blocks + [officeYAML, Self.more, "", "{}", "bridges:\nports: []\n", "daemon:\n", "bridges:\n- name: br0\n  rate: 1.5Gbit\n  rest:\n  static:\n"] {
            _ = try Model(yaml: yaml)
            #expect(try validator.faults(Value(yaml: yaml)).isEmpty)
        }
        var random = Seeded(7)
        for _ in 0..<50 {
            let model = randomModel(&random)
            let faults = validator.faults(try Value(yaml: model.yaml)) + validator.faults(Value(model.document))
            #expect(faults.isEmpty)
        }
    }

    @Test("each of its keys is read, and each key that is read is one of its keys")
    func keys() throws {
        var count = 0
        /// - Parameters:
        ///   - all: the schemas of what may stand at this place.
        ///   - wrap: makes a whole document from the text at this place.
        func look(_ all: [Value], _ place: String, _ wrap: (String) -> String) throws {
            let schemas = all.flatMap { schema in (schema["anyOf"]?.items ?? [schema]).map(validator.resolved) }
            let alternatives = schemas.flatMap { $0["anyOf"]?.items ?? [$0] }
            for items in alternatives.compactMap({ $0["items"] }) { try look([items], place + "[]") { wrap("[\($0)]") } }
            for value in alternatives.compactMap({ $0["additionalProperties"] }) where value != .flag(false) {
                try look([value], place + ".x") { wrap("{x: \($0)}") }
            }
            let maps = alternatives.filter { $0["properties"] != nil && $0["minProperties"] == nil }
            if maps.isEmpty { return }
            var keys = Set(maps.flatMap { $0["properties"]!.entries.keys })
            // The reader handles the key `session` here separately, with a sentence of its own.
            if place == ".mirrors[].gre" { keys.insert("session") }
            let told = problems(wrap("{zzzzzz: 1}")).compactMap { sentence in
                sentence.firstRange(of: "the keys are ").map { Set(sentence[$0.upperBound...].split(separator: ", ").map(String.init)) }
            }
            #expect(told == [keys], "\(place)")
            count += keys.count
            for (key, schema) in maps.flatMap({ $0["properties"]!.entries }) { try look([schema], "\(place).\(key)") { wrap("{\(key): \($0)}") } }
        }
        try look([validator.schema], "") { $0 }
        // The limit is about four times the number of keys of a class.
        #expect(count > 150, "\(count)")
    }

    /// In valid documents one value is replaced or removed; the schema and the reader must agree on whether the result is valid.
    @Test("it lets pass what is read, and nothing else", arguments: 0..<4)
    func mutations(seed: UInt64) throws {
        let others: [Value] = [
            .null, .list([]), .map([:]), .list([.text("xyz")]), .list([.null]), .map(["xyz": .number(1)]), .number(-1), .number(0), .number(7), .number(500),
            .number(70_000_000_000), .flag(true), .text("xyz"), .text("none"), .text("default"), .text("on"), .text("no"), .text("1.5gbit"), .text("5KPPS"), .text("2kib"),
            .text("300s"), .text("1.5.5s"), .text("500"), .text("tcp 873"), .text("10.0.0.0/24"), .text("52:54:00:12:34:56"), .text("20-29"), .text("vhost"), .text("fq-codel"),
        ]
        // The reader checks names only after it has read the whole document, so the schema's check is left out here.
        let validator = SchemaValidator(validator.schema.withoutPattern("^[A-Za-z0-9._-]{1,31}$"))
        var random = Seeded(100 + seed), accepted = 0, refused = 0
        for _ in 0..<150 {
            let model = try [office(), randomModel(&random), Model(yaml: Self.more)].randomElement(using: &random)!
            let document = Value(model.document)
            for _ in 0..<8 {
                var places = 0
                _ = document.replacing(&places, -1) { $0 }
                let place = Int.random(in: 0..<places, using: &random), other = Int.random(in: 0..<5, using: &random) == 0 ? nil : others.randomElement(using: &random)!
                places = 0
                let changed = document.replacing(&places, place) { _ in other } ?? .map([:])
                let faults = validator.faults(changed)
                let sentences = Self.sentences(changed.yaml)
                // The reader also accepts quoted numbers and flags, and those that stand for a text; these values are not compared.
                if other == .text("500") || other == .flag(true) || other == .text("on") || other == .text("no") { continue }
                #expect(faults.isEmpty == sentences.isEmpty, "\(faults)\n\(sentences)\n\(changed.yaml)")
                if faults.isEmpty { accepted += 1 } else { refused += 1 }
            }
        }
        #expect(accepted > 100 && refused > 100, "\(accepted) \(refused)")
    }

    /// The reader's complaints about keys and values of a document; those about the whole document are left out.
    private static func sentences(_ yaml: String) -> [String] {
        do {
            _ = try Model(yaml: yaml)
            return []
        } catch {
            return error.problems.map(\.description)
        }
    }

    @Test("integers end where they are read to end, and names are names", arguments: [
        ("ports: [{name: a, type: tap, bridge: b, interface: t, mtu: $}]", [67, 68, 9_000, 9_001]), ("daemon: {buffers: $}", [1_023, 1_024, 16_777_216, 16_777_217]),
        ("bridges: [{name: a, overhead: $}]", [-1, 0, 256, 257]), ("guests: [{name: a, port: a, vlan: $}]", [0, 1, 4_094, 4_095]),
        ("guests: [{name: a, port: a, inbound: {priority: $}}]", [-1, 0, 7, 8]), ("ports: [{name: a, type: tap, bridge: b, interface: t, vlan: $}]", [0, 1, 4_094, 4_095]),
        ("protocols: [{name: a, pcp: $}]", [-1, 0, 7, 8]),
    ])
    func ranges(yaml: String, numbers: [Int]) throws {
        for (number, isGood) in zip(numbers, [false, true, true, false]) {
            let text = yaml.replacing("$", with: "\(number)")
            #expect(Self.sentences(text).isEmpty == isGood, "\(text)")
            #expect(try validator.faults(Value(yaml: text)).isEmpty == isGood, "\(text)")
        }
        for (name, isGood) in [("a", true), ("A.b_c-9", true), (String(repeating: "x", count: 31), true), (String(repeating: "x", count: 32), false), ("a b", false), ("ä", false), ("", false)] {
            let text = "bridges: [{name: \"\(name)\"}]"
            #expect(problems(text).isEmpty == isGood, "\(name)")
            #expect(try validator.faults(Value(yaml: text)).isEmpty == isGood, "\(name)")
        }
    }

    @Test("each key says what it does")
    func helped() {
        func look(_ schema: Value, _ path: String) {
            for (key, inner) in schema["properties"]?.entries ?? [:] where schema["minProperties"] == nil {
                #expect(inner["description"]?.string?.isEmpty == false || path.isEmpty, "\(path).\(key) has no help")
                for alternative in [inner] + (inner["anyOf"]?.items ?? []) {
                    look(alternative, "\(path).\(key)")
                    if let items = alternative["items"] { look(items, "\(path).\(key)[]") }
                }
            }
        }
        look(validator.schema, "")
        for (name, definition) in validator.schema["$defs"]!.entries { look(definition, name) }
    }

    @Test("what it tells as default is what holds where nothing is written")
    func defaults() throws {
        func defaults(_ schema: Value?) -> [String: Value] { (schema?["properties"]?.entries ?? [:]).compactMapValues { $0["default"] } }
        func items(_ section: String) -> Value? { validator.schema["properties"]?[section]?["items"] }
        #expect(try Model(yaml: "daemon: \(Value.map(defaults(validator.schema["properties"]?["daemon"])).yaml)") == Model())
        let bridge = defaults(items("bridges"))
        #expect(bridge.count == 6)
        #expect(try Model(yaml: "bridges: [\(Value.map(bridge.merging(["name": .text("a")]) { $1 }).yaml)]") == Model(yaml: "bridges: [{name: a}]"))
        for port in [["type": "vhost", "socket": "/s"], ["type": "tap", "interface": "t"], ["type": "physical", "device": "eth1"]] {
            let least = (["name": "a", "bridge": "b"].merging(port) { $1 }).mapValues { Value.text($0) }
            let all = defaults(items("ports")).merging(least) { $1 }.filter { port["type"] == "vhost" || $0.key != "mode" }.filter { port["type"] == "physical" || !["overhead", "dcb", "lldp"].contains($0.key) }
            #expect(all.count > 12)
            #expect(try Model(yaml: "ports: [\(Value.map(all).yaml)]") == Model(yaml: "ports: [\(Value.map(least).yaml)]"))
        }
        // Omitted keys of a class are nil in the model; which values they come to shows only in the trees that are made from it.
        func trees(_ outbound: [String: Value]) throws -> [TreeDescription] {
            var ids = ClassIDs()
            let model = try office(), text = "{name: x, port: vm2, outbound: \(Value.map(outbound).yaml)}"
            var changed = model
            changed.guests[1] = try Model(yaml: "guests: [\(text)]").guests[0]
            return Configuration.trees(of: changed, ids: &ids)
        }
        let classes = defaults(validator.schema["$defs"]?["class"])
        #expect(Set(classes.keys) == ["priority", "limit", "limit-delay", "queue", "codel-target", "ecn"])
        #expect(try trees(classes.merging(["queue": .text("codel")]) { $1 }) == trees(["queue": .text("codel")]))
        #expect(try trees(["queue": classes["queue"]!]) == trees([:]))
    }
}

extension Value {
    fileprivate func withoutPattern(_ pattern: String) -> Value {
        switch self {
        case .list(let items): .list(items.map { $0.withoutPattern(pattern) })
        case .map(let entries): .map(entries.filter { $0.key != "pattern" || $0.value != .text(pattern) }.mapValues { $0.withoutPattern(pattern) })
        default: self
        }
    }

    /// The value with `change` applied at one of the places where values stand. Places are counted in `count`.
    fileprivate func replacing(_ count: inout Int, _ place: Int, with change: (Value) -> Value?) -> Value? {
        defer { count += 1 }
        if count == place {
            count += 1
            return change(self)
        }
        count += 1
        switch self {
        case .list(let items): return .list(items.compactMap { $0.replacing(&count, place, with: change) })
        case .map(let entries):
            return .map(Dictionary(uniqueKeysWithValues: entries.sorted { $0.key < $1.key }.compactMap { key, value in value.replacing(&count, place, with: change).map { (key, $0) } }))
        default: return self
        }
    }
}
