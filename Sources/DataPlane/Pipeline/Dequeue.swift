import DPDKShim
import Scheduler

/// Stage 6: takes from a tree the frames that its outputs can take now, stages them by output and sends them. Returns the number of frames taken.
///
/// - Parameter pauses: whether priorities can be paused. Another loop may receive a pause at any time, so this looks before each batch.
@inline(__always) @_noLocks
func dequeue(
    _ tree: UnsafeMutablePointer<ClassTree>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>, pauses: Bool,
    _ stages: inout StageClock
) -> Int {
    var taken = 0
    // The number is bounded, so that the receive queues are polled again before their rings fill up.
    while taken < 1_024 {
        if _slowPath(pauses) { followPauses(lcore, snapshot) }
        let count = tree.pointee.dequeue(into: lcore.pointee.scheduled, limit: dequeueBatch, at: lcore.pointee.now)
        // Mirrors of what leaves enqueue copies, maybe in this tree, so that it no longer knows afterwards since when these frames had waited.
        let isRead = _slowPath(tree.pointee.countsDelays) && snapshot.pointee.mirrors != nil
        if isRead { tree.pointee.queuingTimes(of: lcore.pointee.scheduled, count: count, into: lcore.pointee.queuingTimes) }
        for index in 0..<count {
            let chosen = lcore.pointee.scheduled + index
            let frame = Frame(chosen.pointee.handle)
            lcore.pointee.backlog &-= Int(sluice_frame_segments(frame))
            stage(frame, EgressTag(rawValue: chosen.pointee.tag), for: chosen.pointee.output, lcore, snapshot)
        }
        if count == 0 { break }
        stages.lap(.schedule, lcore)
        let parked = lcore.pointee.parkedCount
        sendTouched(lcore, snapshot)
        if _slowPath(tree.pointee.countsDelays) { countDelays(count, of: tree, held: parked..<lcore.pointee.parkedCount, isRead: isRead, lcore) }
        stages.lap(.send, lcore)
        taken &+= count
        if count < dequeueBatch { break }
    }
    discard(tree, lcore)
    stages.skip()
    return taken
}

/// Frees the frames that the tree accepted and later gave up: those that CoDel dropped, those dropped to make room in a queue of flows, and the backlog of
/// removed classes.
@inline(__always) @_noLocks
func discard(_ tree: UnsafeMutablePointer<ClassTree>, _ lcore: UnsafeMutablePointer<Lcore>) {
    while true {
        let count = tree.pointee.takeDropped(into: lcore.pointee.discarded, limit: dequeueBatch)
        if count == 0 { return }
        free(discarded: count, lcore)
    }
}

@inline(never) @_noLocks
private func free(discarded count: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    for index in 0..<count {
        let dropped = lcore.pointee.discarded + index
        let frame = Frame(dropped.pointee.handle)
        lcore.pointee.backlog &-= Int(sluice_frame_segments(frame))
        let reason: DropReason = switch dropped.pointee.reason {
        case .codel: .codel
        case .classRemoved: .classRemoved
        case .queueLimit: .queueLimit
        }
        lcore.pointee.counters[Int(dropped.pointee.output)].count(drop: reason)
        noteDrop(frame, reason, dropped.pointee.output, lcore, isNew: false)
        sluice_frame_free(frame)
    }
}
