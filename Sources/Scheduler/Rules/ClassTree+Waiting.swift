extension ClassTree {
    /// Passes over leaves that hold no frame queued at `time` or before, from class `next` on, and stops at one that does: true when it has
    /// passed over all of them. Frames leave a leaf in order, so a leaf once passed over need not be looked at again.
    ///
    /// - Parameters:
    ///   - next: the class to begin with; 0 at first.
    ///   - most: leaves looked at in one call.
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
