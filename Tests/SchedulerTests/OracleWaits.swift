import Scheduler

/// Why classes are held, by the oracle: what `ClassTree+Waits` says in the words of the rules.
///
/// - A class at its own limits (ceiling, peak, packets) waits for them once each time that it gets there with something to send.
/// - A leaf above its floor that is left with frames, or gets its first one, waits for whoever keeps it from borrowing: the nearest ancestor at its ceiling, as
///   long as none below that one is within its floor; or, where nobody is at a ceiling, for somebody to have something to lend.
/// - While it waits for its turn it may be that it could not have borrowed anyway for some time: each time that an inner class gets worse there is an event of
///   whoever keeps those below it from borrowing then. When a leaf's turn comes it waited for the nearest ancestor of which there has been an event since.
///
/// What a visit sends, one turn of one leaf or as much of it as all up to the lender allow, is one thing here: modes are looked at again when it is over, and
/// what got worse is told then. The root pays for what others lend before it is asked for another visit, but never in the middle of one; before it is said
/// why a leaf is held whose lender got worse; and before the call ends.
extension Oracle {
    struct Waits: Equatable {
        var ceiling: UInt64 = 0, peak: UInt64 = 0, packets: UInt64 = 0, output: UInt64 = 0, nothingToLend: UInt64 = 0
        /// By the ancestor that was at its ceiling.
        var ancestors: [ClassID: UInt64] = [:]
    }

    struct Visit {
        let leaf: Class
        let lender: Class
        /// The leaf and all above it, with their modes when it began; nil: not active then, or not for some time since.
        var before: [(c: Class, mode: Mode?)]
        var hasTurnEnded = false

        mutating func note(awake c: Class) { if let index = before.firstIndex(where: { $0.c === c }) { before[index].mode = nil } }
    }

    /// Begins a visit, unless one goes on.
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
        // A root that is not the lender has not paid yet.
        updateModes(leaf.way.filter { $0.parent != nil || $0 === lender }, at: now)
        // It took note of who woke.
        let before = visit!.before
        visit = nil
        for (c, mode) in before where !c.active.isEmpty && (mode.map { c.mode > $0 } ?? (c.mode == .cannot)) { noteWorse(c, at: now) }
        if lender !== leaf, lender.parent != nil, lender.modeNow(now) != .can { payRoot(at: now) }
        if !leaf.queue.isEmpty { noteLeft(leaf) }
    }

    /// The last frame of a call has left.
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

    /// An active class got into a worse mode.
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

    /// Who keeps a class that may borrow from doing so; nil: nobody.
    private func holder(above c: Class) -> Class? {
        var last = c
        while let ancestor = last.parent {
            if ancestor.mode == .can { return nil }
            if ancestor.mode == .cannot { return ancestor }
            last = ancestor
        }
        return last
    }

    /// A leaf has frames after it was served, or got its first.
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

    /// Charges what limits it for frames of so many bytes.
    func chargeLimits(_ frames: [Int]) {
        for bytes in frames {
            ceiling?.charge(Int128(bytes) * 8)
            peak?.charge(Int128(bytes) * 8)
            ceilingPackets?.charge(1)
        }
    }

    func payWhatOthersLent(_ frames: [Int]) {
        chargeLimits(frames)
        for bytes in frames {
            chargeFloor(bytes, fromSavings: false)
            floorPackets?.charge(1)
        }
    }
}
