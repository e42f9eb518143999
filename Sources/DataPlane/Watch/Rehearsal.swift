import Bridge
import DPDKShim
import LinkProtocols
import Packet
import Scheduler

/// Takes one frame through the stages as a poll loop would: the stages' own functions decide, by the tables of the snapshot in force. Whatever they write they
/// write to memory of the rehearsal, so nothing is learned, counted, limited or sent. The control thread uses it, which alone frees snapshots.
final class Rehearsal {
    /// Where a frame would go, or why it would not.
    struct Exit {
        var output: PortIndex
        /// nil: it would go into `leaf`.
        var drop: DropReason?
        var guest: GuestIndex = 0
        var leaf: ClassID = 0
        var tag = EgressTag(rawValue: 0)
        /// The rules by which the output's filters decided, in their order.
        var rules: [Int] = []
    }

    private let lcore = UnsafeMutablePointer<Lcore>.allocate(capacity: 1)
    private let snapshot = UnsafeMutablePointer<Snapshot>.allocate(capacity: 1)
    private let link = UnsafeMutablePointer<LinkState>.allocate(capacity: 1)
    private let state = UnsafeMutablePointer<PortState>.allocate(capacity: 1)
    /// A database with no more than the frame's own addresses, as it would learn the source.
    private let known = ForwardingDatabase.create(capacity: 64)
    private let real: ForwardingDatabase
    private let buffer: UnsafeMutableRawPointer
    private let port: PortIndex

    /// What FIP snooping makes of the frame, and the grant of the address that it is about after that; nil: the port's frames are not looked at for that, or this
    /// one has nothing to do with it.
    private(set) var fip: (judgement: FIPJudgement, grant: FIPGrant?)?
    /// The filters before admission that decided, and the number of the rule of each; the last one may have denied the frame.
    private(set) var entryRules: [(reason: DropReason, rule: Int)] = []
    /// Why the frame would not enter or not be forwarded; nil: it would.
    private(set) var drop: DropReason?
    /// What admission and the bridge found out.
    private(set) var record = FrameRecord()
    private(set) var exits: [Exit] = []
    /// Whether the frame's group, and not all ports, decides about who gets it.
    private(set) var followsGroup = false

    /// - Parameters:
    ///   - live: the snapshot in force.
    ///   - now: the time on the loops' clock.
    init(_ live: UnsafeMutablePointer<Snapshot>, _ bytes: [UInt8], from port: PortIndex, now: Nanoseconds, clock: Clock) {
        (self.port, real) = (port, live.pointee.bridges[Int(live.pointee.ports[Int(port)].bridge)].fdb)
        let capacity = LooseFrame.headroom + bytes.count
        buffer = .allocate(byteCount: capacity, alignment: 128)
        let frame = LooseFrame.lay(bytes, contiguous: bytes.count, in: buffer, capacity: capacity)
        lcore.initialize(to: Lcore(index: 0, of: 1, id: 0, cpu: 0, clock: clock, pool: OpaquePointer(buffer), backlogLimit: 1, event: -1, mode: .polling))
        lcore.pointee.now = now
        lcore.pointee.seconds = UInt32(truncatingIfNeeded: now >> 30)
        lcore.pointee.received[0] = frame
        lcore.pointee.lengths[0] = UInt32(bytes.count)
        state.initialize(to: PortState())
        let view = live.pointee.ports[Int(port)]
        link.initialize(to: LinkState(mechanism: .device))
        link.pointee.port = state
        link.pointee.connection.store(view.link?.pointee.connection.load(ordering: .relaxed) ?? -1, ordering: .relaxed)
        var copy = live.pointee
        copy.receiveQueues = .copy([ReceiveQueue(link: link, port: port, queue: 0)])
        copy.ports = .copy(Array(live.pointee.ports))
        copy.ports[Int(port)].link = link
        copy.bridges = .copy(Array(live.pointee.bridges))
        copy.bridges[Int(view.bridge)].fdb = known
        snapshot.initialize(to: copy)
        run()
    }

    deinit {
        lcore.deinitialize(count: 1)
        lcore.deallocate()
        link.deinitialize(count: 1)
        link.deallocate()
        state.deinitialize(count: 1)
        state.deallocate()
        // Everything else of the snapshot is the live one's.
        snapshot.pointee.receiveQueues.deallocate()
        snapshot.pointee.ports.deallocate()
        snapshot.pointee.bridges.deallocate()
        snapshot.deallocate()
        known.destroy()
        buffer.deallocate()
    }

    /// Has a copy of the bridge's grants judge the frame.
    /// - Returns: false if the frame may not pass.
    private func judge(_ fip: UnsafeMutablePointer<FIPGuard>, isWatched: Bool) -> Bool {
        let own = UnsafeMutablePointer<FIPGuard>.allocate(capacity: 1)
        guard let copy = fip.pointee.copy() else {
            self.fip = (FIPJudgement(.cannotBeJudged), nil)
            own.deallocate()
            return true
        }
        own.initialize(to: copy)
        let judgement = judgeFIP(lcore.pointee.received[0].unsafelyUnwrapped, own, isWatched, port, lcore, snapshot)
        let grants = own.pointee.list(at: lcore.pointee.now) ?? []
        if judgement.verdict != .isOther {
            self.fip = (judgement, grants.first { $0.address == judgement.address && $0.vlan == judgement.vlan })
        }
        own.deinitialize(count: 1)
        own.deallocate()
        return judgement.verdict.mayPass
    }

    private func run() {
        if let view = ingress(of: port, snapshot), let fip = view.pointee.fip, !judge(fip, isWatched: view.pointee.isWatched) {
            drop = .fcoeNotGranted
            return
        }
        if let filters = ingress(of: port, snapshot)?.pointee.filters {
            let result = decide(filters, port)
            entryRules = result.rules
            drop = result.drop
            if drop != nil { return }
        }
        guard admit(1, snapshot.pointee.receiveQueues.baseAddress!, lcore, snapshot) == 1 else {
            drop = dropped(at: port)
            return
        }
        record = lcore.pointee.records[0]
        for address in [record.source, record.destination] { carry(address) }
        guard bridge(1, port, lcore, snapshot) == 1 else {
            drop = dropped(at: port)
            return
        }
        record = lcore.pointee.records[0]
        if record.output == flooded { findReceivers() } else { exits = [exit(by: record.output)] }
    }

    /// Lets the rehearsal's database know what the real one knows of an address.
    private func carry(_ address: UInt64) {
        let value = real.lookup(mac: address)
        if value.isNone { return }
        if value.isStatic { _ = known.addStatic(mac: address, port: value.port, guest: value.guest) } else { _ = known.learn(mac: address, value) }
    }

    /// The reason that a stage has counted.
    private func dropped(at port: PortIndex) -> DropReason? {
        let counters = lcore.pointee.counters + Int(port)
        return DropReason.allCases.first { counters.pointee.drops[Int($0.rawValue)] != 0 }
    }

    // MARK: Ways out

    private func findReceivers() {
        let records = lcore.pointee.records
        let bridge = snapshot.pointee.bridges[Int(snapshot.pointee.ports[Int(port)].bridge)], vlan = PortVLANs.vlan(of: record.destination)
        var members = bridge.sets?.ports(of: vlan) ?? bridge.members, gate = FloodGate(records, from: port, snapshot)
        if let groups = bridge.groups, record.flags.has(.multicast), let frame = lcore.pointee.received[0], !snapshot.pointee.ports[Int(port)].flags.has(.detours) {
            let traffic = GroupTraffic.read(sluice_frame_bytes(frame)!, limit: Int(sluice_frame_contiguous(frame)), records)
            if let joined = groups.pointee.table.load(ordering: .acquiring)?.pointee.ports(traffic, vlan: vlan) {
                (members, gate, followsGroup) = (joined, gate.forMembers, true)
            }
        }
        for member in members where gate.admits(member, snapshot.pointee.ports[Int(member)].flags) {
            guard isUp(member, snapshot) else { continue }
            exits.append(exit(by: member, isFlooded: true))
        }
        if exits.isEmpty { drop = .noDestination }
    }

    private func exit(by output: PortIndex, isFlooded: Bool = false) -> Exit {
        let records = lcore.pointee.records
        let way = Way(to: output, lcore, snapshot)
        var exit = Exit(output: output)
        guard way.hasTree else {
            exit.drop = .portDown
            return exit
        }
        if isFlooded { records[0].destinationGuest = way.receiver(records) }
        var isUniform = true
        let (key, _) = way.classify(records, run: 0, way.tagging, &isUniform)
        (exit.guest, exit.tag) = (records[0].destinationGuest, key.tag)
        switch Fate(rawValue: key.fate) {
        case .exceedsMTU: exit.drop = .exceedsMTU
        case .vlanNotAllowed: exit.drop = .outputNotInVLAN
        case .portDown: exit.drop = .portDown
        default:
            exit.leaf = key.leaf
            if key.leaf == 0 { exit.drop = .noClass }
        }
        if exit.drop == nil, let filters = snapshot.pointee.ports[Int(output)].inbound {
            let result = decide(filters, output)
            exit.rules = result.rules.map(\.rule)
            exit.drop = result.drop
        }
        return exit
    }

    /// Has a port's filters decide about the frame, with hits counted here instead of at the filters.
    private func decide(_ first: UnsafeMutablePointer<FilterView>, _ port: PortIndex) -> (rules: [(reason: DropReason, rule: Int)], drop: DropReason?) {
        var rules: [(reason: DropReason, rule: Int)] = [], view = first
        // A verdict has 16 bits.
        let hits = UnsafeMutablePointer<UInt64>.zeroed(1 << 16), verdicts = UnsafeMutablePointer<UInt16>.zeroed(burstSize)
        defer {
            hits.free()
            verdicts.free()
        }
        while true {
            var one = view.pointee
            (one.hits, one.verdicts, one.isLast) = (hits, verdicts, true)
            let isDropped = filter(lcore.pointee.received, lcore.pointee.lengths, 1, &one, port, lcore) == 0
            if let rule = (0..<(1 << 16)).first(where: { hits[$0] != 0 }) {
                rules.append((one.reason, rule))
                hits[rule] = 0
            }
            if isDropped { return (rules, one.reason) }
            if view.pointee.isLast { return (rules, nil) }
            view += 1
        }
    }
}
