import Scheduler
import TestSupport
import Testing

/// What an instance keeps when it pauses, and how soon it has its floor again: the documented bounds of `SharedTree`.
@Suite struct LeaseIdleTests {
    struct Recovery: CustomTestStringConvertible {
        let count: Int, mbit: UInt64
        /// Whether the other instances want the same class; otherwise, they only want its sibling.
        let rivals: Bool
        var testDescription: String { "\(count) instances, \(mbit) Mbit/s\(rivals ? ", all for the same class" : "")" }
        static let all = LeaseTests.counts.dropFirst().flatMap { count in
            [UInt64(10), 100, 1_000, 10_000].flatMap { mbit in [false, true].map { Recovery(count: count, mbit: mbit, rivals: $0) } }
        }
    }

    /// An instance that wants a floor after a pause sends within N * (Q + F) / r, and has the whole floor from then on, while all others keep the link busy.
    @Test(arguments: Recovery.all) func aFloorRecoversWithinTheWrittenBound(recovery: Recovery) {
        let count = recovery.count, link = Double(recovery.mbit) * 1e6, floor = link * 0.4
        let cluster = Cluster(count, root: LeaseTests.mbit(recovery.mbit))
        cluster.add(2, under: 1, LeaseTests.mbit(recovery.mbit * 4 / 10, ceil: recovery.mbit))
        cluster.add(3, under: 1, LeaseTests.mbit(recovery.mbit * 2 / 10, ceil: recovery.mbit))
        for instance in cluster.instances.dropFirst() { instance.greedy = recovery.rivals ? [2: 1_514, 3: 1_514] : [3: 1_514] }
        let late = cluster.instances[0], wait = LeaseBound.wait(count, floor)
        late.greedy = [3: 1_514]
        // Half of the time that a frame takes on the link.
        let step = max(1_000, Nanoseconds(1_514 * 8e9 / link / 2))
        cluster.run(for: max(20 * millisecond, wait * 10), step: step)

        cluster.forget()
        let begin = cluster.now
        var first = Nanoseconds.max
        late.onSend = { frame, now in if frame.leaf == 2 { first = min(first, now) } }
        late.greedy[2] = 1_514
        for _ in 0..<100 {
            cluster.run(for: wait, step: step)
            let due = floor / 8e9 * Double(cluster.now - begin - min(wait + step, cluster.now - begin))
            #expect(Double(cluster.bytes(2)) >= due * 0.99 - LeaseBound.round(floor) - 1_514)
            #expect(Double(late.sentBytes[2, default: 0]) >= due * 0.99 / Double(recovery.rivals ? count : 1) - LeaseBound.round(floor) - 1_514)
        }
        #expect(first <= begin + wait + step, "first frame after \(first - begin) ns instead of \(wait)")
    }

    /// An idle instance never keeps more than one lease, and keeps nothing once it has had time to give it back: after `ClassTree.leaseReturn`, or when the
    /// time that it booked has passed, whichever is later.
    @Test(arguments: LeaseTests.counts.dropFirst(), [UInt64(10), 100, 1_000, 10_000])
    func anIdleInstanceReturnsItsLease(count: Int, mbit: UInt64) {
        let rate = Double(mbit) * 1e6
        let cluster = Cluster(count, root: ClassParameters())
        cluster.add(2, under: 1, .mbit(mbit, ceil: mbit, burst: 30_000, ceilingBurst: 30_000))
        let step = max(1_000, Nanoseconds(1_514 * 8e9 / rate / 4))
        let stated = ClassTree.leaseReturn + LeaseBound.wait(count, rate) + step
        // One lease, and a rest of less than what a nanosecond earns.
        let lease = Int64(LeaseBound.round(rate)) + 2, rest = Int64(rate / 8e9) + 1
        var dice = Seeded(UInt64(count))
        for _ in 0..<20 {
            for instance in cluster.instances { instance.greedy = [2: 1_514] }
            cluster.run(for: step * UInt64(100 + dice.below(200)), step: step)
            let idle = cluster.instances.shuffled(using: &dice).prefix(1 + dice.below(count))
            for instance in idle { instance.greedy = [:] }
            while idle.contains(where: { $0.tree.pointee.backlogFrames > 0 }) { cluster.run(for: step, step: step) }
            let end = cluster.now + stated
            while cluster.now < end {
                for instance in idle { #expect(Self.held(instance) <= lease) }
                cluster.run(for: step, step: step)
            }
            for instance in idle {
                #expect(Self.held(instance) <= rest)
                #expect(instance.tree.pointee.nextEvent(at: cluster.now) == .max)
            }
        }
    }

    /// A leaf becomes a parent just after it fell idle: what it had leased is given back as if it had stayed a leaf.
    @Test func aLeafThatBecomesAParentReturnsItsLease() {
        let cluster = Cluster(2, root: ClassParameters(), checkInterval: 1)
        cluster.add(2, under: 1, .mbit(1_000, ceil: 1_000, burst: 30_000, ceilingBurst: 30_000))
        let idle = cluster.instances[0]
        var dice = Seeded(1)
        // This repeats until it falls idle while it still has credit.
        for _ in 0..<1_000 where Self.held(idle) < 300 {
            for instance in cluster.instances { instance.greedy = [2: 100] }
            cluster.run(for: 100_000 + UInt64(dice.below(100_000)), step: 1_000)
            idle.greedy = [:]
            while idle.tree.pointee.backlogFrames > 0 { cluster.run(for: 1_000, step: 1_000) }
        }
        #expect(Self.held(idle) >= 300)
        cluster.add(3, under: 2, ClassParameters())
        cluster.instances[1].greedy = [3: 100]
        cluster.run(for: ClassTree.leaseReturn + LeaseBound.wait(2, 1e9) + 10_000)
        #expect(Self.held(idle) <= Int64(1e9 / 8e9) + 1)
        #expect(idle.tree.pointee.nextEvent(at: cluster.now) == .max)
    }

    private static func held(_ bench: Bench) -> Int64 {
        let counters = bench.tree.pointee.counters(of: 2)
        return max(counters.floorTokens, counters.ceilingTokens)
    }
}
