/// The shortest ways: a plain leaf (no peak, packet rates, CoDel or leases) that is within its floor. They do what the general ways do,
/// with less to look at.
extension ClassTree {
    @_noLocks @inline(__always)
    private func refillPlain(_ state: UnsafeMutablePointer<ClassState>, _ flags: UInt8, at now: Nanoseconds) {
        let elapsed = now &- state.pointee.checkpoint
        guard now > state.pointee.checkpoint else { return }
        state.pointee.checkpoint = now
        if flags & ClassFlags.meteredFloor != 0 {
            state.pointee.floorTokens = Credit.refilled(
                state.pointee.floorTokens, rate: state.pointee.floorRate, elapsed: elapsed,
                burst: Int64(state.pointee.floorBurst) &* Credit.perByte)
        }
        if flags & ClassFlags.meteredCeiling != 0 {
            state.pointee.ceilingTokens = Credit.refilled(
                state.pointee.ceilingTokens, rate: state.pointee.ceilingRate, elapsed: elapsed,
                burst: Int64(state.pointee.ceilingBurst) &* Credit.perByte)
        }
    }

    /// True if the leaf joined its row; false if the general way must decide.
    @_noLocks @inline(__always)
    mutating func joinInFloor(_ leaf: ClassID, at now: Nanoseconds) -> Bool {
        let state = states + Int(leaf), node = nodes + Int(leaf)
        let flags = state.pointee.flags
        guard flags & (ClassFlags.special | ClassFlags.meteredFloor) == ClassFlags.meteredFloor else { return false }
        refillPlain(state, flags, at: now)
        // Buckets without a rate stay at their depth.
        guard (state.pointee.floorTokens | state.pointee.ceilingTokens) >= 0 else { return false }
        let priority = Int(node.pointee.priority)
        let bit: UInt8 = 1 &<< node.pointee.priority
        state.pointee.mode = Mode.canSend
        state.pointee.active = bit
        state.pointee.inRow = bit
        node.pointee.slot.exhausted = exhaustions
        let head = rowHeads[priority]
        if head == 0 {
            node.pointee.slot.rowNext = leaf
            node.pointee.slot.rowPrevious = leaf
            rowHeads[priority] = leaf
            rows |= 1 &<< UInt64(priority)
        } else {
            let tail = nodes[Int(head)].slot.rowPrevious
            node.pointee.slot.rowNext = head
            node.pointee.slot.rowPrevious = tail
            nodes[Int(head)].slot.rowPrevious = leaf
            nodes[Int(tail)].slot.rowNext = leaf
        }
        return true
    }

    /// Serves the first leaf of a row of leaves in their floors. 0: the general way must.
    @_noLocks @inline(__always)
    mutating func serveInFloor(row: Int, into: UnsafeMutablePointer<ScheduledFrame>, limit: Int, at now: Nanoseconds) -> Int {
        let leaf = rowHeads[row]
        let state = states + Int(leaf), node = nodes + Int(leaf)
        let flags = state.pointee.flags
        let turn = node.pointee.rowDeficit
        let output = node.pointee.output
        guard turn >= 0, leaf != 1, flags & ClassFlags.special == 0, outputStates[Int(output)].isParked == 0 else { return 0 }
        noteTurn(of: leaf)
        refillPlain(state, flags, at: now)
        var budget = Int64(turn) &* Credit.perByte
        if flags & ClassFlags.meteredFloor != 0, state.pointee.floorTokens < budget { budget = state.pointee.floorTokens }
        if flags & ClassFlags.meteredCeiling != 0, state.pointee.ceilingTokens < budget { budget = state.pointee.ceilingTokens }

        var index = node.pointee.head
        var sent = 0, bytes: UInt32 = 0
        var charged: Int64 = 0, cost: Int64 = 0
        repeat {
            let frame = frames + Int(index)
            let length = frame.pointee.length
            into[sent] = ScheduledFrame(
                handle: frame.pointee.handle, length: length, tag: frame.pointee.tag, leaf: leaf, output: output)
            let next = frame.pointee.next
            release(index)
            index = next
            sent &+= 1
            bytes &+= length
            let size = Int64(length) &+ overhead
            charged &+= size > 0 ? size : 0
            cost = charged &* Credit.perByte
        } while index != 0 && sent < limit && cost <= budget

        node.pointee.head = index
        node.pointee.count &-= UInt32(truncatingIfNeeded: sent)
        node.pointee.bytes &-= bytes
        node.pointee.sentFrames &+= UInt64(truncatingIfNeeded: sent)
        backlogFrames &-= sent
        backlogBytes &-= Int(bytes)
        state.pointee.sentBytes &+= UInt64(bytes)
        if flags & ClassFlags.meteredFloor != 0 { state.pointee.floorTokens &-= cost }
        if flags & ClassFlags.meteredCeiling != 0 { state.pointee.ceilingTokens &-= cost }
        var rest = turn &- Int32(truncatingIfNeeded: charged)
        if rest < 0 {
            rest &+= node.pointee.quantum
            rowHeads[row] = node.pointee.slot.rowNext
        }
        node.pointee.rowDeficit = rest
        chargeAncestors(of: state.pointee.parent, frames: sent, bytes: bytes, cost: cost, at: now)
        if index == 0 {
            leaveIdle(leaf, state, node, row)
        } else if (state.pointee.floorTokens | state.pointee.ceilingTokens) < 0 {
            updateMode(leaf, at: now)
        }
        if owedByActive { updateAncestors(of: leaf, at: now) }
        if index != 0 { noteLeft(waiting: leaf) }
        return sent
    }

    /// Takes an emptied leaf out of its row, and out of its parent's feed if it still hangs there.
    @_noLocks @inline(__always)
    private mutating func leaveIdle(
        _ leaf: ClassID, _ state: UnsafeMutablePointer<ClassState>, _ node: UnsafeMutablePointer<ClassNode>, _ row: Int
    ) {
        if state.pointee.inFeed != 0 { return deactivate(leaf: leaf) }
        state.pointee.active = 0
        state.pointee.inRow = 0
        let next = node.pointee.slot.rowNext
        if next == leaf {
            rowHeads[row] = 0
            rows &= ~(1 &<< UInt64(row))
            return
        }
        let previous = node.pointee.slot.rowPrevious
        nodes[Int(next)].slot.rowPrevious = previous
        nodes[Int(previous)].slot.rowNext = next
        if rowHeads[row] == leaf { rowHeads[row] = next }
    }

    /// Charges all ancestors below the root; the root's charge is collected.
    @_noLocks @inline(__always)
    private mutating func chargeAncestors(of parent: ClassID, frames: Int, bytes: UInt32, cost: Int64, at now: Nanoseconds) {
        var id = parent
        var active: UInt8 = 0
        while id != 1 {
            let state = states + Int(id)
            let flags = state.pointee.flags
            if flags & ClassFlags.special != 0 {
                chargeSpecial(id, frames: frames, cost: cost, at: now)
            } else {
                refillPlain(state, flags, at: now)
                if flags & ClassFlags.meteredCeiling != 0 {
                    state.pointee.ceilingTokens = Credit.charged(state.pointee.ceilingTokens, cost)
                }
                if flags & ClassFlags.meteredFloor != 0 { state.pointee.floorTokens = Credit.charged(state.pointee.floorTokens, cost) }
            }
            state.pointee.sentBytes &+= UInt64(bytes)
            nodes[Int(id)].sentFrames &+= UInt64(truncatingIfNeeded: frames)
            active |= state.pointee.active
            id = state.pointee.parent
        }
        owedFrames &+= UInt64(truncatingIfNeeded: frames)
        owedBytes &+= UInt64(bytes)
        owedCharge &+= cost
        owedByActive = active != 0
    }

    @_noLocks @inline(never)
    private mutating func chargeSpecial(_ id: ClassID, frames: Int, cost: Int64, at now: Nanoseconds) {
        refill(id, at: now)
        let state = states + Int(id)
        let flags = state.pointee.flags
        if flags & ClassFlags.meteredCeiling != 0 { state.pointee.ceilingTokens = Credit.charged(state.pointee.ceilingTokens, cost) }
        if flags & ClassFlags.meteredFloor != 0 { state.pointee.floorTokens = Credit.charged(state.pointee.floorTokens, cost) }
        if flags & ClassFlags.extra != 0 {
            chargeExtra(id, lends: true, cost: cost, packetCost: Int64(truncatingIfNeeded: frames) &* Credit.perPacket)
        }
    }

    @_noLocks @inline(never)
    private mutating func updateAncestors(of leaf: ClassID, at now: Nanoseconds) {
        var id = states[Int(leaf)].parent
        while id != 1 {
            if states[Int(id)].active != 0 { updateMode(id, at: now) }
            id = states[Int(id)].parent
        }
    }
}
