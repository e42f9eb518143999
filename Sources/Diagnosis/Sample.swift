import ControlAPI

/// What the daemon's methods told at one moment. Two samples show what has happened between them.
public struct Sample: Sendable {
    /// Seconds, from any start.
    public var time: Double
    public var status = StatusReply()
    public var stats = StatsReply()
    public var ports: [PortStatus] = []
    public var guests: [GuestStatus] = []
    public var classes: [ClassStatus] = []
    public var cores: [CoreStatus] = []

    public init(time: Double) { self.time = time }
}

extension ClassStatus {
    /// What tells classes apart.
    var key: String { "\(tree) \(direction) \(path)" }
}

extension [String: UInt64] {
    /// What was counted since an earlier table; only what was counted then. A counter that is lower than it was has begun again.
    func since(_ before: [String: UInt64]) -> [String: UInt64] {
        reduce(into: [:]) { result, item in
            let old = before[item.key] ?? 0
            let more = item.value >= old ? item.value - old : item.value
            if more > 0 { result[item.key] = more }
        }
    }

    var sum: UInt64 { values.reduce(0, &+) }

    /// The entry with the highest value, of equal ones the first by name.
    var highest: (key: String, value: UInt64)? { self.max { ($0.value, $1.key) < ($1.value, $0.key) }.map { ($0.key, $0.value) } }
}

extension UInt64 {
    /// The difference to an earlier value of a counter; 0 if it has begun again.
    func since(_ before: UInt64) -> UInt64 { self >= before ? self - before : 0 }
}
