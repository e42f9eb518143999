/// Holds classes that wait for a point in time, exact to the nanosecond. It has eleven wheels of 64 buckets, and each bucket of a wheel spans as much time as
/// the whole wheel below it. A class is in the wheel of the highest base-64 digit in which its time differs from the current time. Finding the next class takes
/// two find-first-set instructions, and passing over a span of time empties whole buckets without sorting them.
struct TimingWheel {
    let timers: TimerTable
    /// The first class of each bucket of the 11 wheels.
    let heads: UnsafeMutablePointer<ClassID>
    /// For each wheel a bit for each bucket that is not empty.
    let masks: UnsafeMutablePointer<UInt64>
    /// Bitmap of the classes whose time has come, by id, with two levels of summary above it.
    let fired: UnsafeMutablePointer<UInt64>
    let firedSummary: UnsafeMutablePointer<UInt64>
    var firedTop: UInt16 = 0
    /// A bit for each wheel that is not empty.
    var occupied: UInt16 = 0
    /// The current time of the wheel; all times in it are later.
    var base: Nanoseconds
    /// No time in the wheel is earlier than this.
    var nextDue: Nanoseconds = .max

    init(timers: TimerTable, now: Nanoseconds) {
        self.timers = timers
        base = now
        heads = ClassTree.reserve(11 * 64)
        heads.initialize(repeating: 0, count: 11 * 64)
        masks = ClassTree.reserve(11)
        masks.initialize(repeating: 0, count: 11)
        fired = ClassTree.reserve(1024)
        fired.initialize(repeating: 0, count: 1024)
        firedSummary = ClassTree.reserve(16)
        firedSummary.initialize(repeating: 0, count: 16)
    }

    func deallocate() {
        heads.deallocate()
        masks.deallocate()
        fired.deallocate()
        firedSummary.deallocate()
    }

    /// Index of the highest base-64 digit that is not 0. Multiplying by 43 and shifting by 8 divides every number below 64 by 6.
    @_noLocks @inline(__always)
    static func wheel(_ difference: UInt64) -> Int { ((63 &- difference.leadingZeroBitCount) &* 43) &>> 8 }

    /// Sets the timer of `id` to `time`, unless it is already set to an earlier time.
    @_noLocks @inline(__always)
    mutating func arm(_ id: ClassID, at time: Nanoseconds) {
        let timer = timers + Int(id)
        if timer.pointee.bucket != 0 {
            if timer.pointee.expiry <= time { return }
            disarm(id)
        }
        timer.pointee.expiry = time > base ? time : base &+ 1
        file(id)
        if timer.pointee.expiry < nextDue { nextDue = timer.pointee.expiry }
    }

    @_noLocks @inline(__always)
    private mutating func file(_ id: ClassID) {
        let timer = timers + Int(id)
        let wheel = Self.wheel(timer.pointee.expiry ^ base)
        let digit = Int(timer.pointee.expiry &>> UInt64(6 &* wheel)) & 63
        let bucket = wheel &* 64 &+ digit
        let head = heads[bucket]
        timer.pointee.bucket = UInt16(truncatingIfNeeded: bucket &+ 1)
        timer.pointee.next = head
        timer.pointee.previous = 0
        if head != 0 { timers[Int(head)].previous = id }
        heads[bucket] = id
        masks[wheel] |= 1 &<< UInt64(digit)
        occupied |= 1 &<< UInt16(wheel)
    }

    @_noLocks
    mutating func disarm(_ id: ClassID) {
        let timer = timers + Int(id)
        guard timer.pointee.bucket != 0 else { return }
        let bucket = Int(timer.pointee.bucket) &- 1
        let next = timer.pointee.next, previous = timer.pointee.previous
        if next != 0 { timers[Int(next)].previous = previous }
        if previous != 0 {
            timers[Int(previous)].next = next
        } else {
            heads[bucket] = next
            if next == 0 { clear(bucket) }
        }
        timer.pointee.bucket = 0
    }

    @_noLocks @inline(__always)
    private mutating func clear(_ bucket: Int) {
        let wheel = bucket &>> 6
        masks[wheel] &= ~(1 &<< UInt64(bucket & 63))
        if masks[wheel] == 0 { occupied &= ~(1 &<< UInt16(wheel)) }
    }

    /// Advances to `now`. The classes whose time has come are then returned by `removeFired`.
    @_noLocks
    mutating func advance(to now: Nanoseconds) {
        guard now > base else { return }
        let top = Self.wheel(now ^ base)
        // All buckets of the wheels below the highest digit that changed are in the past.
        var lower = occupied & ((1 &<< UInt16(top)) &- 1)
        while lower != 0 {
            let wheel = lower.trailingZeroBitCount
            lower &= lower &- 1
            empty(wheel, buckets: masks[wheel])
        }
        if occupied &>> UInt16(top) & 1 != 0 {
            let digit = UInt64(now &>> UInt64(6 &* top)) & 63
            empty(top, buckets: masks[top] & ((1 &<< digit) &- 1))
            if masks[top] &>> digit & 1 != 0 {
                let bucket = top &* 64 &+ Int(digit)
                var id = heads[bucket]
                heads[bucket] = 0
                clear(bucket)
                base = now
                while id != 0 {
                    let next = timers[Int(id)].next
                    if timers[Int(id)].expiry <= now { fire(id) } else { file(id) }
                    id = next
                }
            }
        }
        base = now
        guard occupied != 0 else { nextDue = .max; return }
        let wheel = occupied.trailingZeroBitCount
        let shift = UInt64(6 &* wheel)
        // Overshift yields 0 here: the topmost wheel has no digits above it.
        let above = (base >> (shift &+ 6)) << (shift &+ 6)
        nextDue = above | UInt64(masks[wheel].trailingZeroBitCount) &<< shift
    }

    @_noLocks
    private mutating func empty(_ wheel: Int, buckets: UInt64) {
        var buckets = buckets
        while buckets != 0 {
            let bucket = wheel &* 64 &+ buckets.trailingZeroBitCount
            buckets &= buckets &- 1
            var id = heads[bucket]
            heads[bucket] = 0
            clear(bucket)
            while id != 0 {
                let next = timers[Int(id)].next
                fire(id)
                id = next
            }
        }
    }

    @_noLocks @inline(__always)
    private mutating func fire(_ id: ClassID) {
        timers[Int(id)].bucket = 0
        fired[Int(id &>> 6)] |= 1 &<< UInt64(id & 63)
        firedSummary[Int(id &>> 12)] |= 1 &<< UInt64(id &>> 6 & 63)
        firedTop |= 1 &<< (id &>> 12)
    }

    /// Removes and returns the lowest class whose time has come; 0 if there is none.
    @_noLocks @inline(__always)
    mutating func removeFired() -> ClassID {
        guard firedTop != 0 else { return 0 }
        let top = firedTop.trailingZeroBitCount
        let middle = top &* 64 &+ firedSummary[top].trailingZeroBitCount
        let id = middle &* 64 &+ fired[middle].trailingZeroBitCount
        fired[middle] &= fired[middle] &- 1
        if fired[middle] == 0 {
            firedSummary[top] &= firedSummary[top] &- 1
            if firedSummary[top] == 0 { firedTop &= firedTop &- 1 }
        }
        return ClassID(truncatingIfNeeded: id)
    }
}
