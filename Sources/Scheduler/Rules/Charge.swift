/// What a frame costs: the bytes and the frames that leave on the wire for it. An ordinary frame leaves as one. A frame that is segmented on its way out (TSO,
/// USO) is charged as what it leaves as, the headers of each segment included: Linux does so with GSO frames (net/core/dev.c, qdisc_pkt_len_init).
///
/// - Rates in bits count the bytes and the tree's overhead for each frame on the wire; turns do, too. Rates in packets count frames on the wire, and so do
///   counters of what was sent, borrowed and lent (include/net/sch_generic.h, bstats_update).
/// - A frame in a queue is one frame, whatever it leaves as: limits in frames, the shared buffer, backlogs and drops, CoDel's included, count what
///   the caller offered, as Linux counts skbs (net/sched/sch_fifo.c, sch_codel.c). Limits and backlogs in bytes count bytes on the wire (qdisc_pkt_len).
/// - A visit that begins to send a frame sends it whole, as ever: a bucket may be overdrawn by all of its segments.
public struct Charge: Equatable, Sendable, BitwiseCopyable {
    /// Of an ordinary frame its length. Otherwise bit 31 is set, so that any sum it is added to is beyond any limit, and the bits below it are: bytes
    /// (20), frames on the wire beyond the first (10), 0.
    @usableFromInline let bits: UInt32

    /// Of a frame that leaves as it is.
    ///
    /// - Parameter bytes: without FCS, at most `mostBytes`. Nothing checks that where the code is optimised: receivers bound the length of frames.
    @_noLocks @inlinable @inline(__always)
    public init(bytes: UInt32) {
        assert(bytes <= Self.mostBytes, "a frame is longer than can be charged")
        self.init(bits: bytes)
    }

    /// Of a frame that leaves as several; nil: as none, or as more than can be charged. Such a frame is not to be queued.
    ///
    /// - Parameters:
    ///   - bytes: of all of them together, their headers included, without FCS; at most `mostBytes`.
    ///   - frames: at most `mostFrames`.
    @_noLocks @inlinable @inline(__always)
    public init?(bytes: UInt32, frames: UInt32) {
        guard bytes <= Self.mostBytes, frames &- 1 < Self.mostFrames else { return nil }
        self.init(bits: frames == 1 ? bytes : bytes | (frames &- 1) &<< 20 | 1 &<< 31)
    }

    @_noLocks @inlinable @inline(__always)
    init(bits: UInt32) { self.bits = bits }

    /// On the wire, without FCS.
    @inline(__always) public var bytes: UInt32 { @_noLocks get { bits & Self.mostBytes } }
    /// On the wire.
    @inline(__always) public var frames: UInt32 { @_noLocks get { (bits &>> 20 & 0x3ff) &+ 1 } }

    @inlinable @inline(__always) public static var mostBytes: UInt32 { @_noLocks get { (1 << 20) - 1 } }
    @inlinable @inline(__always) public static var mostFrames: UInt32 { @_noLocks get { 1 << 10 } }

    /// Lengths of ordinary frames as what these cost: they lie in memory alike. The lengths must stay where they are.
    @_noLocks @inline(__always)
    public static func ofOrdinary(_ lengths: UnsafePointer<UInt32>) -> UnsafePointer<Charge> {
        UnsafeRawPointer(lengths).assumingMemoryBound(to: Charge.self)
    }
}

extension Charge {
    /// Bytes that rates and turns count, with `overhead` for each frame on the wire; never less than none.
    @_noLocks @inline(__always)
    func size(_ overhead: Int64) -> Int64 { max(Int64(bytes) &+ Int64(frames) &* overhead, 0) }

    /// The same for the short ways, which are for ordinary frames that cost something: of all others it is negative.
    @_noLocks @inline(__always)
    func shortSize(_ overhead: Int64) -> Int32 { Int32(truncatingIfNeeded: bits) &+ Int32(truncatingIfNeeded: overhead) }

    /// The overhead that a tree has for each frame is no more than this, in bytes, either way: it is not to change the sign of anything.
    @inline(__always) static var mostOverhead: Int { @_noLocks get { 32_767 } }
    /// No leaf holds more bytes than this, so that bit 31 tells.
    @inline(__always) static var mostQueued: UInt32 { @_noLocks get { (1 << 31) - 1 } }
}
