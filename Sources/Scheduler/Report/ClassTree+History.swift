/// Keeps what classes counted before a change in the totals after it, both for themselves and for all that were above them.
extension ClassTree {
    /// Saves the counts that would be lost with a change of parameters.
    @_noLocks
    mutating func endCounts(of id: ClassID, goingOn: (codel: Bool, extra: Bool)) {
        let flags = states[Int(id)].flags
        if flags & ClassFlags.codel != 0, !goingOn.codel { addKept(KeptCounts(droppedCoDel: codels[Int(id)].dropped, marked: codels[Int(id)].marked), for: id) }
        if flags & ClassFlags.extra != 0, !goingOn.extra {
            addKept(KeptCounts(waitsPeak: extras[Int(id)].waitsPeak, waitsPackets: extras[Int(id)].waitsPackets), for: id)
        }
    }

    @_noLocks
    mutating func addKept(_ counts: KeptCounts, for id: ClassID) {
        let mine = keptCounts + Int(id)
        if nodes[Int(id)].blockers & 1 == 0 {
            mine.pointee = KeptCounts()
            nodes[Int(id)].blockers |= 1
        }
        mine.pointee.droppedByRemoval &+= counts.droppedByRemoval
        mine.pointee.droppedBufferFull &+= counts.droppedBufferFull
        mine.pointee.droppedCoDel &+= counts.droppedCoDel
        mine.pointee.marked &+= counts.marked
        mine.pointee.waitsPeak &+= counts.waitsPeak
        mine.pointee.waitsPackets &+= counts.waitsPackets
    }

    @_noLocks
    func keptCounts(of id: ClassID) -> KeptCounts { nodes[Int(id)].blockers & 1 != 0 ? keptCounts[Int(id)] : KeptCounts() }

    /// What a class itself dropped; for an inner class, this includes what its removed children dropped.
    @_noLocks
    func ownCounts(of id: ClassID) -> OwnCounts {
        let block = blocks[Int(id)], kept = keptCounts(of: id)
        var drops = OwnCounts()
        drops.queueLimit = block.droppedQueueLimit
        drops.bufferShare = block.droppedBufferShare
        drops.bufferFull = kept.droppedBufferFull
        drops.cycles = block.cycles
        drops.codel = kept.droppedCoDel
        drops.marked = kept.marked
        if states[Int(id)].flags & ClassFlags.codel != 0 {
            drops.codel &+= codels[Int(id)].dropped
            drops.marked &+= codels[Int(id)].marked
        }
        drops.removal = kept.droppedByRemoval
        return drops
    }

    /// Adds what a class that is removed counted to its parent's own counts.
    @_noLocks
    mutating func leaveCounters(of id: ClassID, to parent: ClassID) {
        change(lenderOf: id, to: ClassState.nobody)
        add(historyOf: id, to: parent, isTaken: false)
    }

    /// Leaves what a leaf counted so far with the parent that it leaves. These counts remain the leaf's own, but must not count for its new parent: so they are
    /// subtracted from the new parent's own counts. What the leaf borrowed from ancestors that are no longer above it, and how often it waited for them, is
    /// attributed to the nearest ancestor that is above both parents.
    @_noLocks
    mutating func leaveHistory(of id: ClassID, to old: ClassID, movingTo parent: ClassID) {
        change(lenderOf: id, to: ClassState.nobody)
        add(historyOf: id, to: old, isTaken: false)
        var common = parent
        while common != 1, !isAbove(common, old) { common = states[Int(common)].parent }
        let ownLevel = states[Int(old)].level &- 1, commonLevel = states[Int(common)].level
        var level = ownLevel &+ 1
        while level < commonLevel {
            let bit: UInt8 = 1 &<< level
            if nodes[Int(id)].lenders & bit != 0 {
                let loan = loans[Int(level) &* classes &+ Int(id)]
                nodes[Int(id)].lenders &= ~bit
                add(to: id, fromLevel: commonLevel, frames: loan.frames, bytes: loan.bytes)
            }
            if nodes[Int(id)].blockers & bit != 0 {
                let waits = ceilingWaits[Int(level) &* classes &+ Int(id)]
                nodes[Int(id)].blockers &= ~bit
                add(to: id, waits: waits, forLevel: commonLevel)
            }
            level &+= 1
        }
        // What the leaf itself lent, as a parent, to children that were removed.
        let newLevel = states[Int(parent)].level &- 1, bit: UInt8 = 1 &<< ownLevel
        if newLevel != ownLevel, nodes[Int(id)].lenders & bit != 0 {
            let loan = loans[Int(ownLevel) &* classes &+ Int(id)]
            nodes[Int(id)].lenders &= ~bit
            add(to: id, fromLevel: newLevel, frames: loan.frames, bytes: loan.bytes)
        }
        add(historyOf: id, to: parent, isTaken: true)
    }

    /// Whether `id` is `below` itself or one of its ancestors.
    @_noLocks
    private func isAbove(_ id: ClassID, _ below: ClassID) -> Bool {
        var ancestor = below
        while ancestor != 0 {
            if ancestor == id { return true }
            ancestor = states[Int(ancestor)].parent
        }
        return false
    }

    /// Adds a class's own counts to those of its parent or, with `isTaken`, subtracts them. The numbers may wrap around: the sums are right nevertheless.
    @_noLocks
    private mutating func add(historyOf id: ClassID, to parent: ClassID, isTaken: Bool) {
        // With `isTaken` each number x becomes 0 - x.
        let flip: UInt64 = isTaken ? .max : 0, one: UInt64 = isTaken ? 1 : 0
        let state = states[Int(id)], drops = ownCounts(of: id)
        states[Int(parent)].sentBytes &+= (state.sentBytes ^ flip) &+ one
        states[Int(parent)].sentFrames &+= (state.sentFrames ^ flip) &+ one
        for level in Int(states[Int(parent)].level)..<8 where nodes[Int(id)].lenders &>> UInt8(truncatingIfNeeded: level) & 1 != 0 {
            let loan = loans[level &* classes &+ Int(id)]
            add(
                to: parent, fromLevel: UInt8(truncatingIfNeeded: level), frames: (loan.frames ^ flip) &+ one, bytes: (loan.bytes ^ flip) &+ one)
        }
        blocks[Int(parent)].droppedQueueLimit &+= (drops.queueLimit ^ flip) &+ one
        blocks[Int(parent)].droppedBufferShare &+= (drops.bufferShare ^ flip) &+ one
        blocks[Int(parent)].cycles &+= (drops.cycles ^ flip) &+ one
        if drops.removal | drops.bufferFull | drops.codel | drops.marked != 0 {
            addKept(
                KeptCounts(
                    droppedByRemoval: (drops.removal ^ flip) &+ one, droppedBufferFull: (drops.bufferFull ^ flip) &+ one,
                    droppedCoDel: (drops.codel ^ flip) &+ one, marked: (drops.marked ^ flip) &+ one),
                for: parent)
        }
    }

    /// What a removed class had sent, and the cycles that receiving that took, including its own removed children. Valid until its id is used again.
    public func lastCounts(of id: ClassID) -> (frames: UInt64, bytes: UInt64, cycles: UInt64) {
        Int(id) < classes ? (states[Int(id)].sentFrames, states[Int(id)].sentBytes, blocks[Int(id)].cycles) : (0, 0, 0)
    }
}

/// Numbers of frames dropped, by cause, and of those that were marked instead; and the cycles that frames took.
struct OwnCounts {
    var queueLimit: UInt64 = 0
    var bufferShare: UInt64 = 0
    var bufferFull: UInt64 = 0
    var codel: UInt64 = 0
    var marked: UInt64 = 0
    var removal: UInt64 = 0
    var cycles: UInt64 = 0

    @_noLocks @inline(__always)
    init() {}

    mutating func add(_ other: OwnCounts) {
        queueLimit &+= other.queueLimit
        bufferShare &+= other.bufferShare
        bufferFull &+= other.bufferFull
        codel &+= other.codel
        marked &+= other.marked
        removal &+= other.removal
        cycles &+= other.cycles
    }
}
