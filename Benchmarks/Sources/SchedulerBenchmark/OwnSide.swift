import SchedPeer
import Scheduler

/// What limits the tree of a run.
enum Load: String, CaseIterable {
    /// Every class stays within its floor: the floor and ceiling buckets of all three levels are charged.
    case floors
    /// The leaves have only tiny floors: all of them borrow from their group, which has a large one.
    case borrowing
}

/// The queue discipline of the leaves; with flows, each leaf has 16.
enum Discipline: String, CaseIterable {
    case tail, codel
    case fqCodel = "fq-codel"
}

/// A tree of depth 3 (root, groups of 64, leaves) in which all buckets are used, driven like the peer: bursts of 32 frames to random leaves. No floor's bucket
/// holds more than the 10 ms of its rate that are at hand; beyond that, classes would save (`ClassTree+Savings`).
struct OwnSide {
    let tree: UnsafeMutablePointer<ClassTree>
    let leaves: [ClassID]
    let length: UInt32
    var queued = 0
    var now: Nanoseconds = 1

    init(classes: Int, rate: UInt64, length: UInt32, load: Load, queue: Discipline = .tail, delays: Bool = false) {
        // The root and the groups count as classes.
        let groups = max(1, classes / 65)
        var root = ClassParameters(floor: rate, ceiling: rate, burst: 1_000_000, ceilingBurst: 1_000_000)
        root.limitPackets = 64
        tree = ClassTree.create(root: root, frames: 131_072, outputs: 1, overhead: 24, now: now)
        self.length = length
        if delays {
            tree.pointee.grantDelays()
            tree.pointee.countDelays(true)
        }
        var leaves: [ClassID] = []
        let perGroup = (classes - groups + groups - 1) / groups
        var next: ClassID = 2
        for _ in 0..<groups {
            let group = next
            var p = ClassParameters(floor: rate / UInt64(groups), ceiling: rate, burst: min(1_000_000, rate / UInt64(groups) / 800), ceilingBurst: 1_000_000)
            p.limitPackets = 64
            precondition(tree.pointee.add(group, under: 1, p, at: now) == .done)
            next &+= 1
            for _ in 0..<perGroup where leaves.count + groups + 1 < classes {
                var p = ClassParameters(
                    floor: load == .floors ? max(rate / UInt64(classes), 100_000_000) : 8_000, ceiling: rate, burst: load == .floors ? 100_000 : 0,
                    ceilingBurst: 1_000_000)
                p.limitPackets = 64
                if queue != .tail { p.codelTarget = 5_000_000 }
                p.queuesFlows = queue == .fqCodel
                if p.queuesFlows { tree.pointee.grantFlows(to: next) }
                precondition(tree.pointee.add(next, under: group, p, at: now) == .done)
                leaves.append(next)
                next &+= 1
            }
        }
        self.leaves = leaves
    }

    /// Does what `sched_peer_run` does. `picks` are numbers of leaves; their count is a power of two. With `clock`, a nanosecond clock is read once for each
    /// burst, as a poll loop does; otherwise each burst advances the time by 1 600 ns, for runs that must always execute the same instructions.
    mutating func run(_ picks: [UInt32], packets: Int, standing: Int, clock: Bool) -> Double {
        let sequence = picks.map { leaves[Int($0)] }, mask = picks.count - 1
        return sequence.withUnsafeBufferPointer { sequence in
            withUnsafeTemporaryAllocation(of: ScheduledFrame.self, capacity: Self.burst) { scheduled in
                withUnsafeTemporaryAllocation(of: OfferedFrame.self, capacity: Self.burst) { offered in
                    run(
                        sequence.baseAddress!, mask: mask, packets: packets, standing: standing, clock: clock, offered: offered.baseAddress!,
                        scheduled: scheduled.baseAddress!)
                }
            }
        }
    }

    private mutating func run(
        _ sequence: UnsafePointer<ClassID>, mask: Int, packets: Int, standing: Int, clock: Bool, offered: UnsafeMutablePointer<OfferedFrame>,
        scheduled: UnsafeMutablePointer<ScheduledFrame>
    ) -> Double {
        let handle = UnsafeMutableRawPointer(bitPattern: 64)!
        var at = 0, sent = 0
        let lines = tree.pointee.classLines
        // Does what a poll loop does after it has found the leaves of a burst: see `ClassTree.enqueue`.
        func prepare() {
            at += Self.burst
            for i in 0..<Self.burst {
                let leaf = sequence[(at + i) & mask]
                sched_peer_prefetch(lines + Int(leaf) * 128)
                offered[i].handle = handle
                offered[i].charge = Charge(bytes: length)
                offered[i].tag = 0
                offered[i].leaf = leaf
                offered[i].verdict = .queued
            }
        }
        func put() {
            queued += tree.pointee.enqueue(offered, count: Self.burst, at: now)
            prepare()
        }
        // The flows are set only once, because leaves without flows ignore them and a poll loop would not write them for each frame.
        for i in 0..<Self.burst { offered[i] = OfferedFrame(handle: handle, charge: Charge(bytes: length), tag: 0, leaf: 1, flow: UInt32(i) & 15) }
        prepare()
        now = clock ? sched_peer_now() : now + 1_600
        while queued < standing { put() }
        let begin = sched_peer_now()
        while sent < packets {
            now = clock ? sched_peer_now() : now + 1_600
            if queued <= standing { put() }
            let count = tree.pointee.dequeue(into: scheduled, limit: Self.burst, at: now)
            if _slowPath(tree.pointee.countsDelays) { tree.pointee.countDelays(of: scheduled, count: count, at: now) }
            queued -= count
            sent += count
        }
        return Double(sched_peer_now() - begin) / Double(sent)
    }

    private static let burst = 32
}
