import Scheduler
import Testing

/// Instances of one tree, each with its own arrivals, on one virtual clock.
final class Cluster {
    let shared: SharedTree
    let instances: [Bench]

    init(_ count: Int, root: ClassParameters, start: Nanoseconds = 10 * second) {
        let shared = SharedTree.create(classes: 128)
        self.shared = shared
        instances = (0..<count).map { Bench(root: root, classes: 128, now: start, shared: shared, instance: $0) }
    }

    deinit {
        instances.forEach { $0.dispose() }
        SharedTree.destroy(shared)
    }

    func add(_ id: ClassID, under parent: ClassID, _ p: ClassParameters) { instances.forEach { $0.add(id, under: parent, p) } }
    var now: Nanoseconds { instances[0].now }

    /// All poll every `step` ns.
    func run(for time: Nanoseconds, step: Nanoseconds = 5_000) {
        let end = now + time
        while now < end {
            for instance in instances {
                instance.drain()
                instance.advance(to: instance.now + step)
            }
        }
    }

    func bytes(_ id: ClassID) -> UInt64 { instances.reduce(0) { $0 + $1.sentBytes[id, default: 0] } }
    func forget() { instances.forEach { $0.forget() } }
    func rate(_ id: ClassID, over time: Nanoseconds) -> Double { Double(bytes(id)) * 8e9 / Double(time) }
}

@Suite struct LeaseTests {
    static let counts = [1, 2, 4, 8, 16]

    /// The lease Q of the written bounds: 500 us of the rate or 11 frames.
    static func lease(_ rate: Double) -> Double { max(rate * 500e-6 / 8, 11 * 1_514) }

    /// Frames that pass instead of being queued: held to the same sums, whoever of root, parent and leaf it is that holds them.
    @Test(arguments: counts, [false, true]) func theSumOfAllInstancesIsTheRateWhereFramesPass(count: Int, borrowing: Bool) {
        let cluster = Cluster(count, root: Self.mbit(1_000))
        cluster.add(2, under: 1, Self.mbit(600, ceil: 800))
        cluster.add(3, under: 2, borrowing ? Self.mbit(0, ceil: 700) : Self.mbit(500, ceil: 700))
        let lengths = [UInt32](repeating: 1_514, count: 4)
        func pass(for time: Nanoseconds) -> Double {
            var bytes = 0
            let end = cluster.now + time
            while cluster.now < end {
                for instance in cluster.instances {
                    bytes += 1_514 * instance.tree.pointee.bypass(lengths, count: 4, to: 3, at: instance.now)
                    instance.advance(to: instance.now + 5_000)
                }
            }
            return Double(bytes) * 8e9 / Double(time)
        }
        _ = pass(for: 200 * millisecond)
        #expect(abs(pass(for: 2 * second) - 700e6) <= 700e3)
    }

    @Test(arguments: counts, [UInt64(10), 1_000, 10_000]) func theSumOfAllInstancesIsTheRate(count: Int, mbit: UInt64) {
        let cluster = Cluster(count, root: Self.mbit(mbit))
        cluster.add(2, under: 1, Self.mbit(mbit / 2, ceil: mbit))
        cluster.add(3, under: 1, Self.mbit(mbit / 4, ceil: mbit))
        for instance in cluster.instances { instance.greedy = [2: 1_514, 3: 1_514] }
        cluster.run(for: 200 * millisecond)
        cluster.forget()
        let time: Nanoseconds = mbit == 10 ? 10 * second : mbit == 1_000 ? 2 * second : 200 * millisecond
        cluster.run(for: time, step: mbit == 10 ? 50_000 : 5_000)
        let slack = 2 * Double(count) * (Self.lease(Double(mbit) * 1e6) + 1_514) * 8e9 / Double(time)
        let rate = cluster.rate(2, over: time) + cluster.rate(3, over: time)
        #expect(abs(rate - Double(mbit) * 1e6) <= Double(mbit) * 1e6 * 0.001 + (mbit == 10 ? slack * 0.1 : 0))
        #expect(cluster.rate(2, over: time) >= Double(mbit) * 0.5e6 * 0.998 - slack * 0.1)
        #expect(cluster.rate(3, over: time) >= Double(mbit) * 0.25e6 * 0.998 - slack * 0.1)
    }

    /// Bursts cover the polling interval of 5 us at 10 Gbit/s several times.
    static func mbit(_ floor: UInt64, ceil: UInt64? = nil) -> ClassParameters {
        .mbit(floor, ceil: ceil ?? floor, burst: 30_000, ceilingBurst: 30_000)
    }

    /// Over any window: rate * t + burst + N * (Q + F).
    @Test(arguments: counts) func theExcessStaysWithinTheWrittenBound(count: Int) {
        let burst: UInt64 = 20_000
        let cluster = Cluster(count, root: ClassParameters())
        cluster.add(2, under: 1, .mbit(0, ceil: 1_000, ceilingBurst: burst))
        let bound = Double(burst) + Double(count) * (Self.lease(1e9) + 1_514)
        var sent = 0.0, least = 0.0, worst = 0.0
        for instance in cluster.instances {
            instance.onSend = { frame, now in
                let line = Double(now - 10 * second) / 8
                least = min(least, sent - line)
                sent += Double(frame.length)
                worst = max(worst, sent - line - least)
            }
        }
        // Demand moves between instances, pauses, and comes back everywhere at once.
        var dice = Dice(state: UInt64(count))
        for _ in 0..<100 {
            for instance in cluster.instances { instance.greedy = dice.chance(40) ? [2: 1_514] : [:] }
            cluster.run(for: UInt64(dice.below(3_000_000)))
        }
        #expect(worst <= bound)
        #expect(sent > 0)
    }

    /// An instance that was idle has its floor again within 1 ms, while all others keep the link busy.
    @Test(arguments: counts.dropFirst()) func aFloorRecoversWithinOneMillisecond(count: Int) {
        let cluster = Cluster(count, root: Self.mbit(10_000))
        cluster.add(2, under: 1, Self.mbit(4_000, ceil: 10_000))
        cluster.add(3, under: 1, Self.mbit(2_000, ceil: 10_000))
        for instance in cluster.instances { instance.greedy = [3: 1_514] }
        cluster.run(for: 20 * millisecond)
        cluster.instances[0].greedy[2] = 1_514
        cluster.run(for: millisecond)
        cluster.forget()
        cluster.run(for: 10 * millisecond)
        #expect(cluster.rate(2, over: 10 * millisecond) >= 4e9 * 0.995)
    }

    /// One instance wants nine times what the other does: it gets nine times as much, not half.
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

    /// No instance starves, however rarely it polls beside the others.
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
        // It polls every 20 us: as often as it can spend a lease.
        #expect(Double(cluster.instances[0].sentBytes[2]!) >= Double(cluster.bytes(2)) * 0.1)
    }

    @Test func anIdleInstanceReturnsItsLease() {
        let cluster = Cluster(2, root: ClassParameters())
        cluster.add(2, under: 1, .mbit(0, ceil: 100))
        cluster.instances[0].greedy = [2: 1_514]
        cluster.run(for: 10 * millisecond)
        cluster.instances[0].greedy = [:]
        cluster.run(for: 20 * millisecond)
        #expect(cluster.instances[0].tree.pointee.counters(of: 2).ceilingTokens <= 0)
        #expect(cluster.instances[0].tree.pointee.nextEvent(at: cluster.now) == .max)
    }
}
