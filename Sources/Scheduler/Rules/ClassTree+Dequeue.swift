extension ClassTree {
    /// Writes up to `limit` frames that may leave now to `into`, in the order in which they leave, and returns how many. What does not fit stays queued.
    ///
    /// A visit to a leaf takes as many frames as its turn and every bucket up to its lender allow, and charges them at once; the result is the same as frame by
    /// frame.
    @_noLocks
    public mutating func dequeue(into: UnsafeMutablePointer<ScheduledFrame>, limit: Int, at now: Nanoseconds) -> Int {
        latest = now
        if wheel.nextDue <= now { wake(at: now) }
        activateArrivals(at: now)
        var sent = 0
        repeat {
            while sent < limit, rows != 0 {
                let row = rows.trailingZeroBitCount
                let count: Int
                if row < 8 {
                    count = serveLeaves(row: row, into: into + sent, limit: limit &- sent, at: now)
                } else {
                    // Savers come before those that borrow from the root.
                    if _slowPath(saverRows != 0), row >= Self.rootRow { break }
                    count = serveBorrowers(row: row, into: into + sent, limit: limit &- sent, at: now)
                }
                if count != 0 {
                    sent &+= count
                    continue
                }
                // Only those that borrow from the root need to know its state, so it is charged no earlier than here.
                if owedFrames != 0, row >= Self.rootRow {
                    chargeRoot(at: now)
                    continue
                }
                sent &+= visit(row: row, into: into + sent, limit: limit &- sent, at: now)
            }
            if owedFrames != 0 { chargeRoot(at: now) }
        } while _slowPath(saverRows != 0) && serveSaver(into: into, &sent, limit: limit, at: now)
        return sent
    }

    /// Serves the saver whose turn it is if the root is below its ceiling; the root must have been charged. Returns false if no saver may send now, or there is
    /// no room. In a tree with shares, serves a traffic class.
    @_noLocks @inline(never)
    private mutating func serveSaver(into: UnsafeMutablePointer<ScheduledFrame>, _ sent: inout Int, limit: Int, at now: Nanoseconds) -> Bool {
        if hasShares { return serveTrafficClass(into: into, &sent, limit: limit, at: now) }
        if sent < limit {
            if rows.trailingZeroBitCount < Self.rootRow { return true }
            if rootIsFree(at: now) {
                sent &+= visit(row: Self.saversRow &+ saverRows.trailingZeroBitCount, into: into + sent, limit: limit &- sent, at: now)
                return true
            }
        }
        noteSavers(at: now)
        return false
    }

    /// Serves the leaf whose turn it is in `row`. Returns 0 if it only removed an obstacle: a class that owes bytes, a parked leaf, or stale frames.
    @_noLocks @inline(never)
    mutating func visit(
        row: Int, into: UnsafeMutablePointer<ScheduledFrame>, limit: Int, at now: Nanoseconds
    ) -> Int {
        let priority = row & 7
        let lender = rowHeads[row], spendsSavings = row >= Self.saversRow
        var turn = states[Int(lender)].rowDeficit
        if turn < 0 {
            states[Int(lender)].rowDeficit = turn &+ profile(of: lender).pointee.quantum
            if spendsSavings { rotateSavers(row: row) } else { rotate(row: row) }
            return 0
        }
        // Goes down to the leaf whose turn it is.
        var leaf = lender
        while states[Int(leaf)].level != 0 {
            let feed = slots + (Int(leaf) &* 8 &+ priority)
            let child = feed.pointee.feedHead
            let place = slot(child, priority)
            let deficit = place.pointee.feedDeficit
            if deficit < 0 {
                place.pointee.feedDeficit = deficit &+ feedQuantum(child)
                rotate(feed, place, round: round(child, priority), priority)
                continue
            }
            turn = min(turn, deficit)
            leaf = child
        }
        if outputStates[Int(profile(of: leaf).pointee.output)].isParked != 0 {
            deactivate(leaf: leaf)
            park(leaf: leaf)
            return 0
        }
        noteTurn(of: leaf)
        var budget = Int64(turn) &* Credit.perByte
        var packets = Int64.max
        var id = leaf
        while true {
            refill(id, at: now)
            let state = states + Int(id)
            let flags = state.pointee.flags
            if flags & ClassFlags.meteredCeiling != 0 { budget = min(budget, state.pointee.ceilingTokens) }
            if flags & ClassFlags.extra != 0 { limitByExtra(id, lends: id == lender, &budget, &packets) }
            if id == lender {
                if flags & ClassFlags.meteredFloor != 0 { budget = min(budget, floorCredit(id, spendsSavings: spendsSavings)) }
                break
            }
            id = state.pointee.parent
        }
        if spendsSavings { limitByRoot(&budget, &packets) }
        return send(leaf, lender: lender, row, into: into, limit: limit, budget: budget, packets: packets, at: now)
    }

    @_noLocks @inline(__always)
    private mutating func send(
        _ leaf: ClassID, lender: ClassID, _ row: Int, into: UnsafeMutablePointer<ScheduledFrame>, limit: Int,
        budget: Int64, packets: Int64, at now: Nanoseconds
    ) -> Int {
        let output = profile(of: leaf).pointee.output
        let codel = states[Int(leaf)].flags & ClassFlags.codel != 0
        let flows = codel ? codels[Int(leaf)].flows : nil
        var index = first(of: leaf)
        var sent = 0, wireFrames: UInt64 = 0, bytes: UInt32 = 0
        // Bytes with overhead. A turn is at most 2^29 bytes and a frame costs less than that, so they fit 32 bits.
        var charged: Int64 = 0, packetCost: Int64 = 0
        while index != FrameNode.none, sent < limit, charged &* Credit.perByte <= budget, packetCost <= packets {
            let next: UInt32
            if let flows {
                index = removeFirstApart(leaf, flows, at: now)
                if index == FrameNode.none { break }
                next = states[Int(leaf)].tail
            } else {
                if codel { index = dropStale(leaf, at: now) }
                if index == FrameNode.none { break }
                next = removeFirst(index, of: leaf)
            }
            let frame = frames + Int(index)
            let cost = frame.pointee.charge
            into[sent] = ScheduledFrame(
                handle: frame.pointee.handle, charge: cost, tag: frame.pointee.tag, leaf: leaf, output: output)
            release(index, index, count: 1)
            index = next
            sent &+= 1
            wireFrames &+= UInt64(cost.frames)
            bytes &+= cost.bytes
            charged &+= cost.size(overhead)
            packetCost &+= Int64(cost.frames) &* Credit.perPacket
        }
        backlogFrames &-= sent
        backlogBytes &-= Int(bytes)
        if sent != 0 {
            charge(
                leaf, lender: lender, row, frames: wireFrames, bytes: bytes, turn: Int32(truncatingIfNeeded: charged),
                cost: charged &* Credit.perByte, packetCost: packetCost, at: now)
        }
        if index == FrameNode.none { deactivate(leaf: leaf) }
        // If the root is not the lender, it has not been charged yet.
        updateModes(from: leaf, upTo: lender == 1 ? 0 : 1, at: now)
        // If the lender no longer lends, it may depend on the root whether another class does.
        if owedFrames != 0, lender != leaf, currentMode(lender) != Mode.canSend { chargeRoot(at: now) }
        if index != FrameNode.none { noteLeft(waiting: leaf) }
        return sent
    }

    /// Charges frames as HTB does, from the leaf to the root (htb_charge_class): every class pays from its ceiling; the lender and all classes above it also
    /// pay from their floors. Turns are charged up to the lender. A root that is not the lender is charged later: see `chargeRoot`.
    @_noLocks @inline(__always)
    private mutating func charge(
        _ leaf: ClassID, lender: ClassID, _ row: Int, frames: UInt64, bytes: UInt32, turn: Int32, cost: Int64,
        packetCost: Int64, at now: Nanoseconds
    ) {
        let priority = row & 7, spendsSavings = row >= Self.saversRow
        var id = leaf
        var lends = false
        while id != 0 {
            if id == 1, lender != 1 {
                owedFrames &+= frames
                owedCharge &+= cost
                break
            }
            let state = states + Int(id)
            let flags = state.pointee.flags
            let parent = state.pointee.parent
            if lends { refill(id, at: now) }
            if flags & ClassFlags.meteredCeiling != 0 {
                state.pointee.ceilingTokens = Credit.charged(state.pointee.ceilingTokens, cost)
            }
            if id == lender {
                lends = true
                payRowTurn(id, row, turn)
            } else if !lends {
                payFeedTurn(id, parent, priority, turn)
            }
            if lends, flags & ClassFlags.meteredFloor != 0 {
                state.pointee.floorTokens = Credit.charged(state.pointee.floorTokens, cost)
            }
            if flags & ClassFlags.extra != 0 {
                if spendsSavings, lends { spendSavings(id, cost) }
                chargeExtra(id, lends: lends, cost: cost, packetCost: packetCost)
            }
            if flags & ClassFlags.shared != 0, id != leaf, !lends || id == lender { noteLent(id, lends: lends, cost: cost) }
            id = parent
        }
        countSent(by: leaf, lender: lender, frames: frames, bytes: UInt64(bytes))
    }

    /// Charges the root for what was sent on floors below it: once for as many frames as possible, before its mode is needed and before a call ends.
    @_noLocks
    mutating func chargeRoot(at now: Nanoseconds) {
        payRoot(at: now)
        if states[1].active != 0 { updateMode(1, at: now) }
    }

    /// Charges the root, whose mode is the caller's to update.
    @_noLocks @inline(__always)
    mutating func payRoot(at now: Nanoseconds) {
        refill(1, at: now)
        let state = states + 1
        let flags = state.pointee.flags
        if flags & ClassFlags.meteredCeiling != 0 { state.pointee.ceilingTokens = Credit.charged(state.pointee.ceilingTokens, owedCharge) }
        if flags & ClassFlags.meteredFloor != 0 { state.pointee.floorTokens = Credit.charged(state.pointee.floorTokens, owedCharge) }
        if flags & ClassFlags.extra != 0 {
            chargeExtra(1, lends: true, cost: owedCharge, packetCost: Int64(bitPattern: owedFrames) &* Credit.perPacket)
        }
        owedFrames = 0
        owedCharge = 0
    }

    @_noLocks @inline(__always)
    mutating func payRowTurn(_ id: ClassID, _ row: Int, _ turn: Int32) {
        let state = states + Int(id)
        state.pointee.rowDeficit &-= turn
        guard state.pointee.rowDeficit < 0 else { return }
        state.pointee.rowDeficit &+= profile(of: id).pointee.quantum
        if row >= Self.saversRow { rotateSavers(row: row) } else { rotate(row: row) }
    }

    @_noLocks @inline(__always)
    mutating func payFeedTurn(_ id: ClassID, _ parent: ClassID, _ priority: Int, _ turn: Int32) {
        let place = slot(id, priority)
        place.pointee.feedDeficit &-= turn
        guard place.pointee.feedDeficit < 0 else { return }
        place.pointee.feedDeficit &+= feedQuantum(id)
        rotate(slots + (Int(parent) &* 8 &+ priority), place, round: round(id, priority), priority)
    }

    /// Counts what a leaf sent. Only leaves count: what all classes above them sent and lent follows from that (`ClassTotals`).
    @_noLocks @inline(__always)
    mutating func countSent(by leaf: ClassID, lender: ClassID, frames: UInt64, bytes: UInt64) {
        let level = leaf == lender ? ClassState.nobody : states[Int(lender)].level
        if _slowPath(states[Int(leaf)].lender != level) { change(lenderOf: leaf, to: level) }
        states[Int(leaf)].sentBytes &+= bytes
        states[Int(leaf)].sentFrames &+= frames
    }
}
