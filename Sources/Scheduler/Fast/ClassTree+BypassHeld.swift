/// Past the queue where a class on the way has a floor or a ceiling: `ClassTree+Bypass`.
extension ClassTree {
    /// Lets frames of a leaf pass that has a floor or ceiling, or an ancestor that has: how many. The root may be left to be charged.
    @_noLocks @inline(never)
    mutating func passHeld(_ lengths: UnsafePointer<UInt32>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        let passed = passPlain(lengths, count: count, leaf, at: now)
        return passed != 0 ? passed : passAny(lengths, count: count, leaf, at: now)
    }

    /// The short way of a leaf that sends on its own floor or on that of an ancestor, where all classes up to the lender are plain, lease their
    /// rates, or have none at all; the lender may also be a root without peak and packet rates. 0: the general way must decide.
    @_noLocks @inline(__always)
    private mutating func passPlain(_ lengths: UnsafePointer<UInt32>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        var lender = leaf
        var credit = Int64.max
        while lender != 1 {
            let state = states + Int(lender)
            let flags = state.pointee.flags
            if flags & ClassFlags.kept == 0 {
                // Nothing holds it and nothing is its own.
                if flags & ClassFlags.endlessFloor != 0 { break }
            } else {
                if flags & ClassFlags.special != 0 {
                    guard flags & ClassFlags.special == ClassFlags.shared else { return 0 }
                    // Tokens that are leased are spent like any others.
                    refillShared(lender, at: now)
                } else {
                    state.pointee.refillPlain(profiles + Int(state.pointee.profile), at: now)
                }
                credit = min(credit, state.pointee.ceilingTokens)
                if state.pointee.isInFloor {
                    credit = min(credit, state.pointee.floorTokens)
                    break
                }
                if !state.pointee.mayOnlyBorrow { return 0 }
            }
            lender = state.pointee.parent
        }
        if lender == 1, leaf == 1 || !rootLends(&credit, owed: owedCharge, at: now) { return 0 }
        let taken = measure(lengths, count: count, credit: credit)
        let frames = UInt64(taken.frames)
        countSent(by: leaf, lender: lender, frames: frames, bytes: UInt64(taken.bytes))
        owedFrames &+= frames
        owedCharge &+= taken.cost

        var active: UInt8 = 0
        if lender != leaf {
            var id = leaf
            repeat {
                let state = states + Int(id)
                if state.pointee.flags & ClassFlags.kept != 0 { _ = state.pointee.chargeCeiling(taken.cost) }
                active |= state.pointee.active
                id = state.pointee.parent
            } while id != lender
        }
        if lender != 1 { active |= payLender(lender, taken, at: now) }
        if active | states[1].active != 0 { updateCharged(leaf, lender, at: now) }
        return Int(taken.frames)
    }

    /// Charges the lender and all above it but the root. Not 0 if one of them is active, so that its mode may have changed.
    @_noLocks @inline(__always)
    private mutating func payLender(_ lender: ClassID, _ taken: Taken, at now: Nanoseconds) -> UInt8 {
        let lending = states + Int(lender)
        if lending.pointee.flags & ClassFlags.kept != 0 { _ = lending.pointee.chargePlain(taken.cost) }
        var active = lending.pointee.active
        var id = lending.pointee.parent
        while id != 1 {
            let state = states + Int(id)
            if state.pointee.flags & ClassFlags.kept != 0 { return active | payAncestors(of: id, taken, at: now) }
            active |= state.pointee.active
            id = state.pointee.parent
        }
        return active
    }

    /// The general way.
    @_noLocks @inline(never)
    private mutating func passAny(_ lengths: UnsafePointer<UInt32>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        if owedFrames != 0 { chargeRoot(at: now) }
        var budget = Int64.max, packets = Int64.max
        var spendsSavings = false
        let lender = findLender(leaf, &budget, &packets, &spendsSavings, at: now)
        if lender == 0 { return 0 }

        var passed = 0, bytes: UInt32 = 0
        var charged: Int64 = 0, packetCost: Int64 = 0
        while passed < count, charged &* Credit.perByte <= budget, packetCost <= packets {
            bytes &+= lengths[passed]
            charged &+= max(Int64(lengths[passed]) &+ overhead, 0)
            packetCost &+= Credit.perPacket
            passed &+= 1
        }
        chargeBypass(
            leaf, lender, spendsSavings, frames: passed, bytes: bytes, cost: charged &* Credit.perByte, packetCost: packetCost, at: now)
        return passed
    }

    /// The class whose floor a frame of the leaf would leave on, 0 if it has to wait; and what all buckets up to it allow. It leaves on what that class saved if
    /// nothing is at hand below the root.
    @_noLocks @inline(__always)
    private mutating func findLender(
        _ leaf: ClassID, _ budget: inout Int64, _ packets: inout Int64, _ spendsSavings: inout Bool, at now: Nanoseconds
    ) -> ClassID {
        var id = leaf, saver: ClassID = 0
        var savedBudget: Int64 = 0, savedPackets: Int64 = 0
        while id != 0 {
            refill(id, at: now)
            let state = states + Int(id)
            let flags = state.pointee.flags
            let mode = currentMode(id)
            if mode == Mode.cannotSend || mode == Mode.canSend && id == 1 && saver != 0 { break }
            if flags & ClassFlags.meteredCeiling != 0 { budget = min(budget, state.pointee.ceilingTokens) }
            if mode == Mode.mayBorrow, saver == 0, hasSaved(id) {
                saver = id
                (savedBudget, savedPackets) = (min(budget, floorCredit(id, spendsSavings: true)), packets)
                limitByExtra(id, lends: true, &savedBudget, &savedPackets)
            }
            if flags & ClassFlags.extra != 0 { limitByExtra(id, lends: mode == Mode.canSend, &budget, &packets) }
            if mode == Mode.canSend {
                if flags & ClassFlags.meteredFloor != 0 { budget = min(budget, floorCredit(id, spendsSavings: false)) }
                return id
            }
            id = state.pointee.parent
        }
        if saver == 0 || !rootIsFree(at: now) { return 0 }
        (budget, packets, spendsSavings) = (savedBudget, savedPackets, true)
        limitByRoot(&budget, &packets)
        return saver
    }

    @_noLocks @inline(__always)
    private mutating func chargeBypass(
        _ leaf: ClassID, _ lender: ClassID, _ spendsSavings: Bool, frames: Int, bytes: UInt32, cost: Int64, packetCost: Int64, at now: Nanoseconds
    ) {
        var id = leaf
        var lends = false
        var active: UInt8 = 0
        while id != 0 {
            if lends { refill(id, at: now) } else { lends = id == lender }
            let state = states + Int(id)
            let flags = state.pointee.flags
            if flags & ClassFlags.meteredCeiling != 0 { state.pointee.ceilingTokens = Credit.charged(state.pointee.ceilingTokens, cost) }
            if lends, flags & ClassFlags.meteredFloor != 0 { state.pointee.floorTokens = Credit.charged(state.pointee.floorTokens, cost) }
            if flags & ClassFlags.extra != 0 {
                if spendsSavings, lends { spendSavings(id, cost) }
                chargeExtra(id, lends: lends, cost: cost, packetCost: packetCost)
            }
            active |= state.pointee.active
            id = state.pointee.parent
        }
        countSent(by: leaf, lender: lender, frames: UInt64(truncatingIfNeeded: frames), bytes: UInt64(bytes))
        if active != 0 { updateCharged(leaf, 0, at: now) }
    }

    /// Others wait below an ancestor that was charged. Those of a leaf that sent on its own floor come before the root.
    @_noLocks @inline(never)
    mutating func updateCharged(_ leaf: ClassID, _ lender: ClassID, at now: Nanoseconds) {
        if leaf == lender { updateAncestors(of: states + Int(leaf), at: now) }
        if owedFrames != 0 { chargeRoot(at: now) }
        var id = leaf
        while id != 0 {
            if states[Int(id)].active != 0 { updateMode(id, at: now) }
            id = states[Int(id)].parent
        }
    }
}
