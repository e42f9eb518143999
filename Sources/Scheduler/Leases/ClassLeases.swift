/// What one instance has booked for one class. When the booking of the floor will have passed is in `ClassState.checkpoint`, which a tree that leases has no
/// other use for.
struct ClassLeases {
    /// Length of the floor's booking; 0 if nothing is booked.
    var floorLength: Nanoseconds
    var ceiling: Lease
    /// The class's quantum in its parent's feed: its configured quantum, or a part of that if the class also waits in other instances. See `ClassTree+Shares`.
    var quantum: Int32
    /// The epoch in which that was computed.
    var epoch: UInt32
    /// A bit for each priority with which the class was announced in that epoch, and in the one before. A leaf uses bit 0.
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

/// Bookings of peak and packet rates, used only where `ClassExtra` is.
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

/// A stretch of a rate's time that was booked.
struct Lease {
    /// Length of the booking; 0 if nothing is booked.
    var length: Nanoseconds
    /// When the booked time will have passed.
    var due: Nanoseconds

    @_noLocks @inline(__always)
    init(length: Nanoseconds, due: Nanoseconds) {
        self.length = length
        self.due = due
    }

    @inline(__always) static var none: Lease { @_noLocks get { Lease(length: 0, due: 0) } }

    /// When the booked time will have passed; 0 if nothing is booked.
    @inline(__always)
    var pending: Nanoseconds { @_noLocks get { length == 0 ? 0 : due } }

    /// Value of `length` if nothing could be booked: another attempt is to be made at `due`.
    @inline(__always) static var putOff: Nanoseconds { @_noLocks get { .max } }
}

/// A bucket whose credit is leased: its place in `SharedTree`, and what determines the sizes of its bookings.
struct LeasedBucket {
    let word: Int
    let rate: UInt64
    /// `Credit.reciprocal` of the rate.
    let reciprocal: UInt64
    /// Depth of the bucket, in units of `Credit`.
    let burst: Int64
    /// Cost of a frame in units of `Credit`: of one with 1514 bytes, or of one packet.
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

    /// Time in ns in which the bucket fills; bookings do not reach back further than that.
    @inline(__always)
    var depth: Nanoseconds { @_noLocks get { time(of: UInt64(bitPattern: max(burst, 0))) &+ 1 } }

    /// Adds the credit of a booking that has passed to the tokens. Returns false if there is a booking that has not passed.
    @_noLocks @inline(__always)
    func collect(_ tokens: inout Int64, _ lease: inout Lease, at now: Nanoseconds) -> Bool {
        if lease.length == 0 { return true }
        if now < lease.due { return false }
        if lease.length != Lease.putOff { tokens &+= Int64(bitPattern: rate &* lease.length) }
        lease.length = 0
        return true
    }

    /// Adds the credit of a booking that has passed to the tokens, and books anew if the bucket is in debt.
    @_noLocks @inline(__always)
    func renew(_ tokens: inout Int64, _ lease: inout Lease, _ shared: SharedTree, turn: UInt64, at now: Nanoseconds) {
        if !collect(&tokens, &lease, at: now) || tokens >= 0 { return }
        // Books the time of a round, or what the debt takes if that is longer. What one round overdraws reduces the next one, so rounds are in proportion to
        // turns. A round is at most an eighth of the burst (or one frame), so that a class that stays below its rate need never wait for a booking to pass.
        let depth = depth
        let length = max(Credit.wait(tokens, rate: rate, reciprocal: reciprocal), min(round(of: turn), max(depth &>> 3, round(of: 1_514))))
        lease.due = shared.book(word, length: length, earliest: now > depth ? now &- depth : 0)
        if lease.due <= now { tokens &+= Int64(bitPattern: rate &* length) } else { lease.length = length }
    }

    /// Returns the unused credit of an idle class to `shared`, in whole nanoseconds. The result is 0, or the time when a booking that has not passed yet will
    /// have passed.
    @_noLocks @inline(__always)
    func handBack(_ tokens: inout Int64, _ lease: inout Lease, _ shared: SharedTree, at now: Nanoseconds) -> Nanoseconds {
        if lease.length == Lease.putOff { lease.length = 0 }
        if !collect(&tokens, &lease, at: now) { return lease.due }
        guard tokens > 0, rate != 0 else { return 0 }
        // The time is rounded down, so no more is returned than is there.
        let unused = time(of: UInt64(bitPattern: tokens))
        guard unused != 0 else { return 0 }
        tokens &-= Int64(bitPattern: rate &* unused)
        shared.giveBack(word, length: unused)
        return 0
    }

    /// Time in ns that is booked for `turn` bytes. A frame's part of it is the time that a frame takes at this rate, but at least 8 us.
    @_noLocks @inline(__always)
    private func round(of turn: UInt64) -> Nanoseconds {
        let frameTime = min(time(of: perFrame), 1 << 40)
        // The factor is 2^32 / 1514, so that no division is needed.
        let perTurnByte = (max(frameTime, 8_000) &* 2_836_836) &>> 16
        return min((turn &* perTurnByte) &>> 16, max(500_000, frameTime &* 11))
    }

    /// Time in ns in which the rate earns `amount`, rounded down; it may be 1 too small.
    @_noLocks @inline(__always)
    func time(of amount: UInt64) -> Nanoseconds { amount.multipliedFullWidth(by: reciprocal).high }

    /// Adapts tokens and booking to a change of the rate. Time booked at another rate would be worth something else now, so it is given up: all instances make
    /// the same change at about the same time, and each has the rate's time begin anew. What they book in between counts twice, but at most one lease for each.
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
