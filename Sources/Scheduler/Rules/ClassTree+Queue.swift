/// A leaf's queue is a ring of frames: the leaf's state names the last frame, which leads to the first. `ClassNode` counts the frames ahead of the last, so
/// that the state alone is enough for a queue of one frame, which most queues are if there are many classes. Leaves that queue their flows separately have many
/// queues: see `ClassTree+Flows`.
extension ClassTree {
    /// Number of frames in a class's queue; 0 for an inner class. Any thread may call this: see `counters`.
    @_noLocks @inline(__always)
    func queued(_ id: ClassID) -> UInt32 {
        let tail = states[Int(id)].tail
        if tail > FrameNode.none { return nodes[Int(id)].framesAhead &+ 1 }
        return tail == 0 && hasFlows(id) ? nodes[Int(id)].framesAhead : 0
    }

    @_noLocks @inline(__always)
    private func hasFlows(_ id: ClassID) -> Bool { states[Int(id)].level == 0 && flows(of: id) != nil }

    /// Number of bytes in a class's queue.
    @_noLocks @inline(__always)
    func queuedBytes(_ id: ClassID) -> UInt32 {
        let tail = states[Int(id)].tail
        if tail > FrameNode.none { return nodes[Int(id)].bytesAhead &+ frames[Int(tail)].length }
        return tail == 0 && hasFlows(id) ? nodes[Int(id)].bytesAhead : 0
    }

    /// The first frame of a leaf's queue, or `FrameNode.none` if that is empty. If the leaf holds frames in flow queues, this is a placeholder that always
    /// exists, with a queuing time of 0.
    @_noLocks @inline(__always)
    func first(of leaf: ClassID) -> UInt32 {
        let tail = states[Int(leaf)].tail
        return tail == FrameNode.none ? FrameNode.none : frames[Int(tail)].next
    }

    /// Removes and returns a leaf's whole queue; nil if it is empty. The leaf must be in no list.
    @_noLocks
    mutating func removeQueue(of leaf: ClassID) -> LeafQueue? {
        joinFlows(of: leaf)
        let tail = states[Int(leaf)].tail
        if tail == FrameNode.none { return nil }
        states[Int(leaf)].tail = FrameNode.none
        return LeafQueue(tail: tail, count: nodes[Int(leaf)].framesAhead, bytes: nodes[Int(leaf)].bytesAhead)
    }

    /// Appends a queue to a leaf's own, whatever the leaf's limits are.
    @_noLocks
    mutating func append(_ queue: LeafQueue, to leaf: ClassID, at now: Nanoseconds) {
        let state = states + Int(leaf), node = nodes + Int(leaf)
        let last = state.pointee.tail
        if last == 0, let flows = flows(of: leaf) { return appendApart(FrameQueue(tail: queue.tail, count: queue.count, bytes: queue.bytes), flows, to: leaf) }
        state.pointee.tail = queue.tail
        if last == FrameNode.none {
            node.pointee.framesAhead = queue.count
            node.pointee.bytesAhead = queue.bytes
            inheritQueue(leaf)
            return readmit(leaf: leaf, at: now)
        }
        let first = frames[Int(last)].next
        frames[Int(last)].next = frames[Int(queue.tail)].next
        frames[Int(queue.tail)].next = first
        node.pointee.framesAhead &+= queue.count &+ 1
        node.pointee.bytesAhead &+= queue.bytes &+ frames[Int(last)].length
    }

    /// Removes the first frame, which is `index`, from a leaf's queue. Returns the frame that is first then, or `FrameNode.none`.
    @_noLocks @inline(__always)
    mutating func removeFirst(_ index: UInt32, of leaf: ClassID) -> UInt32 {
        let state = states + Int(leaf), node = nodes + Int(leaf)
        let tail = state.pointee.tail
        if index == tail {
            state.pointee.tail = FrameNode.none
            return FrameNode.none
        }
        let next = frames[Int(index)].next
        frames[Int(tail)].next = next
        node.pointee.framesAhead &-= 1
        node.pointee.bytesAhead &-= frames[Int(index)].length
        return next
    }
}

/// A queue that belongs to no leaf: its last frame, and the frames and bytes ahead of that.
struct LeafQueue {
    let tail: UInt32
    let count: UInt32
    let bytes: UInt32

    @_noLocks @inline(__always)
    init(tail: UInt32, count: UInt32, bytes: UInt32) {
        self.tail = tail
        self.count = count
        self.bytes = bytes
    }
}
