import Scheduler

/// Of a port's staged frames that the port has not taken: the leaves in which they waited, and when they were queued. Nearly
/// always a port takes a frame in the turn in which the frame leaves its queue; where it does not, the frame's delay is counted when it has.
struct HeldFrames {
    /// The number of staged frames that are described here, from the first on; 0: none is.
    var count: Int
    /// 0 for a frame that is counted otherwise.
    var leaves: InlineArray<128, ClassID>
    var times: InlineArray<128, Nanoseconds>

    /// Describes the staged frame with an index, the last that there is now; `leaf` is 0 if it is counted otherwise.
    @_noLocks
    mutating func describe(_ index: Int, leaf: ClassID, since time: Nanoseconds) {
        if leaf == 0 { return }
        while count < index {
            leaves[unchecked: count] = 0
            count &+= 1
        }
        leaves[unchecked: index] = leaf
        times[unchecked: index] = time
        count = index &+ 1
    }

    @_noLocks
    mutating func removeFirst(_ taken: Int) {
        let left = max(0, count &- taken)
        for index in 0..<left {
            leaves[unchecked: index] = leaves[unchecked: index &+ taken]
            times[unchecked: index] = times[unchecked: index &+ taken]
        }
        count = left
    }
}

/// Counts the delays of the `count` frames that were just taken from the tree and sent, but of those that their ports have not taken.
/// - Parameters:
///   - parked: the places, among the lcore's parked outputs, of those that were parked by this.
///   - isRead: whether `queuingTimes` has them already; else nothing may have been enqueued in the tree since.
@inline(never) @_noLocks
func countDelays(_ count: Int, of tree: UnsafeMutablePointer<ClassTree>, held parked: Range<Int>, isRead: Bool, _ lcore: UnsafeMutablePointer<Lcore>) {
    let frames = lcore.pointee.scheduled, now = lcore.pointee.now
    if _fastPath(parked.isEmpty && !isRead) { return tree.pointee.countDelays(of: frames, count: count, at: now) }
    let times = lcore.pointee.queuingTimes
    if !isRead { tree.pointee.queuingTimes(of: frames, count: count, into: times) }
    for place in parked {
        let port = lcore.pointee.parked[place], held = lcore.pointee.held + Int(port)
        var left = lcore.pointee.outputs[Int(port)].count
        held.pointee.count = left
        // What was staged last came from the tree last.
        for index in stride(from: count &- 1, through: 0, by: -1) where left > 0 && frames[index].output == port {
            left &-= 1
            held.pointee.leaves[unchecked: left] = frames[index].leaf
            held.pointee.times[unchecked: left] = times[index]
            // So that it is not counted below.
            times[index] = now
        }
        for earlier in 0..<left { held.pointee.leaves[unchecked: earlier] = 0 }
    }
    for index in 0..<count { tree.pointee.countDelay(of: frames[index].leaf, since: times[index], at: now) }
}

/// Counts the delays of staged frames that a port has taken at last.
@inline(never) @_noLocks
func countDelays(of port: PortIndex, taken: Int, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let held = lcore.pointee.held + Int(port)
    let tree = snapshot.pointee.trees[unchecked: Int(snapshot.pointee.ports[unchecked: Int(port)].tree)].tree
    for index in 0..<min(taken, held.pointee.count) {
        let leaf = held.pointee.leaves[unchecked: index]
        if leaf != 0 { tree.pointee.countDelay(of: leaf, since: held.pointee.times[unchecked: index], at: lcore.pointee.now) }
    }
    held.pointee.removeFirst(taken)
}
