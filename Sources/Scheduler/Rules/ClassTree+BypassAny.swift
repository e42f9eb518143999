/// Bypassing the queue by the general path, which asks every class up to the lender what it allows: see `ClassTree+Bypass`. The faster paths are in the folder
/// Fast.
extension ClassTree {
    /// Lets frames of one leaf pass by the fastest path that applies and returns how many did. The root may still have to be charged.
    @_noLocks @inline(never)
    mutating func passOne(_ charges: UnsafePointer<Charge>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        let passed = passUnlimited(charges, count: count, leaf, at: now)
        return passed != 0 ? passed : passLimited(charges, count: count, leaf, at: now)
    }

    /// Lets frames of one leaf pass on the floor of the class that lends to it, or on that class's saved credit, and returns how many did. The root has been
    /// charged.
    @_noLocks @inline(never)
    mutating func passAny(_ charges: UnsafePointer<Charge>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        if owedFrames != 0 { chargeRoot(at: now) }
        var budget = Int64.max, packets = Int64.max
        var spendsSavings = false
        let lender = findLender(leaf, &budget, &packets, &spendsSavings, at: now)
        if lender == 0 { return 0 }

        var passed = 0, frames: UInt64 = 0, bytes: UInt32 = 0
        var charged: Int64 = 0, packetCost: Int64 = 0
        while passed < count, charged &* Credit.perByte <= budget, packetCost <= packets {
            let cost = charges[passed]
            frames &+= UInt64(cost.frames)
            bytes &+= cost.bytes
            charged &+= cost.size(overhead)
            packetCost &+= Int64(cost.frames) &* Credit.perPacket
            passed &+= 1
        }
        chargeBypass(
            leaf, lender, spendsSavings, frames: frames, bytes: bytes, cost: charged &* Credit.perByte, packetCost: packetCost, at: now)
        return passed
    }

    /// The class on whose floor frames of the leaf would leave, or 0 if they have to wait; and what all buckets up to it allow. If no class below the root has
    /// credit at hand, they leave on saved credit.
    @_noLocks @inline(__always)
    mutating func findLender(
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
    mutating func chargeBypass(
        _ leaf: ClassID, _ lender: ClassID, _ spendsSavings: Bool, frames: UInt64, bytes: UInt32, cost: Int64, packetCost: Int64, at now: Nanoseconds
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
        countSent(by: leaf, lender: lender, frames: frames, bytes: UInt64(bytes))
        if active != 0 { updateCharged(leaf, at: now) }
    }

    /// Updates the modes of classes that were charged, since others wait below one of them. The root pays before any mode is looked at: which classes wait for
    /// which is told from the leaf up, once all have paid.
    @_noLocks @inline(never)
    mutating func updateCharged(_ leaf: ClassID, at now: Nanoseconds) {
        if owedFrames != 0 { payRoot(at: now) }
        updateModes(from: leaf, upTo: 0, at: now)
    }
}
