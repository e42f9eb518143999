import Scheduler
import Testing

/// A core stands still for 10 s. When it goes on, no more than the configured bursts may leave at once.
@Suite struct ClockStepTests {
    static let frame: UInt32 = 1_000

    /// Runs the bench, lets it stand still and goes on, and passes on every frame that leaves.
    private func stall(_ bench: Bench, _ see: @escaping (ScheduledFrame, Nanoseconds) -> Void) {
        bench.onSend = see
        bench.run(until: second)
        bench.advance(to: 11 * second)
        bench.forget()
        bench.drain()
        let atOnce = bench.sentBytes
        bench.run(until: 12 * second)
        // At least one leaf must have saved something.
        #expect(bench.greedy.keys.contains { atOnce[$0, default: 0] > UInt64(Self.frame) })
    }

    @Test func ofACeiling() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 10_000, ceilingBurst: 10_000))
        bench.add(2, under: 1, .mbit(100, ceil: 200, burst: 5_000, ceilingBurst: 8_000))
        bench.greedy[2] = Self.frame
        let excess = Excess(above: 200e6 / 8)
        stall(bench) { frame, now in excess.note(UInt64(frame.charge.bytes), at: now) }
        #expect(excess.worst <= 9_000 && excess.worst > 8_000)
    }

    @Test func ofAPeak() {
        let bench = Bench()
        var p = ClassParameters.mbit(0, ceil: 100, ceilingBurst: 150_000)
        p.peak = 200_000_000
        p.peakBurst = 5_000
        bench.add(2, under: 1, p)
        bench.greedy[2] = Self.frame
        let ceiling = Excess(above: 100e6 / 8), peak = Excess(above: 200e6 / 8)
        stall(bench) { frame, now in
            ceiling.note(UInt64(frame.charge.bytes), at: now)
            peak.note(UInt64(frame.charge.bytes), at: now)
        }
        #expect(ceiling.worst <= 151_000 && ceiling.worst > 150_000)
        #expect(peak.worst <= 6_000 && peak.worst > 5_000)
    }

    /// A packet rate has a burst of 10 ms of the rate.
    @Test(arguments: [false, true]) func ofAPacketRate(isFloor: Bool) {
        // This root lends nothing.
        let bench = Bench(root: isFloor ? ClassParameters(floor: 1, burst: 0) : ClassParameters())
        var p = ClassParameters()
        if isFloor { p.floorPackets = 5_000 } else { p.ceilingPackets = 5_000 }
        bench.add(2, under: 1, p)
        bench.greedy[2] = Self.frame
        let excess = Excess(above: 5_000)
        stall(bench) { _, now in excess.note(1, at: now) }
        #expect(excess.worst <= 51.001 && excess.worst > 50)
    }

    @Test func ofSiblingsThatBorrow() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 10_000, ceilingBurst: 10_000))
        for id: ClassID in [2, 3] {
            bench.add(id, under: 1, .mbit(0, ceil: 800, ceilingBurst: 8_000))
            bench.greedy[id] = Self.frame
        }
        let root = Excess(above: 1e9 / 8), each = [ClassID(2): Excess(above: 800e6 / 8), 3: Excess(above: 800e6 / 8)]
        stall(bench) { frame, now in
            root.note(UInt64(frame.charge.bytes), at: now)
            each[frame.leaf]!.note(UInt64(frame.charge.bytes), at: now)
        }
        #expect(root.worst <= 11_000 && root.worst > 10_000)
        for excess in each.values { #expect(excess.worst <= 9_000) }
    }

    /// Frames that pass instead of being queued, on the leaf's own floor or on the root's.
    @Test(arguments: [UInt64(0), 100]) func ofFramesThatPass(floor: UInt64) {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 10_000, ceilingBurst: 10_000))
        bench.add(2, under: 1, .mbit(floor, ceil: 200, burst: 5_000, ceilingBurst: 8_000))
        let excess = Excess(above: 200e6 / 8)
        func pass(until end: Nanoseconds) {
            while bench.now < end {
                while bench.tree.pointee.bypass([Charge(bytes: Self.frame)], count: 1, to: 2, at: bench.now) == 1 { excess.note(UInt64(Self.frame), at: bench.now) }
                bench.advance(to: bench.now + 10_000)
            }
        }
        pass(until: second)
        bench.advance(to: 11 * second)
        pass(until: 12 * second)
        #expect(excess.worst <= 9_000 && excess.worst > 8_000)
        #expect(near(excess.total, 2 * 200e6 / 8, within: 0.001))
    }

    enum Stall: CaseIterable { case one, all }

    /// What leaves in any window, above rate and burst, stays within the documented bounds: for the rate that the instances share, and for the rate of each
    /// class.
    @Test(arguments: LeaseTests.counts, Stall.allCases) func ofInstances(count: Int, stall: Stall) {
        let cluster = Cluster(count, root: .mbit(1_000, ceil: 1_000, burst: 20_000, ceilingBurst: 20_000))
        for id: ClassID in [2, 3] { cluster.add(id, under: 1, .mbit(0, ceil: 800, ceilingBurst: 20_000)) }
        let root = Excess(above: 1e9 / 8, from: Cluster.start)
        let each = [ClassID(2): Excess(above: 800e6 / 8, from: Cluster.start), 3: Excess(above: 800e6 / 8, from: Cluster.start)]
        cluster.watch { frame, now in
            root.note(UInt64(frame.charge.bytes), at: now)
            each[frame.leaf]!.note(UInt64(frame.charge.bytes), at: now)
        }
        for instance in cluster.instances { instance.greedy = [2: 1_514, 3: 1_514] }
        cluster.run(for: 20 * millisecond)
        switch stall {
        case .one: cluster.run(for: 10 * second, step: 100_000, without: [0])
        case .all: cluster.pass(10 * second)
        }
        cluster.run(for: 20 * millisecond)
        #expect(root.worst <= 20_000 + LeaseBound.shares(count, 1e9, burst: 20_000))
        for excess in each.values { #expect(excess.worst <= 20_000 + LeaseBound.excess(count, 800e6)) }
        #expect(cluster.instances[0].delivered > 0)
    }
}
