/// Parameters of a traffic class; nil means the default told at each.
public struct ClassSettings: Equatable, Sendable {
    /// Guaranteed rate, bit/s (HTB's `rate`); nil: none, the class lives on what others do not use.
    public var floor: UInt64?
    /// bit/s (HTB's `ceil`); nil: the parent's.
    public var ceiling: UInt64?
    /// Bytes the class may send at once within its floor; nil: 10 ms of the floor, at least 2 largest frames.
    public var burst: UInt64?
    /// Bytes it may send at once within its ceiling; nil: 10 ms of the ceiling, at least 2 largest frames.
    public var ceilingBurst: UInt64?
    /// bit/s, a third bucket of one frame's depth; nil: none.
    public var peak: UInt64?
    /// Packets per second; nil: none.
    public var floorPackets: UInt64?
    public var ceilingPackets: UInt64?
    /// 0 (first) to 7: order among borrowers; nil: 3.
    public var priority: Int?
    /// Bytes a turn among borrowers of equal priority; nil: in proportion to the floor.
    public var quantum: Int?
    /// Most frames in a leaf's queue; nil: 1000.
    public var limit: Int?
    /// Most bytes in a leaf's queue; nil: no limit of its own.
    public var limitBytes: Int?
    /// Most microseconds that a leaf's queue may last at the rate it can count on; nil: 50 ms. See `QueueLimits`.
    public var limitDelay: UInt64?
    /// What a leaf drops; nil: `tail`.
    public var queue: QueueDiscipline?
    /// CoDel's target and interval in microseconds; nil: 5 ms, and 20 targets.
    public var codelTarget: UInt64?
    public var codelInterval: UInt64?
    public init() {}
}

/// The class `rest` of a tree that has a rate: guests and groups without a floor stand below it and share it equally.
public struct RestSettings: Equatable, Sendable {
    /// bit/s; nil: what the floors beside it leave of the tree's rate.
    public var floor: UInt64?
    /// bit/s; nil: the tree's rate.
    public var ceiling: UInt64?
    /// Of the classes in it that have none of their own; nil: 3.
    public var priority: Int?
    public init() {}
}

public enum QueueDiscipline: String, Equatable, Sendable, CaseIterable {
    /// Frames for which a full queue has no room.
    case tail
    /// Those as well, and frames of a queue whose delay stays above a target (RFC 8289).
    case codel
    /// As `codel`, with a queue for each flow (RFC 8290): flows that begin or send little go first, the others take turns.
    case fqCodel = "fq-codel"

    var hasCoDel: Bool { self != .tail }
}

extension ClassSettings: Initializable {}
extension RestSettings: Initializable {}

extension Field<ClassSettings> {
    static var `class`: [Field] {
        let standard = ClassParameters()
        return [
            .rate("floor", \.floor, help: "guaranteed rate"),
            .rate("ceiling", \.ceiling, help: "most that it may take, borrowed rate included; by default its parent's"),
            .burst("burst", \.burst, help: "what may leave at once within the floor; by default 10 ms of it, two of the largest frames at least"),
            .burst("ceiling-burst", \.ceilingBurst, help: "what may leave at once within the ceiling; by default 10 ms of it, two of the largest frames at least"),
            .rate("peak", \.peak, help: "how fast its bursts may be"),
            .packets("floor-packets", \.floorPackets, help: "guaranteed packets a second"),
            .packets("ceiling-packets", \.ceilingPackets, help: "most packets a second"),
            .optional("priority", \.priority, .priority, standard: Int(standard.priority), help: "order among those that borrow, 0 first"),
            .optional("quantum", \.quantum, .bytes(64...16_777_216), help: "share among borrowers of equal priority; by default in proportion to the floor"),
            .optional("limit", \.limit, .integer(1...1_048_576), standard: standard.limit, help: "most frames that wait"),
            .optional("limit-bytes", \.limitBytes, .bytes(1_024...1 << 40), help: "most bytes that wait"),
            .optional(
                "limit-delay", \.limitDelay, .delay(100...10_000_000), standard: standard.limitDelay,
                help: "longest that a queue may last at the rate that the class can count on"),
            .optional("queue", \.queue, .choice, standard: .tail, help: "what a queue drops"),
            .optional("codel-target", \.codelTarget, .delay(10...10_000_000), standard: ClassParameters.codelTarget, help: "delay that CoDel lets a queue keep"),
            .optional("codel-interval", \.codelInterval, .delay(10...10_000_000), help: "how long CoDel watches before it drops; by default 20 targets"),
        ]
    }
}

extension Field<RestSettings> {
    static var rest: [Field] {
        [
            .rate("floor", \.floor, help: "guaranteed rate; by default what the floors beside it leave"),
            .rate("ceiling", \.ceiling, help: "most that it may take; by default the whole rate"),
            .optional("priority", \.priority, .priority, standard: Int(ClassParameters().priority), help: "of its classes that have none of their own, 0 first"),
        ]
    }
}
