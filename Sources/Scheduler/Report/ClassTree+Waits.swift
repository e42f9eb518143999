/// Why a class is held. A class at its own limits is counted when it gets there. A leaf that could borrow but finds no lender is
/// counted when it is left waiting (it was just served, or just got its first frame), and, if an ancestor was exhausted by others
/// while the leaf waited for its turn, when its turn comes: every such event has a number, and leaf and ancestor remember the last.
/// Who keeps a class from lending may stand above it, so what a visit brought about is told when all modes are known (`updateModes`). `OracleTests` has all
/// of this by other means, and compares.
extension ClassTree {
    /// Where the chain of lenders above `id` ends.
    @_noLocks @inline(__always)
    mutating func blocker(above id: ClassID) -> ClassID {
        var last = id
        var ancestor = states[Int(id)].parent
        while ancestor != 0 {
            let mode = states[Int(ancestor)].mode
            if mode == Mode.canSend { return 0 }
            last = ancestor
            if mode == Mode.cannotSend { return ancestor }
            ancestor = states[Int(ancestor)].parent
        }
        return last
    }

    /// An active class got into a worse mode: at its own limit, or it lends no longer. The modes of all above it that are active are known.
    @_noLocks @inline(__always)
    mutating func noteWorse(_ id: ClassID) {
        let mode = states[Int(id)].mode
        if mode == Mode.cannotSend { countOwnLimit(id) }
        guard states[Int(id)].level != 0 else { return }
        let culprit = mode == Mode.cannotSend ? id : blocker(above: id)
        guard culprit != 0 else { return }
        exhaustions &+= 2
        if exhaustions == 0 { exhaustionRounds &+= 1 }
        // The short number alone does not tell one round from another.
        nodes[Int(culprit)].exhaustionRound = exhaustionRounds
        // Odd: not at a ceiling, but without anything to lend.
        states[Int(culprit)].lastExhaustion = exhaustions | (states[Int(culprit)].mode == Mode.cannotSend ? 0 : 1)
    }

    @_noLocks
    mutating func countOwnLimit(_ id: ClassID) {
        let flags = states[Int(id)].flags
        if flags & ClassFlags.meteredCeiling != 0, states[Int(id)].ceilingTokens < 0 { nodes[Int(id)].waitsCeiling &+= 1 }
        if flags & ClassFlags.extra != 0 {
            if extras[Int(id)].peakTokens < 0 { extras[Int(id)].waitsPeak &+= 1 }
            if extras[Int(id)].ceilingPacketTokens < 0 { extras[Int(id)].waitsPackets &+= 1 }
        }
    }

    /// The leaf has frames left: counts what holds it, if an ancestor does.
    @_noLocks @inline(__always)
    mutating func noteLeft(waiting leaf: ClassID) {
        states[Int(leaf)].noticedExhaustion = exhaustions
        guard states[Int(leaf)].mode == Mode.mayBorrow else { return }
        let culprit = blocker(above: leaf)
        guard culprit != 0 else { return }
        countWait(leaf, for: culprit, atCeiling: states[Int(culprit)].mode == Mode.cannotSend)
    }

    /// The leaf's turn has come: counts whoever was exhausted since it was last looked at.
    @_noLocks @inline(__always)
    mutating func noteTurn(of leaf: ClassID) {
        let last = states[Int(leaf)].noticedExhaustion
        if last == exhaustions { return }
        states[Int(leaf)].noticedExhaustion = exhaustions
        // Events since the leaf's: of 65 536 and more it knows the rest, and may take notice of none.
        let since = UInt64(exhaustions &- last), now = UInt64(exhaustionRounds) &<< 16 | UInt64(exhaustions)
        var ancestor = states[Int(leaf)].parent
        while ancestor != 0 {
            let event = states[Int(ancestor)].lastExhaustion
            if now &- (UInt64(nodes[Int(ancestor)].exhaustionRound) &<< 16 | UInt64(event & ~1)) < since {
                countWait(leaf, for: ancestor, atCeiling: event & 1 == 0)
                return
            }
            ancestor = states[Int(ancestor)].parent
        }
    }

    @_noLocks
    private mutating func countWait(_ leaf: ClassID, for ancestor: ClassID, atCeiling: Bool) {
        guard atCeiling else { nodes[Int(leaf)].waitsNothingToLend &+= 1; return }
        add(to: leaf, waits: 1, forLevel: states[Int(ancestor)].level)
    }

    /// Adds to the times a class had to wait for the ceiling of an ancestor of `level`.
    @_noLocks
    mutating func add(to id: ClassID, waits: UInt64, forLevel level: UInt8) {
        let entry = ceilingWaits + (Int(level) &* classes &+ Int(id))
        if nodes[Int(id)].blockers &>> level & 1 == 0 {
            entry.pointee = 0
            nodes[Int(id)].blockers |= 1 &<< level
        }
        entry.pointee &+= waits
    }

    /// Times a class had to wait for the ceiling of any ancestor.
    func waitsForAncestors(of id: ClassID) -> UInt64 {
        var waits: UInt64 = 0
        for level in 1..<8 where nodes[Int(id)].blockers >> UInt8(level) & 1 != 0 { waits &+= ceilingWaits[level * classes + Int(id)] }
        return waits
    }

    /// Times a leaf had to wait for the ceiling of an ancestor, nearest first.
    public func ceilingWaits(of id: ClassID) -> [(ancestor: ClassID, waits: UInt64)] {
        guard Int(id) < classes, id != 0, Self.has(existing, id) else { return [] }
        var result: [(ancestor: ClassID, waits: UInt64)] = []
        var ancestor = states[Int(id)].parent
        while ancestor != 0 {
            let level = states[Int(ancestor)].level
            if nodes[Int(id)].blockers >> level & 1 != 0 {
                result.append((ancestor, ceilingWaits[Int(level) * classes + Int(id)]))
            }
            ancestor = states[Int(ancestor)].parent
        }
        return result
    }
}
