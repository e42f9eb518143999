/// The shortest ways: a plain leaf (no peak, packet rates, CoDel or leases) that is within its floor. They do what the general ways do,
/// with less to look at.
extension ClassTree {
    /// True if the leaf joined its row; false if the general way must decide. The leaf has just got its first frame and its output is open.
    @_noLocks @inline(__always)
    mutating func joinInFloor(_ leaf: ClassID, at now: Nanoseconds) -> Bool {
        let state = states + Int(leaf), node = nodes + Int(leaf)
        let flags = state.pointee.flags
        guard flags & ClassFlags.special == 0, flags & (ClassFlags.meteredFloor | ClassFlags.endlessFloor) != 0 else { return false }
        // Tokens only grow while a leaf is idle.
        if (state.pointee.floorTokens | state.pointee.ceilingTokens) < 0 {
            state.pointee.refillPlain(at: now)
            guard (state.pointee.floorTokens | state.pointee.ceilingTokens) >= 0 else { return false }
        }
        let bit: UInt8 = 1 &<< node.pointee.priority
        state.pointee.mode = Mode.canSend
        state.pointee.active = bit
        state.pointee.inRow = bit
        node.pointee.slot.exhausted = exhaustions
        append(leaf, node, toLeafRow: Int(node.pointee.priority))
        return true
    }

    /// Serves a row of leaves in their floors from its head, until it is empty, `limit` frames are sent, or the general way must look at
    /// its head. The root is not charged yet: see `chargeRoot`.
    @_noLocks
    mutating func serveLeaves(row: Int, into: UnsafeMutablePointer<ScheduledFrame>, limit: Int, at now: Nanoseconds) -> Int {
        var place = Place(next: into, room: limit)
        while place.room > 0, rows &>> UInt64(row) & 1 != 0 {
            let leaf = rowHeads[row]
            let state = states + Int(leaf), node = nodes + Int(leaf)
            let turn = node.pointee.rowDeficit
            guard turn >= 0, state.pointee.flags & ClassFlags.special == 0,
                parkedOutputs == 0 || outputStates[Int(node.pointee.output)].isParked == 0 else { break }
            if node.pointee.slot.exhausted != exhaustions { noteTurn(of: leaf) }

            state.pointee.refillPlain(at: now)
            let credit = min(state.pointee.floorTokens, state.pointee.ceilingTokens)
            let taken = take(leaf, node, into: &place, budget: min(Int64(turn) &* Credit.perByte, credit))
            let isSpent = state.pointee.chargePlain(taken.cost)
            state.pointee.sentBytes &+= UInt64(taken.bytes)
            let activeAncestors = payAncestors(of: state.pointee.parent, taken, at: now)
            owedBytes &+= UInt64(taken.bytes)
            owedCharge &+= taken.cost

            let rest = turn &- Int32(truncatingIfNeeded: taken.charged)
            node.pointee.rowDeficit = rest < 0 ? rest &+ node.pointee.quantum : rest
            if taken.next == 0 {
                if state.pointee.inFeed == 0 {
                    state.pointee.active = 0
                    state.pointee.inRow = 0
                    removeHead(ofLeafRow: row, next: node.pointee.slot.rowNext)
                } else {
                    deactivate(leaf: leaf)
                }
                if activeAncestors != 0 { updateAncestors(of: leaf, at: now) }
            } else {
                if rest < 0 { rotate(leafRow: row) }
                if isSpent { updateMode(leaf, at: now) }
                if activeAncestors != 0 { updateAncestors(of: leaf, at: now) }
                noteLeft(waiting: leaf)
            }
        }
        let sent = limit &- place.room
        owedFrames &+= UInt64(truncatingIfNeeded: sent)
        backlogFrames &-= sent
        return sent
    }

    /// Where frames taken are written.
    struct Place {
        var next: UnsafeMutablePointer<ScheduledFrame>
        /// Frames that still fit; at least 1 when frames are taken.
        var room: Int

        @_noLocks @inline(__always)
        init(next: UnsafeMutablePointer<ScheduledFrame>, room: Int) {
            self.next = next
            self.room = room
        }
    }

    /// What one visit to a leaf took from its queue.
    struct Taken {
        var frames: UInt32
        var bytes: UInt32
        /// Bytes with overhead. A turn is at most 2^29 bytes and a frame is shorter than 2^29, so they fit 32 bits.
        var charged: Int64
        /// The same in nanobits.
        var cost: Int64
        /// The frame that is now first; 0: the queue is empty.
        var next: UInt32

        @_noLocks @inline(__always)
        init(frames: UInt32, bytes: UInt32, charged: Int64, cost: Int64, next: UInt32) {
            self.frames = frames
            self.bytes = bytes
            self.charged = charged
            self.cost = cost
            self.next = next
        }
    }

    /// Takes frames from a leaf's queue, one at least and as many as `budget` (in nanobits) allows to begin.
    @_noLocks @inline(__always)
    mutating func take(_ leaf: ClassID, _ node: UnsafeMutablePointer<ClassNode>, into place: inout Place, budget: Int64) -> Taken {
        let frames = frames, overhead = overhead, output = node.pointee.output, head = node.pointee.head
        var next = head, last = head, count: UInt32 = 0, bytes: UInt32 = 0
        var charged: Int64 = 0, cost: Int64 = 0
        repeat {
            let frame = frames + Int(next)
            let length = frame.pointee.length
            place.next.pointee = ScheduledFrame(
                handle: frame.pointee.handle, length: length, tag: frame.pointee.tag, leaf: leaf, output: output)
            place.next += 1
            place.room &-= 1
            last = next
            next = frame.pointee.next
            count &+= 1
            bytes &+= length
            let size = Int64(length) &+ overhead
            charged &+= size > 0 ? size : 0
            cost = charged &* Credit.perByte
        } while next != 0 && place.room != 0 && cost <= budget
        release(head, last, count: count)
        node.pointee.head = next
        node.pointee.count &-= count
        node.pointee.bytes &-= bytes
        node.pointee.sentFrames &+= UInt64(count)
        backlogBytes &-= Int(bytes)
        return Taken(frames: count, bytes: bytes, charged: charged, cost: cost, next: next)
    }

    /// Charges all ancestors below the root. Not 0 if one of them is active, so that its mode may have changed.
    @_noLocks @inline(__always)
    mutating func payAncestors(of parent: ClassID, _ taken: Taken, at now: Nanoseconds) -> UInt8 {
        var id = parent
        var active: UInt8 = 0
        while id != 1 {
            let state = states + Int(id)
            let flags = state.pointee.flags
            if flags & ClassFlags.special == 0 {
                state.pointee.refillPlain(at: now)
                _ = state.pointee.chargePlain(taken.cost)
            } else {
                paySpecial(id, frames: taken.frames, cost: taken.cost, at: now)
            }
            state.pointee.sentBytes &+= UInt64(taken.bytes)
            nodes[Int(id)].sentFrames &+= UInt64(taken.frames)
            active |= state.pointee.active
            id = state.pointee.parent
        }
        return active
    }

    @_noLocks @inline(never)
    private mutating func paySpecial(_ id: ClassID, frames: UInt32, cost: Int64, at now: Nanoseconds) {
        refill(id, at: now)
        let state = states + Int(id)
        let flags = state.pointee.flags
        if flags & ClassFlags.meteredCeiling != 0 { state.pointee.ceilingTokens = Credit.charged(state.pointee.ceilingTokens, cost) }
        if flags & ClassFlags.meteredFloor != 0 { state.pointee.floorTokens = Credit.charged(state.pointee.floorTokens, cost) }
        if flags & ClassFlags.extra != 0 {
            chargeExtra(id, lends: true, cost: cost, packetCost: Int64(frames) &* Credit.perPacket)
        }
    }

    @_noLocks @inline(never)
    mutating func updateAncestors(of leaf: ClassID, at now: Nanoseconds) {
        var id = states[Int(leaf)].parent
        while id != 1 {
            if states[Int(id)].active != 0 { updateMode(id, at: now) }
            id = states[Int(id)].parent
        }
    }
}

