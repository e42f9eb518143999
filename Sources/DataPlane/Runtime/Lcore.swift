import Bridge
import Configuration
import DPDKShim
import Packet
import Scheduler
import Synchronization

/// One poll loop: everything that its thread uses, on cache lines of its own. The groups of fields below say who writes them.
struct Lcore: ~Copyable {
    // Fields that are set before the loop starts.
    /// The number of this poll loop, counted from 0.
    let index: Int
    /// The number of poll loops.
    let count: Int
    /// EAL's number of this lcore.
    let id: UInt32
    let cpu: Int
    let clock: Clock
    let pool: OpaquePointer
    /// How many segments may wait in this lcore's trees: its share of the pool. It may be exceeded by less than a burst.
    let backlogLimit: Int

    // Fields that the control thread writes and the loop reads.
    /// The `Snapshot` in force; never nil while the loop runs.
    let snapshot: Atomic<UnsafeMutablePointer<Snapshot>?>
    let stop = Atomic<Bool>(false)
    let measuresStages = Atomic<Bool>(false)
    let commands: CommandRing<LcoreCommand, ChangeVerdict>
    var sleeper: Sleeper
    var punts = Punts()

    // Fields that the loop writes and any thread may read.
    /// Lets other threads find out that the loop no longer uses what they have unpublished; see `GracePeriod`.
    let epoch = LoopEpoch()
    /// The number of turns that have begun.
    let turns = Atomic<UInt64>(0)
    let running = Atomic<Bool>(false)
    /// The cycles of all turns that found work, and of all that found none.
    var busyCycles: UInt64 = 0
    var idleCycles: UInt64 = 0
    var idleTurns: UInt64 = 0
    var stalls: StallMeter
    /// The kernel's number of the loop's thread; 0 before it runs.
    var thread: Int32 = 0
    /// The number of frames received.
    var handledFrames: UInt64 = 0
    /// For the turns in which stages were measured: the cycles of each `Stage`, and the number of frames received.
    let stageCycles: UnsafeMutablePointer<UInt64>
    var measuredFrames: UInt64 = 0
    /// Counters of each port, by `PortIndex`.
    let counters: UnsafeMutablePointer<PortCounters>
    /// Counters of each protocol, by its row.
    let protocolCounters: UnsafeMutablePointer<ProtocolCounters>

    // Fields that only the loop uses.
    /// When the present turn began.
    var now: Nanoseconds = 0
    var seconds: UInt32 = 0
    var draining = Draining()
    /// The index, among the snapshot's receive queues, of the queue that ended a sleep; the next turn polls no other. nil: the next turn polls all queues.
    var wokenQueue: Int?
    /// How the loop's time is divided among its ports.
    var shares: PollShares
    /// Until when what each port has flooded lasts, by `PortIndex`; see `FloodShare`.
    let floodedUntil: UnsafeMutablePointer<Nanoseconds>
    /// The number of segments that wait in this lcore's trees.
    var backlog = 0
    let received: UnsafeMutablePointer<Frame?>
    /// The length in bytes of each frame in `received`; after classification, the bytes that its tree charges.
    let lengths: UnsafeMutablePointer<UInt32>
    /// The offload flags with which any of these frames came.
    var receivedFlags: UInt64 = 0
    /// The sampling of which it is not noted yet where the burst's frames go; nil: none of them was sampled.
    var unsettled: UnsafeMutablePointer<SampleState>?
    /// A record for each frame in `received`. One more stands before the first; it has addresses that no frame has, so that it never equals the first.
    let records: UnsafeMutablePointer<FrameRecord>
    /// Remembers the latest results for pairs of source and destination addresses.
    let paths: PathCache
    /// The runs of frames whose pair of addresses is not in `paths`, and the cache lines of the forwarding database in which the search for their addresses
    /// begins.
    let missed: UnsafeMutablePointer<Int>
    let sourceLines: UnsafeMutablePointer<UnsafeRawPointer?>
    let destinationLines: UnsafeMutablePointer<UnsafeRawPointer?>
    /// The groups that `classify` finds.
    let groups: UnsafeMutablePointer<Groups>
    /// The frames in the order of their groups, unless that is the order in which they were received.
    let classified: UnsafeMutablePointer<Frame?>
    /// Frames that are to be queued in one tree, and the ports that they are for; see `offer`.
    let offered: UnsafeMutablePointer<OfferedFrame>
    let offeredOutputs: UnsafeMutablePointer<PortIndex>
    var offeredCount = 0
    var offeredSegments = 0
    var offeredTree: UnsafeMutablePointer<ClassTree>?
    /// The offered frames that their leaves refused.
    let refused: UnsafeMutablePointer<Frame?>
    let scheduled: UnsafeMutablePointer<ScheduledFrame>
    let discarded: UnsafeMutablePointer<DroppedFrame>
    let ringScratch = RingScratch()
    let backlogs: UnsafeMutablePointer<Backlogs>
    /// Rings whose buffers are published, and of which their guests are told, at the end of this turn, and the most of them.
    let untold: UnsafeMutablePointer<UnsafeMutablePointer<GuestRing>?>
    var untoldCount = 0
    static var mostUntold: Int { @_noLocks get { 64 } }
    /// What is staged for each port, by `PortIndex`.
    let outputs: UnsafeMutablePointer<Output>
    /// Outputs for which frames were staged in this turn.
    let touched: UnsafeMutablePointer<PortIndex>
    var touchedCount = 0
    /// Outputs that could not take all that was staged.
    let parked: UnsafeMutablePointer<PortIndex>
    var parkedCount = 0
    /// Of staged frames that have waited in a queue and that their ports have not taken, by `PortIndex`; see `HeldFrames`.
    let held: UnsafeMutablePointer<HeldFrames>
    /// What is withheld from each port, by `PortIndex`; nil: its priorities cannot be paused. The control thread makes room before the loop has to know of it.
    let withheld: UnsafeMutablePointer<UnsafeMutablePointer<WithheldFrames>?>
    /// Ports from which something is withheld.
    let withholding: UnsafeMutablePointer<PortIndex>
    var withholdingCount = 0
    /// When frames were queued that were taken from a tree together.
    let queuingTimes: UnsafeMutablePointer<Nanoseconds>

    /// Padding: lcores lie side by side in memory, and what this one writes in every turn must not share a cache line with what the next one reads in every
    /// turn.
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
        shares = PollShares(ports: maxPorts) { clock.cycles($0) }
        snapshot = Atomic(nil)
        commands = CommandRing()
        counters = .zeroed(maxPorts)
        floodedUntil = .zeroed(maxPorts)
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
        backlogs = .onOwnLines(1)
        backlogs.initialize(to: Backlogs())
        outputs = .zeroed(maxPorts)
        touched = .zeroed(maxPorts)
        untold = .zeroed(Self.mostUntold)
        parked = .zeroed(maxPorts)
        held = .zeroed(maxPorts)
        withheld = .zeroed(maxPorts)
        withholding = .zeroed(maxPorts)
        queuingTimes = .zeroed(dequeueBatch)
    }

    deinit {
        commands.deallocate()
        counters.free()
        floodedUntil.free()
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
        ringScratch.deallocate()
        backlogs.deinitialize(count: 1)
        backlogs.deallocate()
        outputs.free()
        touched.free()
        untold.free()
        parked.free()
        held.free()
        for port in 0..<maxPorts { withheld[port]?.free() }
        withheld.free()
        withholding.free()
        queuingTimes.free()
    }
}

extension Lcore {
    /// How many more segments may wait in all of this lcore's trees together.
    @inline(__always) var room: UInt32 { @_noLocks get { backlog < backlogLimit ? UInt32(truncatingIfNeeded: backlogLimit &- backlog) : 0 } }
}
