import Bridge
import Configuration
import DPDKShim
import Packet
import Scheduler
import Synchronization

/// One poll loop: everything its thread touches, alone on its cache lines. Fields say who writes them.
struct Lcore: ~Copyable {
    // Set before the loop starts.
    /// 0 upwards among the poll loops.
    let index: Int
    /// Poll loops there are.
    let count: Int
    /// EAL's number.
    let id: UInt32
    let cpu: Int
    let clock: Clock
    let pool: OpaquePointer
    /// Segments that may wait in this lcore's trees: its share of the pool, exceeded by less than a burst.
    let backlogLimit: Int

    // Written by the control thread, read by the loop.
    /// A `Snapshot`; never nil while the loop runs.
    let snapshot: Atomic<UnsafeMutablePointer<Snapshot>?>
    let stop = Atomic<Bool>(false)
    let measuresStages = Atomic<Bool>(false)
    let commands: CommandRing<LcoreCommand, ChangeVerdict>
    var sleeper: Sleeper
    var punts = Punts()

    // Written by the loop, read by anyone.
    /// By which others learn that the loop no longer uses what they have unpublished: see `GracePeriod`.
    let epoch = LoopEpoch()
    /// Turns begun.
    let turns = Atomic<UInt64>(0)
    let running = Atomic<Bool>(false)
    /// Cycles of the turns that found work, and of those that found none.
    var busyCycles: UInt64 = 0
    var idleCycles: UInt64 = 0
    var idleTurns: UInt64 = 0
    var stalls: StallMeter
    /// The kernel's number of its thread; 0 before it runs.
    var thread: Int32 = 0
    /// Frames received.
    var handledFrames: UInt64 = 0
    /// Of the turns that were measured: cycles by `Stage`, and frames received.
    let stageCycles: UnsafeMutablePointer<UInt64>
    var measuredFrames: UInt64 = 0
    /// By `PortIndex`.
    let counters: UnsafeMutablePointer<PortCounters>
    /// By protocol row.
    let protocolCounters: UnsafeMutablePointer<ProtocolCounters>

    // The loop's own.
    /// When this turn began.
    var now: Nanoseconds = 0
    var seconds: UInt32 = 0
    var settling = Settling()
    /// The place, among the snapshot's, of the queue that ended a sleep: the next turn looks at no other.
    var wokenQueue: Int?
    /// Segments waiting in this lcore's trees.
    var backlog = 0
    let received: UnsafeMutablePointer<Frame?>
    /// Bytes of each frame in `received`; once classified, what its tree charges.
    let lengths: UnsafeMutablePointer<UInt32>
    /// Offload flags that any of them came with.
    var receivedFlags: UInt64 = 0
    /// One stands before the first: of addresses that no frame has.
    let records: UnsafeMutablePointer<FrameRecord>
    /// What was found out last about pairs of addresses.
    let paths: PathCache
    /// The runs whose pair it does not know, and the lines of the forwarding database in which their addresses are looked for first.
    let missed: UnsafeMutablePointer<Int>
    let sourceLines: UnsafeMutablePointer<UnsafeRawPointer?>
    let destinationLines: UnsafeMutablePointer<UnsafeRawPointer?>
    /// What `classify` finds out.
    let groups: UnsafeMutablePointer<Groups>
    /// The frames in the order of their groups, unless that is the one in which they were received.
    let classified: UnsafeMutablePointer<Frame?>
    /// Frames to be queued, all in one tree, and the ports they are for: see `offer`.
    let offered: UnsafeMutablePointer<OfferedFrame>
    let offeredOutputs: UnsafeMutablePointer<PortIndex>
    var offeredCount = 0
    var offeredSegments = 0
    var offeredTree: UnsafeMutablePointer<ClassTree>?
    /// Those of them that their leaves refused.
    let refused: UnsafeMutablePointer<Frame?>
    let scheduled: UnsafeMutablePointer<ScheduledFrame>
    let discarded: UnsafeMutablePointer<DroppedFrame>
    /// By `PortIndex`.
    let outputs: UnsafeMutablePointer<Output>
    /// Outputs with frames staged in this turn.
    let touched: UnsafeMutablePointer<PortIndex>
    var touchedCount = 0
    /// Outputs that could not take what was staged.
    let parked: UnsafeMutablePointer<PortIndex>
    var parkedCount = 0

    /// Lcores lie side by side: what this one writes in every turn is not on the line of what the next one reads in every turn.
    private let apart = InlineArray<16, UInt64>(repeating: 0)

    init(index: Int, of count: Int, id: UInt32, cpu: Int, clock: Clock, pool: OpaquePointer, backlogLimit: Int, event: Int32, mode: PollingMode) {
        self.index = index
        self.count = count
        self.id = id
        self.cpu = cpu
        self.clock = clock
        self.pool = pool
        self.backlogLimit = backlogLimit
        stalls = StallMeter(bound: clock.cycles(StallMeter.bound), leastPerFrame: clock.cycles(StallMeter.leastPerFrame))
        sleeper = Sleeper(event: event, mode: mode, backOff: BackOff { clock.cycles($0) })
        snapshot = Atomic(nil)
        commands = CommandRing()
        counters = .zeroed(maxPorts)
        protocolCounters = .zeroed(protocolRows)
        stageCycles = .zeroed(Stage.allCases.count)
        received = .zeroed(burstSize)
        lengths = .zeroed(burstSize)
        records = .zeroed(burstSize + 1) + 1
        (records - 1).pointee.destination = .max
        paths = .create()
        missed = .zeroed(burstSize)
        sourceLines = .zeroed(burstSize)
        destinationLines = .zeroed(burstSize)
        groups = .zeroed(1)
        classified = .zeroed(burstSize)
        offered = .onOwnLines(burstSize)
        offeredOutputs = .zeroed(burstSize)
        refused = .zeroed(burstSize)
        scheduled = .zeroed(dequeueBatch)
        discarded = .onOwnLines(dequeueBatch)
        outputs = .zeroed(maxPorts)
        touched = .zeroed(maxPorts)
        parked = .zeroed(maxPorts)
    }

    deinit {
        commands.deallocate()
        counters.free()
        protocolCounters.free()
        stageCycles.free()
        received.free()
        lengths.free()
        (records - 1).free()
        paths.destroy()
        missed.free()
        sourceLines.free()
        destinationLines.free()
        groups.free()
        classified.free()
        offered.deallocate()
        offeredOutputs.free()
        refused.free()
        scheduled.free()
        discarded.deallocate()
        outputs.free()
        touched.free()
        parked.free()
    }
}

extension Lcore {
    /// Places left for frames that have to wait, in all of this lcore's trees together.
    @inline(__always) var room: UInt32 { @_noLocks get { backlog < backlogLimit ? UInt32(truncatingIfNeeded: backlogLimit &- backlog) : 0 } }
}

extension UnsafeMutablePointer {
    /// Zeroed memory on cache lines of its own; the kernel gives pages only where it is touched.
    static func zeroed(_ count: Int) -> UnsafeMutablePointer {
        let memory = onOwnLines(count)
        UnsafeMutableRawPointer(memory).initializeMemory(as: UInt8.self, repeating: 0, count: count * MemoryLayout<Pointee>.stride)
        return memory
    }

    func free() { UnsafeMutableRawPointer(self).deallocate() }
}

extension UnsafeMutablePointer where Pointee: ~Copyable {
    /// Memory that shares no cache line with any other, nor the one that processors fetch beside it: what one lcore writes there slows no other.
    static func onOwnLines(_ count: Int) -> UnsafeMutablePointer {
        let bytes = (max(count, 1) * MemoryLayout<Pointee>.stride + 127) & ~127
        return UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 128).bindMemory(to: Pointee.self, capacity: count)
    }
}
