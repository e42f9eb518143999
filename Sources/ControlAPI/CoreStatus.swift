// What is told of the poll loops and the queues that they serve.

/// A receive queue that a core polls.
public struct QueueAssignment: Codable, Equatable, Sendable {
    public var port: String
    public var queue: Int
    /// The share of a core's time that the queue took over the last second.
    public var loadPercent: Double
    public init(port: String, queue: Int, loadPercent: Double = 0) { self.port = port; self.queue = queue; self.loadPercent = loadPercent }
}

/// A queue that is to move, or has moved, from one core to another.
public struct MoveStatus: Codable, Equatable, Sendable {
    public var port = ""
    /// The queues that move together. They are several if the port is paced, as its queues must stay on one core.
    public var queues: [Int] = []
    /// The CPUs that the queues move from and to.
    public var from = 0
    public var to = 0
    /// The share of a core's time that the queues took over the last second.
    public var loadPercent: Double = 0
    /// Whether the queues have moved. If false, the move is only planned, or was given up because the old core holds frames that may not leave yet.
    public var done = false
    public init() {}
}

/// A core that runs a poll loop.
public struct CoreStatus: Codable, Equatable, Sendable {
    public var cpu = 0
    public var numaNode: Int?
    /// The receive queues that the core polls.
    public var queues: [QueueAssignment] = []
    /// What the core does when there is nothing to do: `polling`, `adaptive` or `interrupt`.
    public var polling = ""
    /// Shares of the time that the core spent in turns with frames, and asleep, over the last second.
    public var busyPercent: Double = 0
    public var asleepPercent: Double = 0
    public var framesPerSecond: UInt64 = 0
    public var frames: UInt64 = 0
    /// Turns of the poll loop, and those among them that found nothing.
    public var turns: UInt64 = 0
    public var idleTurns: UInt64 = 0
    /// CPU cycles per frame in busy turns, over the last second.
    public var cyclesPerFrame: Double = 0
    /// How often the loop slept, and what ended its sleeps: `traffic` (a kick or an interrupt), `control` (a change) or `time` (a class became due, or the loop
    /// looked at ports that cannot wake it).
    public var sleeps: UInt64 = 0
    public var wakeups: [String: UInt64] = [:]
    /// If stages have been measured: the cycles that each took, in the order in which frames pass them, and the frames that were received meanwhile. Both only
    /// grow; the difference between two replies is what was measured between them.
    public var stages: [StageStatus] = []
    public var measuredFrames: UInt64 = 0
    /// Times in which the loop did not run although it was ready to.
    public var stalls = StallStatus()
    /// Ports that the core polls and whose frames cannot wake it, as their drivers have no receive interrupts. A sleeping loop looks at them every 0.5 ms.
    public var lookedAt: [String] = []
    public init() {}
}

/// One stage of a poll loop's turn.
public struct StageStatus: Codable, Equatable, Sendable {
    /// `poll`, `admit`, `bridge`, `classify`, `schedule`, `send`
    public var name: String
    public var cycles: UInt64
    public init(name: String, cycles: UInt64) { self.name = name; self.cycles = cycles }
}

extension CoreStatus {
    /// The counters of `last`, but with only the stages' cycles and measured frames of the time between it and `first`.
    public static func stages(from first: CoreStatus, to last: CoreStatus) -> CoreStatus {
        var status = last
        status.measuredFrames &-= first.measuredFrames
        let before = Dictionary(first.stages.map { ($0.name, $0.cycles) }) { first, _ in first }
        status.stages = last.stages.map { StageStatus(name: $0.name, cycles: $0.cycles &- (before[$0.name] ?? 0)) }
        return status
    }
}
