/// The two buckets of a plain class (no peak, packet rates or leases; rates up to `Credit.mostShortRate`), without a question that its
/// parameters answer: a bucket without a rate is a deep one that fills fast, and is full again should it ever run dry (`restore`).
/// Filling must give what `ClassTree.refill` gives, charging what `Credit.charged` does to each bucket that has a rate, and `isInFloor` and `mayOnlyBorrow`
/// must say what `ClassTree.currentMode` says. `OracleTests`, whose buckets are fractions in 128 bits, holds them to it; `ExactnessTests` over long times.
extension ClassState {
    /// Brings both buckets up to `now`.
    @_noLocks @inline(__always)
    mutating func refillPlain(_ profile: UnsafePointer<ClassProfile>, at now: Nanoseconds) {
        // A checkpoint in the future makes a very long time.
        guard now &- checkpoint < Credit.shortTime else { return refillLong(profile, at: now) }
        let tokens = plainTokens(profile, at: now)
        checkpoint = now
        floorTokens = tokens.floor
        ceilingTokens = tokens.ceiling
    }

    /// What the buckets hold at `now`, to be put back by `setTokens`.
    @_noLocks @inline(__always)
    mutating func drawPlain(_ profile: UnsafePointer<ClassProfile>, at now: Nanoseconds) -> PlainTokens {
        if _slowPath(now &- checkpoint >= Credit.shortTime) {
            refillLong(profile, at: now)
            return PlainTokens(floor: floorTokens, ceiling: ceilingTokens)
        }
        let tokens = plainTokens(profile, at: now)
        checkpoint = now
        return tokens
    }

    /// What `setTokens` does with debts.
    @_noLocks @inline(__always)
    mutating func endDebt() { _ = setTokens(floor: floorTokens, ceiling: ceilingTokens) }

    /// Whether it is a class right below the root that has nothing of its own, and below which nobody waits.
    @inline(__always)
    var isIdleOpenGroup: Bool { @_noLocks get { parent == 1 && active == 0 && flags & (ClassFlags.limited | ClassFlags.endlessFloor) == 0 } }

    /// What is left of them after a charge. True if one is in debt.
    @_noLocks @inline(__always)
    mutating func setTokens(floor: Int64, ceiling: Int64) -> Bool {
        floorTokens = floor
        ceilingTokens = ceiling
        return _slowPath((floor | ceiling) < 0) ? restore() : false
    }

    /// What the two buckets of a plain class hold.
    struct PlainTokens {
        var floor: Int64
        var ceiling: Int64

        @_noLocks @inline(__always)
        init(floor: Int64, ceiling: Int64) {
            self.floor = floor
            self.ceiling = ceiling
        }

        /// Whether a class with those flags may send on its floor.
        @_noLocks @inline(__always)
        func allow(_ flags: UInt8) -> Bool { (floor | ceiling) >= 0 && flags & (ClassFlags.meteredFloor | ClassFlags.endlessFloor) != 0 }
    }

    /// What the buckets will hold at `now`, less than `Credit.shortTime` after the checkpoint.
    @_noLocks @inline(__always)
    func plainTokens(_ profile: UnsafePointer<ClassProfile>, at now: Nanoseconds) -> PlainTokens {
        let elapsed = now &- checkpoint
        return PlainTokens(
            floor: min(floorTokens &+ Int64(bitPattern: elapsed &* profile.pointee.floorRate), profile.pointee.floorBurst),
            ceiling: min(ceilingTokens &+ Int64(bitPattern: elapsed &* profile.pointee.ceilingRate), profile.pointee.ceilingBurst))
    }

    /// Charges both buckets, which hold `tokens` at `now`.
    @_noLocks @inline(__always)
    mutating func pay(_ cost: Int64, from tokens: PlainTokens, at now: Nanoseconds) {
        checkpoint = now
        _ = setTokens(floor: tokens.floor &- cost, ceiling: tokens.ceiling &- cost)
    }

    /// The same for a class that borrows: its floor pays nothing.
    @_noLocks @inline(__always)
    mutating func payCeiling(_ cost: Int64, from tokens: PlainTokens, at now: Nanoseconds) {
        checkpoint = now
        floorTokens = tokens.floor
        ceilingTokens = tokens.ceiling
        _ = chargeCeiling(cost)
    }

    /// Whether the checkpoint is less than `Credit.shortTime` ago, as `plainTokens` needs it: it is brought up to `now` if not, unless it lies ahead.
    @_noLocks @inline(__always)
    mutating func isCurrent(_ profile: UnsafePointer<ClassProfile>, at now: Nanoseconds) -> Bool {
        _fastPath(now &- checkpoint < Credit.shortTime) || catchUp(profile, to: now)
    }

    @_noLocks @inline(never)
    private mutating func catchUp(_ profile: UnsafePointer<ClassProfile>, to now: Nanoseconds) -> Bool {
        refillPlain(profile, at: now)
        return checkpoint == now
    }

    @_noLocks @inline(never)
    private mutating func refillLong(_ profile: UnsafePointer<ClassProfile>, at now: Nanoseconds) {
        guard now > checkpoint else { return }
        let elapsed = now &- checkpoint
        checkpoint = now
        floorTokens = Credit.refilled(floorTokens, rate: profile.pointee.floorRate, elapsed: elapsed, burst: profile.pointee.floorBurst)
        ceilingTokens = Credit.refilled(ceilingTokens, rate: profile.pointee.ceilingRate, elapsed: elapsed, burst: profile.pointee.ceilingBurst)
    }

    /// Charges both buckets. True if one is in debt.
    @_noLocks @inline(__always)
    mutating func chargePlain(_ cost: Int64) -> Bool {
        floorTokens &-= cost
        ceilingTokens &-= cost
        if (floorTokens | ceilingTokens) >= 0 { return false }
        return restore()
    }

    /// Charges the ceiling of a class that borrows. True if it is in debt.
    @_noLocks @inline(__always)
    mutating func chargeCeiling(_ cost: Int64) -> Bool {
        ceilingTokens &-= cost
        if ceilingTokens >= 0 { return false }
        _ = restore()
        return ceilingTokens < 0
    }

    /// Both buckets allow to send. They must be up to date.
    @inline(__always)
    var isInFloor: Bool {
        @_noLocks get { PlainTokens(floor: floorTokens, ceiling: ceilingTokens).allow(flags) }
    }

    /// The ceiling allows to send and the floor does not. They must be up to date.
    @inline(__always)
    var mayOnlyBorrow: Bool {
        @_noLocks get {
            ceilingTokens >= 0
                && (floorTokens < 0 || flags & (ClassFlags.meteredFloor | ClassFlags.endlessFloor) == 0)
        }
    }

    /// Fills buckets without a rate and ends debts at `Credit.mostDebt`. True if a bucket is in debt after all.
    @_noLocks @inline(never)
    private mutating func restore() -> Bool {
        floorTokens = flags & ClassFlags.meteredFloor == 0 ? Credit.endless : max(floorTokens, Credit.mostDebt)
        ceilingTokens = flags & ClassFlags.meteredCeiling == 0 ? Credit.endless : max(ceilingTokens, Credit.mostDebt)
        return (floorTokens | ceilingTokens) < 0
    }
}
