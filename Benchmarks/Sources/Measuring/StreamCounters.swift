import Foundation

/// One line of counters that `sluice-gen` prints; they count from the start of the run.
public struct StreamCounters: Codable, Sendable {
    public var seconds: Double
    public var flows: [Flow]

    public struct Flow: Codable, Sendable {
        public var name: String
        public var sentFrames: UInt64
        public var receivedFrames: UInt64
        public var receivedBytes: UInt64
        public var reordered: UInt64
        public var corrupted: UInt64
        public var misdelivered: UInt64
        public var heldSeconds: Double
    }

    public init(json: String) throws { self = try JSONDecoder().decode(Self.self, from: Data(json.utf8)) }

    public var received: UInt64 { flows.reduce(0) { $0 + $1.receivedFrames } }
    public var receivedBytes: UInt64 { flows.reduce(0) { $0 + $1.receivedBytes } }
    public var sent: UInt64 { flows.reduce(0) { $0 + $1.sentFrames } }
    /// The number of frames that arrived damaged or at the wrong port.
    public var faults: UInt64 { flows.reduce(0) { $0 + $1.corrupted + $1.misdelivered } }

    /// The frames per second that were delivered since an earlier reading.
    public func rate(since earlier: Self) -> Double { Double(received - earlier.received) / max(1e-9, seconds - earlier.seconds) }

    /// The share of the frames that should have been sent since an earlier reading and did not arrive. Frames that could not be sent because a ring was full
    /// count as lost: the device did not keep up.
    /// - Parameter rate: the frames per second of each flow.
    public func loss(since earlier: Self, rate: Double) -> Double {
        let held = zip(flows, earlier.flows).reduce(0.0) { $0 + ($1.0.heldSeconds - $1.1.heldSeconds) * rate }
        let intended = Double(sent - earlier.sent) + held
        guard intended > 0 else { return 1 }
        return min(1, max(0, 1 - Double(received - earlier.received) / intended))
    }
}
