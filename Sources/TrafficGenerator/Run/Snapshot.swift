/// The counters of all flows and ports at one time.
public struct Snapshot: Sendable {
    /// Nanoseconds since the start of the run.
    public var time: UInt64
    public var flows: [FlowCounters]
    public var ports: [PortCounters]
}

/// The counters of one port. Frames and bytes are Ethernet frames without FCS.
public struct PortCounters: Equatable, Sendable, Codable {
    public var sentFrames: UInt64
    public var sentBytes: UInt64
    public var receivedFrames: UInt64
    public var receivedBytes: UInt64
    /// How many times the port's ring did not take all frames that were offered.
    public var refusals: UInt64
    /// Frames that do not belong to this run, such as LLDP.
    public var foreign: UInt64
    /// Frames of this run that are so damaged that their flow cannot be told.
    public var damaged: UInt64
}

/// The rates of one flow in one interval.
public struct FlowInterval: Sendable {
    /// In bit/s.
    public var sent: Double
    public var received: Double
    /// In frames per second.
    public var sentFrames: Double
    public var receivedFrames: Double

    public init(_ before: FlowCounters, _ after: FlowCounters, nanoseconds: UInt64) {
        let seconds = max(1e-9, Double(nanoseconds) / 1e9)
        func rate(_ from: UInt64, _ to: UInt64) -> Double { Double(to &- from) / seconds }
        sent = rate(before.sentBytes, after.sentBytes) * 8
        received = rate(before.receivedBytes, after.receivedBytes) * 8
        sentFrames = rate(before.sentFrames, after.sentFrames)
        receivedFrames = rate(before.receivedFrames, after.receivedFrames)
    }

    static func + (a: Self, b: Self) -> Self {
        var sum = a
        sum.sent += b.sent
        sum.received += b.received
        sum.sentFrames += b.sentFrames
        sum.receivedFrames += b.receivedFrames
        return sum
    }
}
