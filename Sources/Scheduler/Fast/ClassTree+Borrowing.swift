/// The fast paths of a plain leaf that borrows from its parent, a plain class within its own floor. Like those in `ClassTree+InFloor`, they must do what the
/// general paths do, and `OracleTests` checks that.
extension ClassTree {
    /// Activates a leaf that has just got its first frame, if it can join its parent's feed at once. Returns false if the general path has to decide. Equals
    /// `activate(leaf:)`.
    @_noLocks @inline(__always)
    mutating func joinBorrowers(_ leaf: ClassID, at now: Nanoseconds) -> Bool {
        let state = states + Int(leaf), node = nodes + Int(leaf), profile = profiles + Int(state.pointee.profile)
        let parent = state.pointee.parent
        let above = states + Int(parent)
        guard _fastPath((state.pointee.flags | above.pointee.flags) & ClassFlags.special == 0) else { return false }
        // Usually its tokens were brought up to date a moment ago.
        if state.pointee.checkpoint != now { state.pointee.refillPlain(profile, at: now) }
        guard state.pointee.mayOnlyBorrow else { return false }
        if above.pointee.active == 0 {
            // While a class is idle its tokens only grow.
            if _slowPath((above.pointee.floorTokens | above.pointee.ceilingTokens) < 0) { above.pointee.refillPlain(profiles + Int(above.pointee.profile), at: now) }
        } else if above.pointee.mode != Mode.canSend {
            return false
        }
        guard above.pointee.isInFloor else { return false }
        let priority = Int(profile.pointee.priority), bit = profile.pointee.priorityBit
        state.pointee.mode = Mode.mayBorrow
        state.pointee.active = bit
        state.pointee.noticedExhaustion = exhaustions
        if _slowPath(node.pointee.timed == 0), state.pointee.flags & ClassFlags.meteredFloor != 0 { armIfWaiting(leaf, at: now) }
        state.pointee.inFeed |= bit
        let mine = UnsafeMutableRawPointer(node).assumingMemoryBound(to: PrioritySlot.self)
        guard append(leaf, mine, to: slots + (Int(parent) &* 8 &+ priority), priority) else { return true }
        above.pointee.mode = Mode.canSend
        above.pointee.active |= bit
        if above.pointee.inRow & bit == 0 { insertInRow(parent, priority) }
        return true
    }

    /// Serves the leaves that borrow from the classes of a row, as long as that row is the first, fewer than `limit` frames are sent, and the general path is
    /// not needed. The root is not charged yet: see `chargeRoot`. Equals repeated calls of `visit` for the same row.
    @_noLocks
    mutating func serveBorrowers(row: Int, into: UnsafeMutablePointer<ScheduledFrame>, limit: Int, at now: Nanoseconds) -> Int {
        var place = Place(into, limit: limit, free: freeHead)
        while place.hasRoom, rows != 0, rows.trailingZeroBitCount == row, serveFeed(of: rowHeads[row], row, into: &place, at: now) {}
        let sent = place.next - into
        freeHead = place.free
        free &+= UInt32(truncatingIfNeeded: sent)
        backlogFrames &-= sent
        return sent
    }

    /// Serves the leaves in the feed of the class at the head of a row until that class's turn or credit is used up, or the general path is needed. The lender
    /// and all classes above it are charged once for everything, unless one of the latter has others waiting below it. Returns false if nothing was sent.
    @_noLocks @inline(__always)
    private mutating func serveFeed(of lender: ClassID, _ row: Int, into place: inout Place, at now: Nanoseconds) -> Bool {
        let priority = row & 7
        let above = states + Int(lender)
        let feed = slots + (Int(lender) &* 8 &+ priority)
        var turn = above.pointee.rowDeficit
        guard above.pointee.flags & ClassFlags.special == 0, turn >= 0 else { return false }
        let level = above.pointee.level
        let oneByOne = hasActiveAncestors(above)
        var tokens = above.pointee.drawPlain(profiles + Int(above.pointee.profile), at: now)
        var lent = Taken(frames: 0, bytes: 0, charged: 0, cost: 0, next: 0)
        var last: ClassID = 0, isSpent = false
        repeat {
            let leaf = feed.pointee.feedHead
            let state = states + Int(leaf), node = nodes + Int(leaf), profile = profiles + Int(state.pointee.profile)
            let leafTurn = node.pointee.slot.feedDeficit
            if _slowPath(
                leafTurn < 0 || state.pointee.level != 0 || state.pointee.flags & ClassFlags.special != 0
                    || parkedOutputs != 0 && mustBeVisited(leaf)) {
                if lent.frames != 0 { break }
                _ = above.pointee.setTokens(floor: tokens.floor, ceiling: tokens.ceiling)
                return false
            }
            if _slowPath(state.pointee.noticedExhaustion != exhaustions) { noteTurn(of: leaf) }
            if _slowPath(state.pointee.lender != level) { change(lenderOf: leaf, to: level) }
            if state.pointee.checkpoint != now { state.pointee.refillPlain(profile, at: now) }
            let credit = min(state.pointee.ceilingTokens, min(tokens.floor, tokens.ceiling))
            let taken = takeFrames(leaf, state, profile, into: &place, turn: min(turn, leafTurn), credit: credit)
            last = leaf
            isSpent = state.pointee.chargeCeiling(taken.cost) && taken.next != FrameNode.none
            state.pointee.sentBytes &+= UInt64(taken.bytes)

            let charged = Int32(truncatingIfNeeded: taken.charged)
            tokens.floor &-= taken.cost
            tokens.ceiling &-= taken.cost
            turn &-= charged
            lent.add(taken)
            let rest = leafTurn &- charged
            node.pointee.slot.feedDeficit = rest < 0 ? rest &+ profile.pointee.quantum : rest
            if taken.next == FrameNode.none {
                if rest < 0 { endTurn(feed, leafRound(node)) }
                state.pointee.active = 0
                state.pointee.inFeed = 0
                feed.pointee.feedHead = node.pointee.slot.feedNext
                if feed.pointee.feedHead == 0 { break }
            } else {
                state.pointee.noticedExhaustion = exhaustions
                if rest < 0 { rotate(feed, UnsafeMutableRawPointer(node).assumingMemoryBound(to: PrioritySlot.self), round: leafRound(node), priority) }
                if _slowPath(isSpent) { break }
            }
        } while place.hasRoom && (tokens.floor | tokens.ceiling | Int64(turn)) >= 0 && !oneByOne
        chargeLender(lender, row, lent, turn: turn, floor: tokens.floor, ceiling: tokens.ceiling, last: last, isSpent: isSpent, at: now)
        return true
    }

    /// Whether an ancestor of a class, other than the root, is active.
    @_noLocks @inline(__always)
    private func hasActiveAncestors(_ state: UnsafeMutablePointer<ClassState>) -> Bool {
        var id = state.pointee.parent
        var active: UInt8 = 0
        while _slowPath(id != 1) {
            active |= states[Int(id)].active
            id = states[Int(id)].parent
        }
        return active != 0
    }

    /// Charges a lender for what the leaves in its feed sent, of which `last` was the last one, and moves all classes whose modes changed. It does once for all
    /// leaves what `charge` and the end of `send` do after each leaf; that is allowed because no class above the lender is active (`hasActiveAncestors`), or
    /// there was only one leaf.
    ///
    /// - Parameters:
    ///   - turn: what is left of the lender's turn, in bytes.
    ///   - floor: what is left of the lender's floor tokens.
    ///   - ceiling: what is left of its ceiling tokens.
    ///   - isSpent: whether `last` has more frames and is at its ceiling.
    @_noLocks @inline(__always)
    private mutating func chargeLender(
        _ lender: ClassID, _ row: Int, _ lent: Taken, turn: Int32, floor: Int64, ceiling: Int64, last: ClassID, isSpent: Bool, at now: Nanoseconds
    ) {
        let priority = row & 7
        let bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: priority)
        let above = states + Int(lender)
        let lenderIsSpent = above.pointee.setTokens(floor: floor, ceiling: ceiling)
        let activeAncestors = payAncestors(of: above.pointee.parent, lent, at: now)
        owedFrames &+= UInt64(lent.frames)
        owedCharge &+= lent.cost
        backlogBytes &-= Int(lent.bytes)

        above.pointee.rowDeficit = turn < 0 ? turn &+ profile(of: lender).pointee.quantum : turn
        let place = slots + (Int(lender) &* 8 &+ priority)
        if place.pointee.feedHead == 0 {
            above.pointee.active &= ~bit
            if _fastPath(above.pointee.inFeed & bit == 0) {
                above.pointee.inRow &= ~bit
                removeHead(ofRow: row, next: place.pointee.rowNext)
            } else {
                detach(lender, bit)
            }
        } else if turn < 0 {
            rotate(row: row)
        }
        if _fastPath(!isSpent && !lenderIsSpent && activeAncestors == 0) { return }
        if isSpent { updateMode(last, at: now) }
        if lenderIsSpent || activeAncestors != 0 { updateAncestors(of: states + Int(last), at: now) }
        // If the lender no longer lends, it may depend on the root whether another class does.
        if lenderIsSpent { chargeRoot(at: now) }
        if states[Int(last)].tail != FrameNode.none { noteLeft(waiting: last) }
    }
}
