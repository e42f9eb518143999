/// Whether a class may send now: the three modes of Linux HTB (net/sched/sch_htb.c, htb_class_mode).
enum Mode {
    /// Within its floor: sends, and lends to its descendants.
    @inline(__always) static var canSend: UInt8 { @_noLocks get { 0 } }
    /// Above its floor, below its ceiling: sends if an ancestor lends.
    @inline(__always) static var mayBorrow: UInt8 { @_noLocks get { 1 } }
    /// At its ceiling.
    @inline(__always) static var cannotSend: UInt8 { @_noLocks get { 2 } }
}

enum ClassFlags {
    /// The floor bucket is filled at a finite rate.
    @inline(__always) static var meteredFloor: UInt8 { @_noLocks get { 1 } }
    /// Always within its floor.
    @inline(__always) static var endlessFloor: UInt8 { @_noLocks get { 2 } }
    @inline(__always) static var meteredCeiling: UInt8 { @_noLocks get { 4 } }
    /// Peak or packet rates: `ClassExtra` is in use.
    @inline(__always) static var extra: UInt8 { @_noLocks get { 8 } }
    /// `CoDelState` is in use.
    @inline(__always) static var codel: UInt8 { @_noLocks get { 16 } }
    /// The leaf hangs in its output's list of parked leaves.
    @inline(__always) static var parked: UInt8 { @_noLocks get { 32 } }
    /// Credit is booked from a `SharedTree`.
    @inline(__always) static var shared: UInt8 { @_noLocks get { 64 } }
    /// A rate above `Credit.mostShortRate`, or the root.
    @inline(__always) static var steep: UInt8 { @_noLocks get { 128 } }
    /// What keeps a class from the shortest ways.
    @inline(__always) static var special: UInt8 { @_noLocks get { extra | codel | shared | steep } }
    @inline(__always) static var metered: UInt8 { @_noLocks get { meteredFloor | meteredCeiling | extra } }
}

/// What every frame of a class and of its descendants touches: one cache line.
struct ClassState {
    /// Time at which the tokens below were true. In a tree that leases its rates: see `ClassLeases`.
    var checkpoint: Nanoseconds
    /// By the class as a leaf, and by children that are gone: see `ClassTotals`.
    var sentBytes: UInt64
    /// Credit in nanobits: a byte is `Credit.perByte`, one ns at 1 bit/s earns one. Exact: nothing is ever rounded. Floor and ceiling lie side by side, so that
    /// both are worked out at once.
    var floorTokens: Int64
    var ceilingTokens: Int64
    var floorRate: UInt64
    var ceilingRate: UInt64
    /// Depth of the buckets in bytes.
    var floorBurst: UInt32
    var ceilingBurst: UInt32
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

    @_noLocks @inline(__always)
    init(
        checkpoint: Nanoseconds, floorTokens: Int64, floorRate: UInt64, ceilingTokens: Int64, ceilingRate: UInt64, floorBurst: UInt32,
        ceilingBurst: UInt32, sentBytes: UInt64, parent: ClassID, mode: UInt8, flags: UInt8, level: UInt8, active: UInt8, inRow: UInt8,
        inFeed: UInt8
    ) {
        self.checkpoint = checkpoint
        self.sentBytes = sentBytes
        self.floorTokens = floorTokens
        self.ceilingTokens = ceilingTokens
        self.floorRate = floorRate
        self.ceilingRate = ceilingRate
        self.floorBurst = floorBurst
        self.ceilingBurst = ceilingBurst
        self.parent = parent
        self.mode = mode
        self.flags = flags
        self.level = level
        self.active = active
        self.inRow = inRow
        self.inFeed = inFeed
    }
}

/// A class's place, for one priority, in the lists it is served from.
struct PrioritySlot {
    var rowNext: ClassID
    var rowPrevious: ClassID
    var feedNext: ClassID
    var feedPrevious: ClassID
    /// Bytes left of its turn in the parent's feed; negative: owed.
    var feedDeficit: Int32
    /// First in this class's own feed: the child whose turn it is; 0: empty. Of a leaf: `ClassNode.lender`.
    var feedHead: ClassID
    /// In `ClassNode.slot` alone. An inner class: the number of the event in which it last had nothing left for its descendants (odd:
    /// nothing to lend; even: at its ceiling). A leaf: the last such event it has taken notice of.
    var exhausted: UInt16

    /// In the slots of inner classes, where the place is free: last in this class's own feed, unless that is empty.
    var feedTail: ClassID {
        @_noLocks @inline(__always) get { exhausted }
        @_noLocks @inline(__always) set { exhausted = newValue }
    }

    @_noLocks @inline(__always)
    init(
        rowNext: ClassID, rowPrevious: ClassID, feedNext: ClassID, feedPrevious: ClassID, feedDeficit: Int32, feedHead: ClassID,
        exhausted: UInt16
    ) {
        self.rowNext = rowNext
        self.rowPrevious = rowPrevious
        self.feedNext = feedNext
        self.feedPrevious = feedPrevious
        self.feedDeficit = feedDeficit
        self.feedHead = feedHead
        self.exhausted = exhausted
    }
}

/// The rest of a class: its queue, if it is a leaf, and its turn. One cache line.
struct ClassNode {
    /// A leaf has one priority and needs one slot; an inner class has eight, kept elsewhere.
    var slot: PrioritySlot
    /// Frames in order, as indices into the slab; 0: none. An inner class: the upper part of the number in `slot.exhausted`.
    var head: UInt32
    /// An inner class: the child that took its queue over when it became a parent; 0: none.
    var tail: UInt32
    var count: UInt32
    /// An inner class: see `feedWeight`.
    var bytes: UInt32
    var limitPackets: UInt32
    var limitBytes: UInt32
    var quantum: Int32
    /// Bytes left of its turn in the row of its level; negative: owed.
    var rowDeficit: Int32
    var output: UInt16
    /// Of a leaf: see `changesOfLender`.
    var children: UInt16
    /// 1: its timer is set no later than the time at which its floor will allow it to send again.
    var timed: UInt8
    var priority: UInt8
    /// Bit per level of the ancestors it borrowed from so far (an inner class: and its own, see `Loan`): only those entries of `loans` are in use.
    var lenders: UInt8
    /// Bit per level of the ancestors whose ceiling held it so far: only those entries of `ceilingWaits` are in use.
    var blockers: UInt8
    /// As `ClassState.sentBytes`.
    var sentFrames: UInt64

    @_noLocks @inline(__always)
    init(
        slot: PrioritySlot, head: UInt32, tail: UInt32, count: UInt32, bytes: UInt32, limitPackets: UInt32, limitBytes: UInt32,
        quantum: Int32, rowDeficit: Int32, output: UInt16, children: UInt16, timed: UInt8, priority: UInt8, lenders: UInt8,
        blockers: UInt8, sentFrames: UInt64
    ) {
        self.slot = slot
        self.head = head
        self.tail = tail
        self.count = count
        self.bytes = bytes
        self.limitPackets = limitPackets
        self.limitBytes = limitBytes
        self.quantum = quantum
        self.rowDeficit = rowDeficit
        self.output = output
        self.children = children
        self.timed = timed
        self.priority = priority
        self.lenders = lenders
        self.blockers = blockers
        self.sentFrames = sentFrames
    }
}

extension ClassNode {
    /// Of an inner class, which has no queue: the quanta of all children in its feeds. Kept in trees that lease their rates.
    @inline(__always)
    var feedWeight: UInt32 {
        @_noLocks get { bytes }
        @_noLocks set { bytes = newValue }
    }
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

    @_noLocks @inline(__always)
    init(
        expiry: Nanoseconds, floorReciprocal: UInt64, ceilingReciprocal: UInt64, next: ClassID, previous: ClassID, bucket: UInt16,
        unused: UInt16
    ) {
        self.expiry = expiry
        self.floorReciprocal = floorReciprocal
        self.ceilingReciprocal = ceilingReciprocal
        self.next = next
        self.previous = previous
        self.bucket = bucket
        self.unused = unused
    }
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

    @_noLocks @inline(__always)
    init(
        peakTokens: Int64, peakRate: UInt64, peakBurst: Int64, peakReciprocal: UInt64, floorTokens: Int64, floorRate: UInt64,
        floorBurst: Int64, floorReciprocal: UInt64, ceilingTokens: Int64, ceilingRate: UInt64, ceilingBurst: Int64,
        ceilingReciprocal: UInt64, waitsPeak: UInt64, waitsPackets: UInt64
    ) {
        self.peakTokens = peakTokens
        self.peakRate = peakRate
        self.peakBurst = peakBurst
        self.peakReciprocal = peakReciprocal
        self.floorTokens = floorTokens
        self.floorRate = floorRate
        self.floorBurst = floorBurst
        self.floorReciprocal = floorReciprocal
        self.ceilingTokens = ceilingTokens
        self.ceilingRate = ceilingRate
        self.ceilingBurst = ceilingBurst
        self.ceilingReciprocal = ceilingReciprocal
        self.waitsPeak = waitsPeak
        self.waitsPackets = waitsPackets
    }
}

/// A frame in a queue. Begins as `OfferedFrame` and `ScheduledFrame` do, so that it is copied in one piece.
struct FrameNode {
    var handle: UnsafeMutableRawPointer
    var length: UInt32
    var tag: UInt32
    /// When it was queued, for CoDel.
    var since: Nanoseconds
    var next: UInt32
    var unused: UInt32

    @_noLocks @inline(__always)
    init(
        handle: UnsafeMutableRawPointer, length: UInt32, tag: UInt32, since: Nanoseconds, next: UInt32, unused: UInt32
    ) {
        self.handle = handle
        self.length = length
        self.tag = tag
        self.since = since
        self.next = next
        self.unused = unused
    }
}

/// What a leaf borrowed from one ancestor. An inner class: what its removed children had, or lent to them, if the level is its own. Written as
/// `CounterBlock` is.
struct Loan {
    var frames: UInt64
    var bytes: UInt64

    @_noLocks @inline(__always)
    init(frames: UInt64, bytes: UInt64) {
        self.frames = frames
        self.bytes = bytes
    }
}

/// Written by the owning lcore alone; any thread may read (aligned 64-bit loads and stores).
struct CounterBlock {
    var droppedQueueLimit: UInt64 = 0
    var droppedBufferShare: UInt64 = 0
    var droppedBufferFull: UInt64 = 0
    var waitsCeiling: UInt64 = 0
    var waitsNothingToLend: UInt64 = 0
    var waitsOutput: UInt64 = 0

    @_noLocks @inline(__always)
    init(
        droppedQueueLimit: UInt64 = 0, droppedBufferShare: UInt64 = 0, droppedBufferFull: UInt64 = 0,
        waitsCeiling: UInt64 = 0, waitsNothingToLend: UInt64 = 0, waitsOutput: UInt64 = 0
    ) {
        self.droppedQueueLimit = droppedQueueLimit
        self.droppedBufferShare = droppedBufferShare
        self.droppedBufferFull = droppedBufferFull
        self.waitsCeiling = waitsCeiling
        self.waitsNothingToLend = waitsNothingToLend
        self.waitsOutput = waitsOutput
    }
}
