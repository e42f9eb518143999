/// Leaves that queue their flows separately (FQ-CoDel, RFC 8290): flows that begin or send little go before those that have a standing queue; the latter take
/// turns by bytes; and CoDel limits the delay of each flow.
///
/// While such a leaf holds frames, its `ClassState.tail` is 0, as for no other leaf: all fast paths stop there, so that other leaves pay nothing for this
/// feature. Its node counts all of its frames and bytes. The cost of a frame does not depend on the number of flows, except for skipping flows that owe bytes:
/// less than one flow for each of the frame's 1 514 bytes.
extension ClassTree {
    // MARK: Memory, by the control thread

    /// Gives a class the memory that `ClassParameters.queuesFlows` needs, before the owning lcore is sent these parameters. A class that already has the memory
    /// keeps it.
    public func grantFlows(to id: ClassID) {
        guard Int(id) < classes, flowTables[Int(id)] == nil else { return }
        flowTables[Int(id)] = FlowQueues()
        flowTablesEnd.pointee = max(flowTablesEnd.pointee, Int(id) + 1)
    }

    /// Takes the memory back after the owning lcore has carried out the change or removal due to which the class no longer needs it.
    public func reclaimFlows(of id: ClassID) {
        guard Int(id) < classes, let flows = flowTables[Int(id)] else { return }
        flowTables[Int(id)] = nil
        flows.deallocate()
    }

    /// Bytes that a class takes on top of `bytesPerClass` if it queues its flows separately.
    public static var bytesPerClassWithFlows: Int { MemoryLayout<CoDelState>.stride + FlowQueues.byteCount }

    // MARK: The lcore

    /// Whether there are leaves that queue their flows separately.
    @inline(__always)
    public var mayQueueFlows: Bool { @_noLocks get { flowClasses != 0 } }

    /// Whether frames have to be looked at before they are offered, as there are leaves that queue flows separately or mark frames.
    @inline(__always)
    public var readsHeaders: Bool { @_noLocks get { flowClasses | markingClasses != 0 } }

    /// Whether the frames of a leaf have to be offered with a hash of their flow.
    @_noLocks @inline(__always)
    public func queuesFlows(_ id: ClassID) -> Bool { flows(of: id) != nil }

    @_noLocks @inline(__always)
    func flows(of id: ClassID) -> FlowQueues? {
        states[Int(id)].flags & ClassFlags.codel == 0 ? nil : codels[Int(id)].flows
    }

    /// Queues another frame in a leaf that already holds some. Returns the new head of the free frames; the caller counts what was taken in.
    @_noLocks @inline(never)
    mutating func enqueueApart(
        _ offered: UnsafePointer<OfferedFrame>, free: UInt32, freeHead: UInt32, at now: Nanoseconds
    ) -> (verdict: EnqueueVerdict, freeHead: UInt32) {
        let leaf = offered.pointee.leaf
        guard states[Int(leaf)].level == 0, let flows = flows(of: leaf) else { return (.notALeaf, freeHead) }
        let node = nodes + Int(leaf), profile = profile(of: leaf)
        if offered.pointee.charge.bytes > profile.pointee.limitBytes || node.pointee.framesAhead >= free {
            return (refuse(leaf, offered.pointee.charge, free: free), freeHead)
        }
        var intake = Intake(free: free, freeHead: freeHead, isParked: false)
        let index = storeFrame(offered, &intake, at: now)
        frames[Int(index)].flow = offered.pointee.flow
        queue(index, flows, of: leaf)
        // Frames of the longest queue are dropped to make room (RFC 8290, 4.1.3); it may be the queue of this frame.
        while node.pointee.framesAhead > profile.pointee.limitPackets || node.pointee.bytesAhead > profile.pointee.limitBytes, node.pointee.framesAhead > 1 {
            let number = flows.fattest
            let given = flows.flow(number).pointee.queue.removeFirst(frames)
            flows.resize(number, frames)
            node.pointee.framesAhead &-= 1
            node.pointee.bytesAhead &-= frames[Int(given)].charge.bytes
            backlogFrames &-= 1
            backlogBytes &-= Int(frames[Int(given)].charge.bytes)
            blocks[Int(leaf)].droppedQueueLimit &+= 1
            giveUp(given, given, of: leaf, .queueLimit)
        }
        return (.queued, intake.freeHead)
    }

    /// Moves the first frame of a leaf that queues its flows separately from `tail` to its flow's queue.
    @_noLocks
    mutating func beginApart(_ leaf: ClassID, _ flows: FlowQueues) {
        let index = states[Int(leaf)].tail
        states[Int(leaf)].tail = 0
        nodes[Int(leaf)].framesAhead = 0
        nodes[Int(leaf)].bytesAhead = 0
        queue(index, flows, of: leaf)
    }

    @_noLocks
    private mutating func queue(_ index: UInt32, _ flows: FlowQueues, of leaf: ClassID) {
        let number = UInt16(truncatingIfNeeded: frames[Int(index)].flow % FlowQueues.count) &+ 1
        let flow = flows.flow(number)
        flows.renew(flow)
        flow.pointee.queue.append(index, frames)
        nodes[Int(leaf)].framesAhead &+= 1
        nodes[Int(leaf)].bytesAhead &+= frames[Int(index)].charge.bytes
        if flow.pointee.listed == 0 {
            flow.pointee.deficit = FlowQueues.quantum
            flows.appendNew(number)
        }
        flows.resize(number, frames)
        codels[Int(leaf)].newFlows = flows.lists.pointee.new
        codels[Int(leaf)].oldFlows = flows.lists.pointee.old
    }

    /// Removes and returns the frame whose turn it is; `FrameNode.none` if the leaf is empty.
    @_noLocks @inline(never)
    mutating func removeFirstApart(_ leaf: ClassID, _ flows: FlowQueues, at now: Nanoseconds) -> UInt32 {
        let lists = flows.lists, node = nodes + Int(leaf)
        while true {
            let isNew = lists.pointee.newHead != 0
            let number = isNew ? lists.pointee.newHead : lists.pointee.oldHead
            if number == 0 { return FrameNode.none }
            let flow = flows.flow(number)
            if flow.pointee.deficit <= 0 {
                flow.pointee.deficit &+= FlowQueues.quantum
                flows.removeHead()
                flows.appendOld(number)
                continue
            }
            if flow.pointee.queue.isEmpty {
                flows.removeHead()
                // Otherwise a flow could be served first again and again by sending one frame at a time (RFC 8290, 4.2).
                if isNew, lists.pointee.oldHead != 0, number != FlowQueues.inherited { flows.appendOld(number) }
                continue
            }
            let frames = frames
            let before = flow.pointee.queue.allFrames, bytes = flow.pointee.queue.allBytes(frames)
            _ = dropStale(leaf, &flow.pointee.queue, &flow.pointee.control, at: now)
            let index = flow.pointee.queue.removeFirst(frames)
            flow.pointee.deficit &-= Int32(truncatingIfNeeded: frames[Int(index)].charge.bytes)
            node.pointee.framesAhead &-= before &- flow.pointee.queue.allFrames
            node.pointee.bytesAhead &-= bytes &- flow.pointee.queue.allBytes(frames)
            flows.resize(number, frames)
            if node.pointee.framesAhead == 0 {
                states[Int(leaf)].tail = FrameNode.none
                flows.reset()
            }
            codels[Int(leaf)].newFlows = lists.pointee.new
            codels[Int(leaf)].oldFlows = lists.pointee.old
            return index
        }
    }

    // MARK: Changes

    /// Merges a leaf's flow queues into one queue, in the order of their turns. Frames of the same flow stay in order.
    @_noLocks
    mutating func joinFlows(of leaf: ClassID) {
        guard states[Int(leaf)].level == 0, states[Int(leaf)].tail == 0, let flows = flows(of: leaf) else { return }
        var all = FrameQueue()
        var number = flows.lists.pointee.newHead
        while number != 0 {
            all.append(flows.flow(number).pointee.queue, frames)
            number = flows.flow(number).pointee.next
        }
        number = flows.lists.pointee.oldHead
        while number != 0 {
            all.append(flows.flow(number).pointee.queue, frames)
            number = flows.flow(number).pointee.next
        }
        flows.reset()
        (codels[Int(leaf)].newFlows, codels[Int(leaf)].oldFlows) = (0, 0)
        setQueue(all, of: leaf)
    }

    /// Has the frames that a leaf holds in a single queue leave first, because the flows that they belong to are not known.
    @_noLocks
    mutating func inheritQueue(_ leaf: ClassID) {
        guard states[Int(leaf)].tail > FrameNode.none, let flows = flows(of: leaf) else { return }
        let queue = queue(of: leaf)
        states[Int(leaf)].tail = 0
        nodes[Int(leaf)].framesAhead = 0
        nodes[Int(leaf)].bytesAhead = 0
        appendApart(queue, flows, to: leaf)
    }

    /// Takes over frames whose flows are not known. They leave before all others, because later frames of their flows must not overtake them.
    @_noLocks
    mutating func appendApart(_ queue: FrameQueue, _ flows: FlowQueues, to leaf: ClassID) {
        let flow = flows.flow(FlowQueues.inherited)
        flows.renew(flow)
        flow.pointee.queue.append(queue, frames)
        flow.pointee.deficit = .max
        if flow.pointee.listed == 0 {
            flow.pointee.control = .idle
            flows.prependNew(FlowQueues.inherited)
        }
        flows.resize(FlowQueues.inherited, frames)
        nodes[Int(leaf)].framesAhead &+= queue.allFrames
        nodes[Int(leaf)].bytesAhead &+= queue.allBytes(frames)
        codels[Int(leaf)].newFlows = flows.lists.pointee.new
        codels[Int(leaf)].oldFlows = flows.lists.pointee.old
    }
}
