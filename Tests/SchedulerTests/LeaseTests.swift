import Scheduler
import TestSupport
import Testing

@Suite struct LeaseTests {
    static let counts = [1, 2, 4, 8, 16]

    /// Which instances want to send: all alike; the first most of all; or now one and now another. Some instance wants each class at any time.
    enum Demand: CaseIterable { case everywhere, skewed, moving }

    struct Sum: CustomTestStringConvertible {
        let count: Int, mbit: UInt64, demand: Demand
        var testDescription: String { "\(count) instances, \(mbit) Mbit/s, demand \(demand)" }
        static let all = counts.flatMap { count in
            [UInt64(10), 1_000, 10_000].flatMap { mbit in Demand.allCases.map { Sum(count: count, mbit: mbit, demand: $0) } }
        }
        var step: Nanoseconds { mbit == 10 ? 2 * millisecond : mbit == 1_000 ? 50_000 : 20_000 }
        /// The burst covers at least four polls.
        var burst: UInt64 { mbit == 10_000 ? 100_000 : 30_000 }
        /// A lease has up to 11 frames; at 10 Mbit/s these are 0.1 % of 13 s for one instance.
        var time: Nanoseconds { mbit == 10 ? 100 * second : demand == .everywhere ? second : 10 * second }
    }

    @Test(arguments: Sum.all) func theSumOfAllInstancesIsTheRate(sum: Sum) {
        let rate = Double(sum.mbit) * 1e6
        let cluster = Cluster(sum.count, root: Self.mbit(sum.mbit, burst: sum.burst))
        cluster.add(2, under: 1, Self.mbit(sum.mbit / 2, ceil: sum.mbit, burst: sum.burst))
        cluster.add(3, under: 1, Self.mbit(sum.mbit / 5, ceil: sum.mbit, burst: sum.burst))
        var dice = Seeded(UInt64(sum.count))
        Self.run(cluster, sum, for: sum.time / 50, &dice)
        cluster.forget()
        let begin = cluster.now
        Self.run(cluster, sum, for: sum.time, &dice)
        let time = cluster.now - begin
        #expect(near(cluster.rate(2, over: time) + cluster.rate(3, over: time), rate, within: 0.001))
        #expect(cluster.rate(2, over: time) >= rate / 2 * 0.999)
        #expect(cluster.rate(3, over: time) >= rate / 5 * 0.999)
    }

    private static func run(_ cluster: Cluster, _ sum: Sum, for time: Nanoseconds, _ dice: inout Seeded) {
        let end = cluster.now + time
        while cluster.now < end {
            move(cluster, sum.demand, &dice)
            cluster.run(for: min(sum.step * UInt64(1 + dice.below(150)), end - cluster.now), step: sum.step)
        }
    }

    private static func move(_ cluster: Cluster, _ demand: Demand, _ dice: inout Seeded) {
        let instances = cluster.instances
        switch demand {
        case .everywhere:
            for instance in instances { instance.greedy = [2: 1_514, 3: 1_514] }
        case .skewed:
            instances[0].greedy = [2: 1_514, 3: 1_514]
            for instance in instances.dropFirst() { for leaf: ClassID in [2, 3] where dice.chance(50) { instance.offer(leaf, 300) } }
        case .moving:
            for instance in instances { instance.greedy = [:] }
            for leaf: ClassID in [2, 3] {
                for instance in instances where dice.chance(30) { instance.greedy[leaf] = dice.one(of: [300, 1_514]) }
                instances[dice.below(instances.count)].greedy[leaf] = 1_514
            }
        }
    }

    /// A class whose bursts cover the polling interval several times.
    static func mbit(_ floor: UInt64, ceil: UInt64? = nil, burst: UInt64 = 30_000) -> ClassParameters {
        .mbit(floor, ceil: ceil ?? floor, burst: burst, ceilingBurst: burst)
    }

    /// The sums must also hold for frames that pass instead of being queued, whether it is the root, the parent or the leaf that limits them.
    @Test(arguments: counts, [false, true]) func theSumOfAllInstancesIsTheRateWhereFramesPass(count: Int, borrowing: Bool) {
        let cluster = Cluster(count, root: Self.mbit(1_000))
        cluster.add(2, under: 1, Self.mbit(600, ceil: 800))
        cluster.add(3, under: 2, borrowing ? Self.mbit(0, ceil: 700) : Self.mbit(500, ceil: 700))
        let charges = [Charge](repeating: Charge(bytes: 1_514), count: 4)
        func pass(for time: Nanoseconds) -> Double {
            var bytes = 0
            let end = cluster.now + time
            while cluster.now < end {
                for instance in cluster.instances {
                    bytes += 1_514 * instance.tree.pointee.bypass(charges, count: 4, to: 3, at: instance.now)
                    instance.advance(to: instance.now + 5_000)
                }
            }
            return Double(bytes) * 8e9 / Double(time)
        }
        _ = pass(for: 200 * millisecond)
        #expect(abs(pass(for: 2 * second) - 700e6) <= 700e3)
    }

    /// What leaves in any window stays within rate * t + burst + N * (Q + F), for a bit rate, a peak and a packet rate.
    @Test(arguments: counts, Limit.allCases) func theExcessStaysWithinTheWrittenBound(count: Int, limit: Limit) {
        let cluster = Cluster(count, root: ClassParameters())
        cluster.add(2, under: 1, limit.parameters)
        let excess = Excess(above: limit.perSecond, from: Cluster.start)
        cluster.watch { frame, now in excess.note(limit == .packets ? UInt64(frame.charge.frames) : UInt64(frame.charge.bytes), at: now) }
        // Demand moves between instances, pauses, and returns everywhere at once.
        var dice = Seeded(UInt64(count))
        for _ in 0..<100 {
            for instance in cluster.instances { instance.greedy = dice.chance(40) ? [2: 1_514] : [:] }
            cluster.run(for: UInt64(dice.below(3_000_000)))
        }
        #expect(excess.worst <= limit.burst + limit.leases(count))
        // There is demand for more than 40 % of the time, and the burst bridges the pauses.
        #expect(excess.total >= limit.perSecond * Double(cluster.now - Cluster.start) / 1e9 * 0.4)
    }

    enum Limit: CaseIterable {
        case ceiling, peak, packets

        var parameters: ClassParameters {
            var p = ClassParameters(ceilingBurst: 20_000)
            switch self {
            case .ceiling: p.ceiling = 1_000_000_000
            case .peak: p.peak = 1_000_000_000; p.peakBurst = 20_000
            case .packets: p.ceilingPackets = 100_000
            }
            return p
        }
        /// The rate in bytes or packets per second.
        var perSecond: Double { self == .packets ? 100_000 : 1e9 / 8 }
        /// The burst in bytes or packets; a packet rate has a burst of 10 ms of the rate.
        var burst: Double { self == .packets ? 1_000 : 20_000 }
        /// What leases may add: N * (Q + F). For packets Q is one turn, which is one frame or 8 us of the rate.
        func leases(_ count: Int) -> Double { self == .packets ? Double(count) * 2 : LeaseBound.excess(count, 1e9) }
    }

    /// A peak and a packet ceiling are kept and used up by all instances together, as a bit rate is.
    @Test(arguments: counts, [Limit.peak, .packets]) func theSumOfAPeakAndOfPacketsIsTheRate(count: Int, limit: Limit) {
        let cluster = Cluster(count, root: ClassParameters())
        cluster.add(2, under: 1, limit.parameters)
        for instance in cluster.instances { instance.greedy[2] = 1_514 }
        cluster.run(for: 100 * millisecond, step: 20_000)
        cluster.forget()
        cluster.run(for: 2 * second, step: 20_000)
        let sent = limit == .packets ? Double(cluster.bytes(2)) / 1_514 : Double(cluster.bytes(2))
        #expect(near(sent / 2, limit.perSecond, within: 0.001))
    }

    /// One instance wants nine times as much as the other, and must get nine times as much instead of half.
    @Test func sharesFollowDemand() {
        let cluster = Cluster(2, root: .mbit(1_000, ceil: 1_000))
        for id in ClassID(2)..<12 { cluster.add(id, under: 1, .mbit(0)) }
        cluster.instances[0].greedy = [2: 1_514]
        for id in ClassID(3)..<12 { cluster.instances[1].greedy[id] = 1_514 }
        cluster.run(for: 50 * millisecond)
        cluster.forget()
        cluster.run(for: 500 * millisecond)
        for id in ClassID(2)..<12 { #expect(near(cluster.rate(id, over: 500 * millisecond), 100e6, within: 0.03)) }
    }

    /// No instance starves, however rarely it polls compared with the others.
    @Test func aSlowPollerDoesNotStarve() {
        let cluster = Cluster(4, root: .mbit(1_000, ceil: 1_000))
        cluster.add(2, under: 1, .mbit(0))
        for instance in cluster.instances { instance.greedy = [2: 1_514] }
        for turn in 0..<100_000 {
            for (index, instance) in cluster.instances.enumerated() {
                if index != 0 || turn % 10 == 0 { instance.drain() }
                instance.advance(to: instance.now + 2_000)
            }
        }
        // It polls every 20 us, which is as often as it can spend a lease.
        #expect(Double(cluster.instances[0].sentBytes[2]!) >= Double(cluster.bytes(2)) * 0.1)
    }
}
