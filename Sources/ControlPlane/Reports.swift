import Configuration
import ControlAPI
import DataPlane
import Foundation
import Packet
import Scheduler

// The show methods: the data plane's figures in the words of the control messages.

extension Engine {
    func ports(_ name: String?) throws -> PortSnapshot {
        let model = dataPlane.model
        return PortSnapshot(model: model, ports: statuses(of: try select(model.ports, name, \.name, "port")))
    }

    /// The statuses of ports but for the guests.
    func statuses(of ports: [PortSettings]) -> [PortStatus] {
        let model = dataPlane.model, tagged = model.bridgesWithVLANs
        return ports.map { settings in
            var status = PortStatus()
            status.name = settings.name
            status.bridge = settings.bridge
            status.mtu = settings.mtu
            (status.kind, status.device, status.mode) = (settings.kind.type.rawValue, settings.kind.place, settings.kind.mode?.rawValue)
            (status.mac, status.queuesMax) = (settings.kind.hostAddress?.description, settings.kind.mostQueues ?? 0)
            if tagged.contains(settings.bridge) { status.vlans = Self.vlans(of: settings, services: model.serviceVLANs(of: settings.bridge)) }
            (status.inboundFilter, status.outboundFilter) = (settings.filter.inbound, settings.filter.outbound)
            status.addresses = settings.addresses.isEmpty ? nil : settings.addresses.map(\.description)
            let guards = [settings.dhcpGuard ? "dhcp" : nil, settings.raGuard ? "ra" : nil, settings.fipSnooping ? "fip" : nil].compactMap { $0 }
            status.guards = guards.isEmpty ? nil : guards
            status.rules = Dictionary(settings.ruleWords.map { ($0.key, $0.value) }) { first, _ in first }
            guard let report = dataPlane.portReport(settings.name) else { return status }
            (status.learnedAddresses, status.counts) = (report.addresses, report.counts)
            status.queues = report.queues
            if settings.kind.mostQueues == nil { status.queuesMax = report.queues }
            switch report.condition {
            case "up": status.state = .up
            case "down":
                status.state = .down
                status.reason = "no link"
            default:
                // A vhost port may just be waiting for its guest; a port that is lost or broken has failed.
                status.state = report.isWaiting && !report.isLost ? .waiting : .failed
                status.reason = report.condition
            }
            status.warnings = report.warnings
            if status.kind == "physical", let count = report.drops["oversized"] {
                status.warnings.append("""
                    \(count) frames were longer than the mtu and dropped: where a virtual interface's other side leaves segmentation to this one, write \
                    `ethtool -K INTERFACE tso off gso off` for it; otherwise raise the port's mtu
                    """)
            }
            status.driver = report.driver
            status.device = report.device
            status.numaNode = report.numaNode < 0 ? nil : report.numaNode
            status.steering = report.steering.map { SteeringStatus(addresses: $0.addresses, rules: $0.rules, reason: $0.refusal) }
            status.rx = Traffic(report.received)
            status.tx = Traffic(report.sent)
            status.drops = report.drops
            trafficRates.fill(&status)
            return status
        }
    }

    /// The port's VLANs; consecutive ones with the same flags form one range.
    private static func vlans(of port: PortSettings, services: VLANSet) -> [VLANRange] {
        let membership = PortMembership(port.vlan)
        var result: [VLANRange] = []
        for vlan in membership.members.ids {
            var flags: [String] = []
            if vlan == membership.native { flags.append("PVID") }
            if membership.untagged.contains(vlan) { flags.append("Egress Untagged") }
            if services.contains(vlan) { flags.append("Service") }
            if let last = result.last, (last.vlanEnd ?? last.vlan) == vlan - 1, last.flags ?? [] == flags {
                result[result.count - 1].vlanEnd = vlan
            } else {
                result.append(VLANRange(vlan: vlan, flags: flags.isEmpty ? nil : flags))
            }
        }
        return result
    }

    func bridges(_ name: String?) throws -> [BridgeStatus] {
        let model = dataPlane.model
        return try select(model.bridges, name, \.name, "bridge").map { settings in
            var status = BridgeStatus()
            status.name = settings.name
            status.ports = model.ports.filter { $0.bridge == settings.name }.map(\.name)
            status.ageing = settings.ageing
            status.fdbEntries = dataPlane.addressCount(bridge: settings.name)
            status.fdbSize = settings.fdbSize
            status.rate = settings.rate
            guard let counts = dataPlane.bridgeCounts(settings.name) else { return status }
            (status.forwarded, status.counts, status.drops) = (counts.forwarded, counts.counts, counts.drops)
            return status
        }
    }

    func groups(_ name: String?) throws -> [GroupStatus] {
        let model = dataPlane.model
        let amounts = dataPlane.groupAmounts()
        return try select(model.groups, name, \.name, "group").map { settings in
            var status = GroupStatus()
            status.name = settings.name
            status.bridge = settings.bridge
            status.parent = settings.parent
            status.inboundFloor = settings.inbound.floor
            status.inboundCeiling = settings.inbound.ceiling
            status.outboundFloor = settings.outbound.floor
            status.outboundCeiling = settings.outbound.ceiling
            status.guests = model.guests.filter { $0.group == settings.name }.map(\.name)
            status.inbound = amounts[settings.name].map { Traffic($0.inbound) } ?? Traffic()
            status.outbound = amounts[settings.name].map { Traffic($0.outbound) } ?? Traffic()
            return status
        }
    }

    func guests() -> GuestSnapshot {
        GuestSnapshot(model: dataPlane.model, amounts: dataPlane.guestAmounts(), delays: dataPlane.guestDelays(), rates: trafficRates)
    }

    func check(_ params: FDBParams) throws {
        let model = dataPlane.model
        if let vlan = params.vlan, !VLANSet.identifiers.contains(vlan) { throw RPCError(RPCError.invalidParams, "\(vlan) is no VLAN: write 1 to 4094") }
        if let bridge = params.bridge { _ = try select(model.bridges, bridge, \.name, "bridge") }
        guard let name = params.port else { return }
        let port = try select(model.ports, name, \.name, "port")[0]
        if let bridge = params.bridge, bridge != port.bridge {
            throw RPCError(RPCError.invalidParams, "port \(name) is on bridge \(port.bridge), not on \(bridge): name one of them only")
        }
    }

    func flush(_ params: FDBParams) throws -> FlushReply {
        try check(params)
        return FlushReply(flushed: dataPlane.flushAddresses(bridge: params.bridge, port: params.port, vlan: params.vlan))
    }

    func addresses(_ params: FDBParams) throws -> [FDBEntry] {
        try check(params)
        return dataPlane.addressReports(bridge: params.bridge).filter { (params.port == nil || $0.port == params.port) && (params.vlan == nil || $0.vlan == params.vlan) }.map { report in
            var entry = FDBEntry()
            entry.bridge = report.bridge
            entry.mac = report.mac.description
            entry.vlan = report.vlan
            entry.port = report.port
            entry.guest = report.guest
            entry.static = report.isStatic
            entry.bound = report.isStatic ? report.isBound : nil
            entry.age = report.isStatic ? nil : report.age
            return entry
        }
    }

    func protocols(_ name: String?) throws -> [ProtocolStatus] {
        let table = dataPlane.model.protocolTable
        let amounts = dataPlane.protocolAmounts()
        let builtIn = Set(ProtocolSettings.builtIn.map(\.name))
        var rows = table.enumerated().map { row, settings in
            var status = ProtocolStatus()
            status.name = settings.name
            status.matches = settings.matches.map(\.description)
            status.pcp = settings.pcp
            status.builtIn = builtIn.contains(settings.name)
            status.seen = Traffic(amounts[row + 1])
            return status
        }
        var rest = ProtocolStatus()
        rest.name = "default"
        rest.builtIn = true
        rest.seen = Traffic(amounts[0])
        rows.append(rest)
        return try select(rows, name, \.name, "protocol")
    }

    func filters(_ name: String?) throws -> [FilterStatus] {
        let model = dataPlane.model
        return try select(model.filters, name, \.name, "filter").map { settings in
            let hits = dataPlane.filterHits(settings.name)
            var status = FilterStatus()
            status.name = settings.name
            status.rules = settings.rules.enumerated().map { place, rule in
                FilterStatus.Rule(action: rule.action.rawValue, expression: rule.expression, hits: hits.isEmpty ? 0 : hits[place])
            }
            status.default = settings.standard.rawValue
            status.defaultHits = hits.last ?? 0
            status.inbound = model.ports.filter { $0.filter.inbound == settings.name }.map(\.name)
            status.outbound = model.ports.filter { $0.filter.outbound == settings.name }.map(\.name)
            return status
        }
    }

    func mirrors(_ name: String?) throws -> [MirrorStatus] {
        try select(dataPlane.model.mirrors, name, \.name, "mirror").map { settings in
            var status = MirrorStatus()
            status.name = settings.name
            switch settings.source {
            case .port(let name): status.port = name
            case .guest(let name): status.guest = name
            case .class(let path): status.class = path
            }
            status.direction = settings.direction.rawValue
            (status.filter, status.truncate, status.rate) = (settings.filter, settings.truncate, settings.rate?.text)
            switch settings.target {
            case .port(let name): status.to = name
            case .gre(let tunnel): status.gre = MirrorStatus.Tunnel(tunnel)
            case .erspan(let tunnel, let session):
                status.erspan = MirrorStatus.Tunnel(tunnel)
                status.erspan?.session = session
            }
            let report = dataPlane.mirrorReport(settings.name)
            (status.copied, status.drops) = (Traffic(report.copied), report.drops)
            return status
        }
    }

    func cores(listsStalls: Bool) -> [CoreStatus] {
        dataPlane.coreReports().enumerated().map { index, report in
            var status = CoreStatus()
            status.cpu = report.cpu
            status.numaNode = report.numaNode < 0 ? nil : report.numaNode
            status.queues = report.queues.map { QueueAssignment(port: $0.port, queue: $0.queue, loadPercent: $0.load * 100) }
            status.frames = report.frames
            status.turns = report.turns
            status.idleTurns = report.idleTurns
            status.measuredFrames = report.measuredFrames
            if report.measuredFrames > 0 {
                status.stages = Stage.allCases.map { StageStatus(name: "\($0)", cycles: report.stageCycles[$0] ?? 0) }
            }
            status.polling = report.polling.rawValue
            status.sleeps = report.sleeps
            let wakeups = [("traffic", report.wokenByTraffic), ("control", report.wokenByControl), ("time", report.wokenByTime)]
            status.wakeups = Dictionary(uniqueKeysWithValues: wakeups.filter { $0.1 != 0 })
            status.lookedAt = report.lookedAt
            status.stalls = stalls(report)
            if listsStalls { status.stalls.latest = latestStalls(index) }
            coreRates.fill(&status, index)
            return status
        }
    }

    private var cyclesPerMicrosecond: Double { Double(dataPlane.cyclesPerSecond) / 1e6 }

    private func stalls(_ report: DataPlane.CoreReport) -> StallStatus {
        var status = StallStatus()
        status.count = report.stalls
        status.totalMicroseconds = Double(report.stalledCycles) / cyclesPerMicrosecond
        status.longestMicroseconds = Double(report.longestStall) / cyclesPerMicrosecond
        status.awakeMicroseconds = Double(report.busyCycles &+ report.idleCycles) / cyclesPerMicrosecond
        status.elapsedMicroseconds = max(-startTime.timeIntervalSinceNow * 1e6, 0)
        status.waitedMicroseconds = report.waitedNanoseconds.map { Double($0) / 1e3 }
        status.stolenMicroseconds = report.stolenNanoseconds.map { Double($0) / 1e3 }
        return status
    }

    private func latestStalls(_ core: Int) -> [StallStatus.Stall] {
        let now = dataPlane.cycles
        return dataPlane.stalls(ofCore: core).map { stall in
            StallStatus.Stall(
                beganCycles: stall.began, microseconds: Double(stall.cycles) / cyclesPerMicrosecond,
                secondsAgo: Double(now &- stall.began) / cyclesPerMicrosecond / 1e6)
        }
    }

    func balance(isDryRun: Bool) -> [MoveStatus] {
        dataPlane.balance(isDryRun: isDryRun).map { report in
            var status = MoveStatus()
            (status.port, status.queues, status.from, status.to) = (report.port, report.queues, report.from, report.to)
            (status.loadPercent, status.done) = (report.load * 100, report.isDone)
            return status
        }
    }

    func stats() -> StatsReply {
        let totals = dataPlane.totals()
        var reply = StatsReply()
        reply.received = Traffic(totals.received)
        reply.copied = Traffic(totals.copied)
        reply.injected = Traffic(totals.injected)
        reply.delivered = Traffic(totals.delivered)
        reply.queued = Traffic(totals.queued)
        reply.dropped = totals.drops
        return reply
    }

    func qemu(_ port: PortSettings) throws -> QEMUReply {
        try QEMUReply(port: port, guests: dataPlane.model.effectiveGuests.map(\.settings).filter { $0.port == port.name })
    }

    /// The port that a request names.
    /// - Throws: an error if the request names none, or there is no such port.
    func port(namedBy request: Request) throws -> PortSettings {
        guard let name = try request.params(NameParams.self).name else {
            throw RPCError(RPCError.invalidParams, "\(request.method) needs the parameter 'name'")
        }
        return try select(dataPlane.model.ports, name, \.name, "port")[0]
    }
}

/// All elements, or the one with that name.
/// - Throws: `RPCError.notFound` if there is none.
func select<Element>(_ all: [Element], _ name: String?, _ key: KeyPath<Element, String>, _ what: String) throws(RPCError) -> [Element] {
    guard let name else { return all }
    guard let found = all.first(where: { $0[keyPath: key] == name }) else {
        let there = all.prefix(20).map { $0[keyPath: key] }.joined(separator: ", ")
        throw RPCError(RPCError.notFound, "no \(what) '\(name)'" + (all.isEmpty ? "; there is none" : "; there are \(there)"))
    }
    return [found]
}

extension MirrorStatus.Tunnel {
    init(_ tunnel: MirrorTunnel) {
        self.init()
        (remote, local, via, mac) = (tunnel.remote.description, tunnel.local.description, tunnel.via, tunnel.mac.description)
        (sourceMac, vlan) = (tunnel.source.description, tunnel.vlan)
    }
}

extension Traffic {
    init(_ amount: DataPlane.Amount) { self.init(frames: amount.frames, bytes: amount.bytes) }

    static func += (sum: inout Traffic, more: Traffic) {
        sum.frames &+= more.frames
        sum.bytes &+= more.bytes
    }
}
