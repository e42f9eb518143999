/// A hierarchical token bucket with the rules of Linux HTB (net/sched/sch_htb.c), for one output or for many.
///
/// One lcore owns a tree and makes all calls, with a `now` that never goes back. After `create` no call reads a clock, allocates, locks or divides. `create`
/// reserves address space for all classes and frames; it takes memory only when it is first used.
///
/// A dequeue serves leaves within their own floors first, by priority. Then it serves leaves that borrow: those with the nearest lender first, then by
/// priority. Leaves that are equal in both share by deficit round robin, in proportion to their quanta. Two things differ from Linux on purpose: an inner class
/// takes turns with its siblings by its own quantum, however many leaves it has; and a class that still owes bytes from earlier turns is skipped instead of
/// being allowed one more frame.
///
/// Classes that wait for tokens are in a timing wheel and are looked at only when their time has come. Classes whose time comes within the same call are
/// handled in the order of their ids.
public struct ClassTree {
    /// States, nodes, profiles and frames, in one block: see `ClassTables`.
    private let memory: ZeroedMemory
    var lines: UnsafeMutableRawPointer { @_noLocks @inline(__always) get { memory.bytes } }
    let slots: UnsafeMutablePointer<PrioritySlot>
    let feedRounds: UnsafeMutablePointer<FeedRounds>
    let extras: UnsafeMutablePointer<ClassExtra>
    let codels: UnsafeMutablePointer<CoDelState>
    /// Memory for flow queues that was granted to classes, whether in use or not; only the control thread writes it.
    let flowTables: UnsafeMutablePointer<FlowQueues?>
    private let flowTableMemory: ZeroedMemory
    /// One more than the highest class id that memory was ever granted to.
    let flowTablesEnd: UnsafeMutablePointer<Int>
    /// Seed for hashes of flows, random so that no sender can choose frames whose flows collide.
    public let flowSeed = UInt64.random(in: .min ... .max)
    /// Number of classes that queue their flows separately.
    var flowClasses = 0
    /// Number of classes that mark frames.
    var markingClasses = 0
    let blocks: UnsafeMutablePointer<CounterBlock>
    /// Loans by the lender's level: `classes` entries for each of eight levels. See `ClassTree+Loans`.
    let loans: UnsafeMutablePointer<Loan>
    /// How often a class had to wait because of an ancestor's ceiling, by the ancestor's level, laid out like `loans`.
    let ceilingWaits: UnsafeMutablePointer<UInt64>
    /// Used only for classes whose `ClassNode.blockers` has bit 0 set.
    let keptCounts: UnsafeMutablePointer<KeptCounts>
    /// Number of the last event in which an inner class had nothing left for its descendants; always even.
    var exhaustions: UInt16 = 0
    /// How often that number has wrapped around.
    var exhaustionRounds: UInt32 = 0
    /// What each class has booked. Used only if `shared` is set, as are the three below.
    let leases: UnsafeMutablePointer<ClassLeases>
    let extraLeases: UnsafeMutablePointer<ExtraLeases>
    let feedShares: UnsafeMutablePointer<FeedShares>
    /// For each priority of an inner class: the sum of the quanta of the children in its feed, as they count in this instance.
    let feedWeights: UnsafeMutablePointer<UInt32>
    var profileTable: ProfileTable
    /// A bit for each class id: whether the class exists, and whether it is a leaf.
    let existing: UnsafeMutablePointer<UInt64>
    let leaves: UnsafeMutablePointer<UInt64>
    /// Leaves above their floors that got their first frame since the last dequeue, in that order. They are activated by the next dequeue, once it has handled
    /// the ancestors whose time has come.
    let arrivals: UnsafeMutablePointer<ClassID>
    var arrived = 0
    /// The row that leaves joined last, and the last leaf that joined it. Both are used within one enqueue only.
    var joinedRow = noRow
    var lastJoined: ClassID = 0
    /// Result of loads that only bring memory into the cache before it is needed. It is stored so that the compiler does not remove the loads.
    var touched: UInt8 = 0
    /// Frames that were sent on floors below the root, or bypassed the queue, for which the root has not been charged yet, and their cost. Always 0 between
    /// calls.
    var owedFrames: UInt64 = 0
    var owedCharge: Int64 = 0
    /// The first class of each row: rows 0 to 63 are 8 levels of 8 priorities each, rows 64 to 127 the same for savers.
    let rowHeads: UnsafeMutablePointer<ClassID>
    /// Number of inner classes below the root that have limits or a floor of their own: see `hasLimits`.
    var limitedInners = 0
    /// Number of classes that have children.
    var inners = 0
    /// Number of leaves above their floors that were activated by the last dequeue.
    var joined = 0
    /// The last class of each row; only valid if the row is not empty.
    let rowTails: UnsafeMutablePointer<ClassID>
    /// A bit for each row that is not empty. The row of the lowest bit is served next.
    var rows: UInt64 = 0
    /// The same for the rows of savers (`ClassTree+Savings`).
    var saverRows: UInt64 = 0
    /// Earliest time at which the root may allow savers to send; it may be too early. `.max` if there are no savers.
    var saversDue = Nanoseconds.max
    /// Among which classes the root's rate is shared, if it is (`hasShares`).
    var trafficClasses: TrafficClasses

    var wheel: TimingWheel
    /// Time of the last dequeue or bypass.
    var latest: Nanoseconds

    /// List of free frames, used last in, first out, so that they are likely to be in the cache.
    var freeHead = FrameNode.none
    /// The frames behind this index have never been used so far.
    var fresh = FrameNode.none
    var free: UInt32
    let frameCapacity: UInt32
    /// List of frames that were dropped after they had been accepted.
    var droppedHead = FrameNode.none
    var droppedTail = FrameNode.none

    /// Where the delays of frames are counted (`DelayCounts`); nil: they are not.
    var delays: UnsafeMutableRawPointer?
    /// The memory for that; only the control thread uses this field.
    let delayMemory: UnsafeMutablePointer<ZeroedMemory?>

    let outputStates: UnsafeMutablePointer<OutputState>
    let outputs: Int
    /// Number of outputs that are parked.
    var parkedOutputs = 0
    let classes: Int
    var overhead: Int64
    let shared: SharedTree?

    /// Number of frames queued, including those of parked leaves.
    public internal(set) var backlogFrames = 0
    /// The bytes of these frames on the wire, without overhead.
    public internal(set) var backlogBytes = 0
    /// Frames dropped with their queue, because their leaf was removed or became a parent of leaves on another output.
    public internal(set) var droppedByRemoval: UInt64 = 0

    /// Creates a tree that consists of its root, class 1. As long as the root has no children, it is a leaf. Traps if an argument is out of range.
    ///
    /// - Parameters:
    ///   - classes: class ids run from 1 to one less than this; at most 65 536.
    ///   - frames: most frames queued in all leaves together.
    ///   - outputs: leaves deliver to outputs 0 to one less than this.
    ///   - overhead: bytes added for each frame on the wire when it is charged (24: preamble, FCS and gap). At most 32 767 either way: what is beyond is
    ///     cut off.
    ///   - shared: where instances of the tree on other lcores lease their tokens; nil: this is the only one.
    public static func create(
        root: ClassParameters, classes: Int = 65_536, frames: Int, outputs: Int, overhead: Int, now: Nanoseconds,
        shared: SharedTree? = nil
    ) -> UnsafeMutablePointer<ClassTree> {
        precondition(classes >= 2 && classes <= 65_536, "a tree holds 1 to 65 535 classes")
        precondition(frames > 0 && frames < Int(UInt32.max) - 1, "a tree queues 1 to 4 294 967 293 frames")
        precondition(shared == nil || shared!.classes >= classes, "the shared tree has room for fewer classes than this one")
        precondition(outputs > 0 && outputs <= 65_536, "a tree has 1 to 65 536 outputs")
        checkLayout()
        let tree: UnsafeMutablePointer<ClassTree> = reserve(1)
        tree.initialize(to: ClassTree(
            classes: classes, frames: frames, outputs: outputs, overhead: overhead, now: now, shared: shared))
        tree.pointee.initialize(1, under: 0, root, at: now)
        return tree
    }

    private init(
        classes: Int, frames: Int, outputs: Int, overhead: Int, now: Nanoseconds, shared: SharedTree?
    ) {
        memory = ZeroedMemory(byteCount: Self.framesOffset + (frames + 2) * MemoryLayout<FrameNode>.stride)
        let lines = memory.bytes
        slots = Self.reserve(65_536 * 8)
        feedRounds = Self.reserve(65_536 * 8)
        extras = Self.reserve(classes)
        codels = Self.reserve(classes)
        flowTableMemory = ZeroedMemory(byteCount: classes * MemoryLayout<FlowQueues?>.stride + MemoryLayout<Int>.stride)
        flowTables = flowTableMemory.bytes.bindMemory(to: FlowQueues?.self, capacity: classes)
        flowTablesEnd = (flowTableMemory.bytes + classes * MemoryLayout<FlowQueues?>.stride).bindMemory(to: Int.self, capacity: 1)
        blocks = Self.reserve(classes)
        loans = Self.reserve(classes * 8)
        ceilingWaits = Self.reserve(classes * 8)
        keptCounts = Self.reserve(classes)
        leases = Self.reserve(shared == nil ? 1 : classes)
        extraLeases = Self.reserve(shared == nil ? 1 : classes)
        feedShares = Self.reserve(shared == nil ? 1 : classes)
        feedWeights = Self.reserve(shared == nil ? 8 : classes * 8)
        profileTable = ProfileTable(profiles: (lines + Self.profilesOffset).assumingMemoryBound(to: ClassProfile.self), classes: classes)
        existing = Self.reserve(1024)
        existing.initialize(repeating: 0, count: 1024)
        leaves = Self.reserve(1024)
        leaves.initialize(repeating: 0, count: 1024)
        arrivals = Self.reserve(Self.mostArrivals)
        rowHeads = Self.reserve(128)
        rowHeads.initialize(repeating: 0, count: 128)
        rowTails = Self.reserve(128)
        rowTails.initialize(repeating: 0, count: 128)
        delayMemory = Self.reserve(1)
        delayMemory.initialize(to: nil)
        outputStates = Self.reserve(outputs)
        outputStates.initialize(repeating: OutputState(parkedHead: 0, isParked: 0), count: outputs)
        wheel = TimingWheel(timers: TimerTable(lines: lines), now: now)
        latest = now
        free = UInt32(frames)
        frameCapacity = UInt32(frames)
        self.outputs = outputs
        self.classes = classes
        self.overhead = Self.bounded(overhead: overhead)
        self.shared = shared
        trafficClasses = TrafficClasses(shared?.times)
    }

    /// Frees the tree. The handles of frames that are still queued are lost: to get them, remove the classes and call `takeDropped` first.
    public static func destroy(_ tree: UnsafeMutablePointer<ClassTree>) {
        let it = tree.pointee
        it.memory.deallocate()
        it.slots.deallocate()
        it.feedRounds.deallocate()
        it.extras.deallocate()
        it.codels.deallocate()
        for id in 0..<it.flowTablesEnd.pointee { it.flowTables[id]?.deallocate() }
        it.flowTableMemory.deallocate()
        it.blocks.deallocate()
        it.loans.deallocate()
        it.ceilingWaits.deallocate()
        it.keptCounts.deallocate()
        it.leases.deallocate()
        it.extraLeases.deallocate()
        it.feedShares.deallocate()
        it.feedWeights.deallocate()
        it.profileTable.deallocate()
        it.existing.deallocate()
        it.leaves.deallocate()
        it.arrivals.deallocate()
        it.rowHeads.deallocate()
        it.rowTails.deallocate()
        it.delayMemory.pointee?.deallocate()
        it.delayMemory.deallocate()
        it.outputStates.deallocate()
        it.wheel.deallocate()
        it.trafficClasses.deallocate()
        tree.deinitialize(count: 1)
        tree.deallocate()
    }

    /// Reserves address space: the kernel provides large blocks untouched, and they take memory only as they are written. No two blocks share a cache line, nor
    /// a pair of lines that processors fetch together, because another lcore may be writing the other block.
    static func reserve<T>(_ count: Int) -> UnsafeMutablePointer<T> {
        UnsafeMutableRawPointer.allocate(byteCount: (count * MemoryLayout<T>.stride + 127) & ~127, alignment: 128).bindMemory(to: T.self, capacity: count)
    }

    @_noLocks
    static func bounded(overhead: Int) -> Int64 { Int64(min(max(overhead, -Charge.mostOverhead), Charge.mostOverhead)) }

    /// Earliest time at which there may be something to do without another enqueue: `now` if a frame can leave at once, `.max` if
    /// nothing waits. It may be somewhat early, never late.
    @_noLocks
    public func nextEvent(at now: Nanoseconds) -> Nanoseconds {
        let next = min(wheel.nextDue, saversDue)
        return rows != 0 || arrived != 0 || next <= now ? now : next
    }

    /// Room of `arrivals`. When it is full, they are activated before the next dequeue.
    @inline(__always) static var mostArrivals: Int { @_noLocks get { 64 } }

    @_noLocks @inline(__always)
    static func has(_ bits: UnsafeMutablePointer<UInt64>, _ id: ClassID) -> Bool {
        bits[Int(id >> 6)] >> UInt64(id & 63) & 1 != 0
    }

    @_noLocks @inline(__always)
    static func set(_ bits: UnsafeMutablePointer<UInt64>, _ id: ClassID, _ value: Bool) {
        let bit: UInt64 = 1 << UInt64(id & 63)
        if value { bits[Int(id >> 6)] |= bit } else { bits[Int(id >> 6)] &= ~bit }
    }
}

struct OutputState {
    /// First of the backlogged leaves that wait for the output, which are linked by `parkedNext`; 0 if there are none.
    var parkedHead: ClassID
    /// Why its leaves wait: `full`, `paused` or both; 0: they do not.
    var isParked: UInt16

    @inline(__always) static var full: UInt16 { @_noLocks get { 1 } }
    @inline(__always) static var paused: UInt16 { @_noLocks get { 2 } }
}

extension ClassTree {
    /// Bytes that a class takes in one tree, without its queue: state, node, counters, one lender and one ancestor that made it wait. Peak and packet rates,
    /// CoDel, further lenders, and the feeds of an inner class come on top where they are used.
    public static var bytesPerClass: Int {
        MemoryLayout<ClassState>.stride + MemoryLayout<ClassNode>.stride + MemoryLayout<CounterBlock>.stride + MemoryLayout<Loan>.stride
            + MemoryLayout<UInt64>.stride
    }

    /// Bytes on top of that for a class whose parameters differ from those of all other classes.
    public static var bytesPerProfile: Int { MemoryLayout<ClassProfile>.stride + 3 * MemoryLayout<UInt16>.stride }

    /// Bytes on top of that for a class in each instance of a tree that leases its rates: its bookings. Bookings of peak and packet rates come on top where
    /// they are used.
    public static var bytesPerLeasedClass: Int { MemoryLayout<ClassLeases>.stride }
}
