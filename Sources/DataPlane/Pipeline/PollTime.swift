import DPDKShim
import Scheduler

// What a poll loop's time goes into, and how it is divided among its ports; see `PollShares`.

/// Whether a queue may be polled now, as its port has not used up its share of the loop's time.
@inline(never) @_noLocks
func hasTime(_ queue: UnsafeMutablePointer<ReceiveQueue>, _ lcore: UnsafeMutablePointer<Lcore>) -> Bool {
    if lcore.pointee.shares.admits(queue.pointee.port) { return true }
    lcore.pointee.counters[Int(queue.pointee.port)].pollTimeNanoseconds &+= lcore.pointee.shares.turnNanoseconds
    return false
}

/// Charges a queue's port for a burst, all of whose frames have been sent or queued. The queue may be polled again in the same turn then.
/// - Parameters:
///   - cycles: what the burst took, from polling to sending or queueing.
///   - place: the queue's place among those that the loop polls.
///   - polled: the number of frames in it.
///   - wanted: how many it could have been.
///   - queued: by how many segments it has made the trees' backlog grow.
@inline(never) @_noLocks
func charge(
    _ cycles: UInt64, _ polled: Int, of wanted: Int, queued: Int, _ queue: UnsafeMutablePointer<ReceiveQueue>, at place: Int, _ lcore: UnsafeMutablePointer<Lcore>
) {
    queue.pointee.cycles &+= cycles
    let link = queue.pointee.link
    let hasMore: Bool
    switch link.pointee.mechanism {
    case .vhost:
        returnBuffers(queue, link)
        hasMore = hasMoreFrames(queue, link)
    case .device: hasMore = polled == wanted
    }
    lcore.pointee.shares.charge(
        queue.pointee.port, at: place, frames: polled, cycles: cycles, queued: queued, price: link.pointee.port.pointee.pollPrice.load(ordering: .relaxed),
        hasMore: hasMore, length: lcore.pointee.lengths[0])
}

/// Counts the cycles that a burst took with the classes of its frames, in proportion to their numbers. Frames without a leaf, such as those that were flooded,
/// count with no class.
@inline(never) @_noLocks
func countCycles(_ cycles: UInt64, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let groups = lcore.pointee.groups
    let count = groups.pointee.count
    if count == 0 { return }
    let frames = groups.pointee.leaves[unchecked: count &- 1].end
    if frames == 0 { return }
    let each = cycles / UInt64(frames)
    var begin: UInt32 = 0
    for group in 0..<count {
        let key = groups.pointee.keys[unchecked: group], end = groups.pointee.leaves[unchecked: group].end
        if key.hasLeaf {
            let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(key.output)
            snapshot.pointee.trees[unchecked: Int(view.pointee.tree)].tree.pointee.addCycles(each &* UInt64(end &- begin), to: key.leaf)
        }
        begin = end
    }
}
