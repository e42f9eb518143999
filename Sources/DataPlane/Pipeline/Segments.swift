import DPDKShim
import Scheduler

// Stage 5 for frames that their sender left to be segmented (TCP or UDP segmentation offload). Such a frame stays whole only if its receiver takes it so, a guest or a
// device that segments by itself, and if it may leave at once with all that its segments cost: between guests it is copied once then, from one guest's buffers
// into the other's. If not, it is cut, and its segments are frames like all others: they wait, are dropped and are charged one by one, so that no class sends
// more than its burst at once.

/// Hands out the frames of a burst in which there are such frames. Those that may leave at once are staged; the others are offered to their queues.
@inline(never) @_noLocks
func passOneByOne(_ burst: Burst, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    var next = 0
    for group in 0..<burst.count {
        let end = burst.end(of: group), key = burst.groups.pointee.keys[unchecked: group]
        if !key.passes {
            divert(burst.frames + next, burst.lengths + next, end &- next, key, source, lcore, snapshot)
            next = end
        }
        while next < end {
            pass(burst.frames[next].unsafelyUnwrapped, burst.lengths[next], key, lcore, snapshot)
            next &+= 1
        }
    }
    giveOffered(lcore)
}

/// - Parameter length: the frame's length, and what its tag adds to it (modulo 2^32).
@_noLocks
private func pass(_ frame: Frame, _ length: UInt32, _ key: GroupKey, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let view = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(key.output)
    let tree = snapshot.pointee.trees[unchecked: Int(view.pointee.tree)].tree
    giveOffered(lcore)
    var passes = true
    guard isToBeSegmented(frame) else {
        _ = sluice_frame_complete(frame)
        return passOrOffer(frame, length, key, tree, &passes, lcore, snapshot)
    }
    let growth = length &- sluice_frame_length(frame)
    if let link = view.pointee.link {
        if Segmentation(rawValue: link.pointee.takesSegmentation.load(ordering: .relaxed)).has(sluice_frame_flags(frame)),
            let charge = cost(of: SegmentCutter(frame), growth, in: frame), hasRoom(key.output, lcore, snapshot) {
            if link.pointee.mechanism == .device {
                // Nothing is charged, and nothing done to the frame, before it is known that it leaves.
                if tree.pointee.coversWhole(charge, to: key.leaf, at: lcore.pointee.now), sluice_frame_complete(frame) == 0, sluice_frame_is_writable(frame),
                    prepareSegments(of: frame, link, lcore), tree.pointee.passWhole(charge, to: key.leaf, at: lcore.pointee.now) {
                    return stageWhole(frame, key.tag, for: key.output, link, lcore, snapshot)
                }
            } else if isTakenInParts(key.tag) || sluice_frame_complete(frame) == 0, tree.pointee.passWhole(charge, to: key.leaf, at: lcore.pointee.now) {
                return stage(frame, key.tag, for: key.output, lcore, snapshot)
            }
        }
    }
    var cutter = SegmentCutter(frame)
    countCopies(cutter, for: key.output, lcore)
    while let segment = cutter.next(lcore.pointee.pool) {
        passOrOffer(segment, sluice_frame_length(segment) &+ growth, key, tree, &passes, lcore, snapshot)
    }
    finish(frame, cutter, for: key.output, lcore)
}

/// Whether a frame for a guest may be in its sender's buffers until it leaves: a guest's ring copies it from there.
@inline(__always) @_noLocks
private func isTakenInParts(_ tag: EgressTag) -> Bool { tag.keeps }

/// Makes frames of a burst whole in which there are some that are to be segmented, and drops those for which there are no buffers.
/// - Returns: how many frames are left.
@inline(never) @_noLocks
func completeAll(
    _ frames: UnsafeMutablePointer<Frame?>, _ lengths: UnsafeMutablePointer<UInt32>, _ count: Int, for port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>
) -> Int {
    var kept = 0
    for index in 0..<count {
        let frame = frames[index].unsafelyUnwrapped
        guard sluice_frame_complete(frame) == 0 else {
            lcore.pointee.counters[Int(port)].count(drop: .noBuffer)
            noteDrop(frame, .noBuffer, port, lcore, isNew: false)
            sluice_frame_free(frame)
            continue
        }
        frames[kept] = frame
        lengths[kept] = lengths[index]
        kept &+= 1
    }
    return kept
}

/// Stages an ordinary frame if it may leave at once, and offers it to its queue otherwise.
/// - Parameter passes: whether the frames before it left at once; false from then on if this one does not.
@_noLocks
private func passOrOffer(
    _ frame: Frame, _ length: UInt32, _ key: GroupKey, _ tree: UnsafeMutablePointer<ClassTree>, _ passes: inout Bool, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    var charge = Charge(bytes: length)
    if passes, tree.pointee.mayBypass, hasRoom(key.output, lcore, snapshot), tree.pointee.bypass(&charge, count: 1, to: key.leaf, at: lcore.pointee.now) == 1 {
        return stage(frame, key.tag, for: key.output, lcore, snapshot)
    }
    passes = false
    offer(frame, length, key.tag, key.leaf, for: key.output, tree, lcore)
}

/// Whether one more frame can be staged for a port. If not, this makes room by sending what is staged.
@_noLocks
private func hasRoom(_ port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Bool {
    let output = lcore.pointee.outputs + Int(port)
    if output.pointee.count == Output.capacity { sendTouched(lcore, snapshot) }
    return !output.pointee.isParked && output.pointee.count < Output.capacity
}

/// Offers frames with one key to their queue: of those that are to be segmented, the segments.
@inline(never) @_noLocks
func offerSegments(
    _ frames: UnsafeMutablePointer<Frame?>, _ lengths: UnsafeMutablePointer<UInt32>, _ count: Int, _ key: GroupKey, _ watch: EgressTag,
    _ tree: UnsafeMutablePointer<ClassTree>, _ lcore: UnsafeMutablePointer<Lcore>
) {
    for index in 0..<count {
        let frame = frames[index].unsafelyUnwrapped
        guard isToBeSegmented(frame) else {
            offer(frame, lengths[index], key.tag.and(watch), key.leaf, for: key.output, tree, lcore)
            continue
        }
        var cutter = SegmentCutter(frame)
        let growth = lengths[index] &- sluice_frame_length(frame)
        countCopies(cutter, for: key.output, lcore)
        while let segment = cutter.next(lcore.pointee.pool) {
            offer(segment, sluice_frame_length(segment) &+ growth, key.tag.and(watch), key.leaf, for: key.output, tree, lcore)
        }
        finish(frame, cutter, for: key.output, lcore)
    }
}

/// What all segments of a frame cost together, if each of them grows by `growth` bytes (modulo 2^32). nil: it is more than can be charged for one frame.
@_noLocks
private func cost(of cutter: SegmentCutter, _ growth: UInt32, in frame: Frame) -> Charge? {
    let count = UInt32(truncatingIfNeeded: cutter.left)
    return Charge(bytes: sluice_frame_length(frame) &+ UInt32(truncatingIfNeeded: cutter.overhead) &+ count &* growth, frames: count)
}

/// Counts by how many frames there are more once a frame is cut.
@_noLocks
private func countCopies(_ cutter: SegmentCutter, for port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    let counters = lcore.pointee.counters + Int(port)
    counters.pointee.copiedFrames &+= UInt64(truncatingIfNeeded: cutter.left &- 1)
    counters.pointee.copiedBytes &+= UInt64(truncatingIfNeeded: cutter.overhead)
}

/// Frees a frame that was cut, and counts the segments for which there was no buffer.
@_noLocks
private func finish(_ frame: Frame, _ cutter: SegmentCutter, for port: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    if cutter.left != 0 {
        lcore.pointee.counters[Int(port)].count(drop: .noBuffer, cutter.left)
        noteDrop(frame, .noBuffer, port, lcore, isNew: false)
    }
    sluice_frame_free(frame)
}
