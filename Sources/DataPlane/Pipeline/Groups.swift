import DPDKShim
import Packet
import Scheduler

/// The runs of a burst by what becomes of them: those with equal keys are one group, whose frames follow one another. Frames of one flow have one
/// leaf and stay in order; between leaves a burst has none to keep.
struct Groups {
    /// Per group.
    var keys: InlineArray<32, GroupKey>
    /// Per group: its leaf, and where its frames end.
    var leaves: InlineArray<32, LeafRun>
    /// Bytes to be charged for each frame, in the order of the groups, once they are gathered.
    var lengths: InlineArray<32, UInt32>
    /// The first and last run of each group, and for each run the next of its group.
    private var firsts: InlineArray<32, UInt8>
    private var lasts: InlineArray<32, UInt8>
    private var following: InlineArray<32, UInt8>
    /// A group by the low bits of its leaf. What is left from bursts before does no harm: a group is found by its number and its key.
    private var found: InlineArray<64, UInt8>

    /// The frames of each group follow one another as they were received.
    private(set) var isInOrder: Bool

    /// What has been added so far.
    struct Progress {
        /// Groups.
        var count = 0
        /// The key of the newest group, if the run before is one of it: of nothing at first.
        fileprivate var newest = UInt64.max

        @inline(__always) @_noLocks
        init() {}
    }

    @inline(__always) @_noLocks
    mutating func begin() -> Progress {
        isInOrder = true
        return Progress()
    }

    /// Adds a run, whose frames end at `end` in the order in which they were received.
    @inline(__always) @_noLocks
    mutating func add(_ run: Int, _ key: GroupKey, end: UInt16, _ progress: inout Progress) {
        let number = UInt8(truncatingIfNeeded: run), count = progress.count
        // One more of the group of the run before: nothing is read that was just written for that.
        if key.rawValue == progress.newest { return join(count &- 1, after: run &- 1, number, end) }
        let place = Int(key.rawValue & 63)
        let group = Int(found[unchecked: place])
        // The key first: how a number left from before compares with the count is as good as random.
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

    /// Brings the frames of each group together in `lcore.classified`, and their lengths.
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

    /// Those of the groups, and the lengths, as pointers into `groups`.
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

/// What becomes of a frame: leaf 15-0 (of a frame that has none the number of its run), output 31-16, egress tag 55-32, `Fate` 63-56.
struct GroupKey {
    var rawValue: UInt64

    @inline(__always) @_noLocks
    init(rawValue: UInt64) { self.rawValue = rawValue }

    /// Without leaf and tag.
    @inline(__always) @_noLocks
    init(_ fate: Fate, _ output: PortIndex) { rawValue = UInt64(fate.rawValue) &<< 56 | UInt64(output) &<< 16 }

    /// `way`: output and tag in their places.
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

    /// Equal but for the leaf.
    @inline(__always) @_noLocks
    func leaves(as other: GroupKey) -> Bool { (rawValue ^ other.rawValue) &>> 16 == 0 }
}

enum Fate: UInt8 {
    /// To its leaf's tree, and past its queue if nothing is in the way.
    case pass
    /// To its leaf's queue: the output is parked.
    case queue
    /// To all ports of the bridge.
    case flood
    /// Nowhere: the output is down; the frame is too long for it; it is not in the frame's VLAN.
    case portDown, exceedsMTU, vlanNotAllowed
    /// To its leaf's queue, if the output's filter lets it, and told there which mirrors of classes copy it: a bit of its own in `PortView.way`, so that outputs without filters and
    /// such mirrors pay nothing. The second is of outputs
    /// that are parked.
    case filter = 0x80, filterAndQueue = 0x81
}
