extension ClassTree {
    /// Skips leaves that hold no frame queued at `time` or earlier, from class `next` on, and stops at a leaf that does. Returns true when it has skipped all
    /// of them. Frames leave a leaf in order, so a leaf that was skipped need not be looked at again.
    ///
    /// - Parameters:
    ///   - next: the class with which to begin; 0 at first. It is advanced to the class with which to continue.
    ///   - most: the number of leaves and flows after which a call looks at no further leaf.
    @_noLocks
    public func hasSent(since time: Nanoseconds, from next: inout UInt32, most: Int) -> Bool {
        var looked = 0
        while next < UInt32(truncatingIfNeeded: classes) {
            let rest = leaves[Int(next &>> 6)] &>> UInt64(next & 63)
            if rest == 0 {
                next = (next | 63) &+ 1
                continue
            }
            next &+= UInt32(truncatingIfNeeded: rest.trailingZeroBitCount)
            if looked >= most { return false }
            let leaf = ClassID(truncatingIfNeeded: next)
            if states[Int(leaf)].tail == 0, let flows = flows(of: leaf) {
                let lists = flows.lists
                if holds(lists.pointee.newHead, flows, queuedBy: time) || holds(lists.pointee.oldHead, flows, queuedBy: time) { return false }
                looked &+= Int(lists.pointee.new &+ lists.pointee.old)
            } else {
                let first = first(of: leaf)
                if first != FrameNode.none, frames[Int(first)].since <= time { return false }
            }
            looked &+= 1
            next &+= 1
        }
        return true
    }

    /// Whether a flow from `head` on in its list holds a frame queued at `time` or earlier. The frames of a flow leave in order.
    @_noLocks
    private func holds(_ head: UInt16, _ flows: FlowQueues, queuedBy time: Nanoseconds) -> Bool {
        var number = head
        while number != 0 {
            let first = flows.flow(number).pointee.queue.first(frames)
            if first != FrameNode.none, frames[Int(first)].since <= time { return true }
            number = flows.flow(number).pointee.next
        }
        return false
    }
}
