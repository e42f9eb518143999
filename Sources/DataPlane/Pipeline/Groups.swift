import DPDKShim
import Packet
import Scheduler

/// The runs of a burst, grouped by what happens to them: runs with equal keys form one group, whose frames are then handled together. All frames of a flow are
/// in one leaf, so the order within a flow is kept; the order of frames of different leaves does not matter.
struct Groups {
    /// The key of each group.
    var keys: InlineArray<32, GroupKey>
    /// The leaf of each group, and the index behind its last frame.
    var leaves: InlineArray<32, LeafRun>
    /// The number of bytes to charge for each frame, in the order of the groups. Only `gather` sets it.
    var lengths: InlineArray<32, UInt32>
    /// The first and the last run of each group, and for each run the next run of its group.
    private var firsts: InlineArray<32, UInt8>
    private var lasts: InlineArray<32, UInt8>
    private var following: InlineArray<32, UInt8>
    /// The number of a group, by the low 6 bits of its key. Entries of earlier bursts may remain: an entry counts only if the group's number and key confirm
    /// it.
    private var found: InlineArray<64, UInt8>

    /// Whether the frames of each group are consecutive in the order in which they were received.
    private(set) var isInOrder: Bool

    /// The number of groups, as `classify` leaves it; 0: the burst's frames went another way.
    var count = 0

    /// What has been added so far.
    struct Progress {
        /// The number of groups.
        var count = 0
        /// The key of the newest group, if the last run belongs to it; otherwise a value that no key has.
        fileprivate var newest = UInt64.max

        @inline(__always) @_noLocks
        init() {}
    }

    @inline(__always) @_noLocks
    mutating func begin() -> Progress {
        isInOrder = true
        return Progress()
    }

    /// Adds a run. Its frames end before index `end`, in the order in which they were received.
    @inline(__always) @_noLocks
    mutating func add(_ run: Int, _ key: GroupKey, end: UInt16, _ progress: inout Progress) {
        let number = UInt8(truncatingIfNeeded: run), count = progress.count
        // The run belongs to the same group as the one before. This case reads no memory that was written for that run.
        if key.rawValue == progress.newest { return join(count &- 1, after: run &- 1, number, end) }
        let place = Int(key.rawValue & 63)
        let group = Int(found[unchecked: place])
        // The key is compared first because that is predictable: whether a number that is left from an earlier burst is below `count` is as good as random.
        if _slowPath(keys[unchecked: group].rawValue == key.rawValue), group < count {
            join(group, after: Int(lasts[unchecked: group]), number, end)
            isInOrder = false
            progress.newest = .max
            return
        }
        found[unchecked: place] = UInt8(truncatingIfNeeded: count)
        keys[unchecked: count] = key
        leaves[unchecked: count] = LeafRun(leaf: key.leaf, end: UInt32(end))
        firsts[unchecked: count] = number
        lasts[unchecked: count] = number
        progress.count = count &+ 1
        progress.newest = key.rawValue
    }

    @inline(__always) @_noLocks
    private mutating func join(_ group: Int, after previous: Int, _ number: UInt8, _ end: UInt16) {
        following[unchecked: previous] = number
        lasts[unchecked: group] = number
        leaves[unchecked: group].end = UInt32(end)
    }

    /// Brings together the frames of each group in `lcore.classified`, and their lengths in `lengths`.
    @inline(never) @_noLocks
    mutating func gather(_ count: Int, _ lcore: UnsafeMutablePointer<Lcore>) {
        let received = lcore.pointee.received, classified = lcore.pointee.classified
        let records = lcore.pointee.records, charged = lcore.pointee.lengths
        var next = 0
        for group in 0..<count {
            var run = Int(firsts[unchecked: group])
            while true {
                var index = run == 0 ? 0 : Int(records[run &- 1].end)
                let end = Int(records[run].end)
                repeat {
                    classified[next] = received[index]
                    lengths[unchecked: next] = charged[index]
                    next &+= 1
                    index &+= 1
                } while index < end
                if run == Int(lasts[unchecked: group]) { break }
                run = Int(following[unchecked: run])
            }
            leaves[unchecked: group] = LeafRun(leaf: keys[unchecked: group].leaf, end: UInt32(truncatingIfNeeded: next))
        }
    }

    /// Pointers to the fields `leaves` and `lengths` inside `groups`.
    @inline(__always) @_noLocks
    static func leaves(_ groups: UnsafeMutablePointer<Groups>) -> UnsafeMutablePointer<LeafRun> {
        (UnsafeMutableRawPointer(groups) + leavesOffset).assumingMemoryBound(to: LeafRun.self)
    }

    @inline(__always) @_noLocks
    static func lengths(_ groups: UnsafeMutablePointer<Groups>) -> UnsafeMutablePointer<UInt32> {
        (UnsafeMutableRawPointer(groups) + lengthsOffset).assumingMemoryBound(to: UInt32.self)
    }

    @inline(__always) private static var leavesOffset: Int { @_noLocks get { burstSize &* MemoryLayout<GroupKey>.stride } }
    @inline(__always) private static var lengthsOffset: Int { @_noLocks get { leavesOffset &+ burstSize &* MemoryLayout<LeafRun>.stride } }
}

/// What happens to a frame: the leaf in bits 15-0 (for a frame without a leaf, the number of its run), the output in 31-16, the egress tag in 55-32, and the
/// `Fate` in 63-56.
struct GroupKey {
    var rawValue: UInt64

    @inline(__always) @_noLocks
    init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Makes a key without a leaf and without a tag.
    @inline(__always) @_noLocks
    init(_ fate: Fate, _ output: PortIndex) { rawValue = UInt64(fate.rawValue) &<< 56 | UInt64(output) &<< 16 }

    /// Makes a key without a leaf. `way` has the output and the tag at their places in the key.
    @inline(__always) @_noLocks
    init(_ fate: Fate, way: UInt64) { rawValue = UInt64(fate.rawValue) &<< 56 | way }

    @inline(__always) @_noLocks
    func with(leaf: UInt16) -> GroupKey { GroupKey(rawValue: rawValue | UInt64(leaf)) }
    @inline(__always) @_noLocks
    func with(tag: EgressTag) -> GroupKey { GroupKey(rawValue: rawValue | UInt64(tag.rawValue) &<< 32) }

    @inline(__always) var leaf: ClassID { @_noLocks get { ClassID(truncatingIfNeeded: rawValue) } }
    @inline(__always) var output: PortIndex { @_noLocks get { PortIndex(truncatingIfNeeded: rawValue &>> 16) } }
    @inline(__always) var tag: EgressTag { @_noLocks get { EgressTag(rawValue: UInt32(truncatingIfNeeded: rawValue &>> 32) & 0xff_ffff) } }
    @inline(__always) var passes: Bool { @_noLocks get { rawValue &>> 56 == 0 } }
    @inline(__always) var fate: UInt8 { @_noLocks get { UInt8(truncatingIfNeeded: rawValue &>> 56) } }

    /// Whether the key says a leaf.
    @inline(__always) var hasLeaf: Bool { @_noLocks get { fate & 0x7f <= Fate.queue.rawValue && leaf != 0 } }

    /// Whether the keys are equal except for the leaf.
    @inline(__always) @_noLocks
    func leaves(as other: GroupKey) -> Bool { (rawValue ^ other.rawValue) &>> 16 == 0 }
}

enum Fate: UInt8 {
    /// The frame goes to its leaf's tree, and passes the queue at once if the tree allows it.
    case pass
    /// The frame goes into its leaf's queue, because its output is parked.
    case queue
    /// The frame goes to all ports of its bridge.
    case flood
    /// The frame is dropped, because the output is down, its MTU is too small, or it is not a member of the frame's VLAN.
    case portDown, exceedsMTU, vlanNotAllowed
    /// The frame goes into its leaf's queue after the output's filter has allowed it and its tag has been told which mirrors of classes copy it;
    /// `filterAndQueue` is used if the output is parked. `PortView.way` contains the bit 0x80, so that outputs without filters and such mirrors pay nothing for
    /// it.
    case filter = 0x80, filterAndQueue = 0x81
}
