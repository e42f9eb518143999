/// One instance's bookings for one class. When the floor's will have passed stands in `ClassState.checkpoint`, for which a tree that leases has no
/// other use.
struct ClassLeases {
    /// 0: nothing is booked.
    var floorLength: Nanoseconds
    var ceiling: Lease
    /// What it is worth in its parent's feed: its quantum, or as much of it as is wanted in this instance. See `ClassTree+Shares`.
    var quantum: Int32
    /// Of the epoch in which that was computed.
    var epoch: UInt32
    /// Bit per priority: announced in that epoch, and in the one before. A leaf's is bit 0.
    var announced: UInt8
    var announcedBefore: UInt8

    @_noLocks @inline(__always)
    init(floorLength: Nanoseconds, ceiling: Lease) {
        self.floorLength = floorLength
        self.ceiling = ceiling
        quantum = 0
        epoch = 0
        announced = 0
        announcedBefore = 0
    }

    @inline(__always) static var none: ClassLeases { @_noLocks get { ClassLeases(floorLength: 0, ceiling: .none) } }
}

/// Those of peak and packet rates, used where `ClassExtra` is.
struct ExtraLeases {
    var peak: Lease
    var floorPackets: Lease
    var ceilingPackets: Lease

    @_noLocks @inline(__always)
    init(peak: Lease, floorPackets: Lease, ceilingPackets: Lease) {
        self.peak = peak
        self.floorPackets = floorPackets
        self.ceilingPackets = ceilingPackets
    }

    @inline(__always) static var none: ExtraLeases { @_noLocks get { ExtraLeases(peak: .none, floorPackets: .none, ceilingPackets: .none) } }
}

/// Time booked of a rate.
struct Lease {
    /// 0: nothing is booked.
    var length: Nanoseconds
    /// When it will have passed.
    var due: Nanoseconds

    @_noLocks @inline(__always)
    init(length: Nanoseconds, due: Nanoseconds) {
        self.length = length
        self.due = due
    }

    @inline(__always) static var none: Lease { @_noLocks get { Lease(length: 0, due: 0) } }

    /// When it will have passed; 0: nothing is booked.
    @inline(__always)
    var pending: Nanoseconds { @_noLocks get { length == 0 ? 0 : due } }

    /// The length of a booking that was not made: it is to be asked for again when it is due.
    @inline(__always) static var putOff: Nanoseconds { @_noLocks get { .max } }
}

/// A bucket whose credit is leased: where it stands in `SharedTree`, and what the sizes of its bookings follow from.
struct LeasedBucket {
    let word: Int
    let rate: UInt64
    /// `Credit.reciprocal` of the rate.
    let reciprocal: UInt64
    /// Depth, in units of `Credit`.
    let burst: Int64
    /// What a frame costs: one of 1514 bytes, or a packet.
    let perFrame: UInt64

    @_noLocks @inline(__always)
    init(word: Int, rate: UInt64, reciprocal: UInt64, burst: Int64, perFrame: UInt64) {
        self.word = word
        self.rate = rate
        self.reciprocal = reciprocal
        self.burst = burst
        self.perFrame = perFrame
    }

    @inline(__always) static var frame: UInt64 { @_noLocks get { 1_514 * UInt64(Credit.perByte) } }
    @inline(__always) static var packet: UInt64 { @_noLocks get { UInt64(Credit.perPacket) } }

    /// ns the bucket takes to fill: bookings reach back no further.
    @inline(__always)
    var depth: Nanoseconds { @_noLocks get { time(of: UInt64(bitPattern: max(burst, 0))) &+ 1 } }

    /// Takes a booking over that has passed. False: there is one that has not.
    @_noLocks @inline(__always)
    func collect(_ tokens: inout Int64, _ lease: inout Lease, at now: Nanoseconds) -> Bool {
        if lease.length == 0 { return true }
        if now < lease.due { return false }
        if lease.length != Lease.putOff { tokens &+= Int64(bitPattern: rate &* lease.length) }
        lease.length = 0
        return true
    }

    /// Takes a booking over that has passed; books if the bucket is in debt.
    @_noLocks @inline(__always)
    func renew(_ tokens: inout Int64, _ lease: inout Lease, _ shared: SharedTree, turn: UInt64, at now: Nanoseconds) {
        if !collect(&tokens, &lease, at: now) || tokens >= 0 { return }
        // A round, or what the debt takes: what one round overdraws comes off the next, so rounds are in proportion to turns.
        // An eighth of the burst at most: who stays below the rate need never wait for a booking to pass.
        let depth = depth
        let length = max(Credit.wait(tokens, rate: rate, reciprocal: reciprocal), min(round(of: turn), max(depth &>> 3, round(of: 1_514))))
        lease.due = shared.book(word, length: length, earliest: now > depth ? now &- depth : 0)
        if lease.due <= now { tokens &+= Int64(bitPattern: rate &* length) } else { lease.length = length }
    }

    /// Hands what an idle class has left back, in whole nanoseconds. Not 0: a booking has not passed, when it will have.
    @_noLocks @inline(__always)
    func handBack(_ tokens: inout Int64, _ lease: inout Lease, _ shared: SharedTree, at now: Nanoseconds) -> Nanoseconds {
        if lease.length == Lease.putOff { lease.length = 0 }
        if !collect(&tokens, &lease, at: now) { return lease.due }
        guard tokens > 0, rate != 0 else { return 0 }
        // Rounded down, so nothing is given back that is not there.
        let unused = time(of: UInt64(bitPattern: tokens))
        guard unused != 0 else { return 0 }
        tokens &-= Int64(bitPattern: rate &* unused)
        shared.giveBack(word, length: unused)
        return 0
    }

    /// ns a booking for `turn` bytes takes. A frame of them takes what it takes at this rate, at least 8 us.
    @_noLocks @inline(__always)
    private func round(of turn: UInt64) -> Nanoseconds {
        let frameTime = min(time(of: perFrame), 1 << 40)
        // 2^32 / 1514, so that nothing is divided.
        let perTurnByte = (max(frameTime, 8_000) &* 2_836_836) &>> 16
        return min((turn &* perTurnByte) &>> 16, max(500_000, frameTime &* 11))
    }

    /// ns it takes to earn so much, rounded down; at times one less.
    @_noLocks @inline(__always)
    func time(of amount: UInt64) -> Nanoseconds { amount.multipliedFullWidth(by: reciprocal).high }

    /// What was booked at another rate is worth something else now, so it is given up: all instances make the same change at about the same
    /// time, and each lets the rate's time begin anew. What they booked in between counts twice, at most one lease each.
    @_noLocks
    static func change(
        _ tokens: inout Int64, _ lease: inout Lease, _ shared: SharedTree, _ word: Int, from old: UInt64, to rate: UInt64, at now: Nanoseconds
    ) {
        if rate != old {
            lease.length = 0
            if old != 0 { shared.rewind(word, to: now) }
        }
        if old == 0 { tokens = 0 } else if rate != old { tokens = min(tokens, 0) }
    }
}
