/// Bypassing the queue with a frame that leaves as several: see `ClassTree+Bypass`.
extension ClassTree {
    /// Lets a frame leave at once if every ceiling on its way covers all that it costs. A frame that leaves as one needs some credit only, as in HTB, which is
    /// why a class may send one frame more than its burst; of one that leaves as many, that would be far more. Floors need some credit only here, too: what a
    /// class has spent beyond its floor it borrows later.
    ///
    /// - Returns: whether the frame passed. If it did, it is charged, and the caller must send it to its leaf's output. If not, nothing has changed.
    @_noLocks @inline(never)
    public mutating func passWhole(_ charge: Charge, to leaf: ClassID, at now: Nanoseconds) -> Bool {
        guard let found = findWhole(charge, to: leaf, at: now) else { return false }
        chargeBypass(
            leaf, found.lender, found.spendsSavings, frames: UInt64(charge.frames), bytes: charge.bytes, cost: cost(of: charge),
            packetCost: packetCost(of: charge), at: now)
        if owedFrames != 0 { chargeRoot(at: now) }
        return true
    }

    /// Whether `passWhole` would let a frame pass at this moment. Nothing is charged.
    @_noLocks @inline(never)
    public mutating func coversWhole(_ charge: Charge, to leaf: ClassID, at now: Nanoseconds) -> Bool { findWhole(charge, to: leaf, at: now) != nil }

    @_noLocks @inline(__always)
    private func cost(of charge: Charge) -> Int64 { charge.size(overhead) &* Credit.perByte }

    @_noLocks @inline(__always)
    private func packetCost(of charge: Charge) -> Int64 { Int64(charge.frames) &* Credit.perPacket }

    /// Who lends a class what such a frame costs; nil: it does not pass.
    @_noLocks @inline(__always)
    private mutating func findWhole(_ charge: Charge, to leaf: ClassID, at now: Nanoseconds) -> (lender: ClassID, spendsSavings: Bool)? {
        latest = now
        if wheel.nextDue <= now { wake(at: now) }
        guard mayBypass, mayPass(leaf) else { return nil }
        if owedFrames != 0 { chargeRoot(at: now) }
        var budget = Int64.max, packets = Int64.max
        var spendsSavings = false
        let lender = findLender(leaf, &budget, &packets, &spendsSavings, at: now)
        if lender == 0 { return nil }
        // What was saved is all that there is of it.
        if !spendsSavings { (budget, packets) = (.max, .max) }
        var id = leaf
        while id != 0 {
            refill(id, at: now)
            let flags = states[Int(id)].flags
            if flags & ClassFlags.meteredCeiling != 0 { budget = min(budget, states[Int(id)].ceilingTokens) }
            if flags & ClassFlags.extra != 0 { limitByExtra(id, lends: false, &budget, &packets) }
            id = states[Int(id)].parent
        }
        guard cost(of: charge) <= budget, packetCost(of: charge) <= packets else { return nil }
        return (lender, spendsSavings)
    }
}
