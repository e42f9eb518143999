/// Leaves that queue their flows apart (FQ-CoDel, RFC 8290): a flow that begins, or sends little, goes before those that keep a queue, these take turns by
/// bytes, and CoDel keeps the delay of each.
///
/// Of such a leaf `ClassState.tail` is 0 while it holds frames, as of no other: all shorter ways stop there, so that other leaves pay nothing. Its node counts
/// all its frames and bytes. A frame costs the same whatever the number of flows, but for turns that are still owed: less than one for each of its
/// 1 514 bytes.
extension ClassTree {
    // MARK: Memory, by the control thread

    /// Gives a class the memory that `ClassParameters.queuesFlows` needs, before the owning lcore is told of these. A class that has it keeps it.
    public func grantFlows(to id: ClassID) {
        guard Int(id) < classes, flowTables[Int(id)] == nil else { return }
        flowTables[Int(id)] = FlowQueues()
        flowTablesEnd.pointee = max(flowTablesEnd.pointee, Int(id) + 1)
    }

    /// Takes it back once the owning lcore has carried out the change or removal after which the class needs it no more.
    public func reclaimFlows(of id: ClassID) {
        guard Int(id) < classes, let flows = flowTables[Int(id)] else { return }
        flowTables[Int(id)] = nil
        flows.deallocate()
    }

    /// Bytes that a class takes on top of `bytesPerClass` once it queues its flows apart.
    public static var bytesPerClassWithFlows: Int { MemoryLayout<CoDelState>.stride + FlowQueues.byteCount }

    // MARK: The lcore

    /// Whether there are leaves that queue their flows apart.
    @inline(__always)
    public var mayQueueFlows: Bool { @_noLocks get { flowClasses != 0 } }

    /// Whether a leaf's frames are to be offered with their flows.
    @_noLocks @inline(__always)
    public func queuesFlows(_ id: ClassID) -> Bool { flows(of: id) != nil }

    @_noLocks @inline(__always)
    func flows(of id: ClassID) -> FlowQueues? {
        states[Int(id)].flags & ClassFlags.codel == 0 ? nil : codels[Int(id)].flows
    }

    /// Queues one frame more in a leaf that holds some. Tells the free frame that is first now; the caller counts what was taken in.
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
        // Room is made at the cost of the longest queue (RFC 8290, 4.1.3), which may be this frame's.
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

    /// A leaf that queues its flows apart got its first frame.
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

    /// Takes out the frame whose turn it is. `FrameNode.none`: the leaf is empty.
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
                // Otherwise a flow could go first again and again by sending one frame at a time (RFC 8290, 4.2).
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

    /// Makes one queue of a leaf's flows, in the order of their turns: none is overtaken by frames of its own flow.
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

    /// What a leaf holds in one queue leaves first: how it would fall to flows is not known.
    @_noLocks
    mutating func inheritQueue(_ leaf: ClassID) {
        guard states[Int(leaf)].tail > FrameNode.none, let flows = flows(of: leaf) else { return }
        let queue = queue(of: leaf)
        states[Int(leaf)].tail = 0
        nodes[Int(leaf)].framesAhead = 0
        nodes[Int(leaf)].bytesAhead = 0
        appendApart(queue, flows, to: leaf)
    }

    /// Takes over frames whose flows are not known. They leave before all others: frames of their flows that come later must not overtake them.
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
