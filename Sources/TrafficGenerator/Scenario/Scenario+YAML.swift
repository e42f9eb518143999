import Configuration
import Packet

extension Scenario {
    static let keys = [
        "ports", "flows", "steps", "expect", "duration", "report-every", "bin", "drain", "catch-up", "learn", "connect",
    ]

    /// Reads a scenario in YAML, or in JSON, which is a subset of YAML.
    /// - Throws: a sentence that says what is wrong and what to write instead.
    public init(yaml: String) throws(ScenarioError) {
        let document: Element
        do { document = try YAMLReader.element(yaml) } catch { throw ScenarioError("the scenario cannot be read: \(error)") }
        if case .empty = document.content { throw ScenarioError("the scenario is empty; it needs `ports:` and `flows:`") }
        let fields = try ScenarioFields(document, "the scenario", keys: Self.keys)
        duration = try fields.time("duration")
        reportEvery = try fields.time("report-every") ?? reportEvery
        bin = try fields.time("bin") ?? bin
        drain = try fields.time("drain") ?? drain
        catchUp = try fields.time("catch-up") ?? catchUp
        connect = try fields.time("connect") ?? connect
        learn = try fields.flag("learn") ?? false
        for (index, node) in try fields.items("ports").enumerated() { ports.append(try PortPlan(node, index)) }
        for (index, node) in try fields.items("flows").enumerated() { flows.append(try FlowPlan(node, index)) }
        for (index, node) in try fields.items("steps").enumerated() { steps.append(try Step(node, index)) }
        for (index, node) in try fields.items("expect").enumerated() { expectations.append(try Expectation(node, index)) }
        steps.sort { $0.at < $1.at }
        try check()
    }
}

extension PortPlan {
    init(_ node: Element, _ index: Int) throws(ScenarioError) {
        let fields = try ScenarioFields(
            node, "ports[\(index)]", keys: ["name", "device", "server", "mac", "queues", "packed", "ring"])
        self.init(
            name: try fields.required("name", try fields.text("name")),
            device: try fields.required("device", try fields.text("device")),
            mac: try fields.mac("mac") ?? Self.defaultMAC(index))
        server = try fields.flag("server") ?? false
        queues = try fields.integer("queues", 1...64) ?? 1
        packed = try fields.flag("packed") ?? true
        ring = try fields.integer("ring", 64...32_768) ?? ring
    }

    /// An address that begins with 52:54:00, as QEMU's do, and ends in the port's number.
    static func defaultMAC(_ index: Int) -> MACAddress { MACAddress(value: 0x5254_0000_0000 + UInt64(index) + 1) }
}

extension FlowPlan {
    static let keys = [
        "name", "from", "to", "at", "protocol", "size", "rate", "vlan", "vlans", "pcp", "dscp", "port", "ipv6", "segment", "subflows", "macs", "mac", "to-macs",
        "start", "stop", "floor", "part-of",
    ]

    init(_ node: Element, _ index: Int) throws(ScenarioError) {
        let fields = try ScenarioFields(node, "flows[\(index)]", keys: Self.keys)
        let target = try fields.required("to", try fields.text("to"))
        let at = try fields.text("at")
        let destination: Destination
        if let mac = MACAddress(target) {
            destination = .mac(mac, at: at)
        } else if at != nil {
            throw ScenarioError("flows[\(index)].at goes with a MAC address in `to`; `\(target)` is a port's name already")
        } else {
            destination = .port(target)
        }
        self.init(
            name: try fields.required("name", try fields.text("name")),
            from: try fields.required("from", try fields.text("from")), to: destination)
        kind = try fields.parsed("protocol", TrafficKind.accepted) { TrafficKind($0) } ?? .udp
        if let texts = try fields.list("size") {
            sizes = []
            for text in texts {
                if text == "imix" { sizes += Self.internetMix; continue }
                guard let size = Int(text) else {
                    throw ScenarioError("flows[\(index)].size is `\(text)`, but must be bytes of a frame without FCS (60), a list of them, or `imix`")
                }
                sizes.append(size)
            }
        }
        rate = try fields.rate("rate") ?? .maximum
        vlan = try fields.integer("vlan", 0...4094).map { UInt16($0) }
        vlans = try fields.integer("vlans", 1...4_094) ?? 1
        pcp = try fields.integer("pcp", 0...7).map { UInt8($0) }
        dscp = UInt8(try fields.integer("dscp", 0...63) ?? 0)
        port = try fields.integer("port", 1...65_535).map { UInt16($0) }
        ipv6 = try fields.flag("ipv6") ?? false
        segment = try fields.integer("segment", 1...65_535)
        subflows = try fields.integer("subflows", 1...65_536) ?? 1
        macs = try fields.integer("macs", 1...65_536) ?? 1
        mac = try fields.mac("mac")
        toMACs = try fields.integer("to-macs", 1...65_536) ?? 1
        start = try fields.time("start") ?? 0
        stop = try fields.time("stop")
        floor = try fields.bits("floor")
        partOf = try fields.text("part-of")
    }
}

extension TrafficKind {
    static let accepted = "one of \(names.map(\.0).joined(separator: ", ")), or an EtherType from 0x600 (0x88b5)"

    /// Reads a protocol's name, or an EtherType in hexadecimal digits, with or without the word `ethertype` before it.
    public init?(_ text: String) {
        if let row = Self.names.first(where: { $0.0 == text.lowercased() }) { self = row.1; return }
        let number = text.lowercased().split(separator: " ").last ?? ""
        guard number.hasPrefix("0x"), let type = UInt16(number.dropFirst(2), radix: 16), type >= 0x600 else { return nil }
        self = .etherType(type)
    }
}

extension Step {
    init(_ node: Element, _ index: Int) throws(ScenarioError) {
        let fields = try ScenarioFields(node, "steps[\(index)]", keys: ["at", "flows", "rate", "note"])
        self.init(
            at: try fields.required("at", try fields.time("at")), flows: try fields.list("flows") ?? [],
            rate: try fields.rate("rate") ?? .off, note: try fields.text("note"))
        if fields.node("rate") == nil, !flows.isEmpty { throw ScenarioError("steps[\(index)] needs `rate`: \(Rate.accepted)") }
    }
}

extension Expectation {
    init(_ node: Element, _ index: Int) throws(ScenarioError) {
        let fields = try ScenarioFields(
            node, "expect[\(index)]", keys: ["name", "flows", "from", "to", "at-least", "at-most", "within", "intact", "loss-at-most"])
        let flows = try fields.required("flows", try fields.list("flows"))
        self.init(name: try fields.text("name") ?? flows.joined(separator: "+"), flows: flows)
        from = try fields.time("from") ?? 0
        to = try fields.time("to")
        atLeast = try fields.bits("at-least")
        atMost = try fields.bits("at-most")
        within = try fields.fraction("within") ?? within
        intact = try fields.flag("intact") ?? false
        lossAtMost = try fields.fraction("loss-at-most")
        if atLeast == nil, atMost == nil, !intact, lossAtMost == nil {
            throw ScenarioError("expect[\(index)] expects nothing; give it at-least, at-most, intact or loss-at-most")
        }
    }
}
