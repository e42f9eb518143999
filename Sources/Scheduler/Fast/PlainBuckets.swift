/// The two buckets of a plain class (without peak, packet rates or leases, and with rates of up to `Credit.mostShortRate`), handled without asking which rates
/// the class has: a bucket without a rate is a deep one that fills fast, and is full again if it should ever run dry (`restore`). Refilling must equal
/// `ClassTree.refill`, charging must equal `Credit.charged` for each bucket that has a rate, and `isInFloor` and `mayOnlyBorrow` must agree with
/// `ClassTree.currentMode`. `OracleTests`, whose buckets are fractions of 128 bits, checks that; so does `ExactnessTests` over long times.
extension ClassState {
    /// Refills both buckets to `now`.
    @_noLocks @inline(__always)
    mutating func refillPlain(_ profile: UnsafePointer<ClassProfile>, at now: Nanoseconds) {
        // If the checkpoint is in the future, the difference wraps around to a very long time.
        guard now &- checkpoint < Credit.shortTime else { return refillLong(profile, at: now) }
        let tokens = plainTokens(profile, at: now)
        checkpoint = now
        floorTokens = tokens.floor
        ceilingTokens = tokens.ceiling
    }

    /// What the buckets hold at `now`; the caller must write the rest back by `setTokens`.
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

    /// Ends debts like `setTokens`.
    @_noLocks @inline(__always)
    mutating func endDebt() { _ = setTokens(floor: floorTokens, ceiling: ceilingTokens) }

    /// Whether this is a class right below the root that has no limit or floor of its own, and none of whose descendants has frames.
    @inline(__always)
    var isIdleOpenGroup: Bool { @_noLocks get { parent == 1 && active == 0 && flags & (ClassFlags.limited | ClassFlags.endlessFloor) == 0 } }

    /// Writes what is left in the buckets after a charge. Returns true if one is in debt.
    @_noLocks @inline(__always)
    mutating func setTokens(floor: Int64, ceiling: Int64) -> Bool {
        floorTokens = floor
        ceilingTokens = ceiling
        return _slowPath((floor | ceiling) < 0) ? restore() : false
    }

    /// The contents of the two buckets of a plain class.
    struct PlainTokens {
        var floor: Int64
        var ceiling: Int64

        @_noLocks @inline(__always)
        init(floor: Int64, ceiling: Int64) {
            self.floor = floor
            self.ceiling = ceiling
        }

        /// Whether a class with these flags may send on its floor.
        @_noLocks @inline(__always)
        func allow(_ flags: UInt8) -> Bool { (floor | ceiling) >= 0 && flags & (ClassFlags.meteredFloor | ClassFlags.endlessFloor) != 0 }
    }

    /// What the buckets hold at `now`, which must be less than `Credit.shortTime` after the checkpoint.
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

    /// Does the same for a class that borrows: its floor is not charged.
    @_noLocks @inline(__always)
    mutating func payCeiling(_ cost: Int64, from tokens: PlainTokens, at now: Nanoseconds) {
        checkpoint = now
        floorTokens = tokens.floor
        ceilingTokens = tokens.ceiling
        _ = chargeCeiling(cost)
    }

    /// Whether the checkpoint is less than `Credit.shortTime` ago, as `plainTokens` requires. If it is older, the buckets are refilled first; false only if it
    /// is in the future.
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

    /// Charges both buckets. Returns true if one is in debt.
    @_noLocks @inline(__always)
    mutating func chargePlain(_ cost: Int64) -> Bool {
        floorTokens &-= cost
        ceilingTokens &-= cost
        if (floorTokens | ceilingTokens) >= 0 { return false }
        return restore()
    }

    /// Charges the ceiling of a class that borrows. Returns true if it is in debt.
    @_noLocks @inline(__always)
    mutating func chargeCeiling(_ cost: Int64) -> Bool {
        ceilingTokens &-= cost
        if ceilingTokens >= 0 { return false }
        _ = restore()
        return ceilingTokens < 0
    }

    /// Whether both buckets allow to send. They must be up to date.
    @inline(__always)
    var isInFloor: Bool {
        @_noLocks get { PlainTokens(floor: floorTokens, ceiling: ceilingTokens).allow(flags) }
    }

    /// Whether the ceiling allows to send and the floor does not. Both must be up to date.
    @inline(__always)
    var mayOnlyBorrow: Bool {
        @_noLocks get {
            ceilingTokens >= 0
                && (floorTokens < 0 || flags & (ClassFlags.meteredFloor | ClassFlags.endlessFloor) == 0)
        }
    }

    /// Fills buckets without a rate, and limits debts to `Credit.mostDebt`. Returns true if a bucket with a rate is in debt.
    @_noLocks @inline(never)
    private mutating func restore() -> Bool {
        floorTokens = flags & ClassFlags.meteredFloor == 0 ? Credit.endless : max(floorTokens, Credit.mostDebt)
        ceilingTokens = flags & ClassFlags.meteredCeiling == 0 ? Credit.endless : max(ceilingTokens, Credit.mostDebt)
        return (floorTokens | ceilingTokens) < 0
    }
}
