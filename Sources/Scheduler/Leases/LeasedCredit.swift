/// What one instance holds of a rate that it leases. It is for tests that keep account of credit.
package struct LeasedCredit {
    package enum Kind: CaseIterable, Sendable { case floor, ceiling }
    /// In nanobits; negative if credit is owed.
    package var tokens: Int64
    /// In bit/s.
    package var rate: UInt64
    /// Time in ns that was booked and has not passed.
    package var pending: Nanoseconds
    /// The time up to which the rate has been handed out to all instances.
    package var end: Nanoseconds
    /// Time in ns in which the bucket fills.
    package var depth: Nanoseconds
}

extension ClassTree {
    /// Nil if the tree leases nothing, or the class has no such rate.
    package func leasedCredit(of id: ClassID, _ kind: LeasedCredit.Kind) -> LeasedCredit? {
        guard let shared, Self.has(existing, id) else { return nil }
        let state = states[Int(id)], profile = profile(of: id).pointee
        let isFloor = kind == .floor
        guard state.flags & (isFloor ? ClassFlags.meteredFloor : ClassFlags.meteredCeiling) != 0 else { return nil }
        let length = isFloor ? leases[Int(id)].floorLength : leases[Int(id)].ceiling.length
        let word = Int(id) * SharedTree.wordsPerClass + (isFloor ? SharedTree.floor : SharedTree.ceiling)
        let bucket = LeasedBucket(
            word: word, rate: isFloor ? profile.floorRate : profile.ceilingRate, reciprocal: isFloor ? profile.floorReciprocal : profile.ceilingReciprocal,
            burst: isFloor ? profile.floorBurst : profile.ceilingBurst, perFrame: LeasedBucket.frame)
        return LeasedCredit(
            tokens: isFloor ? state.floorTokens : state.ceilingTokens, rate: bucket.rate, pending: length == Lease.putOff ? 0 : length,
            end: shared.words[word].end.load(ordering: .relaxed), depth: bucket.depth)
    }
}
