import Bridge
import DPDKShim
import Packet
import Scheduler

/// Stages 4 and 5: finds the leaf of the frames from their output, guest and protocol; lets them pass the tree, or puts them into the
/// leaf's queue.
@inline(__always) @_noLocks
func classifyAndEnqueue(_ runs: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    if runs == 0 { return }
    let groups = lcore.pointee.groups
    let found = classify(runs, groups, lcore, snapshot)
    var frames = lcore.pointee.received
    if found.groups != runs {
        groups.pointee.gather(found.groups, lcore)
        frames = lcore.pointee.classified
    }
    let burst = Burst(frames: frames, groups: groups, count: found.groups, isUniform: found.isUniform)
    var group = 0, next = 0
    repeat {
        let key = groups.pointee.keys[unchecked: group]
        if key.passes {
            pass(burst, &group, &next, key, lcore, snapshot)
        } else {
            let end = burst.end(of: group)
            divert(burst, next..<end, key, source, lcore, snapshot)
            group &+= 1
            next = end
        }
    } while group < found.groups
    giveOffered(lcore)
}

/// The frames of a burst in the order of their groups.
struct Burst {
    let frames: UnsafeMutablePointer<Frame?>
    let groups: UnsafeMutablePointer<Groups>
    /// Groups.
    let count: Int
    /// The groups' keys differ in leaves alone.
    let isUniform: Bool

    @inline(__always) @_noLocks
    init(frames: UnsafeMutablePointer<Frame?>, groups: UnsafeMutablePointer<Groups>, count: Int, isUniform: Bool) {
        self.frames = frames
        self.groups = groups
        self.count = count
        self.isUniform = isUniform
    }

    @inline(__always) @_noLocks
    func end(of group: Int) -> Int { Int(groups.pointee.leaves[unchecked: group].end) }
}

/// Finds what becomes of each run, and the groups that they are: how many, and whether their keys differ in leaves alone. Fills `lcore.groups`, the
/// lengths and ends of groups only as long as each run is a group.
@inline(__always) @_noLocks
private func classify(
    _ runs: Int, _ groups: UnsafeMutablePointer<Groups>, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> (groups: Int, isUniform: Bool) {
    var record = lcore.pointee.records, ends = UnsafePointer(lcore.pointee.runEnds)
    var way = Way.none
    var count = 0, run = 0, index = 0
    var difference: UInt64 = 0
    repeat {
        if record.pointee.output != way.output { way = Way(to: record.pointee.output, lcore, snapshot) }
        var length = record.pointee.length
        // Without a leaf: the number of the run.
        var key = way.key.with(leaf: UInt16(truncatingIfNeeded: run))
        if way.hasTree {
            let guest = GuestIndex(truncatingIfNeeded: record.pointee.forwarding &>> way.guestShift)
            let leaf = way.leaves[Int(guest) &* protocolRows &+ Int(record.pointee.protocolID)]
            let line = way.lines + Int(leaf) &* 128
            sluice_prefetch(line)
            sluice_prefetch(line + 64)
            if length > way.longest &+ 4 &* UInt32(record.pointee.tagCount) {
                key = GroupKey(.exceedsMTU, way.output).with(leaf: UInt16(truncatingIfNeeded: run))
            } else {
                key = way.key.with(leaf: leaf)
                if way.tags {
                    let tag = EgressTag(snapshot.pointee.tagger.egress(record))
                    length &+= tag.growth
                    key = key.with(tag: tag)
                }
            }
        }
        let end = ends.pointee
        // Otherwise the frames have to be moved: `Groups.gather`.
        if groups.pointee.add(run, key, &count) {
            difference |= key.rawValue ^ groups.pointee.keys[unchecked: 0].rawValue
            groups.pointee.leaves[unchecked: count &- 1] = LeafRun(leaf: key.leaf, end: UInt32(truncatingIfNeeded: end))
            groups.pointee.lengths[unchecked: index] = length
            index &+= 1
            while index < end {
                groups.pointee.lengths[unchecked: index] = length
                index &+= 1
            }
        } else {
            index = end
        }
        run &+= 1
        record += 1
        ends += 1
    } while run < runs
    return (count, difference &>> 16 == 0)
}

/// What is the same for all frames to an output.
private struct Way {
    var output: PortIndex
    var key: GroupKey
    var hasTree = false
    var tags = false
    /// Of `FrameRecord.forwarding`, to the guest by which the tree classifies.
    var guestShift: UInt64 = 0
    /// MTU + 14.
    var longest: UInt32 = 0
    var leaves: UnsafeMutablePointer<ClassID>
    var lines: UnsafeRawPointer

    /// For `flooded`, and to begin with.
    @inline(__always) static var none: Way {
        @_noLocks get { Way(flooded, .flood) }
    }

    @inline(__always) @_noLocks
    private init(_ output: PortIndex, _ fate: Fate) {
        self.output = output
        key = GroupKey(fate, output)
        let nothing = UnsafeMutableRawPointer(bitPattern: 64).unsafelyUnwrapped
        leaves = nothing.assumingMemoryBound(to: ClassID.self)
        lines = UnsafeRawPointer(nothing)
    }

    @inline(__always) @_noLocks
    init(to output: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
        self.init(output, output == flooded ? .flood : .portDown)
        if output == flooded { return }
        let port = snapshot.pointee.ports.baseAddress.unsafelyUnwrapped + Int(output)
        guard let state = port.pointee.state, state.pointee.connection.load(ordering: .relaxed) >= 0 else { return }
        let staged = lcore.pointee.outputs + Int(output)
        // Room for the whole burst.
        if staged.pointee.count &+ burstSize > Output.capacity { sendTouched(lcore, snapshot) }
        key = GroupKey(staged.pointee.isParked ? .queue : .pass, output)
        hasTree = true
        tags = port.pointee.tags
        longest = port.pointee.maxFrame
        let view = snapshot.pointee.trees.baseAddress.unsafelyUnwrapped + Int(port.pointee.tree)
        guestShift = view.pointee.bySource ? 0 : 16
        leaves = view.pointee.leaves.baseAddress.unsafelyUnwrapped
        lines = view.pointee.lines
    }
}
