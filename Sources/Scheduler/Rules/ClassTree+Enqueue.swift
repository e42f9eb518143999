extension ClassTree {
    /// Queues a burst of frames, each in its leaf, in order. Returns how many were queued; the others' verdicts say why not, and they
    /// still belong to the caller.
    ///
    /// Of many classes the memory of a burst's leaves should be on its way when this is called: who knows the leaves earlier prefetches their `classLines`.
    ///
    /// `room`: places left in a buffer that this tree shares with others. A leaf may hold as many frames as there are places left, in that
    /// buffer and in the tree's own, whichever are fewer.
    @_noLocks
    public mutating func enqueue(
        _ offered: UnsafeMutablePointer<OfferedFrame>, count: Int, room: UInt32 = .max, at now: Nanoseconds
    ) -> Int {
        fetch(offered, count: count)
        // What others hold is not there for as long as a burst is looked at.
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

    /// What taking a frame in changes, kept at hand for a burst: nobody else looks at it meanwhile.
    struct Intake {
        /// Places left.
        var free: UInt32
        /// As `ClassTree.freeHead`.
        var freeHead: UInt32
        /// Bytes taken in.
        var bytes = 0
        /// What of a leaf's word is for the general way: while an output is parked any leaf's, as all have a parent or are the root, which is steep.
        let general: UInt64

        @_noLocks @inline(__always)
        init(free: UInt32, freeHead: UInt32, isParked: Bool) {
            self.free = free
            self.freeHead = freeHead
            general = isParked ? .max : ClassWord.mask(ClassFlags.special)
        }
    }

    /// Loads that wait for nothing but memory, before the work that needs them one by one: the parents of a burst's leaves, and their
    /// feeds where leaves borrowed a moment ago. What is so little that it stays in the first cache is not loaded.
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

    /// Trees with no more inner classes have their lines at hand.
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
        // Nobody is given the address of what is at hand for a burst, so that it can stay in registers.
        let (verdict, freeHead) = enqueueOtherwise(offered, free: intake.free, freeHead: intake.freeHead, at: now)
        if case .queued = verdict {
            intake.free &-= 1
            intake.freeHead = freeHead
            intake.bytes &+= Int(offered.pointee.charge.bytes)
        }
        return verdict
    }

    /// Queues one frame, if its leaf takes it: one that leaves as several, or is behind one that does, or is for flows. Says why not of others. Tells the free
    /// frame that is first now; the caller counts what was taken in.
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

    /// Queues a leaf's first frame. Its bytes are the caller's to count.
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

    /// Queues a frame behind a leaf's `last`: what is ahead of it then is `ahead` frames of `bytes`. Its own are the caller's to count.
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

    /// A leaf joins the row of its priority. Those that join the same one after another are linked to each other; what others see of the row is
    /// brought up to date by `endJoining`.
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

    /// The last leaf that joined a row is its tail.
    @_noLocks @inline(__always)
    private mutating func endJoining() {
        if joinedRow == Self.noRow { return }
        states[Int(lastJoined)].rowNext = 0
        rowTails[Int(joinedRow)] = lastJoined
        joinedRow = Self.noRow
    }

    @inline(__always) static var noRow: UInt8 { @_noLocks get { .max } }

    /// Keeps a frame, which is then the caller's to link, and its bytes to count.
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

    /// Says and counts why a leaf does not take a frame.
    @_noLocks @inline(never)
    mutating func refuse(_ leaf: ClassID, _ charge: Charge, free: UInt32) -> EnqueueVerdict {
        if exceedsLimits(of: leaf, charge) {
            blocks[Int(leaf)].droppedQueueLimit &+= 1
            return .queueLimit
        }
        // Dynamic threshold (Choudhury and Hahne 1998): a leaf may hold as many frames as are still free. One flooding leaf takes
        // half of the buffer, n of them leave 1/(n+1) of it, so there is always room for a leaf that holds little.
        if free == 0 {
            blocks[Int(leaf)].droppedBufferFull &+= 1
            return .bufferFull
        }
        blocks[Int(leaf)].droppedBufferShare &+= 1
        return .bufferShare
    }

    /// A leaf got its first frame. Within its floor it joins its row at once; what else becomes of it is decided at the next dequeue,
    /// when the classes whose time has come have been looked at.
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

    @_noLocks @inline(__always)
    private mutating func putOff(_ leaf: ClassID, at now: Nanoseconds) {
        arrivals[arrived] = leaf
        arrived &+= 1
        if _slowPath(arrived == Self.mostArrivals) {
            endJoining()
            activateArrivals(at: now)
        }
    }

    /// Moves up to `limit` frames that were given up after they were accepted (see `DroppedFrame.Reason`) to
    /// `into`; they are the caller's to free. They keep their place in the buffer until then.
    @_noLocks
    public mutating func takeDropped(into: UnsafeMutablePointer<DroppedFrame>, limit: Int) -> Int {
        var taken = 0
        while droppedHead != FrameNode.none, taken < limit {
            let index = droppedHead
            let mark = frames[Int(index)].dropMark
            let reason: DroppedFrame.Reason = mark &>> 16 == 0 ? .codel : mark &>> 16 == 1 ? .classRemoved : .queueLimit
            into[taken] = DroppedFrame(handle: frames[Int(index)].handle, output: UInt16(truncatingIfNeeded: mark), reason: reason)
            taken &+= 1
            droppedHead = frames[Int(index)].next
            if droppedHead == FrameNode.none { droppedTail = FrameNode.none }
            release(index, index, count: 1)
        }
        return taken
    }

    /// Puts the chain of `count` frames from `head` to `tail` back among the free ones.
    @_noLocks @inline(__always)
    mutating func release(_ head: UInt32, _ tail: UInt32, count: UInt32) {
        frames[Int(tail)].next = freeHead
        freeHead = head
        free &+= count
    }

    /// Appends the chain from `head` to `tail` to the frames given up. The caller's tag has no use any more: why, and for which output they were,
    /// stands in its place.
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
