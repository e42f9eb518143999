/// Changes, by the owning lcore between two turns. None allocates; each costs the same whatever the tree holds.
extension ClassTree {
    /// Adds a leaf with full buckets. A parent that was a leaf until now stops being one: its queue moves to the new child if both
    /// deliver to the same output, and is given up (see `takeDropped`) otherwise.
    @_noLocks
    public mutating func add(_ id: ClassID, under parent: ClassID, _ p: ClassParameters, at now: Nanoseconds) -> ChangeVerdict {
        guard id > 1 else { return .reservedID }
        guard Int(id) < classes else { return .idOutOfRange }
        guard !Self.has(existing, id) else { return .alreadyExists }
        guard Int(parent) < classes, Self.has(existing, parent) else { return .unknownParent }
        guard p.ceiling != 0, Int(p.output) < outputs, !p.queuesFlows || flowTables[Int(id)] != nil else { return .badParameters }
        guard depth(of: parent) < 7 else { return .tooDeep }
        activateArrivals(at: now)
        initialize(id, under: parent, p, at: now)
        if Self.has(leaves, parent) {
            becomeParent(parent, of: id, at: now)
            readmit(leaf: id, at: now)
        }
        nodes[Int(parent)].children &+= 1
        return .done
    }

    /// Takes new parameters over and keeps tokens, turn and queue. A shallower bucket keeps what fits in it; a bucket that was not
    /// there is full. The queue is kept even where it exceeds a new limit.
    @_noLocks
    public mutating func change(_ id: ClassID, _ p: ClassParameters, at now: Nanoseconds) -> ChangeVerdict {
        guard Int(id) < classes, Self.has(existing, id) else { return .unknownClass }
        guard p.ceiling != 0, Int(p.output) < outputs, !p.queuesFlows || flowTables[Int(id)] != nil else { return .badParameters }
        activateArrivals(at: now)
        let isLeaf = states[Int(id)].level == 0
        let active = states[Int(id)].active
        // Out of every list under the old parameters, in again under the new ones.
        if isLeaf { withdraw(leaf: id) } else { setAside(id) }
        refill(id, at: now)
        let held = hasLimits(id), queuedFlows = queuesFlows(id)
        if !p.queuesFlows { joinFlows(of: id) }
        configure(id, p, existed: true, at: now)
        // The root may be free earlier.
        if saverRows != 0 { saversDue = 0 }
        if !isLeaf, id != 1 { limitedInners &+= (hasLimits(id) ? 1 : 0) &- (held ? 1 : 0) }
        if isLeaf, !queuedFlows { inheritQueue(id) }
        disarm(id)
        comeBackForLeases(of: id, at: now)
        if isLeaf {
            readmit(leaf: id, at: now)
        } else if active != 0 {
            attach(id, active, returns: false, at: now)
        }
        return .done
    }

    /// Charges `bytes` more for each frame on the wire from now on, the queued ones included: as `overhead` of `create`.
    @_noLocks
    public mutating func change(overhead bytes: Int) { overhead = Self.bounded(overhead: bytes) }

    /// Removes a class without children. A parent that loses its last child is a leaf again.
    ///
    /// - Parameter heir: the leaf that takes its frames over, behind those it has, and those that still come for it (see `heir(of:)`): one that
    ///   delivers to the same output, or the parent that becomes a leaf with this. Without such a one its frames are given up (see `takeDropped`)
    ///   and counted in `droppedByRemoval`.
    @_noLocks
    public mutating func remove(_ id: ClassID, leavingTo heir: ClassID = 0, at now: Nanoseconds) -> ChangeVerdict {
        guard id > 1 else { return .reservedID }
        guard Int(id) < classes, Self.has(existing, id) else { return .unknownClass }
        guard Self.has(leaves, id) else { return .hasChildren }
        activateArrivals(at: now)
        let parent = states[Int(id)].parent
        let isTaken = heir != id && Int(heir) < classes && (Self.has(leaves, heir) || heir == parent && nodes[Int(parent)].children == 1)
            && profile(of: heir).pointee.output == profile(of: id).pointee.output
        withdraw(leaf: id)
        let queue = isTaken ? removeQueue(of: id) : nil
        if !isTaken { giveUpQueue(id) }
        if queuesFlows(id) {
            codels[Int(id)].flows = nil
            flowClasses &-= 1
        }
        disarm(id)
        forgetLeases(of: id)
        Self.set(existing, id, false)
        Self.set(leaves, id, false)
        states[Int(id)].tail = 0
        profileTable.release(states[Int(id)].profile)
        states[Int(id)].profile = ProfileTable.none
        leaveCounters(of: id, to: parent)
        nodes[Int(id)].heir = isTaken ? UInt32(heir) : 0
        loseChild(id, of: parent, heir: isTaken && heir != parent ? heir : 0)
        if let queue { append(queue, to: heir, at: now) }
        return .done
    }

    /// Takes a class without children under another parent. Its queue, tokens, parameters and counters stay its own; what it sent and dropped so far
    /// goes on counting for the parents it had then. A parent that loses its last child is a leaf again, one that gets its first is none any more: see `add`.
    @_noLocks
    public mutating func move(_ id: ClassID, under parent: ClassID, at now: Nanoseconds) -> ChangeVerdict {
        guard id > 1 else { return .reservedID }
        guard Int(id) < classes, Self.has(existing, id) else { return .unknownClass }
        guard Self.has(leaves, id) else { return .hasChildren }
        guard Int(parent) < classes, parent != id, Self.has(existing, parent) else { return .unknownParent }
        guard depth(of: parent) < 7 else { return .tooDeep }
        let old = states[Int(id)].parent
        if parent == old { return .done }
        activateArrivals(at: now)
        // A leaf whose output is full is in no list of the tree.
        let isParked = states[Int(id)].flags & ClassFlags.parked != 0
        if !isParked { withdraw(leaf: id) }
        disarm(id)
        if Self.has(leaves, parent) { becomeParent(parent, of: id, at: now) }
        nodes[Int(parent)].children &+= 1
        leaveHistory(of: id, to: old, movingTo: parent)
        states[Int(id)].parent = parent
        loseChild(id, of: old, heir: 0)
        comeBackForLeases(of: id, at: now)
        if !isParked { readmit(leaf: id, at: now) }
        return .done
    }

    /// The leaf that takes the frames of a class that was a leaf and is a parent now, or is gone; 0: there is none. Who still has frames for
    /// that class gives them to this leaf, behind what it took over.
    @_noLocks
    public func heir(of id: ClassID) -> ClassID {
        var id = id
        while id != 0, Int(id) < classes {
            if Self.has(leaves, id) { return id }
            id = ClassID(truncatingIfNeeded: nodes[Int(id)].heir)
        }
        return 0
    }

    /// A class has a child less; the last makes it a leaf again.
    @_noLocks
    private mutating func loseChild(_ child: ClassID, of id: ClassID, heir: ClassID) {
        if nodes[Int(id)].heir == UInt32(child) { nodes[Int(id)].heir = UInt32(heir) }
        nodes[Int(id)].children &-= 1
        if nodes[Int(id)].children != 0 { return }
        inners &-= 1
        states[Int(id)].level = 0
        states[Int(id)].tail = FrameNode.none
        nodes[Int(id)].framesAhead = 0
        nodes[Int(id)].bytesAhead = 0
        states[Int(id)].noticedExhaustion = 0
        nodes[Int(id)].slot = PrioritySlot.unlinked(deficit: profile(of: id).pointee.quantum)
        nodes[Int(id)].heir = 0
        Self.set(leaves, id, true)
        if id != 1, hasLimits(id) { limitedInners &-= 1 }
    }

    /// Whether a class of this id exists.
    @_noLocks
    public func exists(_ id: ClassID) -> Bool { Self.has(existing, id) }

    @_noLocks
    mutating func initialize(_ id: ClassID, under parent: ClassID, _ p: ClassParameters, at now: Nanoseconds) {
        states[Int(id)] = ClassState(under: parent, at: now)
        nodes[Int(id)] = ClassNode()
        blocks[Int(id)] = CounterBlock()
        configure(id, p, existed: false, at: now)
        states[Int(id)].rowDeficit = profile(of: id).pointee.quantum
        nodes[Int(id)].slot.feedDeficit = profile(of: id).pointee.quantum
        Self.set(existing, id, true)
        Self.set(leaves, id, true)
    }

    /// Writes what follows from the parameters. The class is in no list and its tokens are up to date.
    @_noLocks
    private mutating func configure(_ id: ClassID, _ p: ClassParameters, existed: Bool, at now: Nanoseconds) {
        let state = states + Int(id), node = nodes + Int(id)
        let old = existed ? state.pointee.flags : 0
        let queuedFlows = existed && queuesFlows(id)
        let leased = existed ? leasedRates(of: id) : LeasedRates()
        var flags: UInt8 = 0
        // A root without a floor guarantees all it may send.
        let floor = p.floor == 0 && id == 1 ? p.ceiling : p.floor
        if floor >= Credit.endlessRate || floor == 0 && p.floorPackets != 0 {
            flags |= ClassFlags.endlessFloor
        } else if floor != 0 {
            flags |= ClassFlags.meteredFloor
        }
        if p.ceiling < Credit.endlessRate { flags |= ClassFlags.meteredCeiling }
        let hasFloor = flags & ClassFlags.meteredFloor != 0, hasCeiling = flags & ClassFlags.meteredCeiling != 0
        var burst = hasFloor ? Credit.depth(p.burst, rate: floor) : UInt32(Credit.mostBytes)
        // What there is at hand is the root's all.
        let atHand = hasFloor && id != 1 ? Self.atHand(rate: floor) : UInt32(Credit.mostBytes)
        if shared != nil { burst = min(burst, atHand) }
        if p.peak != 0 || p.floorPackets != 0 || p.ceilingPackets != 0 || burst > atHand { flags |= ClassFlags.extra }
        if existed { endCounts(of: id, goingOn: (p.codelTarget != 0 || p.queuesFlows, flags & ClassFlags.extra != 0)) }
        if p.codelTarget != 0 || p.queuesFlows { flags |= ClassFlags.codel }
        if flags & ClassFlags.meteredFloor != 0 && floor > Credit.mostShortRate
            || flags & ClassFlags.meteredCeiling != 0 && p.ceiling > Credit.mostShortRate {
            flags |= ClassFlags.steep
        }
        // As a leaf the root has no one above it, which the short ways rely on.
        if id == 1 { flags |= ClassFlags.steep }
        // A bucket without a rate: see `PlainBuckets`.
        let ceilingBurst = hasCeiling ? Credit.depth(p.ceilingBurst, rate: p.ceiling) : UInt32(Credit.mostBytes)
        let fullFloor = Int64(burst) * Credit.perByte, fullCeiling = Int64(ceilingBurst) * Credit.perByte
        let quantum = Int32(min(max(p.quantum, ClassParameters.leastQuantum), 1 << 29))
        let keepsFloor = old & flags & ClassFlags.meteredFloor != 0, keepsCeiling = old & flags & ClassFlags.meteredCeiling != 0
        state.pointee.floorTokens = keepsFloor ? min(state.pointee.floorTokens, fullFloor) : fullFloor
        state.pointee.ceilingTokens = keepsCeiling ? min(state.pointee.ceilingTokens, fullCeiling) : fullCeiling
        // The old one first: there are no more profiles than classes.
        profileTable.release(state.pointee.profile)
        state.pointee.profile = profileTable.retain(ClassProfile(
            floorRate: hasFloor ? floor : Credit.mostShortRate, ceilingRate: hasCeiling ? p.ceiling : Credit.mostShortRate, floorBurst: fullFloor,
            ceilingBurst: fullCeiling, floorReciprocal: Credit.reciprocal(floor), ceilingReciprocal: Credit.reciprocal(p.ceiling),
            limitPackets: p.limitPackets == 0 ? .max : p.limitPackets,
            limitBytes: p.limitBytes == 0 ? Charge.mostQueued : min(p.limitBytes, Charge.mostQueued), quantum: quantum, output: p.output, priority: min(p.priority, 7)))
        if flags & ClassFlags.extra != 0 {
            configureExtra(id, p, atHand: burst > atHand ? Int64(atHand) * Credit.perByte : Credit.endless, existed: old & ClassFlags.extra != 0)
        }
        if flags & ClassFlags.codel != 0 {
            if old & ClassFlags.codel == 0 { codels[Int(id)] = .idle }
            codels[Int(id)].target = p.codelTarget == 0 ? CoDelState.usualTarget : min(p.codelTarget, 1 << 33)
            codels[Int(id)].interval = min(p.codelInterval == 0 ? codels[Int(id)].target &* 20 : p.codelInterval, 1 << 38)
            if !p.queuesFlows { (codels[Int(id)].newFlows, codels[Int(id)].oldFlows) = (0, 0) }
            codels[Int(id)].flows = p.queuesFlows ? flowTables[Int(id)] : nil
        }
        if shared != nil { flags |= ClassFlags.shared }
        state.pointee.flags = flags
        flowClasses &+= (queuesFlows(id) ? 1 : 0) &- (queuedFlows ? 1 : 0)
        configureLeases(id, existed: existed, old: leased, hadExtra: old & ClassFlags.extra != 0, at: now)
        state.pointee.rowDeficit = min(state.pointee.rowDeficit, quantum)
        if state.pointee.level == 0 {
            node.pointee.slot.feedDeficit = min(node.pointee.slot.feedDeficit, quantum)
        } else {
            for priority in 0..<8 {
                let place = slots + (Int(id) &* 8 &+ priority)
                place.pointee.feedDeficit = min(place.pointee.feedDeficit, quantum)
            }
        }
    }

    /// Classes above it: those are inner classes, whose level tells their depth.
    @_noLocks
    private func depth(of id: ClassID) -> UInt8 { id == 1 ? 0 : 8 &- states[Int(states[Int(id)].parent)].level }

    @_noLocks
    private mutating func disarm(_ id: ClassID) {
        wheel.disarm(id)
        nodes[Int(id)].timed = 0
    }

    /// Takes a leaf out of every list; its queue stays.
    @_noLocks
    private mutating func withdraw(leaf id: ClassID) {
        if states[Int(id)].flags & ClassFlags.parked != 0 {
            leaveParked(leaf: id)
        } else if states[Int(id)].active != 0 {
            deactivate(leaf: id)
        }
    }

    @_noLocks
    mutating func readmit(leaf id: ClassID, at now: Nanoseconds) {
        guard states[Int(id)].tail != FrameNode.none else { return }
        if outputStates[Int(profile(of: id).pointee.output)].isParked == 0 { activate(leaf: id, at: now) } else { park(leaf: id) }
    }

    /// Takes an inner class out of every list; its children stay in its feeds.
    @_noLocks
    private mutating func setAside(_ id: ClassID) {
        let active = states[Int(id)].active
        detach(id, active)
        states[Int(id)].active = 0
    }

    @_noLocks
    private mutating func giveUpQueue(_ id: ClassID) {
        let state = states + Int(id), node = nodes + Int(id)
        joinFlows(of: id)
        guard state.pointee.tail != FrameNode.none else { return }
        let count = queued(id)
        droppedByRemoval &+= UInt64(count)
        addKept(KeptCounts(droppedByRemoval: UInt64(count)), for: id)
        backlogFrames &-= Int(count)
        backlogBytes &-= Int(queuedBytes(id))
        giveUp(first(of: id), state.pointee.tail, of: id, .classRemoved)
        state.pointee.tail = FrameNode.none
        node.pointee.framesAhead = 0
        node.pointee.bytesAhead = 0
    }

    /// The child is in no list.
    @_noLocks
    private mutating func becomeParent(_ id: ClassID, of child: ClassID, at now: Nanoseconds) {
        let state = states + Int(id), node = nodes + Int(id)
        let output = profile(of: id).pointee.output, quantum = profile(of: id).pointee.quantum
        withdraw(leaf: id)
        joinFlows(of: id)
        disarm(id)
        comeBackForLeases(of: id, at: now)
        // What it counted stays its own.
        change(lenderOf: id, to: ClassState.nobody)
        node.pointee.children = 0
        inners &+= 1
        let inherits = profile(of: child).pointee.output == output
        // A child that was moved here has a queue of its own.
        if inherits, states[Int(child)].tail == FrameNode.none {
            states[Int(child)].tail = state.pointee.tail
            nodes[Int(child)].framesAhead = node.pointee.framesAhead
            nodes[Int(child)].bytesAhead = node.pointee.bytesAhead
            inheritQueue(child)
        } else {
            giveUpQueue(id)
        }
        state.pointee.tail = 0
        // As a leaf it took notice of events; it never had one.
        state.pointee.lastExhaustion = 0
        node.pointee.exhaustionRound = 0
        if shared != nil {
            feedShares[Int(id)] = FeedShares()
            (feedWeights + Int(id) &* 8).update(repeating: 0, count: 8)
        }
        node.pointee.heir = inherits ? UInt32(child) : 0
        Self.set(leaves, id, false)
        if id != 1, hasLimits(id) { limitedInners &+= 1 }
        state.pointee.level = 7 &- depth(of: id)
        for priority in 0..<8 {
            slots[Int(id) &* 8 &+ priority] = .unlinked(deficit: quantum)
            feedRounds[Int(id) &* 8 &+ priority] = FeedRounds(own: 0, feed: 0)
        }
    }
}

extension PrioritySlot {
    @_noLocks
    static func unlinked(deficit: Int32) -> PrioritySlot {
        PrioritySlot(rowNext: 0, rowPrevious: 0, feedNext: 0, feedPrevious: 0, feedDeficit: deficit, feedHead: 0, feedTail: 0)
    }
}
