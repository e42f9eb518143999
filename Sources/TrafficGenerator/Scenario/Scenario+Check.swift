import Packet

extension Scenario {
    /// The most sub-flows of all flows together, as each has templates of its own.
    static let mostStreams = 1 << 20

    /// Checks that names can be resolved and that sizes fit.
    public func check() throws(ScenarioError) {
        guard !ports.isEmpty else { throw ScenarioError("the scenario has no ports; it needs at least one under `ports:`") }
        guard ports.count <= 32 else { throw ScenarioError("the scenario has \(ports.count) ports; one process plays at most 32") }
        try unique(ports.map(\.name), "ports")
        try unique(flows.map(\.name), "flows")
        var owners: [MACAddress: String] = [:]
        for port in ports {
            guard !port.mac.isMulticast, !port.mac.isZero else {
                throw ScenarioError("port \(port.name) has the address \(port.mac), which is no station's; take one such as 52:54:00:00:00:01")
            }
            if let other = owners[port.mac] { throw ScenarioError("ports \(other) and \(port.name) have the same MAC address \(port.mac)") }
            owners[port.mac] = port.name
        }
        for flow in flows { try check(flow) }
        let streams = flows.reduce(0) { $0 + $1.subflows * $1.pairs }
        guard streams <= Self.mostStreams else {
            throw ScenarioError("the flows have \(streams) sub-flows together (subflows x addresses); the most is \(Self.mostStreams)")
        }
        for step in steps { _ = try select(step.flows, of: "a step") }
        for expectation in expectations {
            guard !expectation.flows.isEmpty else { throw ScenarioError("expectation \(expectation.name) names no flow") }
            _ = try select(expectation.flows, of: "expectation \(expectation.name)")
            if let end = expectation.to ?? duration, end <= expectation.from {
                throw ScenarioError("expectation \(expectation.name) ends before it starts; `from` must be before `to` and the duration")
            }
        }
        guard bin >= 1_000_000 else { throw ScenarioError("`bin` must be at least 1ms") }
        guard reportEvery >= 10_000_000 else { throw ScenarioError("`report-every` must be at least 10ms") }
    }

    private func check(_ flow: FlowPlan) throws(ScenarioError) {
        let place = "flow \(flow.name)"
        let known = ports.map(\.name).joined(separator: ", ")
        var names = [flow.from]
        switch flow.to {
        case .port(let name): names.append(name)
        case .mac(_, let at): if let at { names.append(at) }
        }
        for name in names where !ports.contains(where: { $0.name == name }) {
            throw ScenarioError("\(place) names the port \(name), which the scenario does not have; it has \(known)")
        }
        if let whole = flow.partOf, !flows.contains(where: { $0.name == whole && $0.partOf == nil && $0.name != flow.name }) {
            throw ScenarioError("\(place) is part of \(whole), which is no other flow, or a part itself")
        }
        if let mac = flow.mac, mac.isMulticast { throw ScenarioError("\(place) sends from \(mac), a group address; take a station's") }
        guard !flow.sizes.isEmpty, flow.sizes.count <= 64 else { throw ScenarioError("\(place) must have 1 to 64 sizes") }
        let least = FrameTemplate.leastSize(flow.kind, ipv6: flow.ipv6)
        if flow.segment != nil, flow.kind != .tcp || flow.ipv6 { throw ScenarioError("\(place): `segment` goes with `protocol: tcp` over IPv4") }
        let most = flow.segment == nil ? FrameTemplate.mostSize : FrameTemplate.mostSegmentedSize
        for size in flow.sizes where size < least || size > most {
            throw ScenarioError(
                "\(place) has frames of \(size) bytes; \(flow.kind.name)\(flow.ipv6 ? " over IPv6" : "") with its signature needs \(least) to \(most)")
        }
        guard Set(flow.sizes).count <= FrameTemplate.mostDistinctSizes else {
            throw ScenarioError("\(place) has more than \(FrameTemplate.mostDistinctSizes) different sizes")
        }
        if flow.vlans > 1 {
            guard let vlan = flow.vlan, vlan > 0 else { throw ScenarioError("\(place) has `vlans` and needs the first of them as `vlan`") }
            guard Int(vlan) + flow.vlans <= 4_095 else { throw ScenarioError("\(place) has \(flow.vlans) VLANs from \(vlan) up; the last there is is 4094") }
            // An address is in a single VLAN, so all pairs that it belongs to must be in that VLAN.
            guard flow.macs == flow.toMACs || flow.macs % flow.vlans == 0 && flow.toMACs % flow.vlans == 0 else {
                throw ScenarioError("\(place) has `vlans`, so it needs as many `macs` as `to-macs`, or multiples of \(flow.vlans) of both")
            }
        }
        if let stop = flow.stop, stop <= flow.start { throw ScenarioError("\(place) stops before it starts") }
        let transport = FrameTemplate.hasTransport(flow.kind)
        if flow.ipv6, !transport { throw ScenarioError("\(place): \(flow.kind.name) has no IP header, so `ipv6` has no meaning for it") }
        if flow.port != nil, flow.kind != .udp, flow.kind != .tcp {
            throw ScenarioError("\(place): `port` goes with protocol udp or tcp; \(flow.kind.name) has its own")
        }
        if flow.subflows > 1, !transport {
            throw ScenarioError("\(place): \(flow.kind.name) has no ports or addresses to tell sub-flows apart; use `macs` instead")
        }
    }

    private func unique(_ names: [String], _ what: String) throws(ScenarioError) {
        var seen: Set<String> = []
        for name in names where !seen.insert(name).inserted { throw ScenarioError("two \(what) have the name \(name)") }
    }

    /// The indices of flows by name; a name that ends in `*` stands for all flows whose names begin with the rest of it.
    func select(_ names: [String], of user: String) throws(ScenarioError) -> [Int] {
        var chosen: [Int] = []
        for name in names {
            let found = flows.indices.filter { index in
                name.hasSuffix("*") ? flows[index].name.hasPrefix(name.dropLast()) : flows[index].name == name
            }
            guard !found.isEmpty else {
                throw ScenarioError("\(user) names the flow \(name), which the scenario does not have; it has \(flows.map(\.name).joined(separator: ", "))")
            }
            chosen += found
        }
        return chosen
    }
}
