/// All that the worker's loop touches, as plain structs behind pointers. The worker writes everything but what is marked;
/// the control thread reads counters while it does.
struct LoopState {
    // Constant during the run.
    var ports: UnsafeMutablePointer<PortState>
    var portCount: Int
    var flows: UnsafeMutablePointer<FlowState>
    var flowCount: Int
    var streams: UnsafeMutablePointer<StreamState>
    var streamCount: UInt32
    var shapes: UnsafeMutablePointer<FrameShape>
    /// `FrameShape.prefix` bytes of each stream and size.
    var prefixes: UnsafeMutableRawPointer
    /// The bytes that fill all frames, by their offset.
    var filler: UnsafeMutableRawPointer
    /// Which of a flow's sizes goes next, by flow (`FlowState.patternStart`).
    var patterns: UnsafeMutablePointer<UInt8>
    var pool: OpaquePointer
    var batch: UnsafeMutablePointer<OpaquePointer?>
    /// Where a frame of several segments is put together.
    var scratch: UnsafeMutableRawPointer
    var scratchSize: UInt32
    var clock: LoopClock
    /// Nanoseconds by which a sender that was held up may catch up.
    var catchUp: UInt64
    var binWidth: UInt64
    var binCount: Int
    /// Nanoseconds that handling a frame may take.
    var timePerFrame: UInt64
    /// Frames by latency whose latency the generator's stalls account for.
    var disturbedLatency: UnsafeMutablePointer<UInt64>
    /// The slow ones of the others, where they are kept.
    var slow: UnsafeMutablePointer<SlowFrame>
    var slowCapacity: Int
    /// Changes of rate known ahead, by time.
    var steps: UnsafeMutablePointer<LoopStep>
    var stepCount: Int
    // Written by the control thread.
    /// Nanoseconds at which sending ends.
    var sendUntil: UInt64
    var stop: UInt32
    // Written by the worker.
    var now: UInt64 = 0
    var bin = 0
    var binEnd: UInt64
    var nextStep = 0
    var starved: UInt64 = 0
    var disturbance = Disturbance()
    /// Frames handled since the clock was read.
    var work: UInt64 = 0
    /// Slow frames, kept or not.
    var slowCount = 0
    /// When the last frame of a flow arrived.
    var lastArrival: UInt64 = 0
    var stage: SendStage
}

/// Frames being built and waiting for one call to the driver.
struct SendStage {
    var frames: UnsafeMutablePointer<OpaquePointer?>
    var streams: UnsafeMutablePointer<UInt32>
    var lengths: UnsafeMutablePointer<UInt32>
    var count = 0
    /// The flow whose frame the driver took last in this turn; -1: none.
    var served = -1
    /// Empty buffers taken from the pool ahead, and buffers the driver did not take.
    var stock: UnsafeMutablePointer<OpaquePointer?>
    var stockCount = 0
    static var burst: Int { 32 }
    static var stockSize: Int { 64 }
}

/// A change of one flow's rate.
struct LoopStep {
    var at: UInt64
    var flow: Int
    var pace: Pace
}

struct PortState {
    // Constant during the run.
    var device: UInt16
    var queues: UInt16
    var firstFlow = 0
    var flowCount = 0
    // Written by the worker.
    var nextFlow = 0
    /// Frames offered to the driver at once: halved when it refuses, so that a full ring costs little.
    var window = SendStage.burst
    /// When the first frame left, and so when the switch could know the port's address; 0 when announced before the run.
    var knownSince = UInt64.max
    var sentFrames: UInt64 = 0
    var sentBytes: UInt64 = 0
    var refusals: UInt64 = 0
    var receivedFrames: UInt64 = 0
    var receivedBytes: UInt64 = 0
    /// Frames that are not of this run.
    var foreign: UInt64 = 0
    /// Frames that start like the run's own and are not whole: no flow can be named.
    var damaged: UInt64 = 0
}

struct FlowState {
    // Written by the control thread on command, by the worker at a step.
    var pace: Pace
    // Constant during the run.
    var source: Int32
    /// The port that should receive it; -1: none.
    var destination: Int32
    var queue: UInt16 = 0
    var sizeCount: UInt16
    /// Arrivals elsewhere are flooding, not misdelivery, whatever was learned.
    var floods: Bool
    var trailer: UInt64
    var trailerLength: Int
    var firstStream: UInt32
    var streamCount: UInt32
    var firstShape: Int
    var patternStart: Int
    var patternCount: Int
    var start: UInt64
    var stop: UInt64
    var bins: UnsafeMutablePointer<FlowBin>
    var latency: UnsafeMutablePointer<UInt64>
    // Written by the worker.
    var generation: UInt32 = 0
    /// 2^-16 ns
    var due: UInt64 = 0
    var nextStream: UInt32 = 0
    var nextPattern = 0
    var counters = FlowCounters()
}

/// What happened to a flow's frames. Frames and bytes are Ethernet frames without FCS.
public struct FlowCounters: Equatable, Sendable {
    public var sentFrames: UInt64 = 0
    public var sentBytes: UInt64 = 0
    /// Nanoseconds of its rate (2^-16 ns) that the flow could not offer because its port took nothing.
    var heldTime: UInt64 = 0
    /// At the port they were meant for, whole or not, duplicates included.
    public var receivedFrames: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    /// Sequence numbers passed over so far: lost, or still to come late.
    public var missing: UInt64 = 0
    /// Arrived after one sent later.
    public var reordered: UInt64 = 0
    public var duplicated: UInt64 = 0
    public var corrupted: UInt64 = 0
    /// Elsewhere, while the switch could not know better.
    public var flooded: UInt64 = 0
    /// Elsewhere, after the switch could know where the destination is.
    public var misdelivered: UInt64 = 0
    public var tagged: UInt64 = 0
    /// Tagged frames by priority code point.
    public var priorities: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
    public var latencySum: UInt64 = 0
    public var latencyMost: UInt64 = 0
    public init() {}

    public static func == (a: Self, b: Self) -> Bool {
        withUnsafeBytes(of: a) { a in withUnsafeBytes(of: b) { b in a.elementsEqual(b) } }
    }
}

/// Frames and bytes sent and received in one window of time.
struct FlowBin {
    var sentFrames: UInt32 = 0
    var sentBytes: UInt32 = 0
    var receivedFrames: UInt32 = 0
    var receivedBytes: UInt32 = 0
}

/// Lengths that all sub-flows of a flow share at one size.
struct FrameShape {
    /// Bytes kept of each template; what follows is filler that all share, and the signature.
    static var prefix: Int { 128 }
    var size: UInt32
    var tagLength: UInt32
    var signatureOffset: UInt32
}
