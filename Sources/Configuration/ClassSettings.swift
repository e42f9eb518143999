/// Parameters of a traffic class as they are written. nil means the default that is named at each property.
public struct ClassSettings: Equatable, Sendable {
    /// Guaranteed rate in bit/s (HTB's `rate`). nil: nothing is guaranteed, and the class sends only what it can borrow.
    public var floor: UInt64?
    /// The most that the class may send, borrowed rate included, in bit/s (HTB's `ceil`). nil: whatever its parent may send.
    public var ceiling: UInt64?
    /// Bytes that the class may send at once within its floor. nil: what the floor amounts to in 10 ms, but at least two of the largest frames.
    public var burst: UInt64?
    /// Bytes that the class may send at once within its ceiling. nil: what the ceiling amounts to in 10 ms, but at least two of the largest frames.
    public var ceilingBurst: UInt64?
    /// The highest rate at which bursts may leave, in bit/s, kept by a third token bucket that is one frame deep. nil: bursts leave as fast as they can.
    public var peak: UInt64?
    /// Guaranteed packets per second. nil: none are guaranteed.
    public var floorPackets: UInt64?
    public var ceilingPackets: UInt64?
    /// Order among classes that borrow, from 0 (served first) to 7. nil: below `rest`, the priority of `rest`; otherwise 3.
    public var priority: Int?
    /// Bytes that a class may borrow in one turn among borrowers of equal priority. nil: in proportion to the floor (`ClassParameters.defaultQuantum`).
    public var quantum: Int?
    /// The most frames that a leaf's queue holds. nil: 1000.
    public var limit: Int?
    /// The most bytes that a leaf's queue holds. nil: no limit in bytes is set here.
    public var limitBytes: Int?
    /// The longest time, in microseconds, that a leaf's full queue may take to drain at the rate that the class can count on. nil: 50 ms. `QueueLimits` turns
    /// it into bytes.
    public var limitDelay: UInt64?
    /// How a leaf's queue drops frames. nil: `tail`.
    public var queue: QueueDiscipline?
    /// CoDel's target and interval in microseconds. nil: a target of 5 ms, and an interval of 20 targets.
    public var codelTarget: UInt64?
    public var codelInterval: UInt64?
    /// Whether CoDel marks frames whose transport understands that (ECN), instead of dropping them. nil: it does.
    public var ecn: Bool?
    /// Such frames are marked, too, if more bytes wait with them as they leave, or if they have waited for longer, in microseconds. nil: they are not.
    public var ecnThreshold: Int?
    public var ecnDelay: UInt64?
    public init() {}
}

/// The class `rest` of a tree that has a rate. Guests and groups without a floor stand below it and share what it has equally.
public struct RestSettings: Equatable, Sendable {
    /// Guaranteed rate in bit/s. nil: what the floors beside it leave of the tree's rate.
    public var floor: UInt64?
    /// The most that the class may send, in bit/s. nil: the tree's rate.
    public var ceiling: UInt64?
    /// The priority of the classes below `rest` that have none of their own. nil: 3.
    public var priority: Int?
    public init() {}
}

/// Which frames a leaf's queue drops.
public enum QueueDiscipline: String, Equatable, Sendable, CaseIterable {
    /// The queue drops a frame that comes when it is full.
    case tail
    /// As `tail`, and CoDel drops frames as long as the queue's delay stays above a target (RFC 8289).
    case codel
    /// As `codel`, but each flow has a queue of its own (RFC 8290): flows that begin or send little are served first, the others take turns.
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
            .optional("ecn", \.ecn, .flag, standard: true, help: "CoDel marks frames whose transport understands that, instead of dropping them"),
            .optional("ecn-threshold", \.ecnThreshold, .bytes(1_024...1 << 31), help: "such frames are also marked if more bytes wait as they leave"),
            .optional("ecn-delay", \.ecnDelay, .delay(10...10_000_000), help: "such frames are also marked if they have waited for longer"),
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
