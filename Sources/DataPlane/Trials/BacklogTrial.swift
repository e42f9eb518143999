import Bridge
import DCB
import Packet
import Scheduler

/// One poll loop in virtual time, for tests: frames of a lossless priority come in by a physical port, 0, or from a guest, 2, for a guest at port 1. No link is
/// up, so pause frames are counted as sent and not sent.
package final class BacklogTrial {
    private let lcore = UnsafeMutablePointer<Lcore>.allocate(capacity: 1)
    private let snapshot = UnsafeMutablePointer<Snapshot>.allocate(capacity: 1)
    private let fdb = ForwardingDatabase.create(capacity: 64)
    private let owners = AddressOwners.create([])
    private let links = UnsafeMutablePointer<LinkState>.allocate(capacity: 3)
    private let states = UnsafeMutablePointer<PortState>.allocate(capacity: 3)
    private let tree = ClassTree.create(root: ClassParameters(), classes: 8, frames: 10_000, outputs: 4, overhead: 0, now: 0)
    private let buffers = UnsafeMutableRawPointer.allocate(byteCount: 128, alignment: 128)
    private let into = UnsafeMutablePointer<ScheduledFrame>.allocate(capacity: 64)

    /// The lossless protocol's row, and its priority.
    private static let row: UInt8 = 5, priority = 3

    /// - Parameter isByPriority: whether the peer is asked to pause a priority, and not the whole link.
    package init(_ buffer: LosslessBuffer, isByPriority: Bool = true) {
        for port in 0..<3 {
            (states + port).initialize(to: PortState())
            (links + port).initialize(to: LinkState(mechanism: .vhost))
            links[port].port = states + port
        }
        lcore.initialize(to: Lcore(
            index: 0, of: 1, id: 0, cpu: 0, clock: Clock(frequency: 1_000_000_000), pool: OpaquePointer(buffers), backlogLimit: 100_000, event: -1, mode: .polling))
        let tagger = PriorityTagger.create()
        tagger.set(row: Self.row, pcp: UInt8(Self.priority))
        let leaves = UnsafeMutableBufferPointer<ClassID>.allocate(capacity: 2 << 6)
        leaves.initialize(repeating: 0)
        leaves[1 << 6 + Int(Self.row)] = 2
        var parameters = ClassParameters()
        (parameters.limitPackets, parameters.output) = (0, 1)
        _ = tree.pointee.add(2, under: 1, parameters, at: 0)
        let pauses = PortState.pauses(of: states)
        pauses.pointee.requests.pointee.set(buffer, for: Self.priority)
        pauses.pointee.requests.pointee.isByPriority.store(isByPriority, ordering: .relaxed)
        snapshot.initialize(to: Snapshot(
            number: 1, receiveQueues: .copy((0..<3).map { [links] in ReceiveQueue(link: links + $0, port: PortIndex($0), queue: 0) }),
            ports: .copy((0..<3).map { [links] in PortView(link: links + $0, isPhysical: $0 == 0, tagger: $0 == 0 ? tagger : nil) }),
            bridges: .copy([BridgeView(fdb: fdb, owners: owners, members: .copy([0, 1, 2]), fitsAll: 1_514)]),
            trees: .copy([TreeView(tree: tree, bySource: false, leaves: leaves, guestShift: 6, lines: tree.pointee.classLines)]), protocols: .builtIn(),
            taggers: .copy([tagger]), pauses: .copy([PauseView(port: 0, tree: tree, pauses: pauses, seen: 0, rows: 1 << UInt64(Self.row))])))
    }

    deinit {
        snapshot.pointee.protocols.destroy()
        lcore.deinitialize(count: 1)
        lcore.deallocate()
        snapshot.pointee.deallocate()
        snapshot.deallocate()
        links.deinitialize(count: 3)
        links.deallocate()
        states.deinitialize(count: 3)
        states.deallocate()
        fdb.destroy()
        owners.destroy()
        ClassTree.destroy(tree)
        buffers.deallocate()
        into.deallocate()
    }

    private var requests: UnsafeMutablePointer<PauseRequests> { PortState.pauses(of: states).pointee.requests }

    /// Has frames of 1 000 bytes come in by a port, unless its ring is not read.
    /// - Returns: whether it was read.
    package func receive(_ frames: Int, from port: Int, row: UInt8 = 5) -> Bool {
        let queue = snapshot.pointee.receiveQueues.baseAddress! + port
        if isHeld(queue, lcore) { return false }
        for _ in 0..<frames {
            _ = tree.pointee.enqueue(UnsafeMutableRawPointer(bitPattern: 64)!, charge: Charge(bytes: 1_000), tag: 0, to: 2, at: lcore.pointee.now)
        }
        var record = FrameRecord()
        (record.protocolID, record.output, record.destinationGuest) = (row, 1, 1)
        lcore.pointee.records[0] = record
        noteBacklogs(1, queue, lcore, snapshot)
        return true
    }

    /// Has the guest take frames; then the turn ends, and the next begins so much later.
    package func endTurn(taking frames: Int = 0, after time: UInt64 = 10_000) {
        if frames > 0 { _ = tree.pointee.dequeue(into: into, limit: frames, at: lcore.pointee.now) }
        followBacklogs(lcore, snapshot)
        lcore.pointee.now += time
    }

    /// What the peer was asked for so far, and how often a queue was given up.
    package var sent: PauseSender { requests.pointee.sent }
    package var givenUp: UInt64 { requests.pointee.givenUp.load(ordering: .relaxed) }
    /// How often the reading of a port was held back.
    package func held(_ port: Int) -> UInt64 { lcore.pointee.counters[port].held }
    package var now: UInt64 { lcore.pointee.now }
    /// When the peer has to be told next.
    package var nextAsk: UInt64 { snapshot.pointee.pauses[0].nextAsk }

    /// Publishes a snapshot without the port's priorities, and then one with them, or closes the port and opens another with its index.
    package func without(_ body: () -> Void) {
        let pauses = snapshot.pointee.pauses
        snapshot.pointee.pauses = .copy([])
        body()
        snapshot.pointee.pauses.deallocate()
        snapshot.pointee.pauses = pauses
    }
}
