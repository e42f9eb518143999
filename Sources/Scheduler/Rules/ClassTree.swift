/// A hierarchical token bucket with the rules of Linux HTB (net/sched/sch_htb.c), for one output or for many.
///
/// One lcore owns a tree: every call comes from it, with a `now` that never goes back. Nothing here reads a clock, allocates,
/// locks or divides after `create`. Storage for all classes and frames is reserved there and touched when first used.
///
/// A dequeue serves, in this order: leaves within their own floor by priority, then borrowers by how near their lender is and by
/// priority, and among equals by deficit round robin in proportion to quantum. Two things differ from Linux on purpose: an inner
/// class takes turns with its siblings by its own quantum, however many leaves it has, and a turn that is still owed is skipped
/// rather than answered with one frame more.
///
/// Classes that wait for tokens hang in a timing wheel and are looked at only when their time has come. Classes whose time comes in
/// the same call join in the order of their ids.
public struct ClassTree {
    /// States, nodes, profiles and frames: see `ClassTables`.
    private let memory: ZeroedMemory
    var lines: UnsafeMutableRawPointer { @_noLocks @inline(__always) get { memory.bytes } }
    let slots: UnsafeMutablePointer<PrioritySlot>
    let feedRounds: UnsafeMutablePointer<FeedRounds>
    let extras: UnsafeMutablePointer<ClassExtra>
    let codels: UnsafeMutablePointer<CoDelState>
    /// Granted to classes, in use or not; written by the control thread alone.
    let flowTables: UnsafeMutablePointer<FlowQueues?>
    private let flowTableMemory: ZeroedMemory
    /// Those granted so far are before this.
    let flowTablesEnd: UnsafeMutablePointer<Int>
    /// For hashes of flows, so that nobody can choose frames whose flows fall together.
    public let flowSeed = UInt64.random(in: .min ... .max)
    /// Classes that queue their flows apart.
    var flowClasses = 0
    let blocks: UnsafeMutablePointer<CounterBlock>
    /// What was borrowed, by the level of the lender: `classes` entries for each of eight levels. See `ClassTree+Loans`.
    let loans: UnsafeMutablePointer<Loan>
    /// Times held by an ancestor's ceiling, by that ancestor's level; as `loans`.
    let ceilingWaits: UnsafeMutablePointer<UInt64>
    /// Of the classes whose `ClassNode.blockers` has bit 0.
    let keptCounts: UnsafeMutablePointer<KeptCounts>
    /// Number of the last event in which an inner class had nothing left for its descendants; even.
    var exhaustions: UInt16 = 0
    /// Times that number began anew.
    var exhaustionRounds: UInt32 = 0
    /// Bookings. Used only if `shared` is set.
    let leases: UnsafeMutablePointer<ClassLeases>
    let extraLeases: UnsafeMutablePointer<ExtraLeases>
    let feedShares: UnsafeMutablePointer<FeedShares>
    /// Of an inner class, for each priority: the quanta of the children in its feed, as far as they count here.
    let feedWeights: UnsafeMutablePointer<UInt32>
    var profileTable: ProfileTable
    /// Bit per class id: it exists; it is a leaf.
    let existing: UnsafeMutablePointer<UInt64>
    let leaves: UnsafeMutablePointer<UInt64>
    /// Leaves above their floors that got their first frame since the last dequeue, in that order. They join with the next, when it is
    /// known which of their ancestors' time has come.
    let arrivals: UnsafeMutablePointer<ClassID>
    var arrived = 0
    /// The row that leaves joined last, and the last of them. Never outlive an enqueue.
    var joinedRow = noRow
    var lastJoined: ClassID = 0
    /// What loads of memory that is needed soon found. Kept so that they are not optimized away.
    var touched: UInt8 = 0
    /// What was sent on others' floors, or passed, and the root has not been charged yet. Never outlives a dequeue or bypass.
    var owedFrames: UInt64 = 0
    var owedCharge: Int64 = 0
    /// First class of each row; 8 levels of 8 priorities, and the same again of savers.
    let rowHeads: UnsafeMutablePointer<ClassID>
    /// Inner classes below the root that hold frames or send on their own: see `holds`.
    var limitedInners = 0
    /// Classes that have children.
    var inners = 0
    /// Leaves above their floors that joined with the last dequeue.
    var joined = 0
    /// Last class of each row that is not empty.
    let rowTails: UnsafeMutablePointer<ClassID>
    /// Bit per row that is not empty: the lowest is served next.
    var rows: UInt64 = 0
    /// The same of savers' rows (`ClassTree+Savings`).
    var saverRows: UInt64 = 0
    /// When the root lets them go on, or earlier; `.max`: there are none.
    var saversDue = Nanoseconds.max

    var wheel: TimingWheel
    /// Time of the last dequeue or bypass.
    var latest: Nanoseconds

    /// Free frames last in, first out, so that they are found in the cache.
    var freeHead = FrameNode.none
    /// Frames never used so far follow this one.
    var fresh = FrameNode.none
    var free: UInt32
    let frameCapacity: UInt32
    /// Frames given up after they were accepted.
    var droppedHead = FrameNode.none
    var droppedTail = FrameNode.none

    let outputStates: UnsafeMutablePointer<OutputState>
    let outputs: Int
    /// Outputs that are parked.
    var parkedOutputs = 0
    let classes: Int
    var overhead: Int64
    let shared: SharedTree?

    /// Frames queued, parked ones included.
    public internal(set) var backlogFrames = 0
    /// Their bytes on the wire, without overhead.
    public internal(set) var backlogBytes = 0
    /// Frames that lost their queue: their leaf was removed, or became a parent of leaves on another output.
    public internal(set) var droppedByRemoval: UInt64 = 0

    /// Makes a tree with its root, class 1, and nothing else. While the root has no children it is a leaf.
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
    }

    /// Frees the tree. Frames still queued are the caller's to find: remove the classes and `takeDropped` first.
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
        it.outputStates.deallocate()
        it.wheel.deallocate()
        tree.deinitialize(count: 1)
        tree.deallocate()
    }

    /// Address space only: large blocks come from the kernel untouched and cost memory as they are written. No two lie on one cache line, nor on the one that
    /// processors fetch beside it: another lcore may write the other.
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

    /// Arrivals beyond this join before the next dequeue.
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
    /// Backlogged leaves that wait for the output, linked through their row links; 0: none.
    var parkedHead: ClassID
    var isParked: UInt16
}

extension ClassTree {
    /// Memory a class takes in one tree, in bytes, beside its queue: state, node, counters, and one lender and one ancestor that
    /// held it. Peak and packet rates, CoDel, a second lender, and the feeds of an inner class come on top where they are used.
    public static var bytesPerClass: Int {
        MemoryLayout<ClassState>.stride + MemoryLayout<ClassNode>.stride + MemoryLayout<CounterBlock>.stride + MemoryLayout<Loan>.stride
            + MemoryLayout<UInt64>.stride
    }

    /// What a class that differs from all others in its parameters takes on top of that.
    public static var bytesPerProfile: Int { MemoryLayout<ClassProfile>.stride + 3 * MemoryLayout<UInt16>.stride }

    /// What a class takes on top of that in each instance of a tree that leases its rates: its bookings. Those of peak and packet rates come on
    /// top where they are used.
    public static var bytesPerLeasedClass: Int { MemoryLayout<ClassLeases>.stride }
}
