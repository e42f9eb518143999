/// How often a poll loop lost its CPU: other threads, interrupts, the hypervisor. A turn counts that took 20 us more than twice what its frames usually
/// take. Sleep does not count, nor does carrying out a change.
public struct StallStatus: Codable, Equatable, Sendable {
    public var count: UInt64 = 0
    public var totalMicroseconds: Double = 0
    public var longestMicroseconds: Double = 0
    /// Time in which the loop did not sleep, of which `totalMicroseconds` is a part.
    public var awakeMicroseconds: Double = 0
    /// Time since the start, asleep or awake.
    public var elapsedMicroseconds: Double = 0
    /// By the kernel's count: its thread was ready to run and others ran; the hypervisor took its CPU. nil: not counted here.
    public var waitedMicroseconds: Double?
    public var stolenMicroseconds: Double?
    /// The latest, oldest first, where they were asked for.
    public var latest: [Stall]?
    public init() {}

    public struct Stall: Codable, Equatable, Sendable {
        /// Of the time-stamp counter, which all of the host's processes share.
        public var beganCycles: UInt64
        public var microseconds: Double
        /// When it began.
        public var secondsAgo: Double
        public init(beganCycles: UInt64, microseconds: Double, secondsAgo: Double) {
            self.beganCycles = beganCycles
            self.microseconds = microseconds
            self.secondsAgo = secondsAgo
        }
    }

    /// What came after `first`. The longest is the longest of all unless it came after.
    public func since(_ first: StallStatus) -> StallStatus {
        var status = self
        status.count &-= first.count
        status.totalMicroseconds -= first.totalMicroseconds
        status.awakeMicroseconds -= first.awakeMicroseconds
        status.elapsedMicroseconds -= first.elapsedMicroseconds
        status.waitedMicroseconds = waitedMicroseconds.map { $0 - (first.waitedMicroseconds ?? 0) }
        status.stolenMicroseconds = stolenMicroseconds.map { $0 - (first.stolenMicroseconds ?? 0) }
        return status
    }
}
