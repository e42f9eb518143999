import DPDKShim
import Packet
import Scheduler

/// Stages 4 and 5: finds the leaf of each frame from its output, guest and protocol, and either lets the frame pass the tree at once or puts it into the leaf's
/// queue.
@inline(__always) @_noLocks
func classifyAndEnqueue(_ runs: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    let groups = lcore.pointee.groups
    groups.pointee.count = 0
    if runs == 0 { return }
    let found = classify(runs, lcore, snapshot)
    groups.pointee.count = found.groups.count
    var burst = Burst(
        frames: lcore.pointee.received, lengths: lcore.pointee.lengths, groups: groups, count: found.groups.count, isUniform: found.isUniform)
    if !groups.pointee.isInOrder {
        groups.pointee.gather(found.groups.count, lcore)
        (burst.frames, burst.lengths) = (lcore.pointee.classified, Groups.lengths(groups))
    }
    if _slowPath(lcore.pointee.receivedFlags & sluice_flag_tx_segments != 0) { return passOneByOne(burst, source, lcore, snapshot) }
    var group = 0, next = 0
    repeat {
        let key = groups.pointee.keys[unchecked: group]
        if key.passes {
            pass(burst, &group, &next, key, lcore, snapshot)
        } else {
            let end = burst.end(of: group)
            divert(burst.frames + next, burst.lengths + next, end &- next, key, source, lcore, snapshot)
            group &+= 1
            next = end
        }
    } while group < found.groups.count
    giveOffered(lcore)
}

/// The frames of a burst, in the order of their groups (see `Groups`).
struct Burst {
    var frames: UnsafeMutablePointer<Frame?>
    /// The number of bytes that the tree charges for each frame.
    var lengths: UnsafeMutablePointer<UInt32>
    let groups: UnsafeMutablePointer<Groups>
    /// The number of groups.
    let count: Int
    /// Whether the groups' keys differ in their leaves only.
    let isUniform: Bool

    @inline(__always) @_noLocks
    init(
        frames: UnsafeMutablePointer<Frame?>, lengths: UnsafeMutablePointer<UInt32>, groups: UnsafeMutablePointer<Groups>, count: Int,
        isUniform: Bool
    ) {
        self.frames = frames
        self.lengths = lengths
        self.groups = groups
        self.count = count
        self.isUniform = isUniform
    }

    @inline(__always) @_noLocks
    func end(of group: Int) -> Int { Int(groups.pointee.leaves[unchecked: group].end) }
}

/// Decides what happens to each run and collects the runs in groups. The lengths of frames that gain or lose a tag are changed accordingly. The groups' ends
/// are right only as long as the frames of each group are consecutive; otherwise `Groups.gather` sets them.
@inline(never) @_noLocks
private func classify(
    _ runs: Int, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Found {
    var found = Found(lcore.pointee.groups.pointee.begin())
    repeat {
        let way = Way(to: lcore.pointee.records[found.runs].output, lcore, snapshot)
        // Keys for different outputs differ in more than their leaves; for one output, `sort` finds out.
        if found.runs != 0 { found.isUniform = false }
        if !way.hasTree {
            sortWithoutTree(way, runs, &found, lcore)
        } else if way.hasVLANs {
            found = sortVLANs(way, runs, found, lcore)
        } else if way.tags {
            sort(way, .priority, runs, &found, lcore)
        } else {
            found = sortUntagged(way, runs, found, lcore)
        }
    } while found.runs < runs
    return found
}

/// What `classify` has found so far.
private struct Found {
    /// The number of runs that have been looked at.
    var runs = 0
    var groups: Groups.Progress
    /// Whether the groups' keys differ in their leaves only.
    var isUniform = true

    @inline(__always) @_noLocks
    init(_ groups: Groups.Progress) { self.groups = groups }
}

/// Classifies the consecutive runs for one output that has a tree.
@inline(__always) @_noLocks
private func sort(_ way: Way, _ tags: Tagging, _ runs: Int, _ found: inout Found, _ lcore: UnsafeMutablePointer<Lcore>) {
    let groups = lcore.pointee.groups
    var record = lcore.pointee.records + found.runs
    var run = found.runs, progress = found.groups
    // The bits that are set in all keys, and those that are set in some. If these differ in a bit above the leaf, the keys differ in more than their leaves.
    var all = UInt64.max, some: UInt64 = 0
    repeat {
        let (key, growth) = way.classify(record, run: run, tags, &found.isUniform)
        if tags != .none, growth != 0 {
            for index in (run == 0 ? 0 : Int((record - 1).pointee.end))..<Int(record.pointee.end) { lcore.pointee.lengths[index] &+= growth }
        }
        groups.pointee.add(run, key, end: record.pointee.end, &progress)
        if tags != .none {
            some |= key.rawValue
            all &= key.rawValue
        }
        run &+= 1
        record += 1
    } while run < runs && record.pointee.output == way.output
    if tags != .none, (all ^ some) &>> 16 != 0 { found.isUniform = false }
    found.runs = run
    found.groups = progress
}

/// Does the same for an output that changes no tags. It is a function of its own so that the loop's variables stay in registers.
@inline(never) @_noLocks
private func sortUntagged(_ way: Way, _ runs: Int, _ found: Found, _ lcore: UnsafeMutablePointer<Lcore>) -> Found {
    var found = found
    sort(way, .none, runs, &found, lcore)
    return found
}

/// Does the same for an output on a bridge with VLANs.
@inline(never) @_noLocks
private func sortVLANs(_ way: Way, _ runs: Int, _ found: Found, _ lcore: UnsafeMutablePointer<Lcore>) -> Found {
    var found = found
    sort(way, .vlans, runs, &found, lcore)
    return found
}

/// Does the same for an output that frames cannot be queued for (flooding, or a port that is down): each run becomes a group of its own.
@inline(never) @_noLocks
private func sortWithoutTree(_ way: Way, _ runs: Int, _ found: inout Found, _ lcore: UnsafeMutablePointer<Lcore>) {
    found.isUniform = false
    repeat {
        let key = way.key.with(leaf: UInt16(truncatingIfNeeded: found.runs))
        lcore.pointee.groups.pointee.add(found.runs, key, end: lcore.pointee.records[found.runs].end, &found.groups)
        found.runs &+= 1
    } while found.runs < runs && lcore.pointee.records[found.runs].output == way.output
}
