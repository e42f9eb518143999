import DPDKShim

/// The addresses and headers that the frames of one flow carry in turn.
struct CirculatedFlow {
    /// For each pair, the destination and the source address with the four bytes behind them, which are the tag if the frames have one.
    var addresses: UnsafeMutableRawPointer
    var addressCount: Int
    /// For each sub-flow and size, `HeaderCycle.headerSize` bytes behind the addresses. The first four are those in `addresses`, apart from the VLAN.
    var headers: UnsafeMutableRawPointer
    var headerCount: Int
}

/// Which flow, sub-flow and address pair the next frame of a lane has. The pair changes with each frame, the sub-flow when all pairs have been used, and the
/// flow after its last sub-flow.
package struct HeaderCycle {
    /// The headers' bytes that are kept, up to the 60th byte of a frame. The headers of UDP and TCP over IPv4 never reach further.
    static var headerSize: Int { 48 }
    static var addressSize: Int { 16 }

    package var flow = 0
    package var header = 0
    package var address = 0

    package init() {}

    /// Moves on to the next frame.
    @_noLocks @inline(__always)
    package mutating func advance(flows: Int, headers: Int, addresses: Int) {
        address &+= 1
        guard address == addresses else { return }
        address = 0
        header &+= 1
        guard header == headers else { return }
        header = 0
        flow &+= 1
        if flow == flows { flow = 0 }
    }
}

/// Gives the next frames of a lane their headers.
struct HeaderSource {
    var cycle: HeaderCycle
    private let flows: UnsafeMutablePointer<CirculatedFlow>
    private let flowCount: Int
    private let sizeCount: Int
    /// The flow that the next frame belongs to.
    private var flow: CirculatedFlow

    @_noLocks @inline(__always)
    init(_ lane: UnsafeMutablePointer<Lane>) {
        cycle = lane.pointee.cycle
        flows = lane.pointee.flows
        flowCount = lane.pointee.flowCount
        sizeCount = lane.pointee.sizeCount
        flow = flows[cycle.flow]
    }

    /// Makes a frame of one of the lane's sizes the next flow's next frame.
    @_noLocks @inline(__always)
    mutating func write(_ bytes: UnsafeMutableRawPointer, _ size: Int) {
        let row = cycle.header &* sizeCount &+ size
        sluice_frame_readdress(bytes, flow.addresses + cycle.address &* HeaderCycle.addressSize, flow.headers + row &* HeaderCycle.headerSize)
        cycle.advance(flows: flowCount, headers: flow.headerCount, addresses: flow.addressCount)
        if cycle.header == 0, cycle.address == 0 { flow = flows[cycle.flow] }
    }
}

/// Frames on their way from one port to another, and back through the generator. The worker writes it during a slice, the control thread between slices.
struct Lane {
    // Fields that are constant.
    /// Frames come back from the device `input`, and are sent again by the device `output`.
    var input: UInt16
    var output: UInt16
    /// The same if they are rings of this process's own; nil: they are devices.
    var inputRing: UnsafeMutablePointer<DriverRing>?
    var outputRing: UnsafeMutablePointer<DriverRing>?
    /// The size of the frame in each buffer of `outputRing`, as its place in `sizes`.
    var slotSizes: UnsafeMutablePointer<UInt8>
    /// The first eight bytes of the virtio-net header of each frame, which say how it is to be segmented; 0: not at all. As many buffers as it takes hold such
    /// a frame, and of all others one holds a whole one.
    var wishes: UInt64
    var window: Int
    var flows: UnsafeMutablePointer<CirculatedFlow>
    var flowCount: Int
    /// Whether each frame is given the next flow's headers; if not, all frames have the same headers.
    var rewrites: Bool
    /// The different lengths of frames, and a whole frame of each.
    var sizes: UnsafeMutablePointer<UInt32>
    var sizeCount: Int
    var bodies: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// The sizes of new frames, which are used in turn.
    var pattern: UnsafeMutablePointer<UInt8>
    var patternCount: Int
    /// The lowest destination address, and how many addresses follow each other from there.
    var target: UInt64
    var targetCount: UInt64
    /// The frames in hand; there is room for `roomForHeld` of them. With rings, they are only counted: their buffers hold frames that were made before.
    var held: UnsafeMutablePointer<OpaquePointer?>
    // Fields that are written.
    /// The place of the first frame in hand. Sending moves it on, so that the remaining frames stay where they are.
    var heldFirst = 0
    var heldCount = 0
    /// Frames that were sent and have not come back.
    var away = 0
    var cycle = HeaderCycle()
    var nextPattern = 0
    var lastArrival: UInt64 = 0
    var turns: UInt32 = 0
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
    var lost: UInt64 = 0
    var astray: UInt64 = 0

    /// Twice as many as can be in hand, so that the frames have to be moved to the front only once in that many sent.
    static func roomForHeld(_ window: Int) -> Int { 2 * (window + 2 * CirculationState.burst) }
}

/// The lanes of one switch, and the counts of its latest slice. Times are ticks of the time-stamp counter.
struct CirculationState {
    // Fields that are constant.
    var lanes: UnsafeMutablePointer<Lane>
    var laneCount: Int
    var pool: OpaquePointer
    var warmUp: UInt64
    var slice: UInt64
    /// A turn of the loop that lasts longer than this is one in which others had the CPU: a burst of each lane takes 5 to 40 us.
    var longestTurn: UInt64
    /// A frame that does not come back within this time is lost.
    var patience: UInt64
    /// Lengths and buffers of frames that are being received from a ring; there is room for `burst`.
    var words: UnsafeMutablePointer<UInt64>
    // Fields that the control thread writes.
    var stop: UInt32 = 0
    // Fields that the worker writes.
    var now: UInt64 = 0
    var idle: UInt64 = 0
    var gaps: UInt64 = 0
    var ticks: UInt64 = 0
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
    /// How many new frames found no buffer.
    var starved: UInt64 = 0
    /// The most frames that are received at once, which is as many as virtio_user returns.
    static var burst: Int { 64 }
}
