extension ClassTree {
    /// Queues a burst of frames in order, each in its leaf. Returns how many were queued; the verdicts of the others say why not, and they still belong to the
    /// caller.
    ///
    /// With many classes, the memory of the burst's leaves should already be on its way to the cache when this is called: a caller that knows the leaves
    /// earlier should prefetch their `classLines`.
    ///
    /// `room` is the number of free places in a buffer that this tree shares with others. A leaf may hold as many frames as there are free places in that
    /// buffer or in the tree's own, whichever has fewer.
    @_noLocks
    public mutating func enqueue(
        _ offered: UnsafeMutablePointer<OfferedFrame>, count: Int, room: UInt32 = .max, at now: Nanoseconds
    ) -> Int {
        fetch(offered, count: count)
        // During the burst only its own frames reduce this number.
        let least = min(free, room)
        var intake = Intake(free: least, freeHead: freeHead, isParked: parkedOutputs != 0)
        for index in 0..<count {
            let frame = offered + index
            frame.pointee.verdict = enqueueOne(frame, &intake, at: now)
        }
        endJoining()
        let queued = least &- intake.free
        free &-= queued
        freeHead = intake.freeHead
        backlogBytes &+= intake.bytes
        backlogFrames &+= Int(queued)
        return Int(queued)
    }

    /// What queuing a frame changes, kept locally for the duration of a burst, in which nobody else looks at it.
    struct Intake {
        /// Number of free places.
        var free: UInt32
        /// The head of the free frames: `ClassTree.freeHead`.
        var freeHead: UInt32
        /// Number of bytes queued.
        var bytes = 0
        /// The bits of a leaf's word that send it to the general path. While an output is parked all bits do, and every leaf has one set: it has a parent, or
        /// is the root, which has the flag `steep`.
        let general: UInt64

        @_noLocks @inline(__always)
        init(free: UInt32, freeHead: UInt32, isParked: Bool) {
            self.free = free
            self.freeHead = freeHead
            general = isParked ? .max : ClassWord.mask(ClassFlags.special)
        }
    }

    /// Issues loads that depend on nothing but memory before the work that needs them one by one: the parents of a burst's leaves and, if leaves borrowed
    /// recently, the parents' feeds. Trees small enough to stay in the first-level cache are skipped.
    @_noLocks @inline(__always)
    private mutating func fetch(_ offered: UnsafeMutablePointer<OfferedFrame>, count: Int) {
        let borrows = joined != 0
        joined = 0
        if inners <= Self.innersInCache { return }
        var touched: UInt8 = 0
        for index in 0..<count { touched |= states[Int(states[Int(offered[index].leaf)].parent)].active }
        if borrows {
            for index in 0..<count {
                let leaf = Int(offered[index].leaf), parent = Int(states[leaf].parent)
                let feed = UnsafeRawPointer(slots + parent &* 8) + Int(profiles[Int(states[leaf].profile)].priority & 7) &* MemoryLayout<PrioritySlot>.stride
                touched |= nodes[leaf].timed | nodes[parent].timed | feed.load(as: UInt8.self)
            }
        }
        self.touched = touched
    }

    /// Trees with no more inner classes than this stay in the first-level cache.
    @inline(__always) private static var innersInCache: Int { @_noLocks get { 32 } }

    /// Queues a frame in a leaf. The tree owns the frame only if the verdict is `queued`.
    @_noLocks @inline(__always)
    public mutating func enqueue(
        _ handle: UnsafeMutableRawPointer, charge: Charge, tag: UInt32, flow: UInt32 = 0, to leaf: ClassID, at now: Nanoseconds
    ) -> EnqueueVerdict {
        var offered = OfferedFrame(handle: handle, charge: charge, tag: tag, leaf: leaf, flow: flow)
        _ = enqueue(&offered, count: 1, at: now)
        return offered.verdict
    }

    /// Queues one frame of a burst.
    @_noLocks @inline(__always)
    private mutating func enqueueOne(_ offered: UnsafePointer<OfferedFrame>, _ intake: inout Intake, at now: Nanoseconds) -> EnqueueVerdict {
        let leaf = offered.pointee.leaf, charge = offered.pointee.charge
        let state = states + Int(leaf)
        let profile = profiles + Int(state.pointee.profile)
        let tail = state.pointee.tail
        // A charge for more than one frame is beyond any limit by its bits.
        if tail == FrameNode.none {
            if _fastPath(charge.bits <= profile.pointee.limitBytes && intake.free != 0) {
                intake.bytes &+= Int(charge.bits)
                enqueueFirst(offered, leaf, state, profile, &intake, at: now)
                return .queued
            }
        } else if _fastPath(tail != 0) {
            let node = nodes + Int(leaf), last = frames + Int(tail)
            let ahead = node.pointee.framesAhead &+ 1, bytesAhead = UInt64(node.pointee.bytesAhead) &+ UInt64(last.pointee.charge.bits)
            if _fastPath(
                ahead < profile.pointee.limitPackets && bytesAhead &+ UInt64(charge.bits) <= UInt64(profile.pointee.limitBytes) && ahead < intake.free
            ) {
                intake.bytes &+= Int(charge.bits)
                enqueueBehind(last, offered, state, node, ahead: ahead, bytes: UInt32(truncatingIfNeeded: bytesAhead), &intake, at: now)
                return .queued
            }
        }
        return enqueueOtherwise(offered, &intake, at: now)
    }

    @_noLocks @inline(__always)
    private mutating func enqueueOtherwise(_ offered: UnsafePointer<OfferedFrame>, _ intake: inout Intake, at now: Nanoseconds) -> EnqueueVerdict {
        // The address of `intake` is not passed on, so that its fields can stay in registers.
        let (verdict, freeHead) = enqueueOtherwise(offered, free: intake.free, freeHead: intake.freeHead, at: now)
        if case .queued = verdict {
            intake.free &-= 1
            intake.freeHead = freeHead
            intake.bytes &+= Int(offered.pointee.charge.bytes)
        }
        return verdict
    }

    /// Queues a frame that the shorter path leaves to this one: it leaves as several, or stands behind one that does, or its leaf queues by flows. If the leaf
    /// does not take it, or takes no frames, the verdict says why. Also returns the new head of the free frames; the caller has to count what was queued.
    @_noLocks @inline(never)
    private mutating func enqueueOtherwise(
        _ offered: UnsafePointer<OfferedFrame>, free: UInt32, freeHead: UInt32, at now: Nanoseconds
    ) -> (verdict: EnqueueVerdict, freeHead: UInt32) {
        let leaf = offered.pointee.leaf
        let state = states + Int(leaf)
        let tail = state.pointee.tail
        if tail == 0 { return enqueueApart(offered, free: free, freeHead: freeHead, at: now) }
        let count = queued(leaf)
        if exceedsLimits(of: leaf, offered.pointee.charge) || count >= free { return (refuse(leaf, offered.pointee.charge, free: free), freeHead) }
        var intake = Intake(free: free, freeHead: freeHead, isParked: parkedOutputs != 0)
        if tail == FrameNode.none {
            enqueueFirst(offered, leaf, state, profile(of: leaf), &intake, at: now)
        } else {
            enqueueBehind(frames + Int(tail), offered, state, nodes + Int(leaf), ahead: count, bytes: queuedBytes(leaf), &intake, at: now)
        }
        return (.queued, intake.freeHead)
    }

    /// Queues the first frame of a leaf. The caller has to count its bytes.
    @_noLocks @inline(__always)
    private mutating func enqueueFirst(
        _ offered: UnsafePointer<OfferedFrame>, _ leaf: ClassID, _ state: UnsafeMutablePointer<ClassState>, _ profile: UnsafePointer<ClassProfile>,
        _ intake: inout Intake, at now: Nanoseconds
    ) {
        let index = storeFrame(offered, &intake, at: now)
        frames[Int(index)].next = index
        state.pointee.tail = index
        if _slowPath(state.word.bits & intake.general != 0) {
            frames[Int(index)].flow = offered.pointee.flow
            endJoining()
            arrive(leaf, at: now)
        } else if canSendInFloor(state, profile, at: now) {
            join(leaf, state, priority: profile.pointee.priority)
        } else {
            putOff(leaf, at: now)
        }
    }

    /// Queues a frame behind the last frame of a leaf, so that `ahead` frames of `bytes` in all are ahead of it. The caller has to count the frame's bytes.
    @_noLocks @inline(__always)
    private mutating func enqueueBehind(
        _ last: UnsafeMutablePointer<FrameNode>, _ offered: UnsafePointer<OfferedFrame>, _ state: UnsafeMutablePointer<ClassState>,
        _ node: UnsafeMutablePointer<ClassNode>, ahead: UInt32, bytes: UInt32, _ intake: inout Intake, at now: Nanoseconds
    ) {
        let index = storeFrame(offered, &intake, at: now)
        frames[Int(index)].next = last.pointee.next
        last.pointee.next = index
        state.pointee.tail = index
        node.pointee.framesAhead = ahead
        node.pointee.bytesAhead = bytes
    }

    /// Has a leaf join the row of its priority. Leaves that join the same row in succession are only linked to each other; `endJoining` then updates the row's
    /// tail.
    @_noLocks @inline(__always)
    private mutating func join(_ leaf: ClassID, _ state: UnsafeMutablePointer<ClassState>, priority: UInt8) {
        state.beginToSend(priority)
        state.pointee.noticedExhaustion = exhaustions
        if _fastPath(priority == joinedRow) {
            states[Int(lastJoined)].rowNext = leaf
            state.pointee.rowPrevious = lastJoined
        } else {
            endJoining()
            append(leaf, state, toLeafRow: Int(priority))
            joinedRow = priority
        }
        lastJoined = leaf
    }

    /// Ends the joining of a row: the last leaf that joined it becomes its tail.
    @_noLocks @inline(__always)
    private mutating func endJoining() {
        if joinedRow == Self.noRow { return }
        states[Int(lastJoined)].rowNext = 0
        rowTails[Int(joinedRow)] = lastJoined
        joinedRow = Self.noRow
    }

    @inline(__always) static var noRow: UInt8 { @_noLocks get { .max } }

    /// Stores a frame and returns its index. The caller has to link it into a queue and to count its bytes.
    @_noLocks @inline(__always)
    mutating func storeFrame(_ offered: UnsafePointer<OfferedFrame>, _ intake: inout Intake, at now: Nanoseconds) -> UInt32 {
        var index = intake.freeHead
        if _fastPath(index != FrameNode.none) {
            intake.freeHead = frames[Int(index)].next
        } else {
            fresh &+= 1
            index = fresh
        }
        intake.free &-= 1
        let frame = frames + Int(index)
        UnsafeMutableRawPointer(frame).copyMemory(from: offered, byteCount: 16)
        frame.pointee.since = now
        return index
    }

    @_noLocks @inline(__always)
    private func exceedsLimits(of leaf: ClassID, _ charge: Charge) -> Bool {
        let profile = profile(of: leaf)
        return queued(leaf) >= profile.pointee.limitPackets || UInt64(queuedBytes(leaf)) &+ UInt64(charge.bytes) > UInt64(profile.pointee.limitBytes)
    }

    /// Returns the reason why a leaf does not take a frame, and counts the drop.
    @_noLocks @inline(never)
    mutating func refuse(_ leaf: ClassID, _ charge: Charge, free: UInt32) -> EnqueueVerdict {
        if exceedsLimits(of: leaf, charge) {
            blocks[Int(leaf)].droppedQueueLimit &+= 1
            return .queueLimit
        }
        // Dynamic threshold (Choudhury and Hahne 1998): a leaf may hold as many frames as there are free places. A single flooding leaf can take half of the
        // buffer, and n of them leave 1/(n+1) of it free, so there always is room for a leaf that holds little.
        if free == 0 {
            addKept(KeptCounts(droppedBufferFull: 1), for: leaf)
            return .bufferFull
        }
        blocks[Int(leaf)].droppedBufferShare &+= 1
        return .bufferShare
    }

    /// Handles a leaf that got its first frame, by the general path. Within its floor it joins its row at once; everything else is decided at the next dequeue,
    /// after the classes whose time has come have been updated.
    @_noLocks @inline(never)
    private mutating func arrive(_ leaf: ClassID, at now: Nanoseconds) {
        if let flows = flows(of: leaf) { beginApart(leaf, flows) }
        if outputStates[Int(profile(of: leaf).pointee.output)].isParked != 0 { return park(leaf: leaf) }
        let flags = states[Int(leaf)].flags
        if flags & ClassFlags.shared == 0, flags & ClassFlags.special != 0 || parkedOutputs != 0 {
            refill(leaf, at: now)
            if currentMode(leaf) == Mode.canSend { return activate(leaf: leaf, at: now) }
        }
        putOff(leaf, at: now)
    }

    /// Leaves it to the next dequeue to activate a leaf.
    @_noLocks @inline(__always)
    private mutating func putOff(_ leaf: ClassID, at now: Nanoseconds) {
        arrivals[arrived] = leaf
        arrived &+= 1
        if _slowPath(arrived == Self.mostArrivals) {
            endJoining()
            activateArrivals(at: now)
        }
    }

    /// Moves up to `limit` frames that were dropped after they had been accepted (see `DroppedFrame.Reason`) to `into`, for the caller to free. Until then they
    /// occupy their places in the buffer.
    @_noLocks
    public mutating func takeDropped(into: UnsafeMutablePointer<DroppedFrame>, limit: Int) -> Int {
        var taken = 0
        while droppedHead != FrameNode.none, taken < limit {
            let index = droppedHead
            let mark = frames[Int(index)].dropMark
            let reason: DroppedFrame.Reason = mark &>> 16 == 0 ? .codel : mark &>> 16 == 1 ? .classRemoved : .queueLimit
            into[taken] = DroppedFrame(handle: frames[Int(index)].handle, output: UInt16(truncatingIfNeeded: mark) & trafficClasses.outputMask, reason: reason)
            taken &+= 1
            droppedHead = frames[Int(index)].next
            if droppedHead == FrameNode.none { droppedTail = FrameNode.none }
            release(index, index, count: 1)
        }
        return taken
    }

    /// Returns the chain of `count` frames from `head` to `tail` to the free frames.
    @_noLocks @inline(__always)
    mutating func release(_ head: UInt32, _ tail: UInt32, count: UInt32) {
        frames[Int(tail)].next = freeHead
        freeHead = head
        free &+= count
    }

    /// Appends the chain from `head` to `tail` to the dropped frames. The caller's tag is no longer needed; reason and output are stored in its place.
    @_noLocks
    mutating func giveUp(_ head: UInt32, _ tail: UInt32, of leaf: ClassID, _ reason: DroppedFrame.Reason) {
        let mark = UInt32(profile(of: leaf).pointee.output) | UInt32(reason.code) &<< 16
        var index = head
        while index != tail {
            frames[Int(index)].dropMark = mark
            index = frames[Int(index)].next
        }
        frames[Int(tail)].dropMark = mark
        if droppedTail == FrameNode.none { droppedHead = head } else { frames[Int(droppedTail)].next = head }
        droppedTail = tail
        frames[Int(tail)].next = FrameNode.none
    }
}
