/// What a class takes of frames that are sent to everybody, where their sender sends many of them.
extension ClassTree {
    /// Whether a frame that is flooded in excess of its sender's share may go into a leaf's queue, so that it takes only what others leave.
    ///
    /// A leaf with a floor takes it if nothing waits there, and half of the floor's burst is left, or somebody would lend to the leaf now. So the frames that are
    /// meant for this leaf find tokens of the floor, and at most one flooded frame ahead of them. A leaf without a floor takes it while its queue is less than a
    /// quarter full. Any class that is no leaf holds nothing, and takes it.
    @_noLocks
    public mutating func takesExcessFlood(_ leaf: ClassID, at now: Nanoseconds) -> Bool {
        let state = states + Int(leaf), profile = profile(of: leaf)
        if state.pointee.flags & ClassFlags.meteredFloor == 0 {
            return UInt64(queued(leaf)) &* 4 < UInt64(profile.pointee.limitPackets) && UInt64(queuedBytes(leaf)) &* 4 < UInt64(profile.pointee.limitBytes)
        }
        if queued(leaf) != 0 { return false }
        // Where the rate is shared by several poll loops, what a loop has of it says nothing of the burst.
        if state.pointee.flags & ClassFlags.shared != 0 { return true }
        refill(leaf, at: now)
        return state.pointee.floorTokens &* 2 >= profile.pointee.floorBurst || isLent(to: leaf, at: now)
    }

    /// Whether a class above a leaf would lend to it now: the first one that is within its floor, with no ceiling below that forbids it.
    @_noLocks
    private mutating func isLent(to leaf: ClassID, at now: Nanoseconds) -> Bool {
        var id = states[Int(leaf)].parent
        while id != 0 {
            refill(id, at: now)
            switch currentMode(id) {
            case Mode.canSend: return true
            case Mode.mayBorrow: id = states[Int(id)].parent
            default: return false
            }
        }
        return false
    }
}
