import DPDKShim
import Scheduler

/// Stage 5 for frames that must wait: they are collected while they are classified, during which the memory of their leaves is being fetched, and are given to
/// their tree together (`ClassTree.enqueue`).
///
/// No frame may overtake those that were offered: `giveOffered` must be called before anything else is done with the tree.
@inline(__always) @_noLocks
func offer(
    _ frame: Frame, _ length: UInt32, _ tag: EgressTag, _ leaf: ClassID, for output: PortIndex, _ tree: UnsafeMutablePointer<ClassTree>,
    _ lcore: UnsafeMutablePointer<Lcore>
) {
    if lcore.pointee.offeredCount == burstSize || lcore.pointee.offeredTree != tree { giveOffered(lcore) }
    let place = lcore.pointee.offeredCount
    lcore.pointee.offered[place] = OfferedFrame(handle: UnsafeMutableRawPointer(frame), charge: Charge(bytes: length), tag: tag.rawValue, leaf: leaf)
    lcore.pointee.offeredOutputs[place] = output
    lcore.pointee.offeredCount = place &+ 1
    lcore.pointee.offeredTree = tree
    lcore.pointee.offeredSegments &+= Int(sluice_frame_segments(frame))
}

/// Queues the offered frames, and frees and counts those that their leaves refuse.
@inline(__always) @_noLocks
func giveOffered(_ lcore: UnsafeMutablePointer<Lcore>) {
    let count = lcore.pointee.offeredCount
    guard count != 0, let tree = lcore.pointee.offeredTree else { return }
    lcore.pointee.offeredCount = 0
    let room = lcore.pointee.room
    lcore.pointee.backlog &+= lcore.pointee.offeredSegments
    lcore.pointee.offeredSegments = 0
    if _slowPath(tree.pointee.readsHeaders) { tellFlows(0, count, tree, lcore) }
    let queued = tree.pointee.enqueue(lcore.pointee.offered, count: count, room: room, at: lcore.pointee.now)
    if queued != count { dropRefused(count, tree, lcore) }
}

@inline(never) @_noLocks
private func dropRefused(_ count: Int, _ tree: UnsafeMutablePointer<ClassTree>, _ lcore: UnsafeMutablePointer<Lcore>) {
    var refused = 0
    for index in 0..<count {
        let reason: DropReason
        var verdict = lcore.pointee.offered[index].verdict
        if verdict == .notALeaf {
            // The class has become a parent by a change whose snapshot has not been published yet, so the frame goes to the leaf that succeeds it.
            lcore.pointee.offered[index].leaf = tree.pointee.heir(of: lcore.pointee.offered[index].leaf)
            tellFlows(index, index &+ 1, tree, lcore)
            if tree.pointee.enqueue(lcore.pointee.offered + index, count: 1, room: lcore.pointee.room, at: lcore.pointee.now) == 1 { continue }
            verdict = lcore.pointee.offered[index].verdict
        }
        switch verdict {
        case .queued: continue
        case .notALeaf: reason = .noClass
        case .queueLimit: reason = .queueLimit
        case .bufferShare: reason = .bufferShare
        case .bufferFull: reason = .bufferFull
        }
        let frame = Frame(lcore.pointee.offered[index].handle)
        lcore.pointee.backlog &-= Int(sluice_frame_segments(frame))
        lcore.pointee.counters[Int(lcore.pointee.offeredOutputs[index])].count(drop: reason)
        noteDrop(frame, reason, lcore.pointee.offeredOutputs[index], lcore)
        lcore.pointee.refused[refused] = frame
        refused &+= 1
    }
    sluice_frames_free(lcore.pointee.refused, UInt32(truncatingIfNeeded: refused))
}
