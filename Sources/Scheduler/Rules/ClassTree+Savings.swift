/// Saved credit of floors. The root's rate is that of its output, and a leaf within its floor asks no ancestor: what floors have saved in deep buckets would
/// exceed the root's rate for as long as it lasts (Linux allows that). Therefore a floor has only a part of its bucket at hand: `ClassTree.atHand`, which is
/// the floor's part of the root's own burst if bursts are the usual 10 ms. What it has saved beyond that waits while the root is at its ceiling, as loans do,
/// and is then served before them.
///
/// If the floors sum up to no more than the root's rate, then in a window of length t no more leaves than the root's rate times t, its burst and one frame,
/// plus for each class with a floor what it has at hand (or its burst, if that is less) and one frame. Floors themselves never wait for the root, so each is
/// met, whatever others have saved.
///
/// A class with saved credit is a saver: `ClassExtra.saved` is the part of its floor's tokens that waits; it is 0 for all other classes. It grows by what the
/// bucket earns while everything that may be at hand is there, and shrinks by what is sent on it. A saver that has nothing at hand is in its parent's feed,
/// like any borrower, and also in a row of savers of its level and priority, whose numbers are those of the ordinary rows plus 64. These rows are served after
/// all floors and before the root lends.
///
/// Trees that lease their rates (`SharedTree`) save nothing beyond what is at hand.
extension ClassTree {
    /// Bytes that a floor may have at hand: what it earns in 10 ms, but at least two frames of 9022 bytes, which is the largest that ports carry. With the
    /// daemon's default burst, floors therefore save nothing.
    @_noLocks
    static func atHand(rate: UInt64) -> UInt32 { UInt32(min(max(rate / 800, 18_044), Credit.mostBytes)) }

    @inline(__always) static var saversRow: Int { @_noLocks get { 64 } }
    /// The first of the rows in which the root lends.
    @inline(__always) static var rootRow: Int { @_noLocks get { 56 } }

    /// What the floor of a class with a floor bucket allows, in nanobits: its credit without the saved part or, with `spendsSavings`, the saved part.
    @_noLocks @inline(__always)
    func floorCredit(_ id: ClassID, spendsSavings: Bool) -> Int64 {
        let tokens = states[Int(id)].floorTokens
        if states[Int(id)].flags & ClassFlags.extra == 0 { return tokens }
        // A frame may begin while some saved credit is left, and is then sent whole.
        return spendsSavings ? min(tokens, extras[Int(id)].saved &- 1) : tokens &- extras[Int(id)].saved
    }

    /// Whether a class has saved credit that its packet rate allows it to spend. Its tokens must be up to date.
    @_noLocks @inline(__always)
    func hasSaved(_ id: ClassID) -> Bool {
        states[Int(id)].flags & ClassFlags.extra != 0 && extras[Int(id)].saved > 0 && extras[Int(id)].floorPacketTokens >= 0
    }

    /// Takes what is sent on a class's saved credit, or on that of a class below it, from `saved` as far as that goes. The caller charges the tokens.
    @_noLocks
    mutating func spendSavings(_ id: ClassID, _ cost: Int64) {
        extras[Int(id)].saved = max(extras[Int(id)].saved &- cost, 0)
        endSavings(id)
    }

    /// A floor that is in debt has nothing saved.
    @_noLocks @inline(__always)
    mutating func endSavings(_ id: ClassID) {
        if states[Int(id)].floorTokens < 0 { extras[Int(id)].saved = 0 }
    }

    /// Whether the root's ceilings allow anything to leave besides what is within floors. The root must have been charged.
    @_noLocks @inline(__always)
    mutating func rootIsFree(at now: Nanoseconds) -> Bool {
        refill(1, at: now)
        return currentMode(1) != Mode.cannotSend
    }

    /// Reduces what a visit may take to what the root's ceilings allow.
    @_noLocks
    mutating func limitByRoot(_ budget: inout Int64, _ packets: inout Int64) {
        let flags = states[1].flags
        if flags & ClassFlags.meteredCeiling != 0 { budget = min(budget, states[1].ceilingTokens) }
        if flags & ClassFlags.extra != 0 { limitByExtra(1, lends: false, &budget, &packets) }
    }

    /// Notes until when savers have to wait.
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

    /// Has a class above its floor join the rows of savers at `priorities` if it has saved credit.
    @_noLocks
    mutating func joinSavers(_ id: ClassID, _ priorities: UInt8) {
        guard hasSaved(id) else { return }
        var rest = priorities & ~extras[Int(id)].inRow
        extras[Int(id)].inRow |= rest
        while rest != 0 {
            appendSaver(id, toRow: Self.saversRow &+ Int(states[Int(id)].level) &* 8 &+ rest.trailingZeroBitCount)
            rest &= rest &- 1
        }
        // This means "at once", until `noteSavers` knows better.
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

    /// Updates the rows of savers after an active class was charged or has earned credit. A saver keeps its places while it has credit at hand: lower rows are
    /// served first, so nothing is served twice, and otherwise it would lose its turn each time its floor grants it a frame.
    @_noLocks @inline(never)
    mutating func updateSaver(_ id: ClassID, at now: Nanoseconds) {
        let mode = states[Int(id)].mode
        if hasSaved(id) {
            if mode == Mode.mayBorrow { joinSavers(id, states[Int(id)].active) }
        } else if extras[Int(id)].inRow != 0 {
            leaveSavers(id, .max)
            // Without saved credit, the time at which its floor allows it to send is another than before.
            if mode == Mode.mayBorrow { armIfWaiting(id, at: now) }
        }
    }

    /// Ends the turn of the first saver of `row`: it goes to the tail.
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
            if saverRows & ~Self.sharesMark == 0 { saversDue = .max }
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

/// The links of a class in a row of savers.
struct RowLinks {
    var next: ClassID
    var previous: ClassID

    @_noLocks @inline(__always)
    init(next: ClassID, previous: ClassID) {
        self.next = next
        self.previous = previous
    }
}
