/// Bypassing the queue by paths that handle one leaf at a time: each must let the same frames pass as `passAny`, charge and count the same, and leave the same
/// lists. `OracleTests` checks that: the oracle has only one path, and the test's bypasses take each of these.
extension ClassTree {
    /// Lets frames of a leaf pass that has neither floor nor ceiling, nor has any class above it up to the root. Returns how many passed; 0 if the leaf is not
    /// like that, or the root does not lend. Equals `passAny`.
    @_noLocks @inline(__always)
    mutating func passUnlimited(_ lengths: UnsafePointer<UInt32>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        if hasLimits(leaf) { return 0 }
        var active = states[1].active
        // Otherwise no class between the leaf and the root needs to be looked at.
        if _slowPath(limitedInners | backlogFrames != 0) {
            var id = states[Int(leaf)].parent
            while id != 1 {
                if hasLimits(id) { return 0 }
                active |= states[Int(id)].active
                id = states[Int(id)].parent
            }
        }
        var credit = Int64.max
        if !rootLends(&credit, owed: owedCharge, at: now) { return 0 }
        let taken = measure(lengths, count: count, credit: credit)
        let frames = UInt64(taken.frames)
        owedFrames &+= frames
        owedCharge &+= taken.cost
        countSent(by: leaf, lender: 1, frames: frames, bytes: UInt64(taken.bytes))
        if active != 0 { updateCharged(leaf, at: now) }
        return Int(taken.frames)
    }

    /// Lets frames of a leaf pass that has a floor or ceiling, or an ancestor that has, and returns how many did. The root may still have to be charged.
    @_noLocks @inline(never)
    mutating func passLimited(_ lengths: UnsafePointer<UInt32>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        let passed = passPlain(lengths, count: count, leaf, at: now)
        return passed != 0 ? passed : passAny(lengths, count: count, leaf, at: now)
    }

    /// Lets frames of a leaf pass that sends on its own floor or on that of an ancestor. All classes up to the lender must be plain, lease their rates, or have
    /// no rates at all; the lender may also be a root without peak and packet rates. Returns 0 if the general path has to decide. Equals `passAny`.
    @_noLocks @inline(__always)
    private mutating func passPlain(_ lengths: UnsafePointer<UInt32>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        var lender = leaf
        var credit = Int64.max
        while lender != 1 {
            let state = states + Int(lender)
            let flags = state.pointee.flags
            if flags & ClassFlags.limited == 0 {
                // The class has no limits.
                if flags & ClassFlags.endlessFloor != 0 { break }
            } else {
                if flags & ClassFlags.special != 0 {
                    guard flags & ClassFlags.special == ClassFlags.shared else { return 0 }
                    // Leased tokens are spent like any others.
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
                if state.pointee.flags & ClassFlags.limited != 0 { _ = state.pointee.chargeCeiling(taken.cost) }
                active |= state.pointee.active
                id = state.pointee.parent
            } while id != lender
        }
        if lender != 1 { active |= payLender(lender, taken, at: now) }
        if active | states[1].active != 0 { updateCharged(leaf, at: now) }
        return Int(taken.frames)
    }

    /// Charges the lender and all classes above it except the root, as `chargeBypass` does. The result is not 0 if one of them is active, so that its mode may
    /// have changed.
    @_noLocks @inline(__always)
    private mutating func payLender(_ lender: ClassID, _ taken: Taken, at now: Nanoseconds) -> UInt8 {
        let lending = states + Int(lender)
        if lending.pointee.flags & ClassFlags.limited != 0 { _ = lending.pointee.chargePlain(taken.cost) }
        var active = lending.pointee.active
        var id = lending.pointee.parent
        while id != 1 {
            let state = states + Int(id)
            if state.pointee.flags & ClassFlags.limited != 0 { return active | payAncestors(of: id, taken, at: now) }
            active |= state.pointee.active
            id = state.pointee.parent
        }
        return active
    }
}
