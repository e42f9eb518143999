/// How often a poll loop lost its CPU to other threads, interrupts or the hypervisor. A turn counts as a stall if it took over 20 us more than twice what its
/// frames usually take. Time asleep does not count, nor does the time in which a change is carried out.
public struct StallStatus: Codable, Equatable, Sendable {
    public var count: UInt64 = 0
    public var totalMicroseconds: Double = 0
    public var longestMicroseconds: Double = 0
    /// Time in which the loop did not sleep; `totalMicroseconds` is a part of it.
    public var awakeMicroseconds: Double = 0
    /// Time since the daemon's start, asleep or awake.
    public var elapsedMicroseconds: Double = 0
    /// Time in which, by the kernel's count, the loop's thread was ready but others ran (`waited`), and in which the hypervisor withheld the CPU (`stolen`).
    /// A time is nil if the kernel does not count it here.
    public var waitedMicroseconds: Double?
    public var stolenMicroseconds: Double?
    /// The latest stalls, oldest first; nil: they were not asked for.
    public var latest: [Stall]?
    public init() {}

    /// A single stall.
    public struct Stall: Codable, Equatable, Sendable {
        /// When the stall began, as a value of the time-stamp counter, which is the same for all processes of the host.
        public var beganCycles: UInt64
        public var microseconds: Double
        /// How long ago the stall began.
        public var secondsAgo: Double
        public init(beganCycles: UInt64, microseconds: Double, secondsAgo: Double) {
            self.beganCycles = beganCycles
            self.microseconds = microseconds
            self.secondsAgo = secondsAgo
        }
    }

    /// What was counted after `first`. Only `longestMicroseconds` is not restricted to that time: the longest stall may have been before it.
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
