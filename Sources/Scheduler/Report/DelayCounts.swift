/// How long frames have waited when they leave their queues, in a histogram for each leaf, whose buckets are those of HdrHistogram with three bits: the delays
/// between two powers of two are divided into eight buckets of equal width. So a bucket is at most an eighth of its delays wide. The bits of a floating-point
/// number are such a scale: the exponent, and the first three bits behind it.
///
/// The eight buckets of a power of two are one cache line. There are 37 of these lines for a leaf, for 1 ns to 137 s; longer delays count as 137 s. As 37 is
/// odd, the lines that many leaves write lie in all sets of the cache. Memory is taken only by leaves whose frames have waited.
///
/// Frames that are taken out in the turn in which they were queued, or were never queued, have not waited. How many they are follows from what the leaf sent.
///
/// Nothing is done for this where frames are taken out: afterwards each is found once more, in front of the free frames, with the time at which it was queued.
struct DelayCounts {
    let bytes: UnsafeMutableRawPointer

    @_noLocks @inline(__always)
    init(_ bytes: UnsafeMutableRawPointer) { self.bytes = bytes }

    /// Counts a delay, which is not 0.
    @_noLocks @inline(__always)
    func count(_ delay: Nanoseconds, of leaf: ClassID) {
        // A delay is less than 2^63 ns, and signed numbers are converted by one instruction.
        let value = Float(Int64(bitPattern: delay)), most: Float = 0x1.fffffep36
        let bucket = Int((value < most ? value : most).bitPattern &>> 20) &- DelayHistogram.bitsOfOne
        let counter = (bytes + (Int(leaf) &* DelayHistogram.stride &+ bucket &* 8)).assumingMemoryBound(to: UInt64.self)
        counter.pointee &+= 1
    }
}

/// How many of a class's frames waited for how long; see `DelayCounts` for the buckets.
public struct DelayHistogram: Equatable, Sendable {
    /// Frames by bucket; empty if none has waited.
    public private(set) var counts: [UInt64] = []
    /// Frames that left in the turn in which they were queued, or were never queued.
    public var passed: UInt64 = 0

    public init() {}

    init(_ counts: UnsafePointer<UInt64>) {
        let read = Array(UnsafeBufferPointer(start: counts, count: Self.buckets))
        if read.contains(where: { $0 != 0 }) { self.counts = read }
    }

    public static var buckets: Int { 37 * 8 }
    @inline(__always) static var stride: Int { @_noLocks get { 37 &* 64 } }
    /// The first bits of the number 1 as `DelayCounts` takes them: the exponent's offset of 127, and three zeros.
    @inline(__always) static var bitsOfOne: Int { @_noLocks get { 127 &<< 3 } }

    /// The longest delay, in ns, that counts in a bucket. A frame that counts in it has waited at least eight ninths of that.
    public static func highest(in bucket: Int) -> Nanoseconds {
        let power = UInt64(bucket / 8), place = UInt64(bucket % 8)
        // The end of the bucket is 2^power * (9 + place) / 8. Below 8 ns that may be no whole number, so it is rounded up before 1 is taken away.
        return ((9 + place) << power + 7) >> 3 - 1
    }

    public var waited: UInt64 { counts.reduce(0, &+) }

    /// The frames that waited, by the longest delay of their bucket in ns; only buckets that have some, in the order of delays.
    public var byDelay: [(highest: Nanoseconds, frames: UInt64)] {
        counts.indices.compactMap { counts[$0] == 0 ? nil : (Self.highest(in: $0), counts[$0]) }
    }

    public static func += (sum: inout DelayHistogram, other: DelayHistogram) {
        sum.passed &+= other.passed
        if other.counts.isEmpty { return }
        if sum.counts.isEmpty { sum.counts = other.counts } else { for bucket in sum.counts.indices { sum.counts[bucket] &+= other.counts[bucket] } }
    }
}

extension ClassTree {
    // MARK: Memory, by the control thread

    /// Gives the tree the memory that counting delays needs, before the owning lcore is told to count them.
    public func grantDelays() {
        if delayMemory.pointee == nil { delayMemory.pointee = ZeroedMemory(byteCount: classes * DelayHistogram.stride) }
    }

    /// Takes the memory back after the owning lcore has been told to count no longer.
    public func reclaimDelays() {
        delayMemory.pointee?.deallocate()
        delayMemory.pointee = nil
    }

    /// What was counted for a leaf, or for a class while it was a leaf; nothing if delays are not counted. `passed` is 0, as only the caller knows what the
    /// leaf had sent before. The control thread may call this at any time: see `counters`.
    public func delays(of id: ClassID) -> DelayHistogram {
        // A leaf that has sent nothing has counted nothing, and is not looked at, as that would take memory.
        guard Int(id) < classes, states[Int(id)].sentFrames != 0, let memory = delayMemory.pointee else { return DelayHistogram() }
        return DelayHistogram((memory.bytes + Int(id) * DelayHistogram.stride).assumingMemoryBound(to: UInt64.self))
    }

    /// The number of frames that a class sent as a leaf.
    public func framesSent(byLeaf id: ClassID) -> UInt64 { Int(id) < classes && Self.has(existing, id) ? states[Int(id)].sentFrames : 0 }

    // MARK: The lcore

    /// Begins or ends to count delays; begins only if memory was granted.
    @_noLocks
    public mutating func countDelays(_ isWanted: Bool) { delays = isWanted ? delayMemory.pointee?.bytes : nil }

    /// Whether delays are counted.
    @inline(__always)
    public var countsDelays: Bool { @_noLocks get { delays != nil } }

    /// Forgets what was counted for a class that is removed.
    @_noLocks
    func clearDelays(of id: ClassID) {
        guard let delays, states[Int(id)].sentFrames != 0 else { return }
        (delays + Int(id) &* DelayHistogram.stride).initializeMemory(as: UInt64.self, repeating: 0, count: DelayHistogram.stride / 8)
    }

    /// Counts the delays of the frames that the last `dequeue` has written to `frames`. Nothing else may have been done with the tree since.
    @_noLocks
    public func countDelays(of frames: UnsafePointer<ScheduledFrame>, count: Int, at now: Nanoseconds) {
        guard let delays else { return }
        let counts = DelayCounts(delays), nodes = self.frames
        // The dequeue has put all of them in front of the free frames: frames that left one after another from one leaf stand together, and those that left
        // last come first. Which of a leaf's frames is which does not matter here.
        var node = freeHead
        var frame = frames + count
        while frame != frames {
            frame -= 1
            let delay = now &- nodes[Int(node)].since
            node = nodes[Int(node)].next
            if delay != 0 { counts.count(delay, of: frame.pointee.leaf) }
        }
    }

    /// Writes to `times` when each of the frames was queued that the last `dequeue` has written to `frames`. Nothing else may have been done with the tree
    /// since.
    @_noLocks
    public func queuingTimes(of frames: UnsafePointer<ScheduledFrame>, count: Int, into times: UnsafeMutablePointer<Nanoseconds>) {
        var node = freeHead, index = count
        while index > 0 {
            index &-= 1
            let since = self.frames[Int(node)].since
            node = self.frames[Int(node)].next
            // Of frames that left one after another from one leaf, those queued first have left first.
            var place = index
            while place &+ 1 < count, frames[place &+ 1].leaf == frames[index].leaf, times[place &+ 1] < since {
                times[place] = times[place &+ 1]
                place &+= 1
            }
            times[place] = since
        }
    }

    /// Counts the delay of a frame that was queued at `since` and has left now.
    @_noLocks
    public func countDelay(of leaf: ClassID, since: Nanoseconds, at now: Nanoseconds) {
        if let delays, now != since { DelayCounts(delays).count(now &- since, of: leaf) }
    }
}
