import Synchronization

/// What the instances of one tree on several lcores share: for each rate of each class, the time up to which it has been handed out.
///
/// An instance that needs credit books a stretch of that time, behind what others have booked before it, by one compare-and-swap on one 64-bit word. A class's
/// floor and ceiling have a cache line each; its peak and packet rates share a third, since an instance that books one of them books the others as well. The
/// credit of a stretch is exactly its length times the rate, and it may be spent once the stretch has passed. So bookings never overlap, the long-run rate is
/// exact whatever the number of instances, and instances that want the same rate take turns in the order in which they asked.
///
/// **A class from which nobody borrows**, such as any leaf, books a lease `Q`, or the time of its debt if that is more. `Q` is one turn: at least 8 us for a
/// quantum of 1514 bytes; at most an eighth of the burst or `Q` for one frame, whichever is more; and never more than 500 us or 11 frames of that size.
///
/// **An inner class at which borrowers wait** books what classes within their floors were charged meanwhile, plus this instance's share of a round of lending,
/// in proportion to the quanta that wait there in this instance. A round is one turn of all that wait, at most `M`: 64 us or four frames, whichever is more.
/// Priorities come first: while a better priority waits in any instance, worse ones book nothing for lending. See `SharedTree+Shares`.
///
/// Bounds, for a class of rate r and burst b whose largest frame is F, shared by N instances:
/// - In any window of length t no more than r * t + b + N * (Q + F) leaves: each instance has at most one lease handed out but not yet spent, and may overdraw
///   by one frame. For an inner class, all leases for lending together are at most r * M, or up to b or 1 ms of r more after some instances came late: r * t +
///   b + r * M + min(b, r * 1 ms) + N * 2 * F.
/// - A leaf that wants its floor again after a pause waits for it at most N * (Q + F) / r, once it has used up the b that it had saved: every other instance
///   may have one booking before its own. With the least Q, and F small compared to r * 8 us, that is 8 us for each instance.
/// - Shares: borrowers that always want more, in loops that come at least every M, get over 100 ms what they would get in a single instance, within 2 % and two
///   frames, whatever instances they are in; and so does a group, whatever instances its members are in (three levels deep, in 8 instances and more, within 0.5
///   % of the rate). A loop that stands still for a time is compensated for what was lent meanwhile, as far as that is no more than b and 1 ms of r: one that
///   runs a quarter of the time is within 10 % of its share if that is up to three times the share of all others. What it does not take beyond that goes to the
///   others. A borrower of a better priority keeps worse ones out for 0.7 ms after its last booking.
/// - An instance that falls idle keeps at most one lease, and returns it after `ClassTree.leaseReturn` (1 ms).
///
/// The full rate is reached if the burst covers at least four polls of a loop. Instances that fall idle together return their leases together, and of what they
/// return no more than the burst is kept: with 16 instances, demand that moves between them, and a burst of two polls, 0.8 % of the rate was lost.
///
/// Floors come before loans by the rules themselves: a class borrows only while its own booking has not passed. Peak and packet rates are leased by turns
/// alone, without regard to who waits in other instances.
public struct SharedTree: @unchecked Sendable {
    /// Three cache lines for each class: floor; ceiling; peak, floor packets and ceiling packets.
    let words: UnsafeMutablePointer<SharedWord>
    /// The weights of borrowers that wait at each class, by epoch and priority: see `SharedTree+Shares`. Never touched for leaves.
    let weights: UnsafeMutablePointer<SharedWord>
    /// The times of traffic classes, in a tree with shares.
    let times: ClassTimes
    private let memory: ZeroedMemory
    public let classes: Int

    @inline(__always) package static var wordsPerClass: Int { @_noLocks get { 24 } }
    @inline(__always) package static var floor: Int { @_noLocks get { 0 } }
    @inline(__always) package static var ceiling: Int { @_noLocks get { 8 } }
    @inline(__always) package static var peak: Int { @_noLocks get { 16 } }
    @inline(__always) package static var floorPackets: Int { @_noLocks get { 17 } }
    @inline(__always) package static var ceilingPackets: Int { @_noLocks get { 18 } }
    /// Offset behind the word of a floor or ceiling: what was lent of it.
    @inline(__always) static var lent: Int { @_noLocks get { 1 } }
    /// Offset of the hold: the best priority that wants to borrow.
    @inline(__always) static var hold: Int { @_noLocks get { 2 } }
    /// Offset, for a leaf, of the number of instances in which it wants to borrow, by epoch.
    @inline(__always) static var spread: Int { @_noLocks get { 4 } }
    @inline(__always) static var weightsPerClass: Int { @_noLocks get { 16 } }

    /// Creates the shared part for classes 1 to `classes` - 1, all with full buckets.
    public static func create(classes: Int = 65_536) -> SharedTree {
        let count = classes * wordsPerClass, weights = classes * weightsPerClass
        // Words that were never written read as 0.
        let memory = ZeroedMemory(byteCount: ClassTimes.byteCount + (count + weights) * MemoryLayout<SharedWord>.stride)
        let words = (memory.bytes + ClassTimes.byteCount).bindMemory(to: SharedWord.self, capacity: count + weights)
        return SharedTree(words: words, weights: words + count, times: ClassTimes(memory.bytes), memory: memory, classes: classes)
    }

    /// Bytes that a class takes here, once for all instances.
    public static var bytesPerClass: Int { wordsPerClass * MemoryLayout<SharedWord>.stride }

    /// Frees the memory; no instance may still exist.
    public static func destroy(_ shared: SharedTree) { shared.memory.deallocate() }

    /// Books `length` ns of time that is not handed out yet and begins no earlier than `earliest`. Returns when the booked time will have passed.
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

    /// Returns time that was booked and not used.
    @_noLocks @inline(__always)
    func giveBack(_ word: Int, length: Nanoseconds) {
        let end = words + word
        var old = end.pointee.end.load(ordering: .relaxed)
        while true {
            // The word must not become negative: another instance may have removed the class and reset the word meanwhile.
            let (done, current) = end.pointee.end.compareExchange(
                expected: old, desired: old - min(old, length), successOrdering: .relaxed, failureOrdering: .relaxed)
            if done { return }
            old = current
        }
    }

    /// Moves the end of what is handed out back to `time` if it is later.
    @_noLocks
    func rewind(_ word: Int, to time: Nanoseconds) { words[word].end.min(time, ordering: .relaxed) }
}

/// The time up to which one rate of one class has been handed out. Any lcore may write it.
struct SharedWord: ~Copyable {
    let end = Atomic<UInt64>(0)
}

