import Synchronization

/// What instances of one tree on several lcores share: for each rate of each class the time up to which it has been handed out.
///
/// An instance that needs credit books a stretch of that time, behind what others booked before it: one compare-and-swap on one 64-bit
/// word. A class's floor and ceiling have a cache line each to themselves; its peak and packet rates share a third, since who books one of them
/// books the others as well. The stretch is worth exactly its length times the rate, and its credit may be spent once it
/// has passed. So bookings never overlap, the long-run rate is exact whatever the number of instances, and instances that want the same
/// rate take turns in the order in which they asked. A booking is a lease `Q`, or the instance's debt if that is
/// more. `Q` is one round of turns of the
/// children that borrow there (of the class itself, at a leaf), so that shares follow demand and not the number of instances: at least
/// 8 us a quantum of 1514 bytes and at most 500 us or 11 frames of that size, whichever is more.
///
/// Bounds, for a class of rate r and burst b whose largest frame is F, shared by N instances:
/// - In any window of length t no more than r * t + b + N * (Q + F) leaves: leases handed out but not yet spent are at most one each,
///   and each instance may overdraw by one frame.
/// - A leaf that wants its floor again after a pause waits at most N * (Q + F) / r for it, once the b it had saved is used up: every other
///   instance may have one booking before its own. With Q at its least and F small against r * 8 us that is 8 us for each instance.
/// - An instance that falls idle keeps at most one lease, and returns it after `ClassTree.leaseReturn` (1 ms).
///
/// The rate itself is reached where the burst covers four polls of a loop and more. Instances that fall idle together return their leases
/// together, and of what they return no more than the burst is kept: with 16 instances, demand that moves between them and a burst of two
/// polls, 0.8 % of the rate was lost.
///
/// Floors come before loans by the rules themselves: a class borrows only while its own booking has not passed.
public struct SharedTree: @unchecked Sendable {
    /// For each class three cache lines: floor; ceiling; peak, floor packets and ceiling packets.
    let words: UnsafeMutablePointer<SharedWord>
    public let classes: Int

    @inline(__always) package static var wordsPerClass: Int { @_noLocks get { 24 } }
    @inline(__always) package static var floor: Int { @_noLocks get { 0 } }
    @inline(__always) package static var ceiling: Int { @_noLocks get { 8 } }
    @inline(__always) package static var peak: Int { @_noLocks get { 16 } }
    @inline(__always) package static var floorPackets: Int { @_noLocks get { 17 } }
    @inline(__always) package static var ceilingPackets: Int { @_noLocks get { 18 } }

    /// Room for classes 1 to `classes` - 1, each with full buckets.
    public static func create(classes: Int = 65_536) -> SharedTree {
        let count = classes * wordsPerClass
        let words = UnsafeMutableRawPointer.allocate(byteCount: count * 8, alignment: 64).bindMemory(to: SharedWord.self, capacity: count)
        for index in 0..<count { (words + index).initialize(to: SharedWord()) }
        return SharedTree(words: words, classes: classes)
    }

    /// Memory a class takes here, once for all instances, in bytes.
    public static var bytesPerClass: Int { wordsPerClass * MemoryLayout<SharedWord>.stride }

    /// Frees it. No instance may be left.
    public static func destroy(_ shared: SharedTree) { shared.words.deallocate() }

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

