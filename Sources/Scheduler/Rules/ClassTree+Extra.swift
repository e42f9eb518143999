/// Peak and packet rates, whose buckets most classes do not have, and the saved part of a floor's credit: see `ClassTree+Savings`.
extension ClassTree {
    @_noLocks
    mutating func refillExtra(_ id: ClassID, elapsed: Nanoseconds) {
        let extra = extras + Int(id)
        if extra.pointee.peakRate != 0 {
            extra.pointee.peakTokens = Credit.refilled(
                extra.pointee.peakTokens, rate: extra.pointee.peakRate, elapsed: elapsed, burst: extra.pointee.peakBurst)
        }
        if extra.pointee.floorPacketRate != 0 {
            extra.pointee.floorPacketTokens = Credit.refilled(
                extra.pointee.floorPacketTokens, rate: extra.pointee.floorPacketRate, elapsed: elapsed, burst: extra.pointee.floorPacketBurst)
        }
        if extra.pointee.ceilingPacketRate != 0 {
            extra.pointee.ceilingPacketTokens = Credit.refilled(
                extra.pointee.ceilingPacketTokens, rate: extra.pointee.ceilingPacketRate, elapsed: elapsed, burst: extra.pointee.ceilingPacketBurst)
        }
        // The caller has already refilled the floor's tokens.
        extra.pointee.saved = max(extra.pointee.saved, states[Int(id)].floorTokens &- extra.pointee.atHand)
    }

    /// Whether peak or packet rate forbid to send. Buckets without a rate stay at 0 and forbid nothing.
    @_noLocks
    mutating func extraForbids(_ id: ClassID) -> Bool { extras[Int(id)].peakTokens < 0 || extras[Int(id)].ceilingPacketTokens < 0 }

    @_noLocks
    mutating func extraFloorSpent(_ id: ClassID) -> Bool {
        extras[Int(id)].floorPacketTokens < 0 || states[Int(id)].floorTokens < extras[Int(id)].saved
    }

    @_noLocks
    mutating func extraCeilingWait(_ id: ClassID) -> Nanoseconds {
        let extra = extras + Int(id)
        return max(
            Credit.wait(extra.pointee.peakTokens, rate: extra.pointee.peakRate, reciprocal: extra.pointee.peakReciprocal),
            Credit.wait(extra.pointee.ceilingPacketTokens, rate: extra.pointee.ceilingPacketRate, reciprocal: extra.pointee.ceilingPacketReciprocal))
    }

    @_noLocks
    mutating func extraFloorWait(_ id: ClassID) -> Nanoseconds {
        let extra = extras + Int(id)
        let packets = Credit.wait(extra.pointee.floorPacketTokens, rate: extra.pointee.floorPacketRate, reciprocal: extra.pointee.floorPacketReciprocal)
        // If the packet rate makes it wait, saved credit becomes usable then; otherwise the wait is until the floor has earned more than what is saved.
        if extra.pointee.saved == 0 || packets != 0 { return packets }
        let profile = profile(of: id)
        return Credit.wait(
            states[Int(id)].floorTokens &- extra.pointee.saved, rate: profile.pointee.floorRate, reciprocal: profile.pointee.floorReciprocal)
    }

    /// Reduces what a visit may take, which is given in nanobits and in billionths of a packet.
    @_noLocks
    mutating func limitByExtra(_ id: ClassID, lends: Bool, _ budget: inout Int64, _ packets: inout Int64) {
        let extra = extras + Int(id)
        if extra.pointee.peakRate != 0 { budget = min(budget, extra.pointee.peakTokens) }
        if extra.pointee.ceilingPacketRate != 0 { packets = min(packets, extra.pointee.ceilingPacketTokens) }
        if lends, extra.pointee.floorPacketRate != 0 { packets = min(packets, extra.pointee.floorPacketTokens) }
    }

    @_noLocks
    mutating func chargeExtra(_ id: ClassID, lends: Bool, cost: Int64, packetCost: Int64) {
        let extra = extras + Int(id)
        if extra.pointee.peakRate != 0 { extra.pointee.peakTokens = Credit.charged(extra.pointee.peakTokens, cost) }
        if extra.pointee.ceilingPacketRate != 0 {
            extra.pointee.ceilingPacketTokens = Credit.charged(extra.pointee.ceilingPacketTokens, packetCost)
        }
        if lends, extra.pointee.floorPacketRate != 0 {
            extra.pointee.floorPacketTokens = Credit.charged(extra.pointee.floorPacketTokens, packetCost)
        }
        if lends { endSavings(id) }
    }

    /// Takes over new peak and packet rates. An existing bucket keeps its tokens; a new one is full. What the floor holds beyond `atHand` (in nanobits) counts
    /// as saved.
    @_noLocks
    mutating func configureExtra(_ id: ClassID, _ p: ClassParameters, atHand: Int64, existed: Bool) {
        let extra = extras + Int(id)
        let old = existed ? extra.pointee : Self.noExtra
        // A packet rate has no burst of its own: its bucket holds what the rate earns in 10 ms, at least two packets.
        func packetBurst(_ rate: UInt64) -> Int64 { max(2, min(Int64(rate / 100), 4_000_000_000)) * Credit.perPacket }
        func tokens(_ rate: UInt64, had: UInt64, _ tokens: Int64, burst: Int64) -> Int64 {
            rate == 0 ? 0 : had == 0 ? burst : min(tokens, burst)
        }
        let peakBurst = Int64(Credit.depth(p.peakBurst, rate: p.peak)) * Credit.perByte
        let peak = p.peak >= Credit.endlessRate ? 0 : p.peak
        let floor = p.floorPackets >= Credit.endlessRate ? 0 : p.floorPackets
        let ceiling = p.ceilingPackets >= Credit.endlessRate ? 0 : p.ceilingPackets
        extra.pointee = ClassExtra(
            peakTokens: tokens(peak, had: old.peakRate, old.peakTokens, burst: peakBurst),
            peakRate: peak, peakBurst: peakBurst, peakReciprocal: Credit.reciprocal(peak),
            floorPacketTokens: tokens(floor, had: old.floorPacketRate, old.floorPacketTokens, burst: packetBurst(floor)),
            floorPacketRate: floor, floorPacketBurst: packetBurst(floor), floorPacketReciprocal: Credit.reciprocal(floor),
            ceilingPacketTokens: tokens(ceiling, had: old.ceilingPacketRate, old.ceilingPacketTokens, burst: packetBurst(ceiling)),
            ceilingPacketRate: ceiling, ceilingPacketBurst: packetBurst(ceiling), ceilingPacketReciprocal: Credit.reciprocal(ceiling),
            waitsPeak: old.waitsPeak, waitsPackets: old.waitsPackets, saved: max(states[Int(id)].floorTokens &- atHand, 0), atHand: atHand)
    }

    static var noExtra: ClassExtra {
        @_noLocks get {
            ClassExtra(
                peakTokens: 0, peakRate: 0, peakBurst: 0, peakReciprocal: 0, floorPacketTokens: 0, floorPacketRate: 0, floorPacketBurst: 0, floorPacketReciprocal: 0,
                ceilingPacketTokens: 0, ceilingPacketRate: 0, ceilingPacketBurst: 0, ceilingPacketReciprocal: 0, waitsPeak: 0, waitsPackets: 0, saved: 0, atHand: Credit.endless)
        }
    }
}
