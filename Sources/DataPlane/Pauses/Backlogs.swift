import DCB
import DPDKShim
import Packet
import Scheduler

/// The queues of lossless classes that are so long in one loop that their senders have to stop. Only the loop uses it.
struct Backlogs: ~Copyable {
    fileprivate var queues: InlineArray<256, LongQueue>
    fileprivate var count = 0
    /// What this loop wants of each port's peer, by `PortIndex`.
    fileprivate let wishes: UnsafeMutablePointer<Wish> = .zeroed(maxPorts)

    init() { queues = .init(repeating: LongQueue()) }

    deinit { wishes.free() }

    fileprivate struct Wish {
        /// `PauseRequests.serial` of the port for which the loop has counted itself in. Ports take over the indices of others.
        var serial: UInt64
        /// The priorities for which it has.
        var priorities: UInt8
        /// Whether something has to be sent that could not be yet.
        var isPending: Bool
    }
}

/// A queue whose senders have to stop until it is short again.
private struct LongQueue {
    var tree: UnsafeMutablePointer<ClassTree>?
    var leaf: ClassID = 0
    /// The physical port by whose peer frames came for it; `flooded`: they came from guests, whose rings are not read meanwhile.
    var port: PortIndex = flooded
    var priority: UInt8 = 0
    /// Whether nobody is stopped for it, as it has stood still for `longestStandstill`.
    var isGivenUp = false
    /// The length at which its senders may go on.
    var xon: UInt32 = 0
    /// Its length in the turn before, and when it last was shorter than that.
    var length: UInt32 = .max
    var moved: Nanoseconds = 0

    @inline(__always) @_noLocks
    init() {}
}

/// A receiver that has taken nothing for so long does not get its senders stopped until it takes something again, as they would stand still for everybody else
/// as well. This is the time after which a receiver of pauses takes them for a storm (`PauseReceiver.longestPause`).
@inline(__always) private var longestStandstill: Nanoseconds { @_noLocks get { 200_000_000 } }

/// For a receive queue that is not read: the leaf that has to become shorter before it is.
struct RingHold {
    fileprivate var tree: UnsafeMutablePointer<ClassTree>?
    fileprivate var leaf: ClassID = 0

    @inline(__always) @_noLocks
    init() {}
}

/// Looks whether a burst has made queues of lossless classes too long. If it has, the peer of the physical port that it came in by is asked to stop; the rings
/// of guests and taps are not read until the queue is shorter.
///
/// - Parameter runs: the number of runs of the burst that were forwarded.
@inline(never) @_noLocks
func noteBacklogs(
    _ runs: Int, _ queue: UnsafeMutablePointer<ReceiveQueue>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let source = queue.pointee.port, ports = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped
    let isPhysical = ports[Int(source)].isPhysical, bridge = ports[Int(source)].bridge
    for index in 0..<snapshot.pointee.pauses.count {
        let view = snapshot.pointee.pauses.baseAddress.unsafelyUnwrapped + index
        if view.pointee.rows == 0 || ports[Int(view.pointee.port)].bridge != bridge || isPhysical && view.pointee.port != source { continue }
        guard let priorities = ports[Int(view.pointee.port)].tagger else { continue }
        for run in 0..<runs {
            let record = lcore.pointee.records + run
            let row = record.pointee.protocolID
            if view.pointee.rows &>> UInt64(row) & 1 == 0 || record.pointee.output == flooded { continue }
            let tree = snapshot.pointee.trees.baseAddress.unsafelyUnwrapped + Int(ports[Int(record.pointee.output)].tree)
            let leaf = tree.pointee.leaf(
                guest: tree.pointee.bySource ? record.pointee.sourceGuest : record.pointee.destinationGuest, protocolID: row)
            if leaf == 0 { continue }
            let priority = priorities.pcp(row: row) & 7
            let (xoff, xon) = view.pointee.pauses.pointee.requests.pointee.threshold(of: priority)
            let length = tree.pointee.tree.pointee.backlog(of: leaf)
            if length < xoff, !tree.pointee.tree.pointee.isShort(of: lcore.pointee.room, for: leaf, more: UInt32(burstSize) &* 4) { continue }
            if length == 0 { continue }
            var long = LongQueue()
            (long.tree, long.leaf, long.priority, long.xon) = (tree.pointee.tree, leaf, priority, min(xon, length / 2))
            (long.length, long.moved) = (length, lcore.pointee.now)
            long.port = isPhysical ? source : flooded
            if watch(long, lcore), !isPhysical {
                queue.pointee.hold.tree = long.tree
                queue.pointee.hold.leaf = leaf
                lcore.pointee.counters[Int(source)].held &+= 1
            }
        }
    }
}

/// Watches a queue until it is short again, unless it is being watched.
/// - Returns: whether its senders have to stop.
@inline(never) @_noLocks
private func watch(_ long: LongQueue, _ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    let backlogs = lcore.pointee.backlogs, count = backlogs.pointee.count
    for index in 0..<count {
        let other = backlogs.pointee.queues[unchecked: index]
        if other.tree == long.tree, other.leaf == long.leaf, other.port == long.port { return !other.isGivenUp }
    }
    // If so many queues are long at once, the others may lose frames.
    if count == 256 { return false }
    backlogs.pointee.queues[unchecked: count] = long
    backlogs.pointee.count = count &+ 1
    return true
}

/// Whether a receive queue must not be read yet.
@inline(never) @_noLocks
func isHeld(_ queue: UnsafeMutablePointer<ReceiveQueue>, _ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    guard let tree = queue.pointee.hold.tree else { return false }
    let backlogs = lcore.pointee.backlogs
    for index in 0..<backlogs.pointee.count {
        let long = backlogs.pointee.queues[unchecked: index]
        if long.tree == tree, long.leaf == queue.pointee.hold.leaf, long.port == flooded, !long.isGivenUp { return true }
    }
    queue.pointee.hold.tree = nil
    return false
}

/// Forgets queues that have become short, gives up those that stand still, and tells the peers of physical ports. Called at the end of a turn.
@inline(never) @_noLocks
func followBacklogs(_ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let backlogs = lcore.pointee.backlogs, views = snapshot.pointee.pauses
    for index in 0..<views.count { views[unchecked: index].wanted = 0 }
    var index = 0
    while index < backlogs.pointee.count {
        var long = backlogs.pointee.queues[unchecked: index]
        let view = views.view(of: long.port)
        if !exists(long.tree, snapshot) || long.port != flooded && view == nil || isShort(&long, view, lcore) {
            backlogs.pointee.count &-= 1
            backlogs.pointee.queues[unchecked: index] = backlogs.pointee.queues[unchecked: backlogs.pointee.count]
            continue
        }
        backlogs.pointee.queues[unchecked: index] = long
        if let view, !long.isGivenUp { view.pointee.wanted |= 1 &<< long.priority }
        index &+= 1
    }
    for index in 0..<views.count { tell(views.baseAddress.unsafelyUnwrapped + index, lcore, snapshot) }
}

/// Whether a queue is short again. If it is not, this notes whether it stands still.
@inline(__always) @_noLocks
private func isShort(_ long: inout LongQueue, _ view: UnsafeMutablePointer<PauseView>?, _ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    let length = long.tree.unsafelyUnwrapped.pointee.backlog(of: long.leaf), now = lcore.pointee.now
    if length <= long.xon { return true }
    if length < long.length {
        long.moved = now
        long.isGivenUp = false
    } else if !long.isGivenUp, now &- long.moved > longestStandstill {
        long.isGivenUp = true
        if let view { view.pointee.pauses.pointee.requests.pointee.givenUp.wrappingAdd(1, ordering: .relaxed) }
    }
    long.length = length
    return false
}

@inline(__always) @_noLocks
private func exists(_ tree: UnsafeMutablePointer<ClassTree>?, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Bool {
    for index in 0..<snapshot.pointee.trees.count where snapshot.pointee.trees[unchecked: index].tree == tree { return true }
    return false
}

extension UnsafeMutableBufferPointer<PauseView> {
    @inline(__always) @_noLocks
    func view(of port: PortIndex) -> UnsafeMutablePointer<PauseView>? {
        for index in 0..<count where self[unchecked: index].port == port { return baseAddress.unsafelyUnwrapped + index }
        return nil
    }
}

/// Has a port's peer told what this loop wants, if that or the time demands it.
@inline(__always) @_noLocks
private func tell(_ view: UnsafeMutablePointer<PauseView>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let wish = lcore.pointee.backlogs.pointee.wishes + Int(view.pointee.port), pauses = view.pointee.pauses, requests = pauses.pointee.requests
    if wish.pointee.serial != requests.pointee.serial {
        (wish.pointee.serial, wish.pointee.priorities, wish.pointee.isPending) = (requests.pointee.serial, 0, false)
    }
    if view.pointee.wanted != wish.pointee.priorities {
        requests.pointee.count(wish.pointee.priorities, view.pointee.wanted)
        wish.pointee.priorities = view.pointee.wanted
        wish.pointee.isPending = true
    }
    view.pointee.nextAsk = .max
    if wish.pointee.priorities == 0, !wish.pointee.isPending { return }
    let now = lcore.pointee.now
    view.pointee.nextAsk = requests.pointee.follow(speed: pauses.pointee.speed.load(ordering: .relaxed), at: now) { frame in
        send(frame, requests.pointee.address.load(ordering: .relaxed), by: view.pointee.port, lcore, snapshot)
    }
    wish.pointee.isPending = view.pointee.nextAsk <= now
}

/// Sends a pause frame, which passes all that waits in the tree, and all pauses (IEEE 802.1Q, 36.1.3.2).
/// - Returns: false: there was no room or no buffer.
@inline(never) @_noLocks
private func send(
    _ pause: PauseFrame, _ source: UInt64, by port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Bool {
    let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(port)
    // There is nobody to be told.
    guard let link = view.pointee.link, link.pointee.connection.load(ordering: .relaxed) >= 0, !view.pointee.flags.has(.shut) else { return true }
    let output = lcore.pointee.outputs + Int(port)
    if output.pointee.count != 0, !output.pointee.isParked { sendTouched(lcore, snapshot) }
    if output.pointee.count != 0 { return false }
    guard let frame = sluice_frame_allocate(lcore.pointee.pool, UInt16(truncatingIfNeeded: PauseFrame.length)) else { return false }
    pause.write(to: sluice_frame_bytes(frame).unsafelyUnwrapped, from: source)
    let counters = lcore.pointee.counters + Int(port)
    counters.pointee.injected &+= 1
    counters.pointee.injectedBytes &+= UInt64(truncatingIfNeeded: PauseFrame.length)
    stage(frame, view.pointee.wants, for: port, lcore, snapshot)
    sendTouched(lcore, snapshot)
    return true
}
