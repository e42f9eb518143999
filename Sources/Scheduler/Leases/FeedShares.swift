/// What an inner class of a tree that leases its rates knows about those that borrow from it, here and in other instances: see `ClassTree+Shares`.
struct FeedShares {
    var floor: LentBucket
    var ceiling: LentBucket
    /// For the epoch before: the sum of the quanta of all classes that waited, in all instances including this one, and 2^62 divided by that.
    var sum: UInt64
    var inverse: UInt64
    /// The priority for which these were computed.
    var priority: UInt8
    /// The generation of the class's hold in which this instance is counted (0 if in none), and the priority with which it is.
    var hold: UInt8
    var heldPriority: UInt8

    @_noLocks @inline(__always)
    init() {
        floor = LentBucket()
        ceiling = LentBucket()
        sum = 0
        inverse = 0
        priority = 0
        hold = 0
        heldPriority = 0
    }

    /// This instance's part of all borrowers, as a fraction of 2^32.
    @_noLocks @inline(__always)
    func fraction(of weight: UInt32) -> UInt64 { (min(UInt64(weight), sum) &* inverse) &>> 30 }
}

/// What one instance lends from a bucket from which other instances lend as well.
struct LentBucket {
    /// The total that all instances had booked for lending when this one did so last.
    var seen: UInt64
    /// The tokens that there will be once everything that is booked has passed, if nothing more is charged.
    var mark: Int64
    /// What borrowers were charged since then.
    var lent: Int64
    /// Whether this instance has booked for lending since borrowers began to wait.
    var isMember: Bool

    @_noLocks @inline(__always)
    init() {
        seen = 0
        mark = 0
        lent = 0
        isMember = false
    }

    /// To be called when bookings cover all debts, or after credit was returned.
    @_noLocks @inline(__always)
    mutating func beginAnew(_ tokens: Int64, _ lease: Lease, rate: UInt64) {
        mark = lease.length == 0 || lease.length == Lease.putOff ? tokens : tokens &+ Int64(bitPattern: rate &* lease.length)
        lent = 0
        isMember = false
    }
}

/// What may be booked for the classes that wait at a class.
struct Share {
    /// This instance's part, as a fraction of 2^32.
    let fraction: UInt64
    /// The sum of the quanta of all classes that wait, in all instances.
    let sum: UInt64
    /// Whether no class of a better priority waits in another instance.
    let mayBorrow: Bool

    @_noLocks @inline(__always)
    init(fraction: UInt64, sum: UInt64, mayBorrow: Bool) {
        self.fraction = fraction
        self.sum = sum
        self.mayBorrow = mayBorrow
    }
}

extension LeasedBucket {
    /// Books for a class whose bucket is in debt and at which borrowers wait: this instance's share of a round, plus what classes within their floors were
    /// charged meanwhile.
    ///
    /// A round is one turn of all that wait, but at most `longestRound`. If more than that was booked for lending since this instance did so last, because its
    /// loop came late, its share is computed from that amount.
    @_noLocks @inline(__always)
    func book(_ tokens: inout Int64, _ lease: inout Lease, _ mine: inout LentBucket, _ shared: SharedTree, _ share: Share, at now: Nanoseconds) {
        let frameTime = min(time(of: perFrame), 1 << 40)
        let lent = (shared.words + (word &+ SharedTree.lent))
        let end = shared.words[word].end.load(ordering: .relaxed)
        let depth = depth
        let free = end < now ? min(now &- end, depth) : 0
        let debt = Credit.wait(tokens, rate: rate, reciprocal: reciprocal)
        let owed = time(of: UInt64(bitPattern: max(mine.mark &- mine.lent &- tokens, 0)))
        var length = owed
        if !share.mayBorrow {
            mine.seen = lent.pointee.end.load(ordering: .relaxed)
        } else if end < now &+ max(Self.longestQueue, frameTime &* 11) {
            var round = allTurns(of: share.sum, frameTime: frameTime)
            let isSpare = free > min(depth &>> 1, Self.longestSpare)
            if mine.isMember, now &- lease.due > round &>> 1 {
                // Time that nobody has booked so far is shared as well.
                let missed = Int64(bitPattern: lent.pointee.end.load(ordering: .relaxed) &- mine.seen &- round) &+ Int64(bitPattern: free)
                if missed > 0 { round &+= min(UInt64(bitPattern: missed &- (missed &>> 7)), min(depth, Self.longestMiss)) }
            }
            length &+= max(Self.part(share.fraction, of: round), 1)
            if free > debt {
                // Time that has already passed covers the debt; there may be more of it than all borrowers want.
                if isSpare { length = max(length, debt) }
                length = min(length, free)
            }
        }
        let part = length > owed ? length &- owed : 0
        if length < 1_000, part == 0 {
            lease.length = Lease.putOff
            lease.due = now &+ Self.recheck
            return
        }
        if part != 0 { mine.seen = lent.pointee.end.add(part, ordering: .relaxed).oldValue }
        lease.due = shared.book(word, length: length, earliest: now > depth ? now &- depth : 0)
        let credit = Int64(bitPattern: rate &* length)
        mine.mark = tokens &+ credit
        mine.lent = 0
        mine.isMember = true
        guard lease.due <= now else { lease.length = length; return }
        tokens &+= credit
        if tokens < 0 {
            lease.length = Lease.putOff
            lease.due = now &+ (part == 0 ? Self.recheck : 1)
        }
    }

    @_noLocks @inline(__always)
    private static func part(_ fraction: UInt64, of time: Nanoseconds) -> Nanoseconds {
        let product = fraction.multipliedFullWidth(by: time)
        return product.high &<< 32 | product.low &>> 32
    }

    /// Time in ns that turns of `sum` bytes take, with at least 8 us for each frame of them; at most `longestRound` or four frames.
    @_noLocks @inline(__always)
    private func allTurns(of sum: UInt64, frameTime: Nanoseconds) -> Nanoseconds {
        // The factor is 2^32 / 1514, so that no division is needed.
        let perTurnByte = (max(frameTime, 8_000) &* 2_836_836) &>> 16
        return min((min(sum, 1 &<< 20) &* perTurnByte) &>> 16, max(Self.longestRound, frameTime &* 4))
    }

    @inline(__always) static var longestRound: Nanoseconds { @_noLocks get { 64_000 } }
    @inline(__always) static var longestMiss: Nanoseconds { @_noLocks get { 1_000_000 } }
    @inline(__always) static var longestQueue: Nanoseconds { @_noLocks get { 1_000_000 } }
    /// For how long time that nobody has booked is reserved for those whose shares it belongs to; half of the burst, if that is shorter.
    @inline(__always) static var longestSpare: Nanoseconds { @_noLocks get { 500_000 } }
    /// An instance that may not book tries again after this time.
    @inline(__always) static var recheck: Nanoseconds { @_noLocks get { 32_000 } }
}
