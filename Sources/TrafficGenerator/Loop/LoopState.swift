/// Everything that the worker's loop uses, as plain structs behind pointers. The worker writes all fields except where noted, and the control thread reads the
/// counters meanwhile.
struct LoopState {
    // Fields that are constant during the run.
    var ports: UnsafeMutablePointer<PortState>
    var portCount: Int
    var flows: UnsafeMutablePointer<FlowState>
    var flowCount: Int
    var streams: UnsafeMutablePointer<StreamState>
    var streamCount: UInt32
    var shapes: UnsafeMutablePointer<FrameShape>
    /// The first `FrameShape.prefix` bytes of each stream's frame of each size.
    var prefixes: UnsafeMutableRawPointer
    /// The bytes that fill all frames, by their offset in the frame.
    var filler: UnsafeMutableRawPointer
    /// The order in which each flow uses its sizes; a flow's part begins at `FlowState.patternStart`.
    var patterns: UnsafeMutablePointer<UInt8>
    var pool: OpaquePointer
    var batch: UnsafeMutablePointer<OpaquePointer?>
    /// Where the segments of a received frame are put together.
    var scratch: UnsafeMutableRawPointer
    var scratchSize: UInt32
    var clock: LoopClock
    /// By how many nanoseconds a sender that was held up may be behind and still catch up.
    var catchUp: UInt64
    var binWidth: UInt64
    var binCount: Int
    /// How many nanoseconds handling a frame may take.
    var timePerFrame: UInt64
    /// A histogram of the latencies that the generator's stalls account for.
    var disturbedLatency: UnsafeMutablePointer<UInt64>
    /// The slow frames among all others, if they are kept.
    var slow: UnsafeMutablePointer<SlowFrame>
    var slowCapacity: Int
    /// Changes of rate that are known in advance, in order of time.
    var steps: UnsafeMutablePointer<LoopStep>
    var stepCount: Int
    // Fields that the control thread writes.
    /// The time, in nanoseconds, at which sending ends.
    var sendUntil: UInt64
    var stop: UInt32
    // Fields that the worker writes.
    var now: UInt64 = 0
    var bin = 0
    var binEnd: UInt64
    var nextStep = 0
    var starved: UInt64 = 0
    var disturbance = Disturbance()
    /// How many frames were handled since the clock was last read.
    var work: UInt64 = 0
    /// How many frames were slow, whether they were kept or not.
    var slowCount = 0
    /// When the last frame of any flow arrived.
    var lastArrival: UInt64 = 0
    var stage: SendStage
}

/// Frames that have been built and wait to be given to the driver in one call.
struct SendStage {
    var frames: UnsafeMutablePointer<OpaquePointer?>
    var streams: UnsafeMutablePointer<UInt32>
    var lengths: UnsafeMutablePointer<UInt32>
    var count = 0
    /// The flow whose frame the driver took last in this turn; -1: it took none.
    var served = -1
    /// Buffers taken from the pool in advance, and buffers that the driver did not take.
    var stock: UnsafeMutablePointer<OpaquePointer?>
    var stockCount = 0
    static var burst: Int { 32 }
    static var stockSize: Int { 64 }
}

/// A change of one flow's rate at a known time.
struct LoopStep {
    var at: UInt64
    var flow: Int
    var pace: Pace
}

/// A port as the worker's loop sees it.
struct PortState {
    // Fields that are constant during the run.
    var device: UInt16
    var queues: UInt16
    var firstFlow = 0
    var flowCount = 0
    // Fields that the worker writes.
    var nextFlow = 0
    /// How many frames are offered to the driver at once. It is halved whenever the driver refuses some, so that a full ring costs little.
    var window = SendStage.burst
    /// When the port's first frame was sent, since which the switch may know the port's address; 0: it was announced before the run.
    var knownSince = UInt64.max
    var sentFrames: UInt64 = 0
    var sentBytes: UInt64 = 0
    var refusals: UInt64 = 0
    var receivedFrames: UInt64 = 0
    var receivedBytes: UInt64 = 0
    /// Frames that do not belong to this run.
    var foreign: UInt64 = 0
    /// Frames that begin like those of this run but are damaged, so that their flow cannot be told.
    var damaged: UInt64 = 0
}

/// A flow as the worker's loop sees it.
struct FlowState {
    // The control thread writes it on command, the worker at a step.
    var pace: Pace
    // Fields that are constant during the run.
    var source: Int32
    /// The port that should receive the flow's frames; -1: none is named.
    var destination: Int32
    var queue: UInt16 = 0
    var sizeCount: UInt16
    /// Whether frames that arrive at other ports count as flooded rather than misdelivered, whatever the switch has learned.
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
    // Fields that the worker writes.
    var generation: UInt32 = 0
    /// When the next frame is due, in units of 2^-16 ns.
    var due: UInt64 = 0
    var nextStream: UInt32 = 0
    var nextPattern = 0
    var counters = FlowCounters()
}

/// What has happened to a flow's frames. They are counted as Ethernet frames without FCS.
public struct FlowCounters: Equatable, Sendable {
    public var sentFrames: UInt64 = 0
    public var sentBytes: UInt64 = 0
    /// The time that the flow fell behind its rate because its port took nothing, and that it did not catch up; in units of 2^-16 ns.
    var heldTime: UInt64 = 0
    /// Frames at the port they were meant for, intact or not, duplicates included.
    public var receivedFrames: UInt64 = 0
    public var receivedBytes: UInt64 = 0
    /// Sequence numbers that were passed over so far: their frames are lost, or may still arrive late.
    public var missing: UInt64 = 0
    /// Frames that arrived after one that was sent later.
    public var reordered: UInt64 = 0
    public var duplicated: UInt64 = 0
    public var corrupted: UInt64 = 0
    /// Frames that arrived at other ports while the switch could not know the right one.
    public var flooded: UInt64 = 0
    /// Frames that arrived at other ports after the switch could know the right one.
    public var misdelivered: UInt64 = 0
    public var tagged: UInt64 = 0
    /// Tagged frames, by their priority code point.
    public var priorities: (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0, 0, 0, 0, 0)
    public var latencySum: UInt64 = 0
    public var latencyMost: UInt64 = 0
    public init() {}

    public static func == (a: Self, b: Self) -> Bool {
        withUnsafeBytes(of: a) { a in withUnsafeBytes(of: b) { b in a.elementsEqual(b) } }
    }
}

/// Frames and bytes that were sent and received in one window of time.
struct FlowBin {
    var sentFrames: UInt32 = 0
    var sentBytes: UInt32 = 0
    var receivedFrames: UInt32 = 0
    var receivedBytes: UInt32 = 0
}

/// The lengths that all sub-flows of a flow share for frames of one size.
struct FrameShape {
    /// How many bytes of each template are kept. Behind them, a frame has only filler, which all frames share, and its signature.
    static var prefix: Int { 128 }
    var size: UInt32
    var tagLength: UInt32
    var signatureOffset: UInt32
}
