/// The shares of what a class lends, if its borrowers are spread over several instances: see `SharedTree+Shares` and `LeasedBucket.book`.
///
/// A class that waits in its parent's feed counts there with its quantum. If it waits in other instances as well, it counts in each with a part of that: a leaf
/// with equal parts, an inner class in proportion to the classes that wait at it. So a group gets the same, however its guests are spread.
extension ClassTree {
    /// The bytes of a class's turn in its parent's feed.
    @_noLocks @inline(__always)
    func feedQuantum(_ id: ClassID) -> Int32 {
        states[Int(id)].flags & ClassFlags.shared != 0 ? leases[Int(id)].quantum : profile(of: id).pointee.quantum
    }

    @_noLocks @inline(__always)
    func addToFeed(_ id: ClassID, _ priority: Int) {
        let weight = feedWeights + (Int(states[Int(id)].parent) &* 8 &+ priority)
        weight.pointee &+= UInt32(bitPattern: leases[Int(id)].quantum)
    }

    @_noLocks @inline(__always)
    func takeFromFeed(_ id: ClassID, _ priority: Int) {
        let weight = feedWeights + (Int(states[Int(id)].parent) &* 8 &+ priority)
        weight.pointee &-= UInt32(bitPattern: leases[Int(id)].quantum)
    }

    /// Announces an active class in this epoch, and computes its quantum in the feed from the sums of the epoch before. This happens once per epoch.
    @_noLocks @inline(__always)
    mutating func refreshShare(_ id: ClassID, at now: Nanoseconds) {
        let epoch = SharedTree.epoch(at: now), isLeaf = states[Int(id)].level == 0
        let priority = isLeaf ? 0 : lendingPriority(id, states[Int(id)].active)
        if leases[Int(id)].epoch == epoch, isLeaf || feedShares[Int(id)].priority == UInt8(priority) { return }
        computeShare(id, priority, isLeaf: isLeaf, epoch)
    }

    @_noLocks @inline(never)
    private mutating func computeShare(_ id: ClassID, _ priority: Int, isLeaf: Bool, _ epoch: UInt32) {
        guard let shared else { return }
        let lease = leases + Int(id), feed = feedShares + Int(id)
        let before = (epoch &- 1) & 0xf_ffff
        let bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: priority)
        let weight = isLeaf ? 1 : UInt64(lendingWeight(id, priority))
        if weight == 0 { return }
        if lease.pointee.epoch != epoch {
            lease.pointee.announcedBefore = lease.pointee.epoch == before ? lease.pointee.announced : 0
            lease.pointee.announced = 0
            lease.pointee.epoch = epoch
        }
        if lease.pointee.announced & bit == 0 {
            lease.pointee.announced |= bit
            SharedTree.announce(weight, in: shared.sum(of: id, isLeaf: isLeaf, priority: priority, epoch: epoch), epoch: epoch)
        }
        let others = SharedTree.sum(in: shared.sum(of: id, isLeaf: isLeaf, priority: priority, epoch: before), epoch: before)
        let sum = lease.pointee.announcedBefore & bit != 0 ? max(others, weight) : others &+ weight
        let inverse = (1 &<< 62) / max(sum, 1)
        if !isLeaf {
            feed.pointee.sum = sum
            feed.pointee.inverse = inverse
            feed.pointee.priority = UInt8(truncatingIfNeeded: priority)
        }
        let quantum = UInt64(UInt32(bitPattern: profile(of: id).pointee.quantum))
        // At least a thirty-second of the quantum, so that a class does not have to collect many turns before it may send a frame.
        let part = max((quantum &* ((weight &* inverse) &>> 30)) &>> 32, quantum &>> 5)
        setQuantum(of: id, Int32(truncatingIfNeeded: part))
    }

    @_noLocks
    private mutating func setQuantum(of id: ClassID, _ quantum: Int32) {
        let more = UInt32(bitPattern: quantum &- leases[Int(id)].quantum)
        if more == 0 { return }
        leases[Int(id)].quantum = quantum
        var rest = states[Int(id)].inFeed
        while rest != 0 {
            feedWeights[Int(states[Int(id)].parent) &* 8 &+ rest.trailingZeroBitCount] &+= more
            rest &= rest &- 1
        }
    }

    /// What a class may book for the classes that wait at it; nil if none does.
    @_noLocks @inline(__always)
    mutating func share(of id: ClassID, at now: Nanoseconds) -> Share? {
        let active = states[Int(id)].active
        guard let shared, states[Int(id)].level != 0, active != 0 else { return nil }
        let priority = lendingPriority(id, active)
        let weight = lendingWeight(id, priority)
        if weight == 0 { return nil }
        refreshShare(id, at: now)
        let feed = feedShares + Int(id)
        let base = Int(id) &* SharedTree.wordsPerClass
        let flags = states[Int(id)].flags
        var end = now
        if flags & ClassFlags.meteredFloor != 0 { end = max(end, shared.words[base &+ SharedTree.floor].end.load(ordering: .relaxed)) }
        if flags & ClassFlags.meteredCeiling != 0 { end = max(end, shared.words[base &+ SharedTree.ceiling].end.load(ordering: .relaxed)) }
        var may = shared.claim(id, priority: priority, mine: &feed.pointee.hold, until: end &+ SharedTree.grace, at: now)
        if may { feed.pointee.heldPriority = UInt8(truncatingIfNeeded: priority) }
        if _slowPath(hasShares), id == 1, leavesRateToOthers(at: now) { may = false }
        return Share(fraction: feed.pointee.fraction(of: weight), sum: feed.pointee.sum, mayBorrow: may)
    }

    /// Notes that no class waits at this one with these priorities any more.
    @_noLocks @inline(__always)
    mutating func endWaiting(at id: ClassID, _ priorities: UInt8) {
        guard states[Int(id)].flags & ClassFlags.shared != 0, let shared else { return }
        if _slowPath(hasShares), id == 1 { endWaitingOfClasses(priorities) }
        let feed = feedShares + Int(id)
        if feed.pointee.hold != 0, priorities &>> feed.pointee.heldPriority & 1 != 0 { shared.release(id, mine: &feed.pointee.hold) }
        if states[Int(id)].active == 0 {
            feed.pointee.floor.isMember = false
            feed.pointee.ceiling.isMember = false
        }
    }

    /// Notes what a class lent, or let through to borrowers from classes above it.
    @_noLocks @inline(__always)
    func noteLent(_ id: ClassID, lends: Bool, cost: Int64) {
        let feed = feedShares + Int(id)
        if lends { feed.pointee.floor.lent &+= cost }
        feed.pointee.ceiling.lent &+= cost
    }
}
