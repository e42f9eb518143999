/// Past the queue: where nothing waits that could leave now, a frame that may leave at once needs no place in it (Linux calls that a
/// qdisc's bypass, TCQ_F_CAN_BYPASS). What is charged and counted is what an enqueue followed by a dequeue would.
extension ClassTree {
    /// Whether asking `bypass` is of use: no leaf could send now.
    @inline(__always)
    public var mayBypass: Bool { @_noLocks get { rows == 0 && arrived == 0 } }

    /// Lets as many of a run of frames to one leaf leave at once as every bucket on their way allows. They are charged, and the caller's to
    /// send to the leaf's output, in order; the rest, from the first that must wait, are the caller's to enqueue.
    ///
    /// None pass while another leaf could send, while the leaf itself has a backlog, or while its output is parked, so that a frame that
    /// passes overtakes nobody. Turns are not touched: they are for those who wait.
    ///
    /// - Parameter lengths: of `count` frames, in bytes, as for `enqueue`.
    /// - Returns: how many passed.
    @_noLocks
    public mutating func bypass(_ lengths: UnsafePointer<UInt32>, count: Int, to leaf: ClassID, at now: Nanoseconds) -> Int {
        latest = now
        if wheel.nextDue <= now { wake(at: now) }
        guard rows == 0, arrived == 0, Self.has(leaves, leaf) else { return 0 }
        let node = nodes + Int(leaf)
        guard node.pointee.count == 0, states[Int(leaf)].flags & ClassFlags.codel == 0, outputStates[Int(node.pointee.output)].isParked == 0 else {
            return 0
        }
        let passedInFloor = passInFloor(lengths, count: count, leaf, at: now)
        if passedInFloor != 0 { return passedInFloor }
        let passedBorrowing = passBorrowing(lengths, count: count, leaf, at: now)
        if passedBorrowing != 0 { return passedBorrowing }
        var budget = Int64.max, packets = Int64.max
        let lender = findLender(leaf, &budget, &packets, at: now)
        if lender == 0 { return 0 }

        var passed = 0, bytes: UInt32 = 0
        var charged: Int64 = 0, packetCost: Int64 = 0
        while passed < count, charged &* Credit.perByte <= budget, packetCost <= packets {
            bytes &+= lengths[passed]
            charged &+= max(Int64(lengths[passed]) &+ overhead, 0)
            packetCost &+= Credit.perPacket
            passed &+= 1
        }
        chargeBypass(leaf, lender, frames: passed, bytes: bytes, cost: charged &* Credit.perByte, packetCost: packetCost, at: now)
        return passed
    }

    /// The short way of a plain leaf within its floor; 0: the general way must decide.
    @_noLocks @inline(__always)
    private mutating func passInFloor(_ lengths: UnsafePointer<UInt32>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        let state = states + Int(leaf)
        let flags = state.pointee.flags
        guard count > 0, flags & ClassFlags.special == 0, flags & (ClassFlags.meteredFloor | ClassFlags.endlessFloor) != 0 else { return 0 }
        state.pointee.refillPlain(at: now)
        guard state.pointee.isInFloor else { return 0 }
        let taken = measure(lengths, count: count, credit: min(state.pointee.floorTokens, state.pointee.ceilingTokens))
        _ = state.pointee.chargePlain(taken.cost)
        state.pointee.sentBytes &+= UInt64(taken.bytes)
        nodes[Int(leaf)].sentFrames &+= UInt64(taken.frames)
        if payAncestors(of: state.pointee.parent, taken, at: now) != 0 { updateAncestors(of: state, at: now) }
        owe(taken, at: now)
        return Int(taken.frames)
    }

    /// The short way of a leaf that borrows, all classes from it to the lender being plain, except that the lender may be a root without
    /// peak, packet rates and leases; 0: the general way must decide.
    @_noLocks @inline(__always)
    private mutating func passBorrowing(_ lengths: UnsafePointer<UInt32>, count: Int, _ leaf: ClassID, at now: Nanoseconds) -> Int {
        if count == 0 || leaf == 1 { return 0 }
        var lender = leaf
        var credit = Int64.max
        while true {
            let state = states + Int(lender)
            if lender == 1 {
                guard rootLends(&credit, at: now) else { return 0 }
                break
            }
            if state.pointee.flags & ClassFlags.special != 0 { return 0 }
            state.pointee.refillPlain(at: now)
            credit = min(credit, state.pointee.ceilingTokens)
            if state.pointee.isInFloor {
                credit = min(credit, state.pointee.floorTokens)
                break
            }
            if !state.pointee.mayOnlyBorrow { return 0 }
            lender = state.pointee.parent
        }
        let above = states + Int(lender)
        let taken = measure(lengths, count: count, credit: credit)
        let frames = UInt64(taken.frames), bytes = UInt64(taken.bytes)
        var id = leaf
        var active: UInt8 = 0
        while id != lender {
            let state = states + Int(id)
            _ = state.pointee.chargeCeiling(taken.cost)
            state.pointee.sentBytes &+= bytes
            nodes[Int(id)].sentFrames &+= frames
            countLoan(of: id, fromLevel: above.pointee.level, frames: frames, bytes: taken.bytes)
            active |= state.pointee.active
            id = state.pointee.parent
        }
        blocks[Int(lender)].lentFrames &+= frames
        blocks[Int(lender)].lentBytes &+= bytes
        if lender != 1 {
            _ = above.pointee.chargePlain(taken.cost)
            above.pointee.sentBytes &+= bytes
            nodes[Int(lender)].sentFrames &+= frames
            active |= above.pointee.active | payAncestors(of: above.pointee.parent, taken, at: now)
        }
        owe(taken, at: now)
        if active != 0 { updateCharged(leaf, at: now) }
        return Int(taken.frames)
    }

    /// Whether the root can send, and what it allows.
    @_noLocks @inline(__always)
    private mutating func rootLends(_ credit: inout Int64, at now: Nanoseconds) -> Bool {
        let state = states + 1
        let flags = state.pointee.flags
        if flags & (ClassFlags.extra | ClassFlags.shared | ClassFlags.codel) != 0 { return false }
        refill(1, at: now)
        if currentMode(1) != Mode.canSend { return false }
        if flags & ClassFlags.meteredCeiling != 0 { credit = min(credit, state.pointee.ceilingTokens) }
        if flags & ClassFlags.meteredFloor != 0 { credit = min(credit, state.pointee.floorTokens) }
        return true
    }

    /// As many of the frames as credit allows: each is sent whole while there is any.
    @_noLocks @inline(__always)
    private func measure(_ lengths: UnsafePointer<UInt32>, count: Int, credit: Int64) -> Taken {
        var taken = Taken(frames: 0, bytes: 0, charged: 0, cost: 0, next: 0)
        repeat {
            let length = lengths[Int(taken.frames)]
            taken.frames &+= 1
            taken.bytes &+= length
            taken.charged &+= max(Int64(length) &+ overhead, 0)
            taken.cost = taken.charged &* Credit.perByte
        } while Int(taken.frames) < count && taken.cost <= credit
        return taken
    }

    /// Charges the root.
    @_noLocks @inline(__always)
    private mutating func owe(_ taken: Taken, at now: Nanoseconds) {
        owedFrames &+= UInt64(taken.frames)
        owedBytes &+= UInt64(taken.bytes)
        owedCharge &+= taken.cost
        chargeRoot(at: now)
    }

    /// The class whose floor a frame of the leaf would leave on, 0 if it has to wait; and what all buckets up to it allow.
    @_noLocks @inline(__always)
    private mutating func findLender(_ leaf: ClassID, _ budget: inout Int64, _ packets: inout Int64, at now: Nanoseconds) -> ClassID {
        var id = leaf
        while id != 0 {
            refill(id, at: now)
            let state = states + Int(id)
            let flags = state.pointee.flags
            let mode = currentMode(id)
            if mode == Mode.cannotSend { return 0 }
            if flags & ClassFlags.meteredCeiling != 0 { budget = min(budget, state.pointee.ceilingTokens) }
            if flags & ClassFlags.extra != 0 { limitByExtra(id, lends: mode == Mode.canSend, &budget, &packets) }
            if mode == Mode.canSend {
                if flags & ClassFlags.meteredFloor != 0 { budget = min(budget, state.pointee.floorTokens) }
                return id
            }
            id = state.pointee.parent
        }
        return 0
    }

    @_noLocks @inline(__always)
    private mutating func chargeBypass(
        _ leaf: ClassID, _ lender: ClassID, frames: Int, bytes: UInt32, cost: Int64, packetCost: Int64, at now: Nanoseconds
    ) {
        var id = leaf
        var lends = false
        var active: UInt8 = 0
        while id != 0 {
            if lends { refill(id, at: now) } else { lends = id == lender }
            let state = states + Int(id)
            let flags = state.pointee.flags
            if flags & ClassFlags.meteredCeiling != 0 { state.pointee.ceilingTokens = Credit.charged(state.pointee.ceilingTokens, cost) }
            if lends, flags & ClassFlags.meteredFloor != 0 { state.pointee.floorTokens = Credit.charged(state.pointee.floorTokens, cost) }
            if flags & ClassFlags.extra != 0 { chargeExtra(id, lends: lends, cost: cost, packetCost: packetCost) }
            state.pointee.sentBytes &+= UInt64(bytes)
            nodes[Int(id)].sentFrames &+= UInt64(truncatingIfNeeded: frames)
            active |= state.pointee.active
            id = state.pointee.parent
        }
        if leaf != lender { countLoan(leaf, lender, frames: frames, bytes: bytes) }
        if active != 0 { updateCharged(leaf, at: now) }
    }

    /// Others wait below an ancestor that was charged.
    @_noLocks @inline(never)
    private mutating func updateCharged(_ leaf: ClassID, at now: Nanoseconds) {
        var id = leaf
        while id != 0 {
            if states[Int(id)].active != 0 { updateMode(id, at: now) }
            id = states[Int(id)].parent
        }
    }
}
