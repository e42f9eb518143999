/// What an inner class of a tree that leases its rates knows of those who borrow at it, here and in other instances: see `ClassTree+Shares`.
struct FeedShares {
    var floor: LentBucket
    var ceiling: LentBucket
    /// Of the epoch before, this instance's included: the quanta of all who waited, over all instances, and 2^62 divided by that.
    var sum: UInt64
    var inverse: UInt64
    /// What these were computed for.
    var priority: UInt8
    /// In which generation of the class's hold this instance is counted, and with which priority; 0: in none.
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

    /// This instance's part of all that borrow, as a fraction of 2^32.
    @_noLocks @inline(__always)
    func fraction(of weight: UInt32) -> UInt64 { (min(UInt64(weight), sum) &* inverse) &>> 30 }
}

/// What one instance lends of a bucket that others lend of as well.
struct LentBucket {
    /// All that was booked for lending, by all instances, when this one last did.
    var seen: UInt64
    /// Tokens as they will be when all that is booked has passed and nothing more is charged.
    var mark: Int64
    /// Charged since by those who borrow.
    var lent: Int64
    /// Has booked for lending since borrowers began to wait.
    var isMember: Bool

    @_noLocks @inline(__always)
    init() {
        seen = 0
        mark = 0
        lent = 0
        isMember = false
    }

    /// All debts were booked for, or credit was handed back.
    @_noLocks @inline(__always)
    mutating func beginAnew(_ tokens: Int64, _ lease: Lease, rate: UInt64) {
        mark = lease.length == 0 || lease.length == Lease.putOff ? tokens : tokens &+ Int64(bitPattern: rate &* lease.length)
        lent = 0
        isMember = false
    }
}

/// What may be booked for those who wait at a class.
struct Share {
    /// This instance's part, of 2^32.
    let fraction: UInt64
    /// The quanta of all who wait, over all instances.
    let sum: UInt64
    /// Nobody of a better priority waits elsewhere.
    let mayBorrow: Bool

    @_noLocks @inline(__always)
    init(fraction: UInt64, sum: UInt64, mayBorrow: Bool) {
        self.fraction = fraction
        self.sum = sum
        self.mayBorrow = mayBorrow
    }
}

extension LeasedBucket {
    /// Books for a class at which borrowers wait, and whose bucket is in debt: this instance's share of a round, and what was charged meanwhile by those
    /// within their floors.
    ///
    /// A round is one turn of all who wait, but at most `longestRound`. If all that was booked for lending since this instance last did is
    /// more, because it looked late, its share is of that.
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
                // Time that nobody booked so far is shared as well.
                let missed = Int64(bitPattern: lent.pointee.end.load(ordering: .relaxed) &- mine.seen &- round) &+ Int64(bitPattern: free)
                if missed > 0 { round &+= min(UInt64(bitPattern: missed &- (missed &>> 7)), min(depth, Self.longestMiss)) }
            }
            length &+= max(Self.part(share.fraction, of: round), 1)
            if free > debt {
                // What has passed already is enough; there may be more than all want.
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

    /// ns that turns of so many bytes take, 8 us for a frame of them at least: at most `longestRound` or four frames.
    @_noLocks @inline(__always)
    private func allTurns(of sum: UInt64, frameTime: Nanoseconds) -> Nanoseconds {
        // 2^32 / 1514, so that nothing is divided.
        let perTurnByte = (max(frameTime, 8_000) &* 2_836_836) &>> 16
        return min((min(sum, 1 &<< 20) &* perTurnByte) &>> 16, max(Self.longestRound, frameTime &* 4))
    }

    @inline(__always) static var longestRound: Nanoseconds { @_noLocks get { 64_000 } }
    @inline(__always) static var longestMiss: Nanoseconds { @_noLocks get { 1_000_000 } }
    @inline(__always) static var longestQueue: Nanoseconds { @_noLocks get { 1_000_000 } }
    /// Time that nobody booked is left to those it belongs to for so long, or for half of the burst.
    @inline(__always) static var longestSpare: Nanoseconds { @_noLocks get { 500_000 } }
    /// Who may not book looks again after this.
    @inline(__always) static var recheck: Nanoseconds { @_noLocks get { 32_000 } }
}
