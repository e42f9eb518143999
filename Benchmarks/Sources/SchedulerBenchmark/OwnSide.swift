import SchedPeer
import Scheduler

/// How the tree of a run is limited.
enum Load: String, CaseIterable {
    /// Every class within its floor: floor and ceiling buckets of all three levels are charged.
    case floors
    /// No leaf has a floor to speak of: all borrow from their group, which has one.
    case borrowing
}

/// What leaves do with their queues; with flows, 16 in each.
enum Discipline: String, CaseIterable {
    case tail, codel
    case fqCodel = "fq-codel"
}

/// A tree of depth 3 (root, groups of 64, leaves) with all buckets live, driven as the peer is: bursts of 32 to random leaves. No floor's bucket is deeper than
/// the 10 ms that the daemon gives: deeper ones save (`ClassTree+Savings`).
struct OwnSide {
    let tree: UnsafeMutablePointer<ClassTree>
    let leaves: [ClassID]
    let length: UInt32
    var queued = 0
    var now: Nanoseconds = 1

    init(classes: Int, rate: UInt64, length: UInt32, load: Load, queue: Discipline = .tail) {
        // The root and the groups count as classes.
        let groups = max(1, classes / 65)
        var root = ClassParameters(floor: rate, ceiling: rate, burst: 1_000_000, ceilingBurst: 1_000_000)
        root.limitPackets = 64
        tree = ClassTree.create(root: root, frames: 131_072, outputs: 1, overhead: 24, now: now)
        self.length = length
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

    /// As `sched_peer_run`; `picks` are numbers of leaves, a power of two of them. `clock`: a nanosecond clock is read once a burst, as a
    /// poll loop does; otherwise each burst advances it by 1 600 ns, for runs that must execute the same instructions each time.
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
        // As a poll loop does that has found a burst's leaves: see `ClassTree.enqueue`.
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
        // Who has no flows is told of none: they are not written with each frame.
        for i in 0..<Self.burst { offered[i] = OfferedFrame(handle: handle, charge: Charge(bytes: length), tag: 0, leaf: 1, flow: UInt32(i) & 15) }
        prepare()
        now = clock ? sched_peer_now() : now + 1_600
        while queued < standing { put() }
        let begin = sched_peer_now()
        while sent < packets {
            now = clock ? sched_peer_now() : now + 1_600
            if queued <= standing { put() }
            let count = tree.pointee.dequeue(into: scheduled, limit: Self.burst, at: now)
            queued -= count
            sent += count
        }
        return Double(sched_peer_now() - begin) / Double(sent)
    }

    private static let burst = 32
}
