import Scheduler
import TestSupport
import Testing

/// What floors leave is shared among traffic classes: `ClassTree+TrafficClasses`.
@Suite struct TrafficClassTests {
    /// A traffic class, and a leaf in it.
    struct Share {
        /// Nil: the class is strict.
        var percent: UInt8?
        /// In Mbit/s; a ceiling of 0 is none.
        var floor: UInt64 = 0
        var ceiling: UInt64 = 0
        var isGreedy = true
        var size: UInt32 = 1_514
        /// The rate that it must get, in Mbit/s.
        var wanted: Double
    }

    struct Link: CustomTestStringConvertible {
        var name: String
        var rate: UInt64 = 1_000
        var shares: [Share]
        var testDescription: String { name }
    }

    static let links = [
        Link(name: "50:50", shares: [Share(percent: 50, wanted: 500), Share(percent: 50, wanted: 500)]),
        Link(name: "60:30:10", shares: [Share(percent: 60, wanted: 600), Share(percent: 30, wanted: 300), Share(percent: 10, wanted: 100)]),
        Link(name: "1:99", shares: [Share(percent: 1, wanted: 10), Share(percent: 99, wanted: 990)]),
        Link(name: "an idle class", shares: [
            Share(percent: 50, isGreedy: false, wanted: 0), Share(percent: 30, wanted: 600), Share(percent: 20, wanted: 400),
        ]),
        Link(name: "frames of different lengths", shares: [
            Share(percent: 40, size: 60, wanted: 400), Share(percent: 40, wanted: 400), Share(percent: 20, size: 9_000, wanted: 200),
        ]),
        Link(name: "floors are counted", shares: [
            Share(percent: 50, floor: 300, wanted: 500), Share(percent: 30, wanted: 300), Share(percent: 20, floor: 200, wanted: 200),
        ]),
        Link(name: "a strict class is first", shares: [
            Share(percent: nil, ceiling: 250, wanted: 250), Share(percent: 40, wanted: 300), Share(percent: 60, wanted: 450),
        ]),
        Link(name: "floors are before strict classes", shares: [
            Share(percent: nil, wanted: 800), Share(percent: 50, floor: 150, wanted: 150), Share(percent: 50, floor: 50, wanted: 50),
        ]),
        Link(name: "a ceiling", shares: [Share(percent: 50, ceiling: 100, wanted: 100), Share(percent: 30, wanted: 540), Share(percent: 20, wanted: 360)]),
        Link(name: "a ceiling just above the share", shares: [Share(percent: 50, ceiling: 520, wanted: 500), Share(percent: 50, wanted: 500)]),
        Link(name: "eight classes", shares: ([30, 20, 15, 12, 10, 7, 4, 2] as [UInt8]).map { Share(percent: $0, wanted: Double($0) * 10) }),
        Link(name: "a class of no percent", shares: [Share(percent: 100, ceiling: 700, wanted: 700), Share(percent: 0, wanted: 300)]),
        Link(name: "a slow link", rate: 10, shares: [Share(percent: 70, wanted: 7), Share(percent: 20, wanted: 2), Share(percent: 10, wanted: 1)]),
        Link(name: "a fast link", rate: 100_000, shares: [Share(percent: 70, wanted: 70_000), Share(percent: 30, wanted: 30_000)]),
    ]

    /// Shares in which priority n stands for traffic class n.
    static func shares(_ list: [Share]) -> LinkShares {
        var percents = SIMD8<UInt8>(repeating: 0), strict: UInt8 = 0
        for (index, share) in list.enumerated() { if let percent = share.percent { percents[index] = percent } else { strict |= 1 << UInt8(index) } }
        return LinkShares(classes: SIMD8(0, 1, 2, 3, 4, 5, 6, 7), percents: percents, strict: strict)
    }

    private static func root(_ link: Link) -> ClassParameters { .mbit(link.rate, ceil: link.rate, burst: 65_536, ceilingBurst: 65_536) }

    private static func leaf(_ share: Share, _ priority: Int, _ link: Link) -> ClassParameters {
        let burst = max(link.rate * 1_250 / 8, 20_000)
        return .mbit(
            share.floor, ceil: share.ceiling == 0 ? nil : share.ceiling, priority: UInt8(priority), burst: min(burst, 200_000),
            ceilingBurst: min(burst, 200_000))
    }

    private static func check(_ link: Link, _ rate: (ClassID) -> Double, sourceLocation: SourceLocation = #_sourceLocation) {
        for (index, share) in link.shares.enumerated() {
            let got = rate(ClassID(index + 2)) / 1e6
            #expect(
                abs(got - share.wanted) <= Double(link.rate) * 0.01, "class \(index): \(got) Mbit/s instead of \(share.wanted)", sourceLocation: sourceLocation)
        }
    }

    @Test(arguments: links, [0, 5_000] as [Nanoseconds]) func sharesHoldOverASecond(link: Link, step: Nanoseconds) {
        if step != 0, link.rate > 10_000 { return }
        let bench = Bench(root: Self.root(link), classes: 64)
        bench.checkInterval = 997
        bench.tree.pointee.share(by: Self.shares(link.shares))
        for (index, share) in link.shares.enumerated() {
            bench.add(ClassID(index + 2), under: 1, Self.leaf(share, index, link))
            if share.isGreedy { bench.greedy[ClassID(index + 2)] = share.size }
        }
        let time = link.rate > 10_000 ? second / 10 : second
        bench.run(until: time / 4, step: step)
        bench.forget()
        let start = bench.now
        bench.run(until: start + time, step: step)
        Self.check(link) { bench.rate($0, over: time) }
        #expect(bench.broken.isEmpty && bench.outOfOrder == 0)
        let sent = (0..<8).map { bench.tree.pointee.sent(by: $0).frames }.reduce(0, +)
        #expect(sent == UInt64(bench.delivered))
    }

    /// The root has no rate; its output takes a frame from time to time.
    @Test func sharesHoldWhereTheOutputSetsTheRate() {
        let bench = Bench(classes: 64)
        bench.tree.pointee.share(by: Self.shares([Share(percent: 70, wanted: 0), Share(percent: 30, wanted: 0)]))
        for id in 2...3 as ClosedRange<ClassID> {
            bench.add(id, under: 1, .mbit(0, priority: UInt8(id - 2)))
            bench.greedy[id] = 1_514
        }
        for _ in 0..<10_000 {
            bench.tree.pointee.unpark(output: 0)
            bench.drain(limit: 7)
            bench.tree.pointee.park(output: 0)
            bench.drain()
            bench.advance(to: bench.now + 10_000)
        }
        #expect(near(Double(bench.sentBytes[2]!), Double(bench.sentBytes[3]!) * 7 / 3, within: 0.01))
        #expect(bench.outOfOrder == 0)
    }

    /// Within a traffic class, groups and priorities count as in any tree.
    @Test func withinAClassTheRulesAreHTBs() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 65_536, ceilingBurst: 65_536), classes: 64)
        bench.tree.pointee.share(by: LinkShares(classes: SIMD8(0, 0, 0, 0, 1, 1, 1, 1), percents: SIMD8(60, 40, 0, 0, 0, 0, 0, 0), strict: 0))
        bench.add(2, under: 1, .mbit(100, quantum: 3_028))
        bench.add(10, under: 2, .mbit(0, priority: 1))
        bench.add(11, under: 2, .mbit(0, priority: 5))
        bench.add(3, under: 1, .mbit(0, quantum: 1_514))
        bench.add(12, under: 3, .mbit(0, priority: 1))
        // Of class 1, 13 comes before 11, and leaves it the group's floor alone.
        bench.add(13, under: 3, .mbit(0, priority: 4))
        for id in 10...13 as ClosedRange<ClassID> { bench.greedy[id] = 1_514 }
        bench.run(until: second / 4)
        bench.forget()
        bench.run(until: second / 4 + second)
        let rates = (10...13).map { bench.rate(ClassID($0), over: second) / 1e6 }
        // The group's floor serves its priorities in their order, so 10 has all of it.
        #expect(near(rates[0] + rates[2], 600, within: 0.01) && near(rates[3], 400, within: 0.01) && rates[1] < 1, "\(rates)")
        #expect(near(rates[0] - 100, 2 * rates[2], within: 0.02), "\(rates)")
    }

    /// Shares that come, change and go lose no frame and hold at once.
    @Test func sharesChangeUnderLoad() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 65_536, ceilingBurst: 65_536), classes: 64)
        bench.checkInterval = 97
        for id in 2...4 as ClosedRange<ClassID> {
            bench.add(id, under: 1, .mbit(0, priority: UInt8(id - 2)))
            bench.greedy[id] = 1_514
        }
        for percents in [SIMD8<UInt8>(50, 30, 20, 0, 0, 0, 0, 0), SIMD8<UInt8>(10, 10, 80, 0, 0, 0, 0, 0), nil, SIMD8<UInt8>(80, 15, 5, 0, 0, 0, 0, 0)] {
            bench.tree.pointee.share(by: percents.map { LinkShares(classes: SIMD8(0, 1, 2, 3, 4, 5, 6, 7), percents: $0, strict: 0) })
            bench.forget()
            bench.run(until: bench.now + second / 2)
            for index in 0..<3 {
                let wanted = percents.map { Double($0[index]) / 100 } ?? (index == 0 ? 1 : 0)
                #expect(abs(bench.rate(ClassID(index + 2), over: second / 2) - wanted * 1e9) <= 5e6)
            }
        }
        #expect(bench.outOfOrder == 0 && bench.broken.isEmpty)
    }

    /// A class whose floor has exceeded its percentage waits for a bounded time only once the floor is gone.
    @Test func aDebtOfFloorsIsBounded() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 65_536, ceilingBurst: 65_536), classes: 64)
        bench.tree.pointee.share(by: Self.shares([Share(percent: 10, wanted: 0), Share(percent: 90, wanted: 0)]))
        bench.add(2, under: 1, .mbit(500, priority: 0))
        bench.add(3, under: 1, .mbit(0, priority: 1))
        bench.greedy = [2: 1_514, 3: 1_514]
        bench.run(until: 10 * second)
        _ = bench.tree.pointee.change(2, .mbit(0, priority: 0), at: bench.now)
        bench.forget()
        // What the link sends in 4 MiB takes 34 ms.
        bench.run(until: bench.now + 36 * millisecond)
        #expect((bench.sentBytes[2] ?? 0) > 0)
        bench.forget()
        bench.run(until: bench.now + second)
        #expect(near(bench.rate(2, over: second), 100e6, within: 0.01))
    }

    /// Where instances on several lcores lease the rate, the shares are those of one instance, wherever the leaves of a class are.
    @Test(arguments: links.filter { $0.rate == 1_000 }, [(2, 0), (2, 2), (4, 1)]) func sharesHoldOverInstances(
        link: Link, place: (count: Int, spread: Int)
    ) {
        let (count, spread) = place
        let cluster = Cluster(count, root: Self.root(link))
        for instance in cluster.instances { instance.tree.pointee.share(by: Self.shares(link.shares)) }
        for (index, share) in link.shares.enumerated() {
            cluster.add(ClassID(index + 2), under: 1, Self.leaf(share, index, link))
            guard share.isGreedy else { continue }
            // A class is in one instance; or in all; or the first in one, and the others in all.
            let places = spread == 0 ? [index % count] : spread == 1 ? Array(0..<count) : index == 0 ? [0] : Array(0..<count)
            for place in places { cluster.instances[place].greedy[ClassID(index + 2)] = share.size }
        }
        cluster.run(for: second / 4)
        cluster.forget()
        cluster.run(for: second)
        Self.check(link) { cluster.rate($0, over: second) }
    }
}
