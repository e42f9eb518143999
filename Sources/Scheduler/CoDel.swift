/// Controlled delay (RFC 8289) for one leaf. Times in ns.
struct CoDelState {
    var target: Nanoseconds
    var interval: Nanoseconds
    /// When the delay will have been above the target for an interval; 0: it is not above.
    var firstAbove: Nanoseconds
    var dropNext: Nanoseconds
    /// Drops since dropping began, and that count when it last began.
    var count: UInt32
    var lastCount: UInt32
    var dropping: Bool
    var dropped: UInt64

    static var idle: CoDelState {
        @_noLocks get {
            CoDelState(target: 0, interval: 0, firstAbove: 0, dropNext: 0, count: 0, lastCount: 0, dropping: false, dropped: 0)
        }
    }

    /// RFC 8289, section 5.5: drops come closer with the square root of their number.
    @_noLocks @inline(__always)
    func next(after time: Nanoseconds) -> Nanoseconds {
        // 1 / sqrt(count) in units of 2^-32, by Newton's method from a power of two that is at most 3 times too small.
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

extension ClassTree {
    /// Gives up the frames from `index` on that CoDel drops now (RFC 8289, section 5.6) and returns the first that stays, or `FrameNode.none`. `index` is
    /// its first.
    @_noLocks
    mutating func dropStale(_ leaf: ClassID, from index: UInt32, at now: Nanoseconds) -> UInt32 {
        let state = codels + Int(leaf)
        var index = index
        var stale = isStale(leaf, index, at: now)
        if state.pointee.dropping {
            if !stale { state.pointee.dropping = false }
            while state.pointee.dropping, now >= state.pointee.dropNext {
                index = drop(leaf, index)
                state.pointee.count &+= 1
                stale = isStale(leaf, index, at: now)
                if stale {
                    state.pointee.dropNext = state.pointee.next(after: state.pointee.dropNext)
                } else {
                    state.pointee.dropping = false
                }
            }
        } else if stale {
            index = drop(leaf, index)
            _ = isStale(leaf, index, at: now)
            state.pointee.dropping = true
            // Starts at the rate that worked last time if that was not long ago.
            let more = state.pointee.count &- state.pointee.lastCount
            let recent = now < state.pointee.dropNext &+ 16 &* state.pointee.interval
            state.pointee.count = more > 1 && more <= state.pointee.count && recent ? more : 1
            state.pointee.lastCount = state.pointee.count
            state.pointee.dropNext = state.pointee.next(after: now)
        }
        return index
    }

    /// Whether the frame waited above the target for an interval on end. The last frame of a queue never did.
    @_noLocks
    private mutating func isStale(_ leaf: ClassID, _ index: UInt32, at now: Nanoseconds) -> Bool {
        let state = codels + Int(leaf)
        guard index != FrameNode.none else { state.pointee.firstAbove = 0; return false }
        let frame = frames[Int(index)]
        if now < frame.since &+ state.pointee.target || queuedBytes(leaf) <= max(frame.length, 1_514) {
            state.pointee.firstAbove = 0
            return false
        }
        if state.pointee.firstAbove == 0 {
            state.pointee.firstAbove = now &+ state.pointee.interval
            return false
        }
        return now >= state.pointee.firstAbove
    }

    @_noLocks
    private mutating func drop(_ leaf: ClassID, _ index: UInt32) -> UInt32 {
        let next = removeFirst(index, of: leaf)
        let length = frames[Int(index)].length
        backlogFrames &-= 1
        backlogBytes &-= Int(length)
        codels[Int(leaf)].dropped &+= 1
        giveUp(index, index, of: leaf, .codel)
        return next
    }
}
