/// A leaf's queue. One frame, or none, is told by the leaf's line alone, as it is most often with many classes; of more, the last frame, their number and
/// their bytes stand in `ClassNode`.
extension ClassTree {
    /// Frames in a class's queue; 0 of an inner class. Any thread may ask: see `counters`.
    @_noLocks @inline(__always)
    func queued(_ id: ClassID) -> UInt32 {
        let head = states[Int(id)].head
        if head <= FrameNode.none { return 0 }
        return frames[Int(head)].next == FrameNode.none ? 1 : nodes[Int(id)].count
    }

    /// Their bytes.
    @_noLocks @inline(__always)
    func queuedBytes(_ id: ClassID) -> UInt32 {
        let head = states[Int(id)].head
        if head <= FrameNode.none { return 0 }
        return frames[Int(head)].next == FrameNode.none ? frames[Int(head)].length : nodes[Int(id)].bytes
    }

    /// The last frame of a queue that is not empty.
    @_noLocks @inline(__always)
    func lastQueued(_ id: ClassID) -> UInt32 {
        let head = states[Int(id)].head
        return frames[Int(head)].next == FrameNode.none ? head : nodes[Int(id)].tail
    }
}
