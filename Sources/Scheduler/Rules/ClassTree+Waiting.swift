extension ClassTree {
    /// Skips leaves that hold no frame queued at `time` or earlier, from class `next` on, and stops at a leaf that does. Returns true when it has skipped all
    /// of them. Frames leave a leaf in order, so a leaf that was skipped need not be looked at again.
    ///
    /// - Parameters:
    ///   - next: the class with which to begin; 0 at first. It is advanced to the class with which to continue.
    ///   - most: the number of leaves that one call may look at.
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
            if looked == most { return false }
            let first = first(of: ClassID(truncatingIfNeeded: next))
            if first != FrameNode.none, frames[Int(first)].since <= time { return false }
            looked &+= 1
            next &+= 1
        }
        return true
    }
}
