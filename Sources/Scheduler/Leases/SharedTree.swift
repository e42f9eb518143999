import Synchronization

/// What instances of one tree on several lcores share: for each rate of each class the time up to which it has been handed out.
///
/// An instance that needs credit books a stretch of that time, behind what others booked before it: one compare-and-swap on one 64-bit
/// word. A class's floor and ceiling have a cache line each to themselves; its peak and packet rates share a third, since who books one of them
/// books the others as well. The stretch is worth exactly its length times the rate, and its credit may be spent once it
/// has passed. So bookings never overlap, the long-run rate is exact whatever the number of instances, and instances that want the same
/// rate take turns in the order in which they asked.
///
/// **A class that nobody borrows from**, a leaf above all, books a lease `Q`, or its debt if that is more. `Q` is one turn: at least 8 us a quantum of
/// 1514 bytes and at most an eighth of the burst or that of one frame, whichever is more; never more than 500 us or 11 frames of that size.
///
/// **An inner class at which borrowers wait** books what was charged meanwhile by those within their floors, and its share of a round of lending, in
/// proportion to the quanta that wait there in this instance. A round is one turn of all who wait, at most `M`: 64 us or four frames, whichever is more.
/// Priorities come first: while a better one waits in any instance a worse one books nothing to lend. See `SharedTree+Shares`.
///
/// Bounds, for a class of rate r and burst b whose largest frame is F, shared by N instances:
/// - In any window of length t no more than r * t + b + N * (Q + F) leaves: leases handed out but not yet spent are at most one each,
///   and each instance may overdraw by one frame. Of an inner class all leases to lend together are at most r * M, or up to as much again as b or 1 ms of r
///   after some instances looked late: r * t + b + r * M + min(b, r * 1 ms) + N * 2 * F.
/// - A leaf that wants its floor again after a pause waits at most N * (Q + F) / r for it, once the b it had saved is used up: every other
///   instance may have one booking before its own. With Q at its least and F small against r * 8 us that is 8 us for each instance.
/// - Shares: borrowers that always want more, of loops that look at least every M, get over 100 ms what they would get in one instance within 2 % and
///   two frames, whatever instances they are in, and a group whatever instances its members are in (three levels deep, in 8 instances and more, within 0.5 % of
///   the rate). A loop that stands still for s at a time is made up for what was lent
///   meanwhile as far as that is no more than b and 1 ms of r: one that runs a quarter of the time is within 10 % of its share where that is up to three times
///   that of all others. What it does not take beyond that others have. A borrower of a better priority keeps worse ones out for 0.7 ms after its last booking.
/// - An instance that falls idle keeps at most one lease, and returns it after `ClassTree.leaseReturn` (1 ms).
///
/// The rate itself is reached where the burst covers four polls of a loop and more. Instances that fall idle together return their leases
/// together, and of what they return no more than the burst is kept: with 16 instances, demand that moves between them and a burst of two
/// polls, 0.8 % of the rate was lost.
///
/// Floors come before loans by the rules themselves: a class borrows only while its own booking has not passed. Peak and packet rates are leased in
/// turns alone, without regard to who waits elsewhere.
public struct SharedTree: @unchecked Sendable {
    /// For each class three cache lines: floor; ceiling; peak, floor packets and ceiling packets.
    let words: UnsafeMutablePointer<SharedWord>
    /// For each class that borrowers wait at, by epoch and priority: see `SharedTree+Shares`. Untouched for leaves.
    let weights: UnsafeMutablePointer<SharedWord>
    private let memory: ZeroedMemory
    public let classes: Int

    @inline(__always) package static var wordsPerClass: Int { @_noLocks get { 24 } }
    @inline(__always) package static var floor: Int { @_noLocks get { 0 } }
    @inline(__always) package static var ceiling: Int { @_noLocks get { 8 } }
    @inline(__always) package static var peak: Int { @_noLocks get { 16 } }
    @inline(__always) package static var floorPackets: Int { @_noLocks get { 17 } }
    @inline(__always) package static var ceilingPackets: Int { @_noLocks get { 18 } }
    /// Behind a floor and a ceiling: what was lent of it.
    @inline(__always) static var lent: Int { @_noLocks get { 1 } }
    /// The best priority that wants to borrow.
    @inline(__always) static var hold: Int { @_noLocks get { 2 } }
    /// A leaf's: the instances in which it borrows, by epoch.
    @inline(__always) static var spread: Int { @_noLocks get { 4 } }
    @inline(__always) static var weightsPerClass: Int { @_noLocks get { 16 } }

    /// Room for classes 1 to `classes` - 1, each with full buckets.
    public static func create(classes: Int = 65_536) -> SharedTree {
        let count = classes * wordsPerClass, weights = classes * weightsPerClass
        // A word that was never written is 0.
        let memory = ZeroedMemory(byteCount: (count + weights) * MemoryLayout<SharedWord>.stride)
        let words = memory.bytes.bindMemory(to: SharedWord.self, capacity: count + weights)
        return SharedTree(words: words, weights: words + count, memory: memory, classes: classes)
    }

    /// Memory a class takes here, once for all instances, in bytes.
    public static var bytesPerClass: Int { wordsPerClass * MemoryLayout<SharedWord>.stride }

    /// Frees it. No instance may be left.
    public static func destroy(_ shared: SharedTree) { shared.memory.deallocate() }

    /// Books `length` ns of time not handed out yet, starting no earlier than `earliest`. Returns when it will have passed.
    @_noLocks @inline(__always)
    func book(_ word: Int, length: Nanoseconds, earliest: Nanoseconds) -> Nanoseconds {
        let end = words + word
        var old = end.pointee.end.load(ordering: .relaxed)
        while true {
            let new = max(old, earliest) &+ length
            let (done, current) = end.pointee.end.compareExchange(expected: old, desired: new, successOrdering: .relaxed, failureOrdering: .relaxed)
            if done { return new }
            old = current
        }
    }

    /// Hands time back that was booked and not used.
    @_noLocks @inline(__always)
    func giveBack(_ word: Int, length: Nanoseconds) {
        let end = words + word
        var old = end.pointee.end.load(ordering: .relaxed)
        while true {
            // Never beyond the beginning: another instance may have removed the class meanwhile.
            let (done, current) = end.pointee.end.compareExchange(
                expected: old, desired: old - min(old, length), successOrdering: .relaxed, failureOrdering: .relaxed)
            if done { return }
            old = current
        }
    }

    /// Makes `time` the end of what is handed out, where that was later.
    @_noLocks
    func rewind(_ word: Int, to time: Nanoseconds) { words[word].end.min(time, ordering: .relaxed) }
}

/// Time up to which one rate of one class has been handed out. Any lcore writes it.
struct SharedWord: ~Copyable {
    let end = Atomic<UInt64>(0)
}

