import Configuration
import ControlAPI
import ControlPlane
import Dispatch
import Foundation
import Synchronization
import Testing

/// The outcome of one run of `sluice`.
struct Run: Equatable {
    var status: Int32
    var output: String
    var errors: String
}

/// Runs the `sluice` that was built together with these tests.
func sluice(_ arguments: String..., socket: String = "/nonexistent/control.sock", input: String? = nil) throws -> Run {
    try sluice(arguments, socket: socket, input: input)
}

func sluice(_ arguments: [String], socket: String = "/nonexistent/control.sock", input: String? = nil) throws -> Run {
    let here = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let process = Process()
    process.executableURL = here.appendingPathComponent("sluice")
    process.arguments = arguments
    process.environment = ["SLUICE_SOCKET": socket]
    let output = Pipe(), errors = Pipe(), source = Pipe()
    process.standardOutput = output
    process.standardError = errors
    process.standardInput = source
    try process.run()
    try source.fileHandleForWriting.write(contentsOf: Data((input ?? "").utf8))
    try source.fileHandleForWriting.close()
    let text = output.fileHandleForReading.readDataToEndOfFile()
    let sentences = errors.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return Run(
        status: process.terminationStatus, output: String(decoding: text, as: UTF8.self),
        errors: String(decoding: sentences, as: UTF8.self))
}

/// A daemon without a data plane. It keeps a configuration and answers with figures that are made up for these tests.
final class CannedDaemon: Sendable {
    let folder = TemporaryFolder()
    let path: String
    private let server: ControlServer

    init(_ yaml: String = "bridges: [{name: br0, rate: 10gbit}]\n") throws {
        path = folder("control.sock")
        nonisolated(unsafe) var model = try Model.checked(yaml: yaml)
        server = ControlServer(path: path, queue: DispatchQueue(label: "canned")) { request in
            do {
                return try Self.answer(request, &model)
            } catch let error as RPCError {
                return .failure(error)
            } catch let error as ConfigurationError {
                return .failure(RPCError(error))
            } catch {
                return .failure(RPCError(RPCError.internal, "\(error)"))
            }
        }
        try server.start()
    }

    deinit { server.stop() }

    /// The bridges and ports whose addresses clients have asked to forget, for all daemons in this process.
    private static let flushes = Mutex<[String]>([])
    var flushed: [String] { Self.flushes.withLock { $0 } }

    /// How many times the stages have been asked for.
    private static let looks = Atomic<Int>(0)

    private static func answer(_ request: Request, _ model: inout Model) throws -> Response {
        func change(to new: Model, dryRun: Bool) -> Response {
            let lines = diff(from: model, to: new).lines(from: model, to: new)
            let warnings = new.warnings(since: model)
            if !dryRun { model = new }
            return .reply(ChangeReply(changes: lines, applied: !dryRun, warnings: warnings))
        }
        if let verb = Verb(request.method) {
            return change(to: try model.edited(verb.object.rawValue, verb.verb.rawValue, verb.words(request)), dryRun: false)
        }
        switch request.method {
        case Methods.edit.name:
            let params = try request.params(EditParams.self)
            return change(to: try model.edited(params.object, params.verb, params.words), dryRun: false)
        case Methods.configApply.name:
            let params = try request.params(ApplyParams.self)
            return change(to: try Model.checked(yaml: params.yaml), dryRun: params.dryRun ?? false)
        case Methods.configDiff.name: return change(to: try Model.checked(yaml: request.params(DiffParams.self).yaml ?? "bridges: [{name: in-file}]\n"), dryRun: true)
        case Methods.configDrift.name: return .reply(ChangeReply(changes: ["+ port host2 type tap bridge br0 interface host2"], applied: false))
        case Methods.configHistory.name: return .reply(Canned.revisions)
        case Methods.configRevision.name: return .reply(RevisionReply(revision: Canned.revisions[0], yaml: "bridges: []  # \(try request.params(RevisionParams.self).revision)\n"))
        case Methods.configRollback.name:
            let params = try request.params(RollbackParams.self)
            return .reply(ChangeReply(changes: ["~ to \(params.revision) within \(params.confirm.map(String.init) ?? "none")"], applied: params.dryRun != true))
        case Methods.configConfirm.name:
            return .reply(ChangeReply(changes: [], applied: true, notes: [try request.params(ConfirmParams.self).undo == true ? "undone" : "confirmed"]))
        case Methods.configSave.name:
            guard try request.params(SaveParams.self).force == true else { return .reply(ChangeReply(changes: [], applied: false)) }
            return .reply(ChangeReply(changes: ["- bridge br1"], applied: true, notes: ["saved in /etc/sluice/sluice.yaml"]))
        case Methods.configGet.name: return .reply(ConfigReply(yaml: model.yaml, json: JSONValue(model.document)))
        case Methods.version.name: return .reply(VersionReply(version: "1.2.3", dpdk: "DPDK 22.11.11"))
        case Methods.status.name: return .reply(Canned.status)
        case Methods.portShow.name where try request.params(NameParams.self).name == "shwo": throw RPCError(RPCError.notFound, "no port 'shwo'; there are vm1, uplink")
        case Methods.portShow.name: return .reply(try request.params(NameParams.self).name == "vm9" ? [] : Canned.ports)
        case Methods.portReset.name: return .reply(ChangeReply(changes: ["~ port vm1 (opened again)"], applied: true))
        case Methods.portQEMU.name: return .reply(try QEMUReply(port: model.ports[0], guests: model.guests))
        case Methods.bridgeShow.name: return .reply([Canned.bridge])
        case Methods.groupShow.name: return .reply([Canned.group])
        case Methods.guestShow.name: return .reply(Canned.guests)
        case Methods.mdbShow.name: return .reply(Canned.members)
        case Methods.fipShow.name:
            let params = try request.params(FDBParams.self)
            return .reply(Canned.grants.filter { params.port == nil || $0.port == params.port })
        case Methods.lldpShow.name: return .reply([Canned.lldp])
        case Methods.dcbShow.name: return .reply([Canned.dcb])
        case Methods.fdbShow.name:
            let params = try request.params(FDBParams.self)
            return .reply(Canned.addresses.filter { params.port == nil || $0.port == params.port })
        case Methods.fdbFlush.name:
            let params = try request.params(FDBParams.self)
            flushes.withLock { $0.append((params.bridge ?? "") + (params.port ?? "")) }
            return .reply(FlushReply(flushed: 2))
        case Methods.classShow.name: return .reply(Canned.classes)
        case Methods.protocolShow.name: return .reply(Canned.protocols)
        case Methods.filterShow.name: return .reply([Canned.filter])
        case Methods.mirrorShow.name: return .reply([Canned.mirror])
        case Methods.partShow.name: return .reply(try request.params(NameParams.self).name == nil ? Canned.parts : [Canned.parts[0]])
        case Methods.partSet.name:
            let params = try request.params(PartParams.self), part = try Part(params.name, yaml: params.yaml)
            return .reply(ChangeReply(changes: part.model.ports.map { "+ port \($0.name) of \(part.name)" }, applied: params.dryRun != true))
        case Methods.partDel.name: return .reply(ChangeReply(changes: ["- part \(try request.params(PartDeletion.self).name)"], applied: true))
        case Methods.coreShow.name:
            let params = try request.params(CoreParams.self)
            if params.stalls == true { return .reply(Canned.cores(listsStalls: true)) }
            guard params.stages == true else { return .reply(Canned.cores) }
            return .reply(Canned.cores(looks: looks.add(1, ordering: .relaxed).newValue))
        case Methods.coreBalance.name: return .reply(Canned.moves)
        case Methods.statsShow.name: return .reply(Canned.stats)
        default: throw RPCError(RPCError.methodNotFound, "no method \(request.method)")
        }
    }
}

/// Replies that have a value in every field.
enum Canned {
    /// One of each kind of reply.
    static var replies: [any Codable & Equatable] {
        [
            status, ports, group, bridge, guests, addresses, classes, protocols, cores(listsStalls: true), cores(looks: 3), moves, stats,
            ChangeReply(changes: [], applied: true), QEMUReply(port: "a", arguments: ["-x", "y/z"], libvirt: "<a b='c'/>\n"),
        ]
    }

    static var status: StatusReply {
        var status = StatusReply()
        (status.version, status.pid, status.uptimeSeconds) = ("1.2.3", 42, 3_725)
        (status.socket, status.configFile, status.changes) = ("/run/sluice/control.sock", "/etc/sluice/sluice.yaml", 7)
        (status.bridges, status.ports, status.portsUp, status.guests, status.classes, status.cores) = (1, 4, 3, 5, 12, 2)
        (status.buffers, status.buffersInUse) = (65_536, 1_024)
        return status
    }

    static var ports: [PortStatus] {
        var vm1 = PortStatus()
        (vm1.name, vm1.kind, vm1.bridge, vm1.state, vm1.queues, vm1.queuesMax) = ("vm1", "vhost", "br0", .up, 2, 4)
        (vm1.driver, vm1.device, vm1.mode, vm1.numaNode) = ("vhost", "/run/sluice/vm1.sock", "client", 0)
        (vm1.guests, vm1.rx, vm1.tx) = (["vm1"], Traffic(frames: 1_000, bytes: 64_000), Traffic(frames: 20, bytes: 1_280))
        (vm1.rxRate, vm1.txRate) = (Rate(bits: 9_400_000, packets: 1_000), Rate(bits: 80_000, packets: 20))
        (vm1.drops, vm1.counts) = (["spoofed_source": 3, "runt": 1], ["txFull": 5, "pacedNanoseconds": 2_500_000, "punted": 7, "injected": 0])
        var uplink = PortStatus()
        (uplink.name, uplink.kind, uplink.bridge, uplink.state) = ("uplink", "physical", "br0", .waiting)
        (uplink.reason, uplink.driver, uplink.device, uplink.queuesMax) = ("no link", "net_af_packet", "eth1", 1)
        return [vm1, uplink]
    }

    static var filter: FilterStatus {
        var filter = FilterStatus()
        (filter.name, filter.default, filter.defaultHits, filter.outbound) = ("no-smtp", "allow", 1_200, ["vm1", "vm2"])
        filter.rules = [
            FilterStatus.Rule(action: "allow", expression: "dst net 10.0.0.0/8", hits: 7), FilterStatus.Rule(action: "deny", expression: "tcp dst port 25", hits: 32),
        ]
        return filter
    }

    static let revisions = [
        RevisionStatus(number: 9, time: 0, how: "start", who: nil, changes: 4), RevisionStatus(number: 10, time: 86_400, how: "apply", who: "uid 0 pid 7 sluice", changes: 12),
    ]

    static let parts = [
        PartStatus(name: "libvirt-web", yaml: "ports: []  # web's\n", ports: ["web", "web-2"], guests: ["web"], ageSeconds: 75),
        PartStatus(name: "late", yaml: "", ports: ["late"], guests: [], ageSeconds: 5, problem: "there is no bridge br9\nand more"),
    ]

    static var mirror: MirrorStatus {
        var mirror = MirrorStatus(), tunnel = MirrorStatus.Tunnel()
        (tunnel.remote, tunnel.local, tunnel.via, tunnel.mac, tunnel.sourceMac, tunnel.session) = ("192.0.2.9", "192.0.2.1", "uplink", "52:54:00:00:00:99", "02:53:c0:00:02:01", 7)
        (mirror.name, mirror.guest, mirror.direction, mirror.filter, mirror.truncate, mirror.rate, mirror.erspan) = ("m1", "vm1", "both", "tcp port 80", 128, "100mbit", tunnel)
        (mirror.copied, mirror.drops) = (Traffic(frames: 12, bytes: 1_600), ["rate": 3, "queue_full": 1])
        return mirror
    }

    static var group: GroupStatus {
        var group = GroupStatus()
        (group.name, group.bridge, group.guests) = ("tenant-a", "br0", ["vm1", "vm2"])
        (group.inboundFloor, group.inboundCeiling, group.outboundFloor) = (2_000_000_000, 4_000_000_000, 800_000_000)
        (group.inbound, group.outbound) = (Traffic(frames: 20, bytes: 1_280), Traffic(frames: 1_000, bytes: 64_000))
        return group
    }

    static var bridge: BridgeStatus {
        var bridge = BridgeStatus()
        (bridge.name, bridge.ports, bridge.fdbEntries, bridge.fdbSize, bridge.rate) = ("br0", ["vm1", "uplink"], 12, 65_536, 10_000_000_000)
        (bridge.forwarded, bridge.counts, bridge.drops) = (1_000, ["flooded": 5, "learned": 12, "moved": 1], ["reserved_address": 2])
        return bridge
    }

    static var guests: [GuestStatus] {
        var vm1 = GuestStatus()
        (vm1.name, vm1.port, vm1.bridge, vm1.macs, vm1.group) = ("vm1", "vm1", "br0", ["52:54:00:00:00:01"], "tenant-a")
        (vm1.protocols, vm1.inbound.frames, vm1.outbound.frames) = (["iscsi"], 20, 1_000)
        (vm1.inboundCycles, vm1.outboundCycles) = (10_000, 300_000)
        (vm1.inboundRate, vm1.outboundRate) = (Rate(bits: 80_000, packets: 20), Rate(bits: 9_400_000, packets: 1_000))
        var host = GuestStatus()
        (host.name, host.port, host.bridge, host.implicit) = ("host", "host", "br0", true)
        return [vm1, host]
    }

    static var lldp: LLDPStatus {
        var status = LLDPStatus(), neighbor = LLDPStatus.Neighbor(), other = LLDPStatus.Other()
        (status.port, status.mode, status.up, status.tooManyNeighbors) = ("uplink", "on", true, true)
        (neighbor.rid, neighbor.mac, neighbor.age, neighbor.timeLeft) = (3, "02:00:00:00:00:01", 75.5, 110.25)
        (neighbor.chassis.id, neighbor.chassis.name, neighbor.chassis.description) = (.init(type: "mac", value: "02:00:00:00:00:01"), "leaf1", "NOS 1.2")
        (neighbor.chassis.managementAddresses, neighbor.chassis.capabilities) = (["192.0.2.7"], [.init(type: "Bridge", enabled: true), .init(type: "Router", enabled: false)])
        (neighbor.port.id, neighbor.port.description, neighbor.port.timeToLive) = (.init(type: "ifname", value: "swp1"), "to host9", 120)
        (other.type, other.oui, other.subtype, other.value) = (127, "00,12,0F", 4, "05,DC")
        neighbor.otherTLVs = [other]
        status.neighbors = [neighbor]
        (status.counters.framesOut, status.counters.framesIn, status.counters.tlvsUnrecognized) = (5, 7, 7)
        (status.counters.lengthErrors, status.counters.neighborsInserted, status.counters.neighborsDeleted, status.counters.ageouts) = (1, 3, 2, 1)
        return status
    }

    static var dcb: DCBStatus {
        var status = DCBStatus(), own = DCBStatus.Sharing(), lossless = DCBStatus.Lossless()
        (status.port, status.peer, status.errors) = ("uplink", "02:00:00:00:00:01", 1)
        (own.willing, own.prioTc, own.tcBw) = (true, [0, 0, 0, 1, 2, 0, 0, 0], [60, 40, 0, 0, 0, 0, 0, 0])
        own.tcTsa = ["ets", "ets", "strict", "strict", "strict", "strict", "strict", "strict"]
        (lossless.willing, lossless.capability, lossless.prioPfc) = (true, 8, [3])
        (status.ets.administrative, status.ets.operational, status.pfc.administrative, status.pfc.operational) = (own, own, lossless, lossless)
        (status.ets.by, status.pfc.by) = ("sw", "sw")
        own.willing = nil
        (status.ets.remoteRecommended, status.app.willing) = (own, true)
        status.app.operational = [.init(selector: "ethtype", id: 0x8906, priority: 3), .init(selector: "ethtype", id: 0, priority: 1)]
        status.app.administrative = status.app.operational
        status.priorities = [.init(protocol: "fcoe", pcp: 3), .init(protocol: "default", pcp: 1)]
        return status
    }

    static var members: MDBReply {
        var reply = MDBReply(), first = MDBEntry(), second = MDBEntry(), router = MDBReply.Router(), asks = MDBReply.Querier(), quiet = MDBReply.Querier()
        (first.bridge, first.port, first.group, first.version, first.timeLeft) = ("br0", "vm1", "239.1.1.1", 3, 259.6)
        (second.bridge, second.port, second.vlan, second.group, second.filterMode, second.sources) = ("br0", "vm2", 10, "ff05::1", "include", ["2001:db8::1"])
        (router.bridge, router.family, router.port, router.timeLeft) = ("br0", "ipv4", "uplink", 200)
        (asks.bridge, asks.family, asks.own, asks.other, asks.port, asks.timeLeft, asks.settled) = ("br0", "ipv4", true, "10.0.0.254", "uplink", 250, true)
        (quiet.bridge, quiet.vlan, quiet.family) = ("br0", 10, "ipv6")
        (reply.entries, reply.routers, reply.queriers) = ([first, second], [router], [asks, quiet])
        return reply
    }

    static var grants: [FIPGrantStatus] {
        var granted = FIPGrantStatus(), claimed = FIPGrantStatus()
        (granted.bridge, granted.port, granted.guest, granted.vlan, granted.address) = ("br0", "vm1", "vm1", 10, "0e:fc:00:01:02:03")
        (granted.node, granted.fcf, granted.age, granted.timeLeft) = ("52:54:00:00:00:01", "02:00:00:00:00:fc", 12.4, 212.6)
        (claimed.bridge, claimed.port, claimed.address, claimed.node, claimed.timeLeft) = ("br0", "uplink", "0e:fd:00:00:47:11", "52:54:00:00:00:09", 20)
        return [granted, claimed]
    }

    static var addresses: [FDBEntry] {
        var learned = FDBEntry()
        (learned.bridge, learned.mac, learned.port, learned.guest, learned.age) = ("br0", "52:54:00:00:00:01", "vm1", "vm1", 12)
        var fixed = FDBEntry()
        (fixed.bridge, fixed.mac, fixed.port, fixed.static, fixed.vlan) = ("br0", "52:54:00:aa:00:01", "host", true, 7)
        return [learned, fixed]
    }

    static var classes: [ClassStatus] {
        var root = ClassStatus()
        (root.tree, root.direction, root.id, root.floor, root.ceiling) = ("uplink", "outbound", 1, 1_000_000_000, 1_000_000_000)
        (root.burst, root.ceilingBurst, root.quantum) = (1_250_000, 1_250_000, 200_000)
        var leaf = ClassStatus()
        (leaf.tree, leaf.direction, leaf.id, leaf.parent, leaf.path, leaf.leaf) = ("br0", "inbound", 26, 25, "vm1/iscsi", true)
        (leaf.port, leaf.floor, leaf.burst, leaf.ceilingBurst, leaf.quantum) = ("vm1", 200_000_000, 262_144, 3_044, 1_600)
        (leaf.ceilingPackets, leaf.limit, leaf.limitBytes) = (100_000, 1_000, 65_536)
        (leaf.limitDelayMicroseconds, leaf.limitDelayBytes) = (50_000, 1_250_000)
        (leaf.codelTargetMicroseconds, leaf.codelIntervalMicroseconds) = (5_000, 100_000)
        (leaf.sent, leaf.dropped, leaf.drops) = (Traffic(frames: 10, bytes: 15_140), Traffic(frames: 2, bytes: 3_028), ["queue_limit": 2])
        (leaf.overlimits, leaf.holds, leaf.lends, leaf.borrows, leaf.borrowedBytes) = (9, ["nothing_to_lend": 4, "ancestor_ceiling": 5], 6, 4, 6_056)
        leaf.heldBy = [.init(id: 25, class: "vm1", waits: 3), .init(id: 1, class: "br0", waits: 2)]
        leaf.borrowedFrom = [.init(id: 25, class: "vm1", bytes: 4_542), .init(id: 1, class: "br0", bytes: 1_514)]
        (leaf.backlog, leaf.tokens, leaf.ctokens) = (Traffic(frames: 1, bytes: 1_514), 12_345, -6_789)
        (leaf.rate, leaf.packetRate) = (198_765_432, 16_412)
        return [root, leaf]
    }

    static var protocols: [ProtocolStatus] {
        var iscsi = ProtocolStatus()
        (iscsi.name, iscsi.matches, iscsi.pcp, iscsi.builtIn) = ("iscsi", ["tcp 3260", "tcp 860"], 4, true)
        iscsi.seen = Traffic(frames: 10, bytes: 15_140)
        var rest = ProtocolStatus()
        rest.name = "default"
        return [iscsi, rest]
    }

    static var cores: [CoreStatus] {
        var core = CoreStatus()
        (core.cpu, core.numaNode, core.queues) = (1, 0, [QueueAssignment(port: "vm1", queue: 0), QueueAssignment(port: "uplink", queue: 0)])
        (core.busyPercent, core.framesPerSecond, core.turns, core.cyclesPerFrame) = (12.345, 1_234_567, 99, 187.26)
        (core.polling, core.asleepPercent, core.sleeps, core.wakeups) = ("adaptive", 80, 7, ["traffic": 5, "control": 2])
        core.lookedAt = ["uplink"]
        return [core]
    }

    /// The cores, with or without the list of times for which they lost their CPU.
    static func cores(listsStalls: Bool) -> [CoreStatus] {
        cores.map {
            var core = $0
            (core.stalls.count, core.stalls.totalMicroseconds, core.stalls.longestMicroseconds) = (12, 3_400, 3_100)
            (core.stalls.awakeMicroseconds, core.stalls.waitedMicroseconds, core.stalls.stolenMicroseconds) = (8_000, 1_200.26, 10_000)
            core.stalls.elapsedMicroseconds = 17_000_000
            core.stalls.latest = [.init(beganCycles: 1, microseconds: 3_100, secondsAgo: 4), .init(beganCycles: 2, microseconds: 25.04, secondsAgo: 0.0015)]
            return core
        }
    }

    /// The cores as they look at the `looks`th query of measured stages.
    static func cores(looks: Int) -> [CoreStatus] {
        cores.map {
            var core = $0
            core.measuredFrames = 1_000 + 100 * UInt64(looks)
            core.stages = [StageStatus(name: "poll", cycles: 40_000 + 3_000 * UInt64(looks)), StageStatus(name: "admit", cycles: 7_000 + 550 * UInt64(looks))]
            return core
        }
    }

    static var moves: [MoveStatus] {
        var (first, second) = (MoveStatus(), MoveStatus())
        (first.port, first.queues, first.from, first.to, first.loadPercent, first.done) = ("vm1", [0], 1, 2, 40.26, true)
        (second.port, second.queues, second.from, second.to, second.loadPercent) = ("vm2", [0, 1], 1, 3, 10)
        return [first, second]
    }

    static var stats: StatsReply {
        var stats = StatsReply()
        (stats.received, stats.copied) = (Traffic(frames: 100, bytes: 6_400), Traffic(frames: 20, bytes: 1_280))
        (stats.delivered, stats.queued) = (Traffic(frames: 110, bytes: 7_040), Traffic(frames: 3, bytes: 192))
        stats.dropped = ["queue_limit": 5, "runt": 2]
        return stats
    }
}
