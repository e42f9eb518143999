import DPDKShim
import Scheduler

/// Gives groups to the tree of their outputs: those from `group` on, whose frames begin at `next`, as many as have the same tree. Frames that may leave at once
/// are staged; the frames of the first group that may not are offered to its queue.
@inline(__always) @_noLocks
func pass(
    _ burst: Burst, _ group: inout Int, _ next: inout Int, _ key: GroupKey, _ lcore: UnsafeMutablePointer<Lcore>,
    _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let index = snapshot.pointee.ports[unchecked: Int(key.output)].tree
    let tree = snapshot.pointee.trees[unchecked: Int(index)].tree
    let stop = burst.isUniform ? burst.count : burst.stretch(from: group, to: index, snapshot)
    if tree.pointee.mayBypass {
        giveOffered(lcore)
        let passed = tree.pointee.bypass(
            Charge.ofOrdinary(burst.lengths), from: next, Groups.leaves(burst.groups) + group, count: stop &- group, at: lcore.pointee.now)
        if next != passed {
            if burst.isUniform {
                stage(burst, next..<passed, key.tag, for: key.output, lcore, snapshot)
            } else {
                stagePassed(burst, group, next..<passed, lcore, snapshot)
            }
            next = passed
            if burst.end(of: stop &- 1) == passed { group = stop }
            while group < stop, burst.end(of: group) <= passed { group &+= 1 }
        }
    } else {
        while group &+ 1 < stop {
            next = queue(burst, next, group, tree, lcore)
            group &+= 1
        }
    }
    // These are the remaining frames of the first group of which not all may pass.
    if group < stop {
        next = queue(burst, next, group, tree, lcore)
        group &+= 1
    }
}

extension Burst {
    /// The index behind the last of the consecutive groups from `group` on that go to the tree `index`.
    @inline(never) @_noLocks
    fileprivate func stretch(from group: Int, to index: UInt16, _ snapshot: UnsafeMutablePointer<Snapshot>) -> Int {
        var stop = group &+ 1
        while stop < count {
            let key = groups.pointee.keys[unchecked: stop]
            if !key.passes || snapshot.pointee.ports[unchecked: Int(key.output)].tree != index { break }
            stop &+= 1
        }
        return stop
    }
}

/// Stages frames that passed the tree and are for several outputs or have several tags. The first of them belong to `group`.
@inline(never) @_noLocks
private func stagePassed(
    _ burst: Burst, _ group: Int, _ passed: Range<Int>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    var group = group
    var begin = passed.lowerBound
    while begin < passed.upperBound {
        let key = burst.groups.pointee.keys[unchecked: group]
        var end = burst.end(of: group)
        group &+= 1
        while end < passed.upperBound, burst.groups.pointee.keys[unchecked: group].leaves(as: key) {
            end = burst.end(of: group)
            group &+= 1
        }
        end = min(end, passed.upperBound)
        stage(burst, begin..<end, key.tag, for: key.output, lcore, snapshot)
        begin = end
    }
}

/// Offers the frames of a group, from `next` on, to its leaf's queue. Returns the index behind them.
@inline(never) @_noLocks
private func queue(_ burst: Burst, _ next: Int, _ group: Int, _ tree: UnsafeMutablePointer<ClassTree>, _ lcore: UnsafeMutablePointer<Lcore>) -> Int {
    let end = burst.end(of: group), key = burst.groups.pointee.keys[unchecked: group]
    complete(burst.frames + next, end &- next, lcore)
    offer(burst.frames + next, burst.lengths + next, end &- next, key, EgressTag(rawValue: 0), tree, lcore)
    return end
}

/// - Parameter watch: the set of mirrors of classes to be noted in the frames' tags, for which keys have no room.
@inline(__always) @_noLocks
private func offer(
    _ frames: UnsafeMutablePointer<Frame?>, _ lengths: UnsafeMutablePointer<UInt32>, _ count: Int, _ key: GroupKey, _ watch: EgressTag,
    _ tree: UnsafeMutablePointer<ClassTree>, _ lcore: UnsafeMutablePointer<Lcore>
) {
    if _slowPath(lcore.pointee.receivedFlags & sluice_flag_tx_segments != 0) { return offerSegments(frames, lengths, count, key, watch, tree, lcore) }
    for index in 0..<count { offer(frames[index].unsafelyUnwrapped, lengths[index], key.tag.and(watch), key.leaf, for: key.output, tree, lcore) }
}

/// Handles frames with one key that may not pass their tree at once, or that have no tree.
@inline(never) @_noLocks
func divert(
    _ frames: UnsafeMutablePointer<Frame?>, _ lengths: UnsafeMutablePointer<UInt32>, _ count: Int, _ key: GroupKey, _ source: PortIndex,
    _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    complete(frames, count, lcore)
    switch Fate(rawValue: key.fate) {
    case .flood:
        flood(frames, lengths, count, lcore.pointee.records + Int(key.leaf), source, lcore, snapshot)
    case .queue, .pass:
        let tree = snapshot.pointee.trees[unchecked: Int(snapshot.pointee.ports[unchecked: Int(key.output)].tree)].tree
        offer(frames, lengths, count, key, EgressTag(rawValue: 0), tree, lcore)
    case .filter, .filterAndQueue:
        let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(key.output)
        var kept = count
        if _slowPath(lcore.pointee.receivedFlags & sluice_flag_scattered != 0) { kept = completeAll(frames, lengths, count, for: key.output, lcore) }
        if let inbound = port.pointee.inbound { kept = filter(frames, lengths, kept, inbound, key.output, lcore) }
        if let captures = snapshot.pointee.captures { captureQueued(captures, frames, kept, key.leaf, key.output, lcore, snapshot) }
        let tree = snapshot.pointee.trees[unchecked: Int(port.pointee.tree)].tree
        offer(frames, lengths, kept, key, watch(key.leaf, of: port.pointee.tree, snapshot), tree, lcore)
    case .exceedsMTU:
        refuse(frames, count, .exceedsMTU, key.output, lcore)
    case .vlanNotAllowed:
        refuse(frames, count, .outputNotInVLAN, key.output, lcore)
    case .portDown, nil:
        refuse(frames, count, .portDown, key.output, lcore)
    }
}

/// Makes frames whole that refer to their guest's buffers, as they will not leave for another guest in this turn; but for those that are to be segmented, which
/// are cut from there if they have to wait.
@inline(__always) @_noLocks
func complete(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
    if lcore.pointee.receivedFlags & sluice_flag_partial != 0 { sluice_frames_complete(frames, UInt32(truncatingIfNeeded: count)) }
}

/// Frees frames and counts them as dropped at the port that they would have left by.
@inline(never) @_noLocks
private func refuse(_ frames: UnsafeMutablePointer<Frame?>, _ count: Int, _ reason: DropReason, _ output: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>) {
    lcore.pointee.counters[Int(output)].count(drop: reason, count)
    noteDrops(frames, count, reason, output, lcore)
    sluice_frames_free(frames, UInt32(truncatingIfNeeded: count))
}
