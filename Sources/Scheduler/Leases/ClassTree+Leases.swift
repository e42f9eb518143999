/// The tokens of a tree that shares its rates with instances on other lcores (`SharedTree`): credit is booked instead of earned.
extension ClassTree {
    /// An idle class returns its unused leases after this many ns.
    @inline(__always) public static var leaseReturn: Nanoseconds { @_noLocks get { 1_000_000 } }

    /// Collects the bookings of a class that have passed, and books again for buckets that are in debt.
    @_noLocks
    mutating func refillShared(_ id: ClassID, at now: Nanoseconds) {
        guard let shared else { return }
        let state = states + Int(id), lease = leases + Int(id)
        let flags = state.pointee.flags
        if state.pointee.active != 0 { refreshShare(id, at: now) }
        let turn = UInt64(max(state.pointee.level == 0 ? UInt32(bitPattern: profile(of: id).pointee.quantum) : waiting(at: id), 1_514))
        let isInner = state.pointee.level != 0
        if flags & ClassFlags.meteredFloor != 0 {
            var floor = floorLease(id)
            let bucket = leasedFloor(id)
            if bucket.collect(&state.pointee.floorTokens, &floor, at: now), state.pointee.floorTokens < 0 {
                if isInner, let share = share(of: id, at: now) {
                    bucket.book(&state.pointee.floorTokens, &floor, &feedShares[Int(id)].floor, shared, share, at: now)
                } else {
                    bucket.renew(&state.pointee.floorTokens, &floor, shared, turn: turn, at: now)
                    if isInner { feedShares[Int(id)].floor.beginAnew(state.pointee.floorTokens, floor, rate: bucket.rate) }
                }
            }
            setFloorLease(floor, of: id)
        }
        if flags & ClassFlags.meteredCeiling != 0 {
            let bucket = leasedCeiling(id)
            if bucket.collect(&state.pointee.ceilingTokens, &lease.pointee.ceiling, at: now), state.pointee.ceilingTokens < 0 {
                if isInner, let share = share(of: id, at: now) {
                    bucket.book(&state.pointee.ceilingTokens, &lease.pointee.ceiling, &feedShares[Int(id)].ceiling, shared, share, at: now)
                } else {
                    bucket.renew(&state.pointee.ceilingTokens, &lease.pointee.ceiling, shared, turn: turn, at: now)
                    if isInner { feedShares[Int(id)].ceiling.beginAnew(state.pointee.ceilingTokens, lease.pointee.ceiling, rate: bucket.rate) }
                }
            }
        }
        if flags & ClassFlags.extra != 0 {
            let extra = extras + Int(id), lease = extraLeases + Int(id)
            leasedPeak(id).renew(&extra.pointee.peakTokens, &lease.pointee.peak, shared, turn: turn, at: now)
            leasedFloorPackets(id).renew(&extra.pointee.floorPacketTokens, &lease.pointee.floorPackets, shared, turn: turn, at: now)
            leasedCeilingPackets(id).renew(&extra.pointee.ceilingPacketTokens, &lease.pointee.ceilingPackets, shared, turn: turn, at: now)
        }
        // If the class is idle, the timer sees to it that it returns what is left.
        if state.pointee.active == 0 { wheel.arm(id, at: now &+ Self.leaseReturn) }
    }

    /// The sum of the quanta of the classes that wait at an inner class with the best priority.
    @_noLocks @inline(__always)
    private func waiting(at id: ClassID) -> UInt32 { feedWeights[Int(id) &* 8 &+ (states[Int(id)].active | 0x80).trailingZeroBitCount] }

    @_noLocks @inline(__always)
    private func floorLease(_ id: ClassID) -> Lease { Lease(length: leases[Int(id)].floorLength, due: states[Int(id)].checkpoint) }

    @_noLocks @inline(__always)
    private mutating func setFloorLease(_ floor: Lease, of id: ClassID) {
        leases[Int(id)].floorLength = floor.length
        states[Int(id)].checkpoint = floor.due
    }

    @_noLocks @inline(__always)
    private func leasedFloor(_ id: ClassID) -> LeasedBucket {
        let profile = profile(of: id)
        return LeasedBucket(
            word: Int(id) &* SharedTree.wordsPerClass &+ SharedTree.floor, rate: profile.pointee.floorRate,
            reciprocal: profile.pointee.floorReciprocal, burst: profile.pointee.floorBurst, perFrame: LeasedBucket.frame)
    }

    @_noLocks @inline(__always)
    private func leasedCeiling(_ id: ClassID) -> LeasedBucket {
        let profile = profile(of: id)
        return LeasedBucket(
            word: Int(id) &* SharedTree.wordsPerClass &+ SharedTree.ceiling, rate: profile.pointee.ceilingRate,
            reciprocal: profile.pointee.ceilingReciprocal, burst: profile.pointee.ceilingBurst, perFrame: LeasedBucket.frame)
    }

    @_noLocks @inline(__always)
    private func leasedPeak(_ id: ClassID) -> LeasedBucket {
        let extra = extras + Int(id)
        return LeasedBucket(
            word: Int(id) &* SharedTree.wordsPerClass &+ SharedTree.peak, rate: extra.pointee.peakRate, reciprocal: extra.pointee.peakReciprocal,
            burst: extra.pointee.peakBurst, perFrame: LeasedBucket.frame)
    }

    @_noLocks @inline(__always)
    private func leasedFloorPackets(_ id: ClassID) -> LeasedBucket {
        let extra = extras + Int(id)
        return LeasedBucket(
            word: Int(id) &* SharedTree.wordsPerClass &+ SharedTree.floorPackets, rate: extra.pointee.floorPacketRate,
            reciprocal: extra.pointee.floorPacketReciprocal, burst: extra.pointee.floorPacketBurst, perFrame: LeasedBucket.packet)
    }

    @_noLocks @inline(__always)
    private func leasedCeilingPackets(_ id: ClassID) -> LeasedBucket {
        let extra = extras + Int(id)
        return LeasedBucket(
            word: Int(id) &* SharedTree.wordsPerClass &+ SharedTree.ceilingPackets, rate: extra.pointee.ceilingPacketRate,
            reciprocal: extra.pointee.ceilingPacketReciprocal, burst: extra.pointee.ceilingPacketBurst, perFrame: LeasedBucket.packet)
    }

    /// When the bookings that keep a class from a better mode will have passed; 0 if there are none.
    @_noLocks
    mutating func leaseDue(_ id: ClassID, mode: UInt8) -> Nanoseconds {
        let extra = states[Int(id)].flags & ClassFlags.extra != 0, more = extraLeases + Int(id)
        if mode == Mode.cannotSend {
            let ceiling = leases[Int(id)].ceiling.pending
            return extra ? max(ceiling, max(more.pointee.peak.pending, more.pointee.ceilingPackets.pending)) : ceiling
        }
        let floor = floorLease(id).pending
        return extra ? max(floor, more.pointee.floorPackets.pending) : floor
    }

    /// Returns the unused leases of an idle class, in whole nanoseconds, and sets its timer for bookings that have not passed.
    @_noLocks
    mutating func returnLeases(_ id: ClassID, at now: Nanoseconds) {
        guard let shared else { return }
        let state = states + Int(id), lease = leases + Int(id)
        let flags = state.pointee.flags
        var again: Nanoseconds = 0
        if flags & ClassFlags.meteredFloor != 0 {
            var floor = floorLease(id)
            again = leasedFloor(id).handBack(&state.pointee.floorTokens, &floor, shared, at: now)
            setFloorLease(floor, of: id)
            if state.pointee.level != 0 { feedShares[Int(id)].floor.beginAnew(state.pointee.floorTokens, floor, rate: leasedFloor(id).rate) }
        }
        if flags & ClassFlags.meteredCeiling != 0 {
            again = max(again, leasedCeiling(id).handBack(&state.pointee.ceilingTokens, &lease.pointee.ceiling, shared, at: now))
            if state.pointee.level != 0 {
                feedShares[Int(id)].ceiling.beginAnew(state.pointee.ceilingTokens, lease.pointee.ceiling, rate: leasedCeiling(id).rate)
            }
        }
        if flags & ClassFlags.extra != 0 {
            let extra = extras + Int(id), lease = extraLeases + Int(id)
            again = max(again, leasedPeak(id).handBack(&extra.pointee.peakTokens, &lease.pointee.peak, shared, at: now))
            again = max(again, leasedFloorPackets(id).handBack(&extra.pointee.floorPacketTokens, &lease.pointee.floorPackets, shared, at: now))
            again = max(again, leasedCeilingPackets(id).handBack(&extra.pointee.ceilingPacketTokens, &lease.pointee.ceilingPackets, shared, at: now))
        }
        if again != 0 { wheel.arm(id, at: again) }
    }

    /// Sets a timer for a class that falls idle, or whose timer was removed, so that it returns its leases in time.
    @_noLocks
    mutating func comeBackForLeases(of id: ClassID, at now: Nanoseconds) {
        if states[Int(id)].flags & ClassFlags.shared != 0 { wheel.arm(id, at: now &+ Self.leaseReturn) }
    }

    /// Resets what was booked of a removed class's rates, so that the next class with this id starts with full buckets.
    @_noLocks
    mutating func forgetLeases(of id: ClassID) {
        guard let shared else { return }
        let base = Int(id) &* SharedTree.wordsPerClass
        shared.rewind(base &+ SharedTree.floor, to: 0)
        shared.rewind(base &+ SharedTree.ceiling, to: 0)
        shared.rewind(base &+ SharedTree.peak, to: 0)
        shared.rewind(base &+ SharedTree.floorPackets, to: 0)
        shared.rewind(base &+ SharedTree.ceilingPackets, to: 0)
    }

    @_noLocks
    func leasedRates(of id: ClassID) -> LeasedRates {
        let state = states[Int(id)]
        var rates = LeasedRates()
        if state.flags & ClassFlags.meteredFloor != 0 { rates.floor = profile(of: id).pointee.floorRate }
        if state.flags & ClassFlags.meteredCeiling != 0 { rates.ceiling = profile(of: id).pointee.ceilingRate }
        if state.flags & ClassFlags.extra != 0 {
            rates.peak = extras[Int(id)].peakRate
            rates.floorPackets = extras[Int(id)].floorPacketRate
            rates.ceilingPackets = extras[Int(id)].ceilingPacketRate
        }
        return rates
    }

    /// Gives up what was booked at rates that changed. A new bucket starts empty, because its burst is in `SharedTree`.
    @_noLocks
    mutating func configureLeases(_ id: ClassID, existed: Bool, old: LeasedRates, hadExtra: Bool, at now: Nanoseconds) {
        guard let shared else { return }
        let state = states + Int(id), lease = leases + Int(id)
        let base = Int(id) &* SharedTree.wordsPerClass
        if !existed { lease.pointee = .none }
        lease.pointee.quantum = profile(of: id).pointee.quantum
        lease.pointee.epoch = .max
        let rates = leasedRates(of: id)
        var floor = floorLease(id)
        LeasedBucket.change(&state.pointee.floorTokens, &floor, shared, base &+ SharedTree.floor, from: old.floor, to: rates.floor, at: now)
        setFloorLease(floor, of: id)
        LeasedBucket.change(
            &state.pointee.ceilingTokens, &lease.pointee.ceiling, shared, base &+ SharedTree.ceiling, from: old.ceiling, to: rates.ceiling, at: now)
        guard state.pointee.flags & ClassFlags.extra != 0 else { return }
        let extra = extras + Int(id), more = extraLeases + Int(id)
        if !hadExtra { more.pointee = .none }
        LeasedBucket.change(&extra.pointee.peakTokens, &more.pointee.peak, shared, base &+ SharedTree.peak, from: old.peak, to: rates.peak, at: now)
        LeasedBucket.change(
            &extra.pointee.floorPacketTokens, &more.pointee.floorPackets, shared, base &+ SharedTree.floorPackets, from: old.floorPackets,
            to: rates.floorPackets, at: now)
        LeasedBucket.change(
            &extra.pointee.ceilingPacketTokens, &more.pointee.ceilingPackets, shared, base &+ SharedTree.ceilingPackets, from: old.ceilingPackets,
            to: rates.ceilingPackets, at: now)
    }
}

/// The rates of a class that have a bucket; 0 if there is none.
struct LeasedRates {
    var floor: UInt64 = 0
    var ceiling: UInt64 = 0
    var peak: UInt64 = 0
    var floorPackets: UInt64 = 0
    var ceilingPackets: UInt64 = 0

    @_noLocks
    init() {}
}
