import DPDKShim

/// The addresses and headers that one flow's frames carry in turn.
struct CirculatedFlow {
    /// Destination and source address of each pair with the four bytes behind them, which are its tag where frames have one.
    var addresses: UnsafeMutableRawPointer
    var addressCount: Int
    /// Of each sub-flow and size the bytes behind the addresses, `HeaderCycle.headerSize` of them; the first four as in `addresses`, but for the VLAN.
    var headers: UnsafeMutableRawPointer
    var headerCount: Int
}

/// Which flow, sub-flow and address pair the next frame of a lane has: the pair changes with each frame, the sub-flow when all pairs have
/// had their turn, and the flow after its last sub-flow.
package struct HeaderCycle {
    /// Up to the 60th byte of a frame, which the headers of UDP and TCP over IPv4 never pass.
    static var headerSize: Int { 48 }
    static var addressSize: Int { 16 }

    package var flow = 0
    package var header = 0
    package var address = 0

    package init() {}

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

/// The headers of a lane's next frames.
struct HeaderSource {
    var cycle: HeaderCycle
    private let flows: UnsafeMutablePointer<CirculatedFlow>
    private let flowCount: Int
    private let sizeCount: Int
    /// The one whose turn it is.
    private var flow: CirculatedFlow

    @_noLocks @inline(__always)
    init(_ lane: UnsafeMutablePointer<Lane>) {
        cycle = lane.pointee.cycle
        flows = lane.pointee.flows
        flowCount = lane.pointee.flowCount
        sizeCount = lane.pointee.sizeCount
        flow = flows[cycle.flow]
    }

    /// Makes a frame of one of the lane's sizes one of the next flow.
    @_noLocks @inline(__always)
    mutating func write(_ frame: OpaquePointer, _ size: Int) {
        guard let bytes = sluice_frame_bytes(frame) else { return }
        let row = cycle.header &* sizeCount &+ size
        sluice_frame_readdress(bytes, flow.addresses + cycle.address &* HeaderCycle.addressSize, flow.headers + row &* HeaderCycle.headerSize)
        cycle.advance(flows: flowCount, headers: flow.headerCount, addresses: flow.addressCount)
        if cycle.header == 0, cycle.address == 0 { flow = flows[cycle.flow] }
    }
}

/// Frames on their way from one port to another, and back by the generator's hand. Written by the worker during a slice, by the control
/// thread between slices.
struct Lane {
    // Constant.
    /// Frames come back from this device, and are sent again by that one.
    var input: UInt16
    var output: UInt16
    var window: Int
    var flows: UnsafeMutablePointer<CirculatedFlow>
    var flowCount: Int
    /// Whether frames are given the next flow's headers; otherwise all have the same.
    var rewrites: Bool
    /// Distinct frame lengths, and whole frames of each.
    var sizes: UnsafeMutablePointer<UInt32>
    var sizeCount: Int
    var bodies: UnsafeMutablePointer<UnsafeMutableRawPointer>
    /// The sizes of new frames, in turn.
    var pattern: UnsafeMutablePointer<UInt8>
    var patternCount: Int
    /// Destination addresses: the first one's value and how many follow each other.
    var target: UInt64
    var targetCount: UInt64
    /// Frames in hand, `roomForHeld` places.
    var held: UnsafeMutablePointer<OpaquePointer?>
    // Written.
    /// The place of the first frame in hand: what is sent moves it, so that the others stay where they are.
    var heldFirst = 0
    var heldCount = 0
    /// Sent and not come back.
    var away = 0
    var cycle = HeaderCycle()
    var nextPattern = 0
    var lastArrival: UInt64 = 0
    var turns: UInt32 = 0
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
    var lost: UInt64 = 0
    var astray: UInt64 = 0

    /// Twice what can be in hand: frames move to the front of it once in so many sent.
    static func roomForHeld(_ window: Int) -> Int { 2 * (window + 2 * CirculationState.burst) }
}

/// One switch's lanes and the counts of its latest slice. Ticks are of the time-stamp counter.
struct CirculationState {
    // Constant.
    var lanes: UnsafeMutablePointer<Lane>
    var laneCount: Int
    var pool: OpaquePointer
    var warmUp: UInt64
    var slice: UInt64
    /// A turn of the loop that lasts longer was one in which others had the CPU: a burst of each lane takes 5 to 40 us.
    var longestTurn: UInt64
    /// Frames that do not come back for so long are lost.
    var patience: UInt64
    // Written by the control thread.
    var stop: UInt32 = 0
    // Written by the worker.
    var now: UInt64 = 0
    var idle: UInt64 = 0
    var gaps: UInt64 = 0
    var ticks: UInt64 = 0
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
    /// New frames that found no buffer.
    var starved: UInt64 = 0
    /// What is taken at once: as much as virtio_user gives.
    static var burst: Int { 64 }
}
