/// Tokens of a tree that shares its rates with instances on other lcores (`SharedTree`): credit is booked, not earned.
extension ClassTree {
    /// An idle class gives unused leases back after this many ns.
    @inline(__always) public static var leaseReturn: Nanoseconds { @_noLocks get { 1_000_000 } }

    @_noLocks
    mutating func refillShared(_ id: ClassID, at now: Nanoseconds) {
        guard let shared else { return }
        let state = states + Int(id), timer = timers + Int(id), lease = leases + Int(id)
        let flags = state.pointee.flags
        let base = Int(id) &* SharedTree.wordsPerClass
        let turn = UInt64(max(state.pointee.level == 0 ? UInt32(bitPattern: nodes[Int(id)].quantum) : feedWeights[Int(id)], 1_514))
        if flags & ClassFlags.meteredFloor != 0 {
            Self.settle(
                &state.pointee.floorTokens, rate: state.pointee.floorRate, reciprocal: timer.pointee.floorReciprocal, &lease.pointee.floor,
                shared, base &+ SharedTree.floor, turn: turn, at: now)
        }
        if flags & ClassFlags.meteredCeiling != 0 {
            Self.settle(
                &state.pointee.ceilingTokens, rate: state.pointee.ceilingRate, reciprocal: timer.pointee.ceilingReciprocal,
                &lease.pointee.ceiling, shared, base &+ SharedTree.ceiling, turn: turn, at: now)
        }
        if flags & ClassFlags.extra != 0 {
            let extra = extras + Int(id)
            Self.settle(
                &extra.pointee.peakTokens, rate: extra.pointee.peakRate, reciprocal: extra.pointee.peakReciprocal, &lease.pointee.peak,
                shared, base &+ SharedTree.peak, turn: turn, at: now)
            Self.settle(
                &extra.pointee.floorTokens, rate: extra.pointee.floorRate, reciprocal: extra.pointee.floorReciprocal,
                &lease.pointee.floorPackets, shared, base &+ SharedTree.floorPackets, turn: turn, at: now)
            Self.settle(
                &extra.pointee.ceilingTokens, rate: extra.pointee.ceilingRate, reciprocal: extra.pointee.ceilingReciprocal,
                &lease.pointee.ceilingPackets, shared, base &+ SharedTree.ceilingPackets, turn: turn, at: now)
        }
        state.pointee.checkpoint = now
        // Someone must come back for what an idle class is left with.
        if state.pointee.active == 0 { wheel.arm(id, at: now &+ Self.leaseReturn) }
    }

    /// Takes a booking over that has passed; books if the bucket is in debt.
    @_noLocks @inline(__always)
    private static func settle(
        _ tokens: inout Int64, rate: UInt64, reciprocal: UInt64, _ lease: inout Lease, _ shared: SharedTree, _ word: Int, turn: UInt64,
        at now: Nanoseconds
    ) {
        if lease.length != 0 {
            if now < lease.due { return }
            tokens &+= Int64(bitPattern: rate &* lease.length)
            lease.length = 0
        }
        guard tokens < 0 else { return }
        let round = min((turn &* lease.perTurnByte) &>> 16, lease.most)
        // A round, or what the debt takes: what one round overdraws comes off the next, so rounds are in proportion to turns.
        let length = max(Credit.wait(tokens, rate: rate, reciprocal: reciprocal), round)
        lease.due = shared.book(word, length: length, earliest: now > lease.depth ? now &- lease.depth : 0)
        if lease.due <= now { tokens &+= Int64(bitPattern: rate &* length) } else { lease.length = length }
    }

    /// When the bookings that keep a class from a better mode will have passed.
    @_noLocks
    mutating func leaseDue(_ id: ClassID, mode: UInt8) -> Nanoseconds {
        let lease = leases + Int(id)
        if mode == Mode.cannotSend {
            return max(Self.due(lease.pointee.ceiling), max(Self.due(lease.pointee.peak), Self.due(lease.pointee.ceilingPackets)))
        }
        return max(Self.due(lease.pointee.floor), Self.due(lease.pointee.floorPackets))
    }

    @_noLocks @inline(__always)
    private static func due(_ lease: Lease) -> Nanoseconds { lease.length == 0 ? 0 : lease.due }

    /// Gives the unused leases of an idle class back, in whole nanoseconds; comes again for bookings that have not passed.
    @_noLocks
    mutating func returnLeases(_ id: ClassID, at now: Nanoseconds) {
        guard let shared else { return }
        let state = states + Int(id), timer = timers + Int(id), lease = leases + Int(id)
        let base = Int(id) &* SharedTree.wordsPerClass
        let flags = state.pointee.flags
        var again: Nanoseconds = 0
        if flags & ClassFlags.meteredFloor != 0 {
            again = max(again, Self.handBack(
                &state.pointee.floorTokens, rate: state.pointee.floorRate, reciprocal: timer.pointee.floorReciprocal, &lease.pointee.floor,
                shared, base &+ SharedTree.floor, at: now))
        }
        if flags & ClassFlags.meteredCeiling != 0 {
            again = max(again, Self.handBack(
                &state.pointee.ceilingTokens, rate: state.pointee.ceilingRate, reciprocal: timer.pointee.ceilingReciprocal,
                &lease.pointee.ceiling, shared, base &+ SharedTree.ceiling, at: now))
        }
        if flags & ClassFlags.extra != 0 {
            let extra = extras + Int(id)
            again = max(again, Self.handBack(
                &extra.pointee.peakTokens, rate: extra.pointee.peakRate, reciprocal: extra.pointee.peakReciprocal, &lease.pointee.peak,
                shared, base &+ SharedTree.peak, at: now))
            again = max(again, Self.handBack(
                &extra.pointee.floorTokens, rate: extra.pointee.floorRate, reciprocal: extra.pointee.floorReciprocal,
                &lease.pointee.floorPackets, shared, base &+ SharedTree.floorPackets, at: now))
            again = max(again, Self.handBack(
                &extra.pointee.ceilingTokens, rate: extra.pointee.ceilingRate, reciprocal: extra.pointee.ceilingReciprocal,
                &lease.pointee.ceilingPackets, shared, base &+ SharedTree.ceilingPackets, at: now))
        }
        if again != 0 { wheel.arm(id, at: again) }
    }

    @_noLocks @inline(__always)
    private static func handBack(
        _ tokens: inout Int64, rate: UInt64, reciprocal: UInt64, _ lease: inout Lease, _ shared: SharedTree, _ word: Int, at now: Nanoseconds
    ) -> Nanoseconds {
        if lease.length != 0 {
            if now < lease.due { return lease.due }
            tokens &+= Int64(bitPattern: rate &* lease.length)
            lease.length = 0
        }
        guard tokens > 0, rate != 0 else { return 0 }
        // Rounded down, so nothing is given back that is not there.
        let unused = UInt64(bitPattern: tokens).multipliedFullWidth(by: reciprocal).high
        guard unused != 0 else { return 0 }
        tokens &-= Int64(bitPattern: rate &* unused)
        shared.giveBack(word, length: unused)
        return 0
    }

    /// Whoever is left with leases when it falls idle, or when its timer was taken away, has to give them back in time.
    @_noLocks
    mutating func comeBackForLeases(of id: ClassID, at now: Nanoseconds) {
        if states[Int(id)].flags & ClassFlags.shared != 0 { wheel.arm(id, at: now &+ Self.leaseReturn) }
    }

    /// The next class of this id starts with full buckets, whatever this one booked.
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
        if state.flags & ClassFlags.meteredFloor != 0 { rates.floor = state.floorRate }
        if state.flags & ClassFlags.meteredCeiling != 0 { rates.ceiling = state.ceilingRate }
        if state.flags & ClassFlags.extra != 0 {
            rates.peak = extras[Int(id)].peakRate
            rates.floorPackets = extras[Int(id)].floorRate
            rates.ceilingPackets = extras[Int(id)].ceilingRate
        }
        return rates
    }

    /// Sizes of bookings that follow from the parameters. A bucket that is new starts with nothing of its own: its burst is in `SharedTree`.
    @_noLocks
    mutating func configureLeases(_ id: ClassID, existed: Bool, old: LeasedRates, at now: Nanoseconds) {
        guard let shared else { return }
        let state = states + Int(id), lease = leases + Int(id), extra = extras + Int(id)
        let base = Int(id) &* SharedTree.wordsPerClass
        if !existed { lease.pointee = ClassLeases() }
        let rates = leasedRates(of: id), frame = 1_514 * UInt64(Credit.perByte), packet = UInt64(Credit.perPacket)
        func depth(_ bytes: UInt32) -> Int64 { Int64(bytes) * Credit.perByte }
        lease.pointee.floor.configure(
            rate: rates.floor, old: old.floor, burst: depth(state.pointee.floorBurst), perFrame: frame, &state.pointee.floorTokens, shared,
            base &+ SharedTree.floor, at: now)
        lease.pointee.ceiling.configure(
            rate: rates.ceiling, old: old.ceiling, burst: depth(state.pointee.ceilingBurst), perFrame: frame, &state.pointee.ceilingTokens,
            shared, base &+ SharedTree.ceiling, at: now)
        guard state.pointee.flags & ClassFlags.extra != 0 else { return }
        lease.pointee.peak.configure(
            rate: rates.peak, old: old.peak, burst: extra.pointee.peakBurst, perFrame: frame, &extra.pointee.peakTokens, shared,
            base &+ SharedTree.peak, at: now)
        lease.pointee.floorPackets.configure(
            rate: rates.floorPackets, old: old.floorPackets, burst: extra.pointee.floorBurst, perFrame: packet, &extra.pointee.floorTokens,
            shared, base &+ SharedTree.floorPackets, at: now)
        lease.pointee.ceilingPackets.configure(
            rate: rates.ceilingPackets, old: old.ceilingPackets, burst: extra.pointee.ceilingBurst, perFrame: packet,
            &extra.pointee.ceilingTokens, shared, base &+ SharedTree.ceilingPackets, at: now)
    }
}

/// The rates of a class that have a bucket; 0: there is none.
struct LeasedRates {
    var floor: UInt64 = 0
    var ceiling: UInt64 = 0
    var peak: UInt64 = 0
    var floorPackets: UInt64 = 0
    var ceilingPackets: UInt64 = 0

    @_noLocks
    init() {}
}
