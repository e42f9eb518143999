/// What a frame costs: the number of bytes and of frames that it puts on the wire. An ordinary frame leaves as one frame. A frame that is segmented on its way
/// out (TSO, USO) is charged for all of its segments with their headers, as Linux charges GSO frames (net/core/dev.c, qdisc_pkt_len_init).
///
/// - Rates in bits, and the turns of the round robin, count the bytes plus the tree's overhead for each frame on the wire. Rates in packets count frames on the
///   wire, and so do the counters of what was sent, borrowed and lent (include/net/sch_generic.h, bstats_update).
/// - In a queue a frame counts as one, however many segments it will leave as. Limits in frames, the shared buffer, backlogs and drops (CoDel's too) count
///   the frames that the caller offered, as Linux counts skbs (net/sched/sch_fifo.c, sch_codel.c). Limits and backlogs in bytes count bytes on the wire
///   (qdisc_pkt_len).
/// - A frame is always sent whole: once its leaf may send it, all of its segments leave, and the buckets may be overdrawn by all of them.
public struct Charge: Equatable, Sendable, BitwiseCopyable {
    /// For an ordinary frame, its length in bytes. For a frame that leaves as several, bits 0 to 19 hold the bytes, bits 20 to 29 the number of frames minus
    /// one, bit 30 is 0, and bit 31 is set, so that any sum of bytes to which this is added exceeds every limit.
    @usableFromInline let bits: UInt32

    /// The charge of a frame that leaves as it is.
    ///
    /// - Parameter bytes: its length without FCS, at most `mostBytes`. Optimised code does not check this, because receivers bound the length of frames.
    @_noLocks @inlinable @inline(__always)
    public init(bytes: UInt32) {
        assert(bytes <= Self.mostBytes, "a frame is longer than can be charged")
        self.init(bits: bytes)
    }

    /// The charge of a frame that leaves as one or several frames. The result is nil if there are none of them, or more frames or bytes than can be charged;
    /// such a frame must not be queued.
    ///
    /// - Parameters:
    ///   - bytes: the length of all these frames together, with their headers and without FCS; at most `mostBytes`.
    ///   - frames: the number of frames, 1 to `mostFrames`.
    @_noLocks @inlinable @inline(__always)
    public init?(bytes: UInt32, frames: UInt32) {
        guard bytes <= Self.mostBytes, frames &- 1 < Self.mostFrames else { return nil }
        self.init(bits: frames == 1 ? bytes : bytes | (frames &- 1) &<< 20 | 1 &<< 31)
    }

    @_noLocks @inlinable @inline(__always)
    init(bits: UInt32) { self.bits = bits }

    /// The number of bytes on the wire, without FCS.
    @inline(__always) public var bytes: UInt32 { @_noLocks get { bits & Self.mostBytes } }
    /// The number of frames on the wire.
    @inline(__always) public var frames: UInt32 { @_noLocks get { (bits &>> 20 & 0x3ff) &+ 1 } }

    @inlinable @inline(__always) public static var mostBytes: UInt32 { @_noLocks get { (1 << 20) - 1 } }
    @inlinable @inline(__always) public static var mostFrames: UInt32 { @_noLocks get { 1 << 10 } }

    /// Takes an array of lengths of ordinary frames for an array of charges, which has the same layout in memory. Nothing is copied, so the lengths must stay
    /// where they are as long as the result is used.
    @_noLocks @inline(__always)
    public static func ofOrdinary(_ lengths: UnsafePointer<UInt32>) -> UnsafePointer<Charge> {
        UnsafeRawPointer(lengths).assumingMemoryBound(to: Charge.self)
    }
}

extension Charge {
    /// The number of bytes that rates and turns count: with `overhead` for each frame on the wire, and at least 0.
    @_noLocks @inline(__always)
    func size(_ overhead: Int64) -> Int64 { max(Int64(bytes) &+ Int64(frames) &* overhead, 0) }

    /// The same for the shortcuts, which serve only ordinary frames of a positive size. For frames that leave as several it is negative.
    @_noLocks @inline(__always)
    func shortSize(_ overhead: Int64) -> Int32 { Int32(truncatingIfNeeded: bits) &+ Int32(truncatingIfNeeded: overhead) }

    /// The largest overhead in bytes that a tree may have for each frame, positive or negative. It is so small that it never changes the sign of `shortSize`
    /// for a frame that leaves as several.
    @inline(__always) static var mostOverhead: Int { @_noLocks get { 32_767 } }
    /// The largest number of bytes that a leaf may hold. Sums beyond it, which have bit 31 set, always exceed the leaf's limit.
    @inline(__always) static var mostQueued: UInt32 { @_noLocks get { (1 << 31) - 1 } }
}
