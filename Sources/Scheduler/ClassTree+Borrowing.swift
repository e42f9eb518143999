/// The short ways of a plain leaf that borrows from its parent, a plain class within its own floor. As in `ClassTree+InFloor`, they do
/// what the general ways do.
extension ClassTree {
    /// True if the leaf joined its parent's feed; false if the general way must decide. The leaf has just got its first frame.
    @_noLocks @inline(__always)
    mutating func joinBorrowers(_ leaf: ClassID, at now: Nanoseconds) -> Bool {
        let state = states + Int(leaf), node = nodes + Int(leaf)
        let parent = state.pointee.parent
        let above = states + Int(parent)
        guard (state.pointee.flags | above.pointee.flags) & ClassFlags.special == 0 else { return false }
        state.pointee.refillPlain(at: now)
        guard state.pointee.mayOnlyBorrow else { return false }
        if above.pointee.active == 0 { above.pointee.refillPlain(at: now) }
        guard above.pointee.isInFloor, above.pointee.active == 0 || above.pointee.mode == Mode.canSend else { return false }
        let priority = Int(node.pointee.priority)
        let bit: UInt8 = 1 &<< node.pointee.priority
        state.pointee.mode = Mode.mayBorrow
        state.pointee.active = bit
        node.pointee.slot.exhausted = exhaustions
        if node.pointee.timed == 0, state.pointee.flags & ClassFlags.meteredFloor != 0 { armIfWaiting(leaf, at: now) }
        guard insertInFeed(leaf, priority) else { return true }
        above.pointee.mode = Mode.canSend
        above.pointee.active |= bit
        if above.pointee.inRow & bit == 0 { insertInRow(parent, priority) }
        return true
    }

    /// Serves the leaves that borrow from the classes of a row, as long as the row is the first, `limit` frames are not sent, and the
    /// general way need not look. The root is not charged yet: see `chargeRoot`.
    @_noLocks
    mutating func serveBorrowers(row: Int, into: UnsafeMutablePointer<ScheduledFrame>, limit: Int, at now: Nanoseconds) -> Int {
        let priority = row & 7
        var place = Place(next: into, room: limit)
        while place.room > 0, rows != 0, rows.trailingZeroBitCount == row {
            let lender = rowHeads[row]
            let above = states + Int(lender)
            let feed = slots + (Int(lender) &* 8 &+ priority)
            let leaf = feed.pointee.feedHead
            let state = states + Int(leaf), node = nodes + Int(leaf)
            let turn = min(nodes[Int(lender)].rowDeficit, node.pointee.slot.feedDeficit)
            guard turn >= 0, state.pointee.level == 0, (state.pointee.flags | above.pointee.flags) & ClassFlags.special == 0,
                parkedOutputs == 0 || outputStates[Int(node.pointee.output)].isParked == 0 else { break }
            if node.pointee.slot.exhausted != exhaustions { noteTurn(of: leaf) }

            state.pointee.refillPlain(at: now)
            above.pointee.refillPlain(at: now)
            let credit = min(state.pointee.ceilingTokens, min(above.pointee.floorTokens, above.pointee.ceilingTokens))
            let taken = take(leaf, node, into: &place, budget: min(Int64(turn) &* Credit.perByte, credit))
            let isSpent = state.pointee.chargeCeiling(taken.cost)
            state.pointee.sentBytes &+= UInt64(taken.bytes)
            let lenderIsSpent = above.pointee.chargePlain(taken.cost)
            above.pointee.sentBytes &+= UInt64(taken.bytes)
            nodes[Int(lender)].sentFrames &+= UInt64(taken.frames)
            blocks[Int(lender)].lentFrames &+= UInt64(taken.frames)
            blocks[Int(lender)].lentBytes &+= UInt64(taken.bytes)
            countLoan(of: leaf, fromLevel: above.pointee.level, frames: UInt64(taken.frames), bytes: taken.bytes)
            let activeAncestors = payAncestors(of: above.pointee.parent, taken, at: now)
            owedFrames &+= UInt64(taken.frames)
            owedBytes &+= UInt64(taken.bytes)
            owedCharge &+= taken.cost
            payFeedTurn(leaf, lender, priority, Int32(truncatingIfNeeded: taken.charged))
            payRowTurn(lender, priority, Int32(truncatingIfNeeded: taken.charged))

            if taken.next == 0 {
                leaveBorrowers(leaf, state, lender, above, priority)
            } else if isSpent {
                updateMode(leaf, at: now)
            }
            if lenderIsSpent || activeAncestors != 0 { updateAncestors(of: leaf, at: now) }
            // Whether anyone lends now that this one does not may depend on the root.
            if lenderIsSpent { chargeRoot(at: now) }
            if taken.next != 0 { noteLeft(waiting: leaf) }
        }
        let sent = limit &- place.room
        backlogFrames &-= sent
        return sent
    }

    /// Takes an emptied leaf out of the feed, and its parent, if that was the last, out of its row.
    @_noLocks @inline(__always)
    private mutating func leaveBorrowers(
        _ leaf: ClassID, _ state: UnsafeMutablePointer<ClassState>, _ parent: ClassID, _ above: UnsafeMutablePointer<ClassState>, _ priority: Int
    ) {
        let bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: priority)
        if (state.pointee.inRow | above.pointee.inFeed) & bit != 0 { return deactivate(leaf: leaf) }
        state.pointee.active = 0
        guard removeFromFeed(leaf, priority) else { return }
        above.pointee.active &= ~bit
        removeFromRow(parent, priority)
    }
}
