import Scheduler

/// Why classes wait, according to the oracle: the rules that `ClassTree+Waits` implements.
///
/// - A class at a limit of its own (ceiling, peak, packets) waits for it once each time that it reaches the limit with something to send.
/// - A leaf above its floor that still has frames after it was served, or gets its first one, waits for the class that keeps it from borrowing: the nearest
///   ancestor that is at its ceiling, if no class between is within its floor; or, if no ancestor is at a ceiling, for some class to have something to lend.
/// - While a leaf waits for its turn, there may be times at which it could not have borrowed anyway. Each time that an inner class gets into a worse mode, this
///   is an event of the class that then keeps those below from borrowing. When the leaf's turn comes, it has waited for the nearest ancestor that has had an
///   event since.
///
/// A visit, which is one turn of one leaf or as much of it as all classes up to the lender allow, counts as one step here: modes are looked at again when it is
/// over, and those that got worse are noted then. The root pays for what other classes lend before it is asked for another visit, but never during one; before
/// it is determined why a leaf whose lender got worse has to wait; and before the call ends.
extension Oracle {
    struct Waits: Equatable {
        var ceiling: UInt64 = 0, peak: UInt64 = 0, packets: UInt64 = 0, output: UInt64 = 0, nothingToLend: UInt64 = 0
        /// The number of waits for each ancestor that was at its ceiling.
        var ancestors: [ClassID: UInt64] = [:]
    }

    struct Visit {
        let leaf: Class
        let lender: Class
        /// The leaf and its ancestors, with their modes when the visit began; nil if the class was not active then, or became active again during the visit.
        var before: [(c: Class, mode: Mode?)]
        var hasTurnEnded = false

        mutating func note(awake c: Class) { if let index = before.firstIndex(where: { $0.c === c }) { before[index].mode = nil } }
    }

    /// Begins a visit, unless one has not ended yet.
    func goOnVisiting(_ leaf: Class, _ lender: Class) {
        if let visit {
            precondition(visit.leaf === leaf && visit.lender === lender, "a visit that was not over did not go on")
            return
        }
        noteTurn(of: leaf)
        visit = Visit(leaf: leaf, lender: lender, before: leaf.way.map { ($0, $0.active.isEmpty ? nil : $0.mode) })
    }

    /// Whether the next frame that leaves begins another visit.
    func isVisitOver(fromSavings: Bool, at now: Nanoseconds) -> Bool {
        guard let visit else { return true }
        if visit.hasTurnEnded || visit.leaf.queue.isEmpty { return true }
        for (c, mode) in visit.before {
            if c.modeNow(now) != mode { return true }
            if c === visit.lender { break }
        }
        return fromSavings && (!visit.lender.hasSaved(now) || !isRootFreeOnceItPaid(at: now))
    }

    func endVisit(at now: Nanoseconds) {
        guard let (leaf, lender) = visit.map({ ($0.leaf, $0.lender) }) else { return }
        // If the root is not the lender, it has not paid yet, so its mode is not looked at.
        updateModes(leaf.way.filter { $0.parent != nil || $0 === lender }, at: now)
        // This includes the notes on classes that became active during the update.
        let before = visit!.before
        visit = nil
        for (c, mode) in before where !c.active.isEmpty && (mode.map { c.mode > $0 } ?? (c.mode == .cannot)) { noteWorse(c, at: now) }
        if lender !== leaf, lender.parent != nil, lender.modeNow(now) != .can { payRoot(at: now) }
        if !leaf.queue.isEmpty { noteLeft(leaf) }
    }

    /// Ends the call after the last frame has left.
    func endDequeue(at now: Nanoseconds) {
        endVisit(at: now)
        payRoot(at: now)
    }

    // MARK: The root

    func payRoot(at now: Nanoseconds) {
        guard !owed.isEmpty else { return }
        let root = classes[1]!
        root.refill(now)
        root.payWhatOthersLent(owed)
        owed = []
        updateModes([root], at: now)
    }

    private func isRootFreeOnceItPaid(at now: Nanoseconds) -> Bool {
        let root = classes[1]!
        root.refill(now)
        let (ceiling, peak, packets) = (root.ceiling, root.peak, root.ceilingPackets)
        defer { (root.ceiling, root.peak, root.ceilingPackets) = (ceiling, peak, packets) }
        root.chargeLimits(owed)
        return root.modeNow(now) != .cannot
    }

    // MARK: Notes

    /// Notes that an active class got into a worse mode.
    func noteWorse(_ c: Class, at now: Nanoseconds) {
        if visit != nil { return }
        if c.mode == .cannot {
            if c.ceiling.map({ c.isSpent($0, at: now) }) ?? false { c.waits.ceiling += 1 }
            if c.peak.map({ c.isSpent($0, at: now) }) ?? false { c.waits.peak += 1 }
            if c.ceilingPackets.map({ c.isSpent($0, at: now) }) ?? false { c.waits.packets += 1 }
        }
        if c.isLeaf { return }
        guard let culprit = c.mode == .cannot ? c : holder(above: c) else { return }
        events += 1
        culprit.event = events
        culprit.eventWasAtCeiling = culprit.mode == .cannot
    }

    /// The class that keeps one that may borrow from doing so; nil if none does.
    private func holder(above c: Class) -> Class? {
        var last = c
        while let ancestor = last.parent {
            if ancestor.mode == .can { return nil }
            if ancestor.mode == .cannot { return ancestor }
            last = ancestor
        }
        return last
    }

    /// Notes that a leaf still has frames after it was served, or that it got its first one.
    func noteLeft(_ leaf: Class) {
        leaf.noticed = events
        if leaf.mode == .may, let holder = holder(above: leaf) { countWait(leaf, for: holder, atCeiling: holder.mode == .cannot) }
    }

    private func noteTurn(of leaf: Class) {
        let last = leaf.noticed
        leaf.noticed = events
        if let holder = leaf.way.dropFirst().first(where: { $0.event > last }) { countWait(leaf, for: holder, atCeiling: holder.eventWasAtCeiling) }
    }

    private func countWait(_ leaf: Class, for holder: Class, atCeiling: Bool) {
        if atCeiling { leaf.waits.ancestors[holder.id, default: 0] += 1 } else { leaf.waits.nothingToLend += 1 }
    }
}

extension Oracle.Class {
    func isSpent(_ bucket: Oracle.Bucket, at now: Nanoseconds) -> Bool { bucket.filled(now > checkpoint ? Int128(now - checkpoint) : 0) < 0 }

    /// Charges the buckets that limit the class.
    func chargeLimits(_ costs: [Oracle.Cost]) {
        for cost in costs {
            ceiling?.charge(Int128(cost.bytes) * 8)
            peak?.charge(Int128(cost.bytes) * 8)
            ceilingPackets?.charge(cost.packets)
        }
    }

    func payWhatOthersLent(_ costs: [Oracle.Cost]) {
        chargeLimits(costs)
        for cost in costs {
            chargeFloor(cost.bytes, fromSavings: false)
            floorPackets?.charge(cost.packets)
        }
    }
}
