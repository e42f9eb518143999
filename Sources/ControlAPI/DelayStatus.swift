/// How long frames have waited in queues, from when they were queued until their port had them, since that has been counted (`delay` of the daemon's settings).
///
/// Times are in nanoseconds. They are never too low, and at most an eighth too high.
public struct DelayStatus: Codable, Equatable, Sendable {
    /// Frames that left, and those among them that had to wait. The others left in the turn of the poll loop in which they came, and count as 0 ns.
    public var frames: UInt64 = 0
    public var waited: UInt64 = 0
    /// What half of all frames, and 99 of 100, have waited at most, and the longest that one has.
    public var p50Nanoseconds: UInt64 = 0
    public var p99Nanoseconds: UInt64 = 0
    public var maxNanoseconds: UInt64 = 0
    /// The frames that waited, in the order of delays: pairs of a delay, and of how many frames have waited as long or at most an eighth less.
    public var buckets: [[UInt64]] = []
    public init() {}

    /// - Parameters:
    ///   - passed: frames that did not wait.
    ///   - buckets: see `buckets`.
    public init(passed: UInt64, buckets: [[UInt64]]) {
        self.buckets = buckets
        waited = buckets.reduce(0) { $0 &+ $1[1] }
        frames = passed &+ waited
        p50Nanoseconds = delay(of: 0.5)
        p99Nanoseconds = delay(of: 0.99)
        maxNanoseconds = buckets.last?[0] ?? 0
    }

    /// The delay that this part of all frames does not exceed.
    public func delay(of part: Double) -> UInt64 {
        // The frame that is meant is the one of this number if all stand in the order of their delays.
        let rank = UInt64((Double(frames) * part).rounded(.up))
        var seen = frames - waited
        if rank <= seen { return 0 }
        for bucket in buckets {
            seen &+= bucket[1]
            if rank <= seen { return bucket[0] }
        }
        return buckets.last?[0] ?? 0
    }

    /// How many frames have waited at most this long, as far as buckets tell.
    public func frames(upTo delay: UInt64) -> UInt64 { buckets.reduce(frames - waited) { $1[0] <= delay ? $0 &+ $1[1] : $0 } }

    /// What was counted since an earlier status. If counting has begun again meanwhile: all.
    public func since(_ before: DelayStatus) -> DelayStatus {
        let old = Dictionary(before.buckets.map { ($0[0], $0[1]) }) { first, _ in first }
        let passed = frames - waited, passedBefore = before.frames - before.waited
        let grown = buckets.map { bucket in (bucket[0], bucket[1] >= old[bucket[0]] ?? 0 ? bucket[1] - (old[bucket[0]] ?? 0) : nil) }
        guard before.waited <= waited, !grown.contains(where: { $0.1 == nil }) else { return self }
        return DelayStatus(passed: passed >= passedBefore ? passed - passedBefore : 0, buckets: grown.compactMap { $0.1 == 0 ? nil : [$0.0, $0.1!] })
    }
}
