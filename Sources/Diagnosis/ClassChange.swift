import ControlAPI

/// What a class did between two samples.
public struct ClassChange: Sendable {
    public let now: ClassStatus
    /// Seconds between the samples.
    public let seconds: Double
    public let sent: Traffic
    public let borrowedBytes: UInt64
    /// Frames dropped from its queue, by reason.
    public let drops: [String: UInt64]
    /// How often it waited, by reason.
    public let holds: [String: UInt64]
    /// How often it waited for the ceiling of a class above, by that class.
    public let heldBy: [String: UInt64]
    /// How long its frames waited; nil: that is not counted.
    public let delay: DelayStatus?
    /// Whether frames waited at the beginning as well as at the end.
    public let hasBacklog: Bool

    /// - Parameter before: the class as it was; nil: it is new, and all that it did was in between.
    public init(_ before: ClassStatus?, _ now: ClassStatus, seconds: Double) {
        let before = before ?? ClassStatus()
        (self.now, self.seconds) = (now, max(seconds, 0.001))
        sent = Traffic(frames: now.sent.frames.since(before.sent.frames), bytes: now.sent.bytes.since(before.sent.bytes))
        borrowedBytes = now.borrowedBytes.since(before.borrowedBytes)
        (drops, holds) = (now.drops.since(before.drops), now.holds.since(before.holds))
        func table(_ list: [ClassStatus.AncestorWaits]) -> [String: UInt64] { Dictionary(list.map { ($0.class, $0.waits) }) { $0 &+ $1 } }
        heldBy = table(now.heldBy).since(table(before.heldBy))
        delay = now.delay.map { delay in before.delay.map(delay.since) ?? delay }
        hasBacklog = before.backlog.frames > 0 && now.backlog.frames > 0
    }

    public var rate: Rate { Rate(bits: UInt64(Double(sent.bytes) * 8 / seconds), packets: UInt64(Double(sent.frames) / seconds)) }
    public var borrowed: UInt64 { UInt64(Double(borrowedBytes) * 8 / seconds) }
    public var dropsPerSecond: UInt64 { UInt64(Double(drops.sum) / seconds) }

    /// All classes of a sample, as they are listed there.
    public static func all(_ before: Sample, _ now: Sample) -> [ClassChange] {
        let old = Dictionary(before.classes.map { ($0.key, $0) }) { first, _ in first }
        return now.classes.map { ClassChange(old[$0.key], $0, seconds: now.time - before.time) }
    }
}
