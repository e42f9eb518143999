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
    /// Peak or packet rates, or a floor that saves: `ClassExtra` is in use.
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

/// What a frame of a class and of its descendants touches: one cache line. All that is the same for classes with the same parameters is in their
/// `ClassProfile`; what only longer queues, borrowers and timers need is in `ClassNode`.
struct ClassState {
    /// Time at which the tokens below were true. In a tree that leases its rates: when what is booked of the floor will have passed (`floorLease`).
    var checkpoint: Nanoseconds
    /// By the class as a leaf, and by children that are gone: see `ClassTotals`.
    var sentBytes: UInt64
    /// Credit in nanobits: a byte is `Credit.perByte`, one ns at 1 bit/s earns one. Exact: nothing is ever rounded. Floor and ceiling lie side by side, so that
    /// both are worked out at once.
    var floorTokens: Int64
    var ceilingTokens: Int64
    /// As `sentBytes`.
    var sentFrames: UInt64
    /// Of a leaf: its last frame, as an index into the slab (`ClassTree+Queue`); `FrameNode.none`: its queue is empty. 0: no leaf, as memory that was never
    /// written is none.
    var tail: UInt32
    /// Bytes left of its turn in the row of its level; negative: owed.
    var rowDeficit: Int32
    /// Its parameters: see `ProfileTable`.
    var profile: UInt16
    /// A leaf's place in its row; while it is parked, among the leaves of its output (`parkedNext`). Inner classes have one for each priority, kept elsewhere.
    var rowNext: ClassID
    var rowPrevious: ClassID
    /// `lastExhaustion` of an inner class, `noticedExhaustion` of a leaf.
    private var exhaustion: UInt16
    var parent: ClassID
    var flags: UInt8
    /// `level` and `lender`.
    var rank: UInt8
    var mode: UInt8
    /// Bit per priority: the class has frames to send, itself or below it. 0: asleep, and its mode is not kept up to date.
    var active: UInt8
    /// Bit per priority: hangs in its level's row (it can send).
    var inRow: UInt8
    /// Bit per priority: hangs in its parent's feed.
    var inFeed: UInt8

    /// Without children, tokens or parameters.
    @_noLocks @inline(__always)
    init(under parent: ClassID, at now: Nanoseconds) {
        checkpoint = now
        sentBytes = 0
        floorTokens = 0
        ceilingTokens = 0
        sentFrames = 0
        tail = FrameNode.none
        rowDeficit = 0
        profile = ProfileTable.none
        rowNext = 0
        rowPrevious = 0
        exhaustion = 0
        self.parent = parent
        flags = 0
        rank = 0
        mode = Mode.mayBorrow
        active = 0
        inRow = 0
        inFeed = 0
    }
}

extension ClassState {
    /// 0: a leaf; 1...7: an inner class, 7 the root.
    @inline(__always)
    var level: UInt8 {
        @_noLocks get { rank & 0xf }
        @_noLocks set { rank = rank & 0xf0 | newValue }
    }

    /// Of a leaf: the level of the ancestor that lends to it. Kept when it has nothing to send.
    @inline(__always)
    var lender: UInt8 {
        @_noLocks get { rank &>> 4 }
        @_noLocks set { rank = rank & 0xf | newValue &<< 4 }
    }

    /// It sends on its own floor.
    @inline(__always) static var nobody: UInt8 { @_noLocks get { 0 } }

    /// Of an inner class: the number of the event in which it last had nothing left for its descendants (odd: nothing to lend; even: at its ceiling).
    @inline(__always)
    var lastExhaustion: UInt16 {
        @_noLocks get { exhaustion }
        @_noLocks set { exhaustion = newValue }
    }

    /// Of a leaf: the last such event it has taken notice of.
    @inline(__always)
    var noticedExhaustion: UInt16 {
        @_noLocks get { exhaustion }
        @_noLocks set { exhaustion = newValue }
    }

    /// Of a parked leaf: its neighbours among the parked leaves of its output; 0: none.
    @inline(__always)
    var parkedNext: ClassID {
        @_noLocks get { rowNext }
        @_noLocks set { rowNext = newValue }
    }

    @inline(__always)
    var parkedPrevious: ClassID {
        @_noLocks get { rowPrevious }
        @_noLocks set { rowPrevious = newValue }
    }
}

/// A class's place, for one priority, in the lists it is served from. A leaf has one priority and needs only a place in its parent's feed.
struct PrioritySlot {
    var rowNext: ClassID
    var rowPrevious: ClassID
    var feedNext: ClassID
    var feedPrevious: ClassID
    /// Bytes left of its turn in the parent's feed; negative: owed.
    var feedDeficit: Int32
    /// First in this class's own feed: the child whose turn it is; 0: empty. A leaf, which has none: see `ClassTree+Rounds`.
    var feedHead: ClassID
    /// Last in this class's own feed, unless that is empty.
    var feedTail: ClassID

    @_noLocks @inline(__always)
    init(rowNext: ClassID, rowPrevious: ClassID, feedNext: ClassID, feedPrevious: ClassID, feedDeficit: Int32, feedHead: ClassID, feedTail: ClassID) {
        self.rowNext = rowNext
        self.rowPrevious = rowPrevious
        self.feedNext = feedNext
        self.feedPrevious = feedPrevious
        self.feedDeficit = feedDeficit
        self.feedHead = feedHead
        self.feedTail = feedTail
    }
}

/// The rest of a class: what is ahead in its queue, its turn among borrowers, its timer. One cache line.
struct ClassNode {
    /// Of a leaf.
    var slot: PrioritySlot
    /// Of an inner class: the child that took its queue over when it became a parent; 0: none.
    var heir: UInt32
    /// `framesAhead` of a leaf, `exhaustionRound` of an inner class.
    private var countOrRound: UInt32
    /// Bytes of a leaf's frames ahead of the last one; of all, if it queues its flows apart. Nothing of an inner class.
    var bytesAhead: UInt32
    /// `changesOfLender` of a leaf, `children` of an inner class.
    private var changesOrChildren: UInt16
    /// 1: its timer is set no later than the time at which its floor will allow it to send again.
    var timed: UInt8
    /// Bit per level of the ancestors it borrowed from so far (an inner class: and its own, see `Loan`): only those entries of `loans` are in use.
    var lenders: UInt8
    var timer: ClassTimer
    /// Bit per level of the ancestors whose ceiling held it so far: only those entries of `ceilingWaits` are in use. Bit 0, the level of no ancestor:
    /// `ClassTree.keptCounts` has something.
    var blockers: UInt8
    /// Times it had to wait. Written as `CounterBlock` is.
    var waitsCeiling: UInt64
    var waitsNothingToLend: UInt64

    @_noLocks @inline(__always)
    init() {
        slot = .unlinked(deficit: 0)
        heir = 0
        countOrRound = 0
        bytesAhead = 0
        changesOrChildren = 0
        timed = 0
        lenders = 0
        timer = ClassTimer()
        blockers = 0
        waitsCeiling = 0
        waitsNothingToLend = 0
    }
}

extension ClassNode {
    /// Frames ahead of a leaf's last one; all, if it queues its flows apart.
    @inline(__always)
    var framesAhead: UInt32 {
        @_noLocks get { countOrRound }
        @_noLocks set { countOrRound = newValue }
    }

    /// Of an inner class: what the short number in `ClassState.lastExhaustion` does not tell apart.
    @inline(__always)
    var exhaustionRound: UInt32 {
        @_noLocks get { countOrRound }
        @_noLocks set { countOrRound = newValue }
    }

    /// Of an inner class.
    @inline(__always)
    var children: UInt16 {
        @_noLocks get { changesOrChildren }
        @_noLocks set { changesOrChildren = newValue }
    }

    /// Of a leaf: how often it had another lender; odd while that is being written.
    @inline(__always)
    var changesOfLender: UInt16 {
        @_noLocks get { changesOrChildren }
        @_noLocks set { changesOrChildren = newValue }
    }
}

/// When a class that waits for tokens has to be looked at again.
struct ClassTimer {
    var expiry: Nanoseconds
    var next: ClassID
    var previous: ClassID
    /// Which bucket of the wheel it is in, plus 1; 0: not armed.
    var bucket: UInt16

    @_noLocks @inline(__always)
    init() {
        expiry = 0
        next = 0
        previous = 0
        bucket = 0
    }
}

/// What few classes have: further buckets, and savings. Tokens of peak in nanobits, of packet rates in billionths of a packet.
struct ClassExtra {
    /// Its places in savers' rows, by priority.
    var places: InlineArray<8, RowLinks>
    var peakTokens: Int64
    var peakRate: UInt64
    var peakBurst: Int64
    var peakReciprocal: UInt64
    var floorPacketTokens: Int64
    var floorPacketRate: UInt64
    var floorPacketBurst: Int64
    var floorPacketReciprocal: UInt64
    var ceilingPacketTokens: Int64
    var ceilingPacketRate: UInt64
    var ceilingPacketBurst: Int64
    var ceilingPacketReciprocal: UInt64
    var waitsPeak: UInt64
    var waitsPackets: UInt64
    /// Part of the floor's tokens in `ClassState` that waits for the root, and what the floor has at hand, in nanobits: see `ClassTree+Savings`.
    var saved: Int64
    var atHand: Int64
    /// Bit per priority: hangs in a savers' row.
    var inRow: UInt8

    @_noLocks @inline(__always)
    init(
        peakTokens: Int64, peakRate: UInt64, peakBurst: Int64, peakReciprocal: UInt64, floorPacketTokens: Int64, floorPacketRate: UInt64,
        floorPacketBurst: Int64, floorPacketReciprocal: UInt64, ceilingPacketTokens: Int64, ceilingPacketRate: UInt64, ceilingPacketBurst: Int64,
        ceilingPacketReciprocal: UInt64, waitsPeak: UInt64, waitsPackets: UInt64, saved: Int64, atHand: Int64
    ) {
        self.peakTokens = peakTokens
        self.peakRate = peakRate
        self.peakBurst = peakBurst
        self.peakReciprocal = peakReciprocal
        self.floorPacketTokens = floorPacketTokens
        self.floorPacketRate = floorPacketRate
        self.floorPacketBurst = floorPacketBurst
        self.floorPacketReciprocal = floorPacketReciprocal
        self.ceilingPacketTokens = ceilingPacketTokens
        self.ceilingPacketRate = ceilingPacketRate
        self.ceilingPacketBurst = ceilingPacketBurst
        self.ceilingPacketReciprocal = ceilingPacketReciprocal
        self.waitsPeak = waitsPeak
        self.waitsPackets = waitsPackets
        self.saved = saved
        self.atHand = atHand
        places = InlineArray(repeating: RowLinks(next: 0, previous: 0))
        inRow = 0
    }
}

/// A frame in a queue, half a cache line. Begins as `OfferedFrame` and `ScheduledFrame` do, so that it is copied in one piece.
struct FrameNode {
    var handle: UnsafeMutableRawPointer
    var charge: Charge
    var tag: UInt32
    /// When it was queued, for CoDel.
    var since: Nanoseconds
    /// The one behind it: in a queue, whose last leads to the first, or among free ones or those given up, where `none` ends the chain.
    var next: UInt32
    /// In leaves that queue their flows apart: see `OfferedFrame`.
    var flow: UInt32

    /// No frame. Indices of frames are above it.
    @inline(__always) static var none: UInt32 { @_noLocks get { 1 } }

    /// Of a frame given up, whose caller's tag has no use any more: which output it was for, and why (`DroppedFrame.Reason.code`).
    @inline(__always)
    var dropMark: UInt32 {
        @_noLocks get { tag }
        @_noLocks set { tag = newValue }
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
    var waitsOutput: UInt64 = 0

    @_noLocks @inline(__always)
    init() {}
}

/// What a class counted that is kept nowhere else, as few classes have it. Written as `CounterBlock` is.
struct KeptCounts {
    /// Frames given up with its own queue, or with those of children that are gone.
    var droppedByRemoval: UInt64 = 0
    /// By CoDel while it was switched on, and by children that are gone.
    var droppedCoDel: UInt64 = 0
    /// While it had a peak or packet rates.
    var waitsPeak: UInt64 = 0
    var waitsPackets: UInt64 = 0

    @_noLocks @inline(__always)
    init(droppedByRemoval: UInt64 = 0, droppedCoDel: UInt64 = 0, waitsPeak: UInt64 = 0, waitsPackets: UInt64 = 0) {
        self.droppedByRemoval = droppedByRemoval
        self.droppedCoDel = droppedCoDel
        self.waitsPeak = waitsPeak
        self.waitsPackets = waitsPackets
    }
}
