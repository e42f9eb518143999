import DPDKShim
import Packet
import Scheduler

/// Stages 4 and 5: finds the leaf of the frames from their output, guest and protocol; lets them pass the tree, or puts them into the
/// leaf's queue.
@inline(__always) @_noLocks
func classifyAndEnqueue(_ runs: Int, _ source: PortIndex, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>) {
    if runs == 0 { return }
    let groups = lcore.pointee.groups
    let found = classify(runs, lcore, snapshot)
    var burst = Burst(
        frames: lcore.pointee.received, lengths: lcore.pointee.lengths, groups: groups, count: found.groups.count, isUniform: found.isUniform)
    if !groups.pointee.isInOrder {
        groups.pointee.gather(found.groups.count, lcore)
        (burst.frames, burst.lengths) = (lcore.pointee.classified, Groups.lengths(groups))
    }
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

/// The frames of a burst in the order of their groups.
struct Burst {
    var frames: UnsafeMutablePointer<Frame?>
    /// Bytes to be charged for each.
    var lengths: UnsafeMutablePointer<UInt32>
    let groups: UnsafeMutablePointer<Groups>
    /// Groups.
    let count: Int
    /// The groups' keys differ in leaves alone.
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

/// Finds what becomes of each run, and the groups that they are: how many, and whether their keys differ in leaves alone. Lengths of
/// frames that get a tag have grown by it. Ends of groups are right as long as each group's frames follow one another; otherwise `Groups.gather` finds
/// them.
@inline(never) @_noLocks
private func classify(
    _ runs: Int, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Found {
    var found = Found(lcore.pointee.groups.pointee.begin())
    repeat {
        let way = Way(to: lcore.pointee.records[found.runs].output, lcore, snapshot)
        // Groups for one output differ in their leaves alone, unless they say otherwise.
        if found.runs != 0 { found.isUniform = false }
        if !way.hasTree {
            sortWithoutTree(way, runs, &found, lcore)
        } else if way.hasVLANs {
            found = sortVLANs(way, runs, found, lcore, snapshot)
        } else if way.tags {
            sort(way, .priority, runs, &found, lcore, snapshot)
        } else {
            found = sortUntagged(way, runs, found, lcore, snapshot)
        }
    } while found.runs < runs
    return found
}

/// What `classify` has found so far.
private struct Found {
    /// Runs looked at.
    var runs = 0
    var groups: Groups.Progress
    /// The groups' keys differ in leaves alone.
    var isUniform = true

    @inline(__always) @_noLocks
    init(_ groups: Groups.Progress) { self.groups = groups }
}

/// Sorts runs for one output, which has a tree, as many as follow one another.
@inline(__always) @_noLocks
private func sort(
    _ way: Way, _ tags: Tagging, _ runs: Int, _ found: inout Found, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) {
    let groups = lcore.pointee.groups
    var record = lcore.pointee.records + found.runs
    var run = found.runs, progress = found.groups
    // Bits that all keys have, and that some have: others than those of the leaf where keys differ in more than that.
    var all = UInt64.max, some: UInt64 = 0
    repeat {
        let (key, growth) = way.classify(record, run: run, tags, &found.isUniform, snapshot)
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

/// The same for an output that changes no tags. A function of its own, so that what the loop works with stays in registers.
@inline(never) @_noLocks
private func sortUntagged(
    _ way: Way, _ runs: Int, _ found: Found, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Found {
    var found = found
    sort(way, .none, runs, &found, lcore, snapshot)
    return found
}

/// The same for an output of a bridge with VLANs.
@inline(never) @_noLocks
private func sortVLANs(
    _ way: Way, _ runs: Int, _ found: Found, _ lcore: UnsafeMutablePointer<Lcore>, _ snapshot: UnsafeMutablePointer<Snapshot>
) -> Found {
    var found = found
    sort(way, .vlans, runs, &found, lcore, snapshot)
    return found
}

/// The same for an output without a tree: each run is a group.
@inline(never) @_noLocks
private func sortWithoutTree(_ way: Way, _ runs: Int, _ found: inout Found, _ lcore: UnsafeMutablePointer<Lcore>) {
    found.isUniform = false
    repeat {
        let key = way.key.with(leaf: UInt16(truncatingIfNeeded: found.runs))
        lcore.pointee.groups.pointee.add(found.runs, key, end: lcore.pointee.records[found.runs].end, &found.groups)
        found.runs &+= 1
    } while found.runs < runs && lcore.pointee.records[found.runs].output == way.output
}
