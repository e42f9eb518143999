/// What a floor saved. The root's rate is its output's, and a leaf within its floor asks nobody: what floors saved in deep buckets would pass that rate for as
/// long as it lasts (Linux lets it). So a floor has only a little of its bucket at hand: `ClassTree.atHand`, as much as the root's own burst has for it where
/// bursts are the usual 10 ms. What is saved beyond that waits while the root is at its ceiling, as loans do, and then goes before them.
///
/// In a window of length t no more leaves than the root's rate times t, its burst and a frame, and for each class with a floor what it has at hand, or
/// its burst if that is less, and a frame: if floors sum up to no more than the root's rate. Floors themselves never wait for the root, so that each is met
/// whatever others saved.
///
/// Such a class is a saver: `ClassExtra.saved` is the part of its floor's tokens that waits, 0 for all others. It grows by what the bucket earns when it has
/// all that is at hand; it shrinks by what leaves on it. A saver that has nothing at hand hangs in its parent's feed, as any borrower, and in a savers' row of its level and
/// priority: those have the numbers of rows plus 64. They are served after all floors, and before the root lends.
///
/// Trees that lease their rates (`SharedTree`) save nothing beyond what is at hand.
extension ClassTree {
    /// What a floor has at hand: bytes that it earns in 10 ms, at least two of the largest frames that ports carry, of 9022. Floors whose burst is the daemon's default
    /// save nothing.
    @_noLocks
    static func atHand(rate: UInt64) -> UInt32 { UInt32(min(max(rate / 800, 18_044), Credit.mostBytes)) }

    @inline(__always) static var saversRow: Int { @_noLocks get { 64 } }
    /// The first of those from which the root lends.
    @inline(__always) static var rootRow: Int { @_noLocks get { 56 } }

    /// What the floor of a class that is metered allows, in nanobits: without what waits, unless that is what is spent.
    @_noLocks @inline(__always)
    func floorCredit(_ id: ClassID, spendsSavings: Bool) -> Int64 {
        let tokens = states[Int(id)].floorTokens
        if states[Int(id)].flags & ClassFlags.extra == 0 { return tokens }
        // A frame begins while some is left, and is sent whole.
        return spendsSavings ? min(tokens, extras[Int(id)].saved &- 1) : tokens &- extras[Int(id)].saved
    }

    /// Whether a class above its floor has something saved for it. It must be up to date.
    @_noLocks @inline(__always)
    func hasSaved(_ id: ClassID) -> Bool {
        states[Int(id)].flags & ClassFlags.extra != 0 && extras[Int(id)].saved > 0 && extras[Int(id)].floorPacketTokens >= 0
    }

    /// What leaves on a class's savings, or on those of a class below it, is taken from them as far as they go. Its tokens are charged by the caller.
    @_noLocks
    mutating func spendSavings(_ id: ClassID, _ cost: Int64) {
        extras[Int(id)].saved = max(extras[Int(id)].saved &- cost, 0)
        endSavings(id)
    }

    /// Who owes to its floor has saved nothing.
    @_noLocks @inline(__always)
    mutating func endSavings(_ id: ClassID) {
        if states[Int(id)].floorTokens < 0 { extras[Int(id)].saved = 0 }
    }

    /// Whether the root's ceilings allow that something leaves beside floors. It has paid what it owes.
    @_noLocks @inline(__always)
    mutating func rootIsFree(at now: Nanoseconds) -> Bool {
        refill(1, at: now)
        return currentMode(1) != Mode.cannotSend
    }

    /// What the root's ceilings allow to leave.
    @_noLocks
    mutating func limitByRoot(_ budget: inout Int64, _ packets: inout Int64) {
        let flags = states[1].flags
        if flags & ClassFlags.meteredCeiling != 0 { budget = min(budget, states[1].ceilingTokens) }
        if flags & ClassFlags.extra != 0 { limitByExtra(1, lends: false, &budget, &packets) }
    }

    /// Savers are left waiting: remembers for how long.
    @_noLocks @inline(never)
    mutating func noteSavers(at now: Nanoseconds) {
        let state = states + 1, profile = profile(of: 1)
        refill(1, at: now)
        var wait: Nanoseconds = 0
        if state.pointee.flags & ClassFlags.meteredCeiling != 0 {
            wait = Credit.wait(state.pointee.ceilingTokens, rate: profile.pointee.ceilingRate, reciprocal: profile.pointee.ceilingReciprocal)
        }
        if state.pointee.flags & ClassFlags.extra != 0 { wait = max(wait, extraCeilingWait(1)) }
        saversDue = now &+ wait
    }

    // MARK: Rows

    /// A class above its floor joins the savers' rows of `priorities`, if it has saved something.
    @_noLocks
    mutating func joinSavers(_ id: ClassID, _ priorities: UInt8) {
        guard hasSaved(id) else { return }
        var rest = priorities & ~extras[Int(id)].inRow
        extras[Int(id)].inRow |= rest
        while rest != 0 {
            appendSaver(id, toRow: Self.saversRow &+ Int(states[Int(id)].level) &* 8 &+ rest.trailingZeroBitCount)
            rest &= rest &- 1
        }
        // Until it is known.
        saversDue = 0
    }

    @_noLocks
    mutating func leaveSavers(_ id: ClassID, _ priorities: UInt8) {
        var rest = priorities & extras[Int(id)].inRow
        extras[Int(id)].inRow &= ~rest
        while rest != 0 {
            removeSaver(id, fromRow: Self.saversRow &+ Int(states[Int(id)].level) &* 8 &+ rest.trailingZeroBitCount)
            rest &= rest &- 1
        }
    }

    /// A class that is active was charged or has earned. It keeps its places while it has something at hand: lower rows come first, so nothing is served
    /// twice, and it would otherwise lose its turn each time its floor grants it a frame.
    @_noLocks @inline(never)
    mutating func updateSaver(_ id: ClassID, at now: Nanoseconds) {
        let mode = states[Int(id)].mode
        if hasSaved(id) {
            if mode == Mode.mayBorrow { joinSavers(id, states[Int(id)].active) }
        } else if extras[Int(id)].inRow != 0 {
            leaveSavers(id, .max)
            // What it still had is at hand now.
            if mode == Mode.mayBorrow { armIfWaiting(id, at: now) }
        }
    }

    /// The turn of the first saver of `row` is over: it goes to the tail.
    @_noLocks
    mutating func rotateSavers(row: Int) {
        let id = rowHeads[row], next = links(id, row).pointee.next
        if next == 0 { return }
        rowHeads[row] = next
        appendSaver(id, toRow: row)
    }

    @_noLocks
    private mutating func appendSaver(_ id: ClassID, toRow row: Int) {
        let mine = links(id, row)
        mine.pointee.next = 0
        if saverRows &>> UInt64(row & 63) & 1 == 0 {
            rowHeads[row] = id
            saverRows |= 1 &<< UInt64(row & 63)
        } else {
            let tail = rowTails[row]
            links(tail, row).pointee.next = id
            mine.pointee.previous = tail
        }
        rowTails[row] = id
    }

    @_noLocks
    private mutating func removeSaver(_ id: ClassID, fromRow row: Int) {
        let mine = links(id, row)
        let next = mine.pointee.next
        if rowHeads[row] == id {
            rowHeads[row] = next
            if next == 0 { saverRows &= ~(1 &<< UInt64(row & 63)) }
            if saverRows == 0 { saversDue = .max }
            return
        }
        links(mine.pointee.previous, row).pointee.next = next
        if next == 0 { rowTails[row] = mine.pointee.previous } else { links(next, row).pointee.previous = mine.pointee.previous }
    }

    @_noLocks
    private func links(_ id: ClassID, _ row: Int) -> UnsafeMutablePointer<RowLinks> {
        UnsafeMutableRawPointer(extras + Int(id)).assumingMemoryBound(to: RowLinks.self) + row & 7
    }
}

/// A class's place in a savers' row.
struct RowLinks {
    var next: ClassID
    var previous: ClassID

    @_noLocks @inline(__always)
    init(next: ClassID, previous: ClassID) {
        self.next = next
        self.previous = previous
    }
}
