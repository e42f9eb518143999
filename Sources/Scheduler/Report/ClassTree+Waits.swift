/// Counts why classes have to wait. A class that reaches its own limits is counted at that moment. A leaf that could borrow but finds no lender is counted when
/// it is left waiting, having just been served or just got its first frame. It is also counted when its turn comes, if others exhausted one of its ancestors
/// while it waited for that turn: each such event has a number, and both the leaf and the ancestor remember the last one. The class that prevents lending may
/// be further up than the one that was charged; therefore the effects of a visit are counted once all modes are known (`updateModes`). `OracleTests` determines
/// all of this in another way and compares.
extension ClassTree {
    /// The ancestor at which the search for a lender above `id` fails: the first at its ceiling, or the topmost if none lends; 0 if one does lend.
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

    /// Notes that an active class got into a worse mode: it reached its own limit, or no longer lends. The modes of all active classes above it must be up to
    /// date.
    @_noLocks @inline(__always)
    mutating func noteWorse(_ id: ClassID) {
        let mode = states[Int(id)].mode
        if mode == Mode.cannotSend { countOwnLimit(id) }
        guard states[Int(id)].level != 0 else { return }
        let culprit = mode == Mode.cannotSend ? id : blocker(above: id)
        guard culprit != 0 else { return }
        exhaustions &+= 2
        if exhaustions == 0 { exhaustionRounds &+= 1 }
        // The 16-bit number alone does not identify an event, since it wraps around.
        nodes[Int(culprit)].exhaustionRound = exhaustionRounds
        // An odd number says that the class is not at its ceiling but has nothing to lend.
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

    /// Counts which ancestor a leaf has to wait for, if any, when the leaf still has frames.
    @_noLocks @inline(__always)
    mutating func noteLeft(waiting leaf: ClassID) {
        states[Int(leaf)].noticedExhaustion = exhaustions
        guard states[Int(leaf)].mode == Mode.mayBorrow else { return }
        let culprit = blocker(above: leaf)
        guard culprit != 0 else { return }
        countWait(leaf, for: culprit, atCeiling: states[Int(culprit)].mode == Mode.cannotSend)
    }

    /// Counts, when a leaf's turn has come, which ancestor was exhausted since the leaf was last looked at.
    @_noLocks @inline(__always)
    mutating func noteTurn(of leaf: ClassID) {
        let last = states[Int(leaf)].noticedExhaustion
        if last == exhaustions { return }
        states[Int(leaf)].noticedExhaustion = exhaustions
        // Number of events since the leaf's last one. If there were 65 536 or more of them, only the remainder is known and some may be missed.
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

    /// Adds to the number of times that a class had to wait because of the ceiling of its ancestor at `level`.
    @_noLocks
    mutating func add(to id: ClassID, waits: UInt64, forLevel level: UInt8) {
        let entry = ceilingWaits + (Int(level) &* classes &+ Int(id))
        if nodes[Int(id)].blockers &>> level & 1 == 0 {
            entry.pointee = 0
            nodes[Int(id)].blockers |= 1 &<< level
        }
        entry.pointee &+= waits
    }

    /// How often a class had to wait because of the ceiling of any ancestor.
    func waitsForAncestors(of id: ClassID) -> UInt64 {
        var waits: UInt64 = 0
        for level in 1..<8 where nodes[Int(id)].blockers >> UInt8(level) & 1 != 0 { waits &+= ceilingWaits[level * classes + Int(id)] }
        return waits
    }

    /// How often a leaf had to wait because of the ceiling of each ancestor, the nearest first.
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
