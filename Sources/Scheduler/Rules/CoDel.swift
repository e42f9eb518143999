/// The state of controlled delay (RFC 8289) for one queue. Times are in ns.
struct CoDel {
    /// The time at which the delay will have been above the target for a whole interval; 0 if it is not above it.
    var firstAbove: Nanoseconds
    var dropNext: Nanoseconds
    /// Number of drops since dropping began, and that number when dropping began last.
    var count: UInt32
    var lastCount: UInt32
    var dropping: Bool

    static var idle: CoDel {
        @_noLocks get { CoDel(firstAbove: 0, dropNext: 0, count: 0, lastCount: 0, dropping: false) }
    }

    /// The time of the next drop (RFC 8289, section 5.5): the intervals shrink with the square root of the number of drops.
    @_noLocks @inline(__always)
    func next(after time: Nanoseconds, interval: Nanoseconds) -> Nanoseconds {
        // 1 / sqrt(count) in units of 2^-32, by Newton's method, starting from a power of two that is at most 3 times too small.
        let n = UInt64(max(count, 1))
        let digits = UInt64(64 &- n.leadingZeroBitCount)
        var root: UInt64 = 1 &<< (32 &- (digits &+ 1) / 2)
        for _ in 0..<6 {
            let square = (root &* root) &>> 32
            root = ((((3 &<< 32) &- n &* square) &>> 2) &* root) &>> 31
        }
        return time &+ (interval &>> 8 &* root) &>> 24
    }
}

/// What a leaf with CoDel has in addition: the state of its queue, or what the queues of its flows have in common.
struct CoDelState {
    var target: Nanoseconds
    var interval: Nanoseconds
    var control: CoDel
    var dropped: UInt64
    /// The queues of the leaf's flows; nil if it has only one queue.
    var flows: FlowQueues?
    /// Number of its flows that have frames or recently had some: those that began recently, and the others.
    var newFlows: UInt32
    var oldFlows: UInt32
    /// Whether frames are marked at all, and instead of being dropped; above which lengths and delays they are marked in any case; and how many were.
    var marks = false
    var marksForCoDel = false
    var markBytes = UInt32.max
    var markDelay = Nanoseconds.max
    var marked: UInt64 = 0

    @_noLocks
    private init(target: Nanoseconds, interval: Nanoseconds, control: CoDel, dropped: UInt64, flows: FlowQueues?, newFlows: UInt32, oldFlows: UInt32) {
        self.target = target
        self.interval = interval
        self.control = control
        self.dropped = dropped
        self.flows = flows
        self.newFlows = newFlows
        self.oldFlows = oldFlows
    }

    static var idle: CoDelState {
        @_noLocks get { CoDelState(target: 0, interval: 0, control: .idle, dropped: 0, flows: nil, newFlows: 0, oldFlows: 0) }
    }

    /// The default target (RFC 8289, section 4.4).
    @inline(__always) static var usualTarget: Nanoseconds { @_noLocks get { 5_000_000 } }
}

extension ClassTree {
    /// Drops the frames at the head of a leaf's only queue that CoDel wants dropped now, and returns the first frame that remains. There always is one.
    @_noLocks
    mutating func dropStale(_ leaf: ClassID, at now: Nanoseconds) -> UInt32 {
        var queue = queue(of: leaf)
        let first = dropStale(leaf, &queue, &codels[Int(leaf)].control, at: now)
        setQueue(queue, of: leaf)
        return first
    }

    /// Does the same for one of the leaf's flow queues (RFC 8289, section 5.6). The caller must adjust the leaf's totals.
    ///
    /// A frame that is marked instead of being dropped counts as dropped for what comes next (RFC 8289, section 3, and `codel_dequeue` in the kernel's
    /// include/net/codel_impl.h).
    @_noLocks
    mutating func dropStale(_ leaf: ClassID, _ queue: inout FrameQueue, _ control: inout CoDel, at now: Nanoseconds) -> UInt32 {
        let target = codels[Int(leaf)].target, interval = codels[Int(leaf)].interval
        var stale = isStale(queue, &control, target, interval, at: now)
        if control.dropping {
            if !stale { control.dropping = false }
            while control.dropping, now >= control.dropNext {
                control.count &+= 1
                if markInsteadOfDropping(leaf, queue) {
                    control.dropNext = control.next(after: control.dropNext, interval: interval)
                    break
                }
                drop(leaf, &queue)
                stale = isStale(queue, &control, target, interval, at: now)
                if stale {
                    control.dropNext = control.next(after: control.dropNext, interval: interval)
                } else {
                    control.dropping = false
                }
            }
        } else if stale {
            if !markInsteadOfDropping(leaf, queue) {
                drop(leaf, &queue)
                _ = isStale(queue, &control, target, interval, at: now)
            }
            control.dropping = true
            // If dropping ended only recently, it begins again at the rate that worked then.
            let more = control.count &- control.lastCount
            let recent = now < control.dropNext &+ 16 &* interval
            control.count = more > 1 && more <= control.count && recent ? more : 1
            control.lastCount = control.count
            control.dropNext = control.next(after: now, interval: interval)
        }
        if codels[Int(leaf)].marks { markAboveThreshold(leaf, queue, at: now) }
        return queue.first(frames)
    }

    /// Whether the first frame's delay has been above the target for a whole interval. The last frame of a queue never counts as such.
    @_noLocks
    private func isStale(_ queue: FrameQueue, _ control: inout CoDel, _ target: Nanoseconds, _ interval: Nanoseconds, at now: Nanoseconds) -> Bool {
        let index = queue.first(frames)
        guard index != FrameNode.none else { control.firstAbove = 0; return false }
        let frame = frames[Int(index)]
        if now < frame.since &+ target || queue.allBytes(frames) <= max(frame.charge.bytes, 1_514) {
            control.firstAbove = 0
            return false
        }
        if control.firstAbove == 0 {
            control.firstAbove = now &+ interval
            return false
        }
        return now >= control.firstAbove
    }

    @_noLocks
    private mutating func drop(_ leaf: ClassID, _ queue: inout FrameQueue) {
        let index = queue.removeFirst(frames)
        backlogFrames &-= 1
        backlogBytes &-= Int(frames[Int(index)].charge.bytes)
        codels[Int(leaf)].dropped &+= 1
        giveUp(index, index, of: leaf, .codel)
    }
}
