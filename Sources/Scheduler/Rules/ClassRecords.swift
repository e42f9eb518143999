/// Whether a class may send at present: the three modes of Linux HTB (net/sched/sch_htb.c, htb_class_mode).
enum Mode {
    /// Within its floor: the class sends, and lends to its descendants.
    @inline(__always) static var canSend: UInt8 { @_noLocks get { 0 } }
    /// Above its floor but below its ceiling: the class sends if an ancestor lends to it.
    @inline(__always) static var mayBorrow: UInt8 { @_noLocks get { 1 } }
    /// At its ceiling: the class does not send.
    @inline(__always) static var cannotSend: UInt8 { @_noLocks get { 2 } }
}

enum ClassFlags {
    /// The floor has a bucket, which is filled at a finite rate.
    @inline(__always) static var meteredFloor: UInt8 { @_noLocks get { 1 } }
    /// The class always is within its floor.
    @inline(__always) static var endlessFloor: UInt8 { @_noLocks get { 2 } }
    @inline(__always) static var meteredCeiling: UInt8 { @_noLocks get { 4 } }
    /// The class has peak or packet rates, or a floor that can save credit: `ClassExtra` is in use.
    @inline(__always) static var extra: UInt8 { @_noLocks get { 8 } }
    /// `CoDelState` is in use.
    @inline(__always) static var codel: UInt8 { @_noLocks get { 16 } }
    /// The leaf is in its output's list of parked leaves.
    @inline(__always) static var parked: UInt8 { @_noLocks get { 32 } }
    /// Credit is leased from a `SharedTree`.
    @inline(__always) static var shared: UInt8 { @_noLocks get { 64 } }
    /// The class has a rate above `Credit.mostShortRate`, or is the root.
    @inline(__always) static var steep: UInt8 { @_noLocks get { 128 } }
    /// What excludes a class from the fast paths.
    @inline(__always) static var special: UInt8 { @_noLocks get { extra | codel | shared | steep } }
    @inline(__always) static var metered: UInt8 { @_noLocks get { meteredFloor | meteredCeiling | extra } }
}

/// What a frame of a class or of one of its descendants touches: one cache line. Everything that is equal for classes with equal parameters is in their
/// `ClassProfile`; what only longer queues, borrowers and timers need is in `ClassNode`.
struct ClassState {
    /// Time at which the tokens below were computed. In a tree that leases its rates: when the time booked of the floor will have passed (`floorLease`).
    var checkpoint: Nanoseconds
    /// What the class sent as a leaf, and what removed children had sent: see `ClassTotals`.
    var sentBytes: UInt64
    /// Credit in nanobits: a byte costs `Credit.perByte`, and 1 ns at 1 bit/s earns one. Nothing is ever rounded. Floor and ceiling are adjacent, so that both
    /// are computed at once.
    var floorTokens: Int64
    var ceilingTokens: Int64
    /// Counts what `sentBytes` counts, in frames.
    var sentFrames: UInt64
    /// The last frame of a leaf as an index into the frames (`ClassTree+Queue`); `FrameNode.none` if its queue is empty. 0 if the class is not a leaf (memory
    /// that was never written is 0) or queues its flows separately and holds frames (`ClassTree+Flows`).
    var tail: UInt32
    /// Bytes left of its turn in the row of its level; negative if it owes.
    var rowDeficit: Int32
    /// Index of its parameters in `ProfileTable`.
    var profile: UInt16
    /// A leaf's neighbours in its row or, while it is parked, among the parked leaves of its output (`parkedNext`). Inner classes have neighbours for each
    /// priority, in `PrioritySlot`.
    var rowNext: ClassID
    var rowPrevious: ClassID
    /// `lastExhaustion` of an inner class, `noticedExhaustion` of a leaf.
    private var exhaustion: UInt16
    var parent: ClassID
    var flags: UInt8
    /// `level` and `lender`.
    var rank: UInt8
    var mode: UInt8
    /// A bit for each priority at which the class has frames to send, itself or in its descendants. 0 if it has none; its mode is not kept up to date then.
    var active: UInt8
    /// A bit for each priority at which it is in its level's row, because it can send or lend.
    var inRow: UInt8
    /// A bit for each priority at which it is in its parent's feed.
    var inFeed: UInt8

    /// Creates the state of a class that has no children, tokens or parameters yet.
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
    /// 0 for a leaf, 1 to 7 for an inner class; the root is 7.
    @inline(__always)
    var level: UInt8 {
        @_noLocks get { rank & 0xf }
        @_noLocks set { rank = rank & 0xf0 | newValue }
    }

    /// The level of the ancestor that lends to a leaf. It is kept while the leaf has nothing to send.
    @inline(__always)
    var lender: UInt8 {
        @_noLocks get { rank &>> 4 }
        @_noLocks set { rank = rank & 0xf | newValue &<< 4 }
    }

    /// Value of `lender` if the leaf sends on its own floor.
    @inline(__always) static var nobody: UInt8 { @_noLocks get { 0 } }

    /// For an inner class: the number of the event in which it last had nothing left for its descendants. Odd if it had nothing to lend, even if it was at its
    /// ceiling.
    @inline(__always)
    var lastExhaustion: UInt16 {
        @_noLocks get { exhaustion }
        @_noLocks set { exhaustion = newValue }
    }

    /// For a leaf: the number of the last such event that it has taken into account.
    @inline(__always)
    var noticedExhaustion: UInt16 {
        @_noLocks get { exhaustion }
        @_noLocks set { exhaustion = newValue }
    }

    /// For a parked leaf: its neighbours among the parked leaves of its output; 0 if there is none.
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

/// The links of a class, for one priority, in the lists from which it is served. A leaf has only one priority, and only needs its place in its parent's feed.
struct PrioritySlot {
    var rowNext: ClassID
    var rowPrevious: ClassID
    var feedNext: ClassID
    var feedPrevious: ClassID
    /// Bytes left of its turn in the parent's feed; negative if it owes.
    var feedDeficit: Int32
    /// For an inner class: the first child in its own feed, whose turn it is; 0 if the feed is empty. A leaf has no feed and keeps its round here: see
    /// `ClassTree+Rounds`.
    var feedHead: ClassID
    /// The last child in its own feed; only valid if the feed is not empty.
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

/// The second cache line of a class: what is ahead in its queue, its place among borrowers, and its timer.
struct ClassNode {
    /// Links of a leaf. Those of inner classes are in `ClassTree.slots`.
    var slot: PrioritySlot
    /// For an inner class: the child that took over its queue when it became a parent; for a removed class: its heir. 0 if there is none. See `heir(of:)`.
    var heir: UInt32
    /// `framesAhead` of a leaf, `exhaustionRound` of an inner class.
    private var countOrRound: UInt32
    /// For a leaf: the bytes of the frames ahead of the last one, or of all frames if it queues its flows separately. Unused in an inner class.
    var bytesAhead: UInt32
    /// `changesOfLender` of a leaf, `children` of an inner class.
    private var changesOrChildren: UInt16
    /// 1 if its timer is set to no later than the time at which its floor will allow it to send again.
    var timed: UInt8
    /// A bit for each level from which it has borrowed so far (for an inner class also its own level, see `Loan`): only those entries of `loans` are in use.
    var lenders: UInt8
    var timer: ClassTimer
    /// A bit for each level of an ancestor whose ceiling has made it wait: only those entries of `ceilingWaits` are in use. Bit 0, which is the level of no
    /// ancestor, says that its entry of `ClassTree.keptCounts` is in use.
    var blockers: UInt8
    /// How often it had to wait. Written like `CounterBlock`.
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
    /// For a leaf: number of frames ahead of its last one, or of all frames if it queues its flows separately.
    @inline(__always)
    var framesAhead: UInt32 {
        @_noLocks get { countOrRound }
        @_noLocks set { countOrRound = newValue }
    }

    /// For an inner class: the value of `ClassTree.exhaustionRounds` that goes with the 16-bit `ClassState.lastExhaustion`.
    @inline(__always)
    var exhaustionRound: UInt32 {
        @_noLocks get { countOrRound }
        @_noLocks set { countOrRound = newValue }
    }

    /// For an inner class: the number of its children.
    @inline(__always)
    var children: UInt16 {
        @_noLocks get { changesOrChildren }
        @_noLocks set { changesOrChildren = newValue }
    }

    /// For a leaf: how often its lender has changed, counted twice: it is odd while a change is being written.
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
    /// Bucket of the wheel that it is in, plus 1; 0 if the timer is not set.
    var bucket: UInt16

    @_noLocks @inline(__always)
    init() {
        expiry = 0
        next = 0
        previous = 0
        bucket = 0
    }
}

/// What only few classes have: further buckets, and saved credit. Peak tokens are in nanobits, tokens of packet rates in billionths of a packet.
struct ClassExtra {
    /// The class's links in the rows of savers, by priority.
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
    /// The part of the floor's tokens in `ClassState` that may only be spent while the root is below its ceiling, and the limit up to which the floor's tokens
    /// are not saved but at hand. Both are in nanobits: see `ClassTree+Savings`.
    var saved: Int64
    var atHand: Int64
    /// A bit for each priority at which it is in a row of savers.
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

/// A frame in a queue: half a cache line. It begins like `OfferedFrame` and `ScheduledFrame`, so that these fields can be copied in one piece.
struct FrameNode {
    var handle: UnsafeMutableRawPointer
    var charge: Charge
    var tag: UInt32
    /// When it was queued, for CoDel and `DelayCounts`.
    var since: Nanoseconds
    /// The next frame. In a queue the last frame leads to the first; in the lists of free and of dropped frames `none` ends the list.
    var next: UInt32
    /// Hash of the frame's flow, in leaves that queue their flows separately: see `OfferedFrame`.
    var flow: UInt32

    /// Index that stands for no frame. Frames have higher indices.
    @inline(__always) static var none: UInt32 { @_noLocks get { 1 } }

    /// For a dropped frame, whose caller's tag is no longer needed: the output that it was for, and why it was dropped (`DroppedFrame.Reason.code`).
    @inline(__always)
    var dropMark: UInt32 {
        @_noLocks get { tag }
        @_noLocks set { tag = newValue }
    }
}

/// What a leaf borrowed from the ancestor of one level. For an inner class: what its removed children borrowed from that level or, at its own level, what it
/// lent to them. Written like `CounterBlock`.
struct Loan {
    var frames: UInt64
    var bytes: UInt64

    @_noLocks @inline(__always)
    init(frames: UInt64, bytes: UInt64) {
        self.frames = frames
        self.bytes = bytes
    }
}

/// Only the owning lcore writes it; any thread may read it (aligned 64-bit loads and stores).
struct CounterBlock {
    var droppedQueueLimit: UInt64 = 0
    var droppedBufferShare: UInt64 = 0
    var waitsOutput: UInt64 = 0
    /// Cycles that the poll loop spent on receiving its frames; see `ClassTree.addCycles`.
    var cycles: UInt64 = 0

    @_noLocks @inline(__always)
    init() {}
}

/// Counts of a class that are kept nowhere else, since only few classes have them. Written like `CounterBlock`.
struct KeptCounts {
    /// Frames that were dropped with the class's own queue, or with those of removed children.
    var droppedByRemoval: UInt64 = 0
    /// Frames that were dropped as all buffers for queues were in use.
    var droppedBufferFull: UInt64 = 0
    /// Frames that CoDel dropped in this class before it was switched off, and in removed children.
    var droppedCoDel: UInt64 = 0
    /// The same of frames that were marked.
    var marked: UInt64 = 0
    /// Waits while the class had a peak or packet rates.
    var waitsPeak: UInt64 = 0
    var waitsPackets: UInt64 = 0

    @_noLocks @inline(__always)
    init(
        droppedByRemoval: UInt64 = 0, droppedBufferFull: UInt64 = 0, droppedCoDel: UInt64 = 0, marked: UInt64 = 0, waitsPeak: UInt64 = 0, waitsPackets: UInt64 = 0
    ) {
        self.droppedBufferFull = droppedBufferFull
        self.droppedByRemoval = droppedByRemoval
        self.droppedCoDel = droppedCoDel
        self.marked = marked
        self.waitsPeak = waitsPeak
        self.waitsPackets = waitsPackets
    }
}
