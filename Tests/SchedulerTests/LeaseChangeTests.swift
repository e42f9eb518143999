import Scheduler
import TestSupport
import Testing

/// Rates change while instances hold leases of them.
@Suite struct LeaseChangeTests {
    /// A rate that a class did not have before is leased from the start: no instance has a burst of its own that it would have to give back.
    @Test(arguments: [1, 2]) func aCeilingGivenLaterHoldsAndEnds(count: Int) {
        let cluster = Cluster(count, root: ClassParameters(), checkInterval: 7)
        cluster.add(2, under: 1, .mbit(0))
        cluster.change(2, .mbit(0, ceil: 100, ceilingBurst: 30_000))
        for instance in cluster.instances {
            for _ in 0..<3 { instance.offer(2, 1_000) }
        }
        cluster.run(for: 10 * millisecond)
        #expect(cluster.bytes(2) == UInt64(count) * 3_000)
        for instance in cluster.instances { instance.greedy = [2: 1_514] }
        cluster.forget()
        cluster.run(for: second)
        #expect(near(cluster.rate(2, over: second), 100e6, within: 0.01))
    }

    @Test(arguments: [1, 2]) func aFloorGivenLaterHolds(count: Int) {
        let cluster = Cluster(count, root: .mbit(1_000, ceil: 1_000, burst: 30_000, ceilingBurst: 30_000), checkInterval: 7)
        cluster.add(2, under: 1, .mbit(0))
        cluster.add(3, under: 1, .mbit(100, ceil: 1_000))
        cluster.change(2, .mbit(800, ceil: 1_000, burst: 30_000, ceilingBurst: 30_000))
        for instance in cluster.instances { instance.offer(2, 1_000) }
        cluster.run(for: 10 * millisecond)
        for instance in cluster.instances { instance.greedy = [2: 1_514, 3: 1_514] }
        cluster.run(for: 10 * millisecond)
        cluster.forget()
        cluster.run(for: 100 * millisecond)
        #expect(cluster.rate(2, over: 100 * millisecond) >= 790e6)
    }

    /// Credit that was booked at the old rate is worth nothing at the new one, and no instance waits for it.
    @Test(arguments: [1, 2, 4]) func aRaisedRateHoldsAtOnce(count: Int) {
        let cluster = Cluster(count, root: ClassParameters(), checkInterval: 7)
        let slow = ClassParameters(ceiling: 8_000), fast = ClassParameters(ceiling: 1_000_000_000, ceilingBurst: 30_000)
        cluster.add(2, under: 1, slow)
        for instance in cluster.instances { instance.greedy = [2: 1_514] }
        cluster.run(for: 20 * millisecond)
        cluster.change(2, fast)
        cluster.forget()
        cluster.run(for: 20 * millisecond)
        let rate = cluster.rate(2, over: 20 * millisecond)
        #expect(rate >= 0.95e9)
        #expect(rate <= 1e9 + (30_000 + Double(count) * (LeaseBound.most(1e9) + 1_514)) * 8 / 0.02)
    }

    /// The same for credit for packets, and for a class that takes the id of a removed one.
    @Test func aNewClassDoesNotWaitForWhatTheOldOneBooked() {
        let cluster = Cluster(2, root: ClassParameters(), checkInterval: 7)
        var slow = ClassParameters()
        slow.ceilingPackets = 1
        slow.peak = 8_000
        cluster.add(2, under: 1, slow)
        for instance in cluster.instances { instance.greedy = [2: 1_514] }
        cluster.run(for: 20 * millisecond)
        for instance in cluster.instances {
            #expect(instance.tree.pointee.remove(2, at: instance.now) == .done)
            instance.greedy = [:]
            instance.gapsAllowed = true
            instance.collectDropped()
        }
        var fast = ClassParameters()
        fast.ceilingPackets = 100_000
        fast.peak = 1_000_000_000
        cluster.add(2, under: 1, fast)
        cluster.forget()
        for _ in 0..<100 {
            for instance in cluster.instances { for _ in 0..<64 { instance.offer(2, 1_000) } }
            cluster.run(for: millisecond)
        }
        #expect(cluster.rate(2, over: 100 * millisecond) >= 780e6)
    }

    /// Inner classes lease as well: a round of their children's turns at once. An instance must return later to give back what the children leave.
    @Test func anIdleInnerClassReturnsItsLease() {
        let cluster = Cluster(2, root: ClassParameters(), checkInterval: 7)
        cluster.add(2, under: 1, .mbit(1_000, ceil: 1_000, burst: 1 << 20, ceilingBurst: 1 << 20))
        for id in ClassID(3)...6 { cluster.add(id, under: 2, .mbit(0, quantum: 60_000)) }
        let bench = cluster.instances[0]
        var dice = Seeded(1)
        // This repeats until the class falls idle while it still has credit.
        for _ in 0..<1_000 where bench.tree.pointee.counters(of: 2).floorTokens <= 300 {
            bench.greedy = [3: 100, 4: 100, 5: 100, 6: 100]
            cluster.run(for: 5 * millisecond + Nanoseconds(dice.below(100_000)), step: 1_000)
            bench.greedy = [:]
            while bench.tree.pointee.backlogFrames > 0 { cluster.run(for: 1_000, step: 1_000) }
        }
        #expect(bench.tree.pointee.counters(of: 2).floorTokens > 300)
        cluster.run(for: 20 * millisecond)
        let counters = bench.tree.pointee.counters(of: 2)
        #expect(counters.floorTokens <= 0 && counters.ceilingTokens <= 0)
        #expect(bench.tree.pointee.nextEvent(at: cluster.now) == .max)
    }

    /// A change does not keep an idle class from giving back what it holds.
    @Test func anIdleClassReturnsItsLeaseAcrossAChange() {
        let cluster = Cluster(2, root: ClassParameters(), checkInterval: 7)
        cluster.add(2, under: 1, .mbit(0, ceil: 1_000, quantum: 60_000, ceilingBurst: 1 << 20))
        for _ in 0..<4 {
            cluster.instances[0].offer(2, 1_000)
            cluster.run(for: 10_000)
        }
        #expect(cluster.instances[0].tree.pointee.counters(of: 2).ceilingTokens > 0)
        cluster.change(2, .mbit(0, ceil: 1_000, priority: 1, quantum: 60_000, ceilingBurst: 1 << 20))
        cluster.run(for: 20 * millisecond)
        #expect(cluster.instances[0].tree.pointee.counters(of: 2).ceilingTokens <= 0)
    }

    /// A leaf that becomes a parent keeps leasing what it leased, and its queue continues at the rate that it had.
    @Test(arguments: LeaseTests.counts) func aLeafThatBecomesAParentKeepsItsCeiling(count: Int) {
        let cluster = Cluster(count, root: ClassParameters(), checkInterval: 7)
        cluster.add(2, under: 1, .mbit(0, ceil: 100, ceilingBurst: 30_000))
        let excess = Excess(above: 100e6 / 8, from: Cluster.start)
        cluster.watch { frame, now in excess.note(UInt64(frame.charge.bytes), at: now) }
        for instance in cluster.instances {
            instance.gapsAllowed = true
            instance.greedy[2] = 1_514
        }
        cluster.run(for: 20 * millisecond)
        cluster.add(3, under: 2, .mbit(0))
        cluster.add(4, under: 2, .mbit(50))
        for instance in cluster.instances {
            #expect(instance.tree.pointee.counters(of: 3).backlogFrames > 0)
            instance.greedy = [3: 1_514, 4: 1_514]
        }
        cluster.run(for: 20 * millisecond, step: 50_000)
        cluster.forget()
        cluster.run(for: 5 * second, step: 200_000)
        #expect(near(cluster.rate(3, over: 5 * second) + cluster.rate(4, over: 5 * second), 100e6, within: 0.001))
        #expect(cluster.rate(4, over: 5 * second) >= 50e6 * 0.999)
        // Class 4 may send its own burst in addition to that of its parent.
        #expect(excess.worst <= 30_000 + LeaseBound.excess(count, 100e6, turns: 2) + 3_028 + LeaseBound.excess(count, 50e6))
    }

    /// The leases of a leaf move together with it. What it borrowed remains with the class that lent it, which still gives back what it has left.
    @Test(arguments: [1, 2, 4]) func aLeafThatMovesKeepsItsRates(count: Int) {
        let cluster = Cluster(count, root: .mbit(100, ceil: 100, burst: 60_000, ceilingBurst: 60_000), checkInterval: 7)
        cluster.add(2, under: 1, .mbit(20, quantum: 5_000, burst: 30_000))
        cluster.add(3, under: 2, .mbit(0)); cluster.add(4, under: 2, .mbit(0)); cluster.add(5, under: 1, .mbit(80, quantum: 20_000, burst: 30_000))
        for instance in cluster.instances { instance.greedy = [3: 1_514, 4: 1_514, 5: 1_514] }
        for turn in 0..<20 {
            cluster.run(for: 10 * millisecond)
            for instance in cluster.instances {
                // Class 3 has a floor only while it stands beside class 2, whose own floor is lower by as much during that time.
                let parent: ClassID = turn % 2 == 0 ? 1 : 2
                #expect(instance.tree.pointee.move(3, under: parent, at: instance.now) == .done)
            }
            cluster.change(2, .mbit(turn % 2 == 0 ? 10 : 20, quantum: 5_000, burst: 30_000))
            cluster.change(3, .mbit(turn % 2 == 0 ? 10 : 0, burst: 30_000))
        }
        cluster.run(for: 50 * millisecond)
        cluster.forget()
        cluster.run(for: second)
        // With several instances, what a class borrows in addition to its floor depends on more than this.
        #expect(near(cluster.rate(3, over: second) + cluster.rate(4, over: second), 20e6, within: 0.05))
        #expect(cluster.rate(5, over: second) >= 80e6 * 0.99)
        #expect(near(cluster.rate(3, over: second) + cluster.rate(4, over: second) + cluster.rate(5, over: second), 100e6, within: 0.01))
        for instance in cluster.instances {
            instance.greedy = [:]
            #expect(instance.outOfOrder == 0)
        }
        while cluster.instances.contains(where: { $0.tree.pointee.backlogFrames > 0 }) { cluster.run(for: millisecond) }
        cluster.run(for: 50 * millisecond)
        // No instance may keep a lease.
        #expect(cluster.instances.allSatisfy { $0.tree.pointee.nextEvent(at: cluster.now) == .max })
    }
}
