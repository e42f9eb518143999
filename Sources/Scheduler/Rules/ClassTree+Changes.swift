/// Changes of the tree, which the owning lcore makes between two turns of its loop. None of them allocates; their cost does not depend on the size of the tree.
extension ClassTree {
    /// Adds a leaf with full buckets. A parent that was a leaf so far becomes an inner class: its queue moves to the new child if both deliver to the same
    /// output, and is dropped otherwise (see `takeDropped`).
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

    /// Changes a class's parameters and keeps its tokens, turn and queue. A shallower bucket keeps what fits in it; a new bucket is full. The queue is kept
    /// even if it exceeds a new limit.
    @_noLocks
    public mutating func change(_ id: ClassID, _ p: ClassParameters, at now: Nanoseconds) -> ChangeVerdict {
        guard Int(id) < classes, Self.has(existing, id) else { return .unknownClass }
        guard p.ceiling != 0, Int(p.output) < outputs, !p.queuesFlows || flowTables[Int(id)] != nil else { return .badParameters }
        activateArrivals(at: now)
        let isLeaf = states[Int(id)].level == 0
        let active = states[Int(id)].active
        // The class leaves all lists under the old parameters and joins them again under the new ones.
        if isLeaf { withdraw(leaf: id) } else { setAside(id) }
        refill(id, at: now)
        let held = hasLimits(id), queuedFlows = queuesFlows(id)
        if !p.queuesFlows { joinFlows(of: id) }
        configure(id, p, existed: true, at: now)
        // The change may allow savers to send earlier.
        if saverRows & ~Self.sharesMark != 0 { saversDue = 0 }
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

    /// Sets the overhead in bytes that is charged for each frame on the wire from now on, also for frames that are queued already. See `overhead` of `create`.
    @_noLocks
    public mutating func change(overhead bytes: Int) { overhead = Self.bounded(overhead: bytes) }

    /// Removes a class without children. A parent that loses its last child becomes a leaf again.
    ///
    /// - Parameter heir: the leaf that takes over the class's frames, behind its own, as well as frames that still arrive for the class (see `heir(of:)`). It
    ///   must deliver to the same output; it may also be the parent, if that becomes a leaf by this removal. Without a suitable heir the frames are dropped
    ///   (see `takeDropped`) and counted in `droppedByRemoval`.
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
        if marks(id) {
            codels[Int(id)].marks = false
            markingClasses &-= 1
        }
        disarm(id)
        forgetLeases(of: id)
        Self.set(existing, id, false)
        Self.set(leaves, id, false)
        states[Int(id)].tail = 0
        profileTable.release(states[Int(id)].profile)
        states[Int(id)].profile = ProfileTable.none
        clearDelays(of: id)
        leaveCounters(of: id, to: parent)
        nodes[Int(id)].heir = isTaken ? UInt32(heir) : 0
        loseChild(id, of: parent, heir: isTaken && heir != parent ? heir : 0)
        if let queue { append(queue, to: heir, at: now) }
        return .done
    }

    /// Moves a class without children to another parent. It keeps its queue, tokens, parameters and counters; what it has sent and dropped so far remains
    /// counted for the parents that it had then. A parent that loses its last child becomes a leaf again; one that gets its first child stops being a leaf: see
    /// `add`.
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
        // A leaf that is parked is in no list of the tree.
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

    /// The leaf that takes the frames of a class that was a leaf and now is a parent or removed; 0 if there is none. Whoever still has frames for that class
    /// should give them to this leaf, behind those that it took over.
    @_noLocks
    public func heir(of id: ClassID) -> ClassID {
        var id = id
        while id != 0, Int(id) < classes {
            if Self.has(leaves, id) { return id }
            id = ClassID(truncatingIfNeeded: nodes[Int(id)].heir)
        }
        return 0
    }

    /// Notes that a class has one child fewer; if it was the last one, the class becomes a leaf again.
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

    /// Derives everything from the parameters. The class must be in no list, and its tokens up to date.
    @_noLocks
    private mutating func configure(_ id: ClassID, _ p: ClassParameters, existed: Bool, at now: Nanoseconds) {
        let state = states + Int(id), node = nodes + Int(id)
        let old = existed ? state.pointee.flags : 0
        let queuedFlows = existed && queuesFlows(id), marked = existed && marks(id)
        let leased = existed ? leasedRates(of: id) : LeasedRates()
        var flags: UInt8 = 0
        // A root without a floor guarantees all that it may send.
        let floor = p.floor == 0 && id == 1 ? p.ceiling : p.floor
        if floor >= Credit.endlessRate || floor == 0 && p.floorPackets != 0 {
            flags |= ClassFlags.endlessFloor
        } else if floor != 0 {
            flags |= ClassFlags.meteredFloor
        }
        if p.ceiling < Credit.endlessRate { flags |= ClassFlags.meteredCeiling }
        let hasFloor = flags & ClassFlags.meteredFloor != 0, hasCeiling = flags & ClassFlags.meteredCeiling != 0
        var burst = hasFloor ? Credit.depth(p.burst, rate: floor) : UInt32(Credit.mostBytes)
        // The root has all of its credit at hand.
        let atHand = hasFloor && id != 1 ? Self.atHand(rate: floor) : UInt32(Credit.mostBytes)
        if shared != nil { burst = min(burst, atHand) }
        if p.peak != 0 || p.floorPackets != 0 || p.ceilingPackets != 0 || burst > atHand { flags |= ClassFlags.extra }
        if existed { endCounts(of: id, goingOn: (p.managesQueue, flags & ClassFlags.extra != 0)) }
        if p.managesQueue { flags |= ClassFlags.codel }
        if flags & ClassFlags.meteredFloor != 0 && floor > Credit.mostShortRate
            || flags & ClassFlags.meteredCeiling != 0 && p.ceiling > Credit.mostShortRate {
            flags |= ClassFlags.steep
        }
        // If the root is a leaf, there is no class above it, which the fast paths would rely on.
        if id == 1 { flags |= ClassFlags.steep }
        // For a bucket without a rate see `PlainBuckets`.
        let ceilingBurst = hasCeiling ? Credit.depth(p.ceilingBurst, rate: p.ceiling) : UInt32(Credit.mostBytes)
        let fullFloor = Int64(burst) * Credit.perByte, fullCeiling = Int64(ceilingBurst) * Credit.perByte
        let quantum = Int32(min(max(p.quantum, ClassParameters.leastQuantum), 1 << 29))
        let keepsFloor = old & flags & ClassFlags.meteredFloor != 0, keepsCeiling = old & flags & ClassFlags.meteredCeiling != 0
        state.pointee.floorTokens = keepsFloor ? min(state.pointee.floorTokens, fullFloor) : fullFloor
        state.pointee.ceilingTokens = keepsCeiling ? min(state.pointee.ceilingTokens, fullCeiling) : fullCeiling
        // The old profile is released first, because there is only room for as many profiles as classes.
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
            let noTarget = p.queuesFlows ? CoDelState.usualTarget : CoDelState.noTarget
            codels[Int(id)].target = p.codelTarget == 0 ? noTarget : min(p.codelTarget, 1 << 33)
            codels[Int(id)].interval = min(p.codelInterval == 0 ? codels[Int(id)].target &* 20 : p.codelInterval, 1 << 38)
            if !p.queuesFlows { (codels[Int(id)].newFlows, codels[Int(id)].oldFlows) = (0, 0) }
            codels[Int(id)].flows = p.queuesFlows ? flowTables[Int(id)] : nil
            (codels[Int(id)].marks, codels[Int(id)].marksForCoDel) = (p.marks, p.marksForCoDel)
            codels[Int(id)].markBytes = p.markBytes == 0 ? .max : p.markBytes
            codels[Int(id)].markDelay = p.markDelay == 0 ? .max : p.markDelay
        }
        if shared != nil { flags |= ClassFlags.shared }
        state.pointee.flags = flags
        flowClasses &+= (queuesFlows(id) ? 1 : 0) &- (queuedFlows ? 1 : 0)
        markingClasses &+= (marks(id) ? 1 : 0) &- (marked ? 1 : 0)
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

    /// Number of classes above a class. All of these are inner classes, whose level tells their depth.
    @_noLocks
    private func depth(of id: ClassID) -> UInt8 { id == 1 ? 0 : 8 &- states[Int(states[Int(id)].parent)].level }

    @_noLocks
    private mutating func disarm(_ id: ClassID) {
        wheel.disarm(id)
        nodes[Int(id)].timed = 0
    }

    /// Takes a leaf out of every list; it keeps its queue.
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

    /// Makes a leaf the parent of `child`, which must be in no list.
    @_noLocks
    private mutating func becomeParent(_ id: ClassID, of child: ClassID, at now: Nanoseconds) {
        let state = states + Int(id), node = nodes + Int(id)
        let output = profile(of: id).pointee.output, quantum = profile(of: id).pointee.quantum
        withdraw(leaf: id)
        joinFlows(of: id)
        disarm(id)
        comeBackForLeases(of: id, at: now)
        // What the class counted as a leaf remains its own count.
        change(lenderOf: id, to: ClassState.nobody)
        node.pointee.children = 0
        inners &+= 1
        let inherits = profile(of: child).pointee.output == output
        // A child that was moved here has a queue of its own, which it keeps.
        if inherits, states[Int(child)].tail == FrameNode.none {
            states[Int(child)].tail = state.pointee.tail
            nodes[Int(child)].framesAhead = node.pointee.framesAhead
            nodes[Int(child)].bytesAhead = node.pointee.bytesAhead
            inheritQueue(child)
        } else {
            giveUpQueue(id)
        }
        state.pointee.tail = 0
        // As a leaf the class noted events of other classes in these fields. As a parent it notes its own, of which there have been none.
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
