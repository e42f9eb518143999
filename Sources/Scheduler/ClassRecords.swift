/// Whether a class may send now: the three modes of Linux HTB (net/sched/sch_htb.c, htb_class_mode).
enum Mode {
    /// Within its floor: sends, and lends to its descendants.
    static let canSend: UInt8 = 0
    /// Above its floor, below its ceiling: sends if an ancestor lends.
    static let mayBorrow: UInt8 = 1
    /// At its ceiling.
    static let cannotSend: UInt8 = 2
}

enum ClassFlags {
    /// The floor bucket is filled at a finite rate.
    static let meteredFloor: UInt8 = 1
    /// Always within its floor.
    static let endlessFloor: UInt8 = 2
    static let meteredCeiling: UInt8 = 4
    /// Peak or packet rates: `ClassExtra` is in use.
    static let extra: UInt8 = 8
    /// `CoDelState` is in use.
    static let codel: UInt8 = 16
    /// The leaf hangs in its output's list of parked leaves.
    static let parked: UInt8 = 32
    /// Credit is booked from a `SharedTree`.
    static let shared: UInt8 = 64
    static let metered: UInt8 = meteredFloor | meteredCeiling | extra
}

/// What every frame of a class and of its descendants touches: one cache line.
struct ClassState {
    /// Time at which the tokens below were true.
    var checkpoint: Nanoseconds
    /// Credit in nanobits: a byte is `Credit.perByte`, one ns at 1 bit/s earns one. Exact: nothing is ever rounded.
    var floorTokens: Int64
    var floorRate: UInt64
    var ceilingTokens: Int64
    var ceilingRate: UInt64
    /// Depth of the buckets in bytes.
    var floorBurst: UInt32
    var ceilingBurst: UInt32
    var sentBytes: UInt64
    var parent: ClassID
    var mode: UInt8
    var flags: UInt8
    /// 0: a leaf; 1...7: an inner class, 7 the root.
    var level: UInt8
    /// Bit per priority: the class has frames to send, itself or below it. 0: asleep, and its mode is not kept up to date.
    var active: UInt8
    /// Bit per priority: hangs in its level's row (it can send).
    var inRow: UInt8
    /// Bit per priority: hangs in its parent's feed.
    var inFeed: UInt8
}

/// A class's place, for one priority, in the rings it is served from.
struct PrioritySlot {
    var rowNext: ClassID
    var rowPrevious: ClassID
    var feedNext: ClassID
    var feedPrevious: ClassID
    /// Bytes left of its turn in the parent's feed; negative: owed.
    var feedDeficit: Int32
    /// First in this class's own feed: the child whose turn it is; 0: empty. Inner classes only.
    var feedHead: ClassID
    var unused: UInt16
}

/// The rest of a class: its queue, if it is a leaf, and its turn. One cache line.
struct ClassNode {
    /// A leaf has one priority and needs one slot; an inner class has eight, kept elsewhere.
    var slot: PrioritySlot
    /// Frames in order, as indices into the slab; 0: none.
    var head: UInt32
    var tail: UInt32
    var count: UInt32
    var bytes: UInt32
    var limitPackets: UInt32
    var limitBytes: UInt32
    var quantum: Int32
    /// Bytes left of its turn in the row of its level; negative: owed.
    var rowDeficit: Int32
    var output: UInt16
    var children: UInt16
    /// Classes above it.
    var depth: UInt8
    var priority: UInt8
    /// Bit per level of the ancestors it borrowed from so far: only those entries of `borrowedBytes` are in use.
    var lenders: UInt8
    /// Bit per level of the ancestors whose ceiling held it so far: only those entries of `ceilingWaits` are in use.
    var blockers: UInt8
    var sentFrames: UInt64
}

/// When a class that waits for tokens has to be looked at again.
struct ClassTimer {
    var expiry: Nanoseconds
    /// floor((2^64 - 1) / rate), so that waking needs no division.
    var floorReciprocal: UInt64
    var ceilingReciprocal: UInt64
    var next: ClassID
    var previous: ClassID
    /// Which bucket of the wheel it is in, plus 1; 0: not armed.
    var bucket: UInt16
    var unused: UInt16
}

/// Buckets few classes have. Tokens of peak in nanobits, of packet rates in billionths of a packet.
struct ClassExtra {
    var peakTokens: Int64
    var peakRate: UInt64
    var peakBurst: Int64
    var peakReciprocal: UInt64
    var floorTokens: Int64
    var floorRate: UInt64
    var floorBurst: Int64
    var floorReciprocal: UInt64
    var ceilingTokens: Int64
    var ceilingRate: UInt64
    var ceilingBurst: Int64
    var ceilingReciprocal: UInt64
    var waitsPeak: UInt64
    var waitsPackets: UInt64
}

/// A frame in a queue.
struct FrameNode {
    var handle: UnsafeMutableRawPointer
    /// When it was queued, for CoDel.
    var since: Nanoseconds
    var length: UInt32
    var tag: UInt32
    var next: UInt32
    var unused: UInt32
}

/// Written by the owning lcore alone; any thread may read (aligned 64-bit loads and stores).
struct CounterBlock {
    var droppedQueueLimit: UInt64 = 0
    var droppedBufferShare: UInt64 = 0
    var droppedBufferFull: UInt64 = 0
    var borrowedFrames: UInt64 = 0
    var lentFrames: UInt64 = 0
    var lentBytes: UInt64 = 0
    var waitsCeiling: UInt64 = 0
    var waitsAncestor: UInt64 = 0
    var waitsNothingToLend: UInt64 = 0
    var waitsOutput: UInt64 = 0
}
