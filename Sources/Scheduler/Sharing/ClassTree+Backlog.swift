/// How long a leaf's queue is, for those who stop its senders before it is too long. Only the lcore that owns the tree may ask.
extension ClassTree {
    /// The bytes that wait in a leaf; 0 for anything else.
    @_noLocks
    public func backlog(of leaf: ClassID) -> UInt32 { Int(leaf) < classes ? queuedBytes(leaf) : 0 }

    /// Whether a leaf that got `more` frames at once would hold more than its share of the buffer (see `enqueue`).
    @_noLocks
    public func isShort(of room: UInt32, for leaf: ClassID, more: UInt32) -> Bool {
        Int(leaf) < classes && UInt64(queued(leaf)) &+ UInt64(more) >= UInt64(min(free, room))
    }
}
