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

    /// Sizes of bookings that follow from the parameters. A shared class starts with nothing of its own: the burst is in `SharedTree`.
    @_noLocks
    mutating func configureLeases(_ id: ClassID, existed: Bool) {
        let state = states + Int(id), lease = leases + Int(id)
        if !existed { lease.pointee = ClassLeases() }
        let frame = 1_514 * UInt64(Credit.perByte)
        func depth(_ bytes: UInt32) -> Int64 { Int64(bytes) * Credit.perByte }
        lease.pointee.floor = .configured(
            rate: state.pointee.floorRate, burst: depth(state.pointee.floorBurst), perFrame: frame, from: lease.pointee.floor)
        lease.pointee.ceiling = .configured(
            rate: state.pointee.ceilingRate, burst: depth(state.pointee.ceilingBurst), perFrame: frame, from: lease.pointee.ceiling)
        guard state.pointee.flags & ClassFlags.extra != 0 else { return }
        let extra = extras[Int(id)], packet = UInt64(Credit.perPacket)
        lease.pointee.peak = .configured(rate: extra.peakRate, burst: extra.peakBurst, perFrame: frame, from: lease.pointee.peak)
        lease.pointee.floorPackets = .configured(
            rate: extra.floorRate, burst: extra.floorBurst, perFrame: packet, from: lease.pointee.floorPackets)
        lease.pointee.ceilingPackets = .configured(
            rate: extra.ceilingRate, burst: extra.ceilingBurst, perFrame: packet, from: lease.pointee.ceilingPackets)
    }
}
