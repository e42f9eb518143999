import Scheduler
import Testing

/// Buckets hold little more than a frame, as `tc class show` prints them if no burst was configured, and turns are long. A class whose ceiling or floor holds
/// it back after each frame must still get its share.
@Suite struct SmallBurstTests {
    /// 256 KiB for the root's gigabit: the daemon sets quanta in proportion to floors.
    private static func quantum(_ floor: UInt64) -> UInt32 { UInt32(floor * 262_144 / 1_000) }

    private static func small(_ floor: UInt64, ceil: UInt64? = nil) -> ClassParameters {
        .mbit(floor, ceil: ceil, quantum: quantum(floor), burst: 1_600, ceilingBurst: ceil == nil ? 1_600_000 : 1_600)
    }

    private static func root(_ classes: [(ClassID, ClassID, ClassParameters)]) -> Bench {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 32_000, ceilingBurst: 32_000), classes: 64)
        for (id, parent, p) in classes { bench.add(id, under: parent, p) }
        return bench
    }

    private static func rates(_ bench: Bench, _ leaves: [ClassID], step: Nanoseconds) -> [Double] {
        for leaf in leaves { bench.greedy[leaf] = 1_514 }
        bench.run(until: second / 10, step: step)
        bench.forget()
        bench.run(until: second * 11 / 10, step: step)
        return leaves.map { bench.rate($0, over: second) / 1e6 }
    }

    @Test(arguments: [0, 2_000] as [Nanoseconds]) func classesAtTheirCeilingsKeepTheirTurns(step: Nanoseconds) {
        let bench = Self.root([(2, 1, Self.small(100, ceil: 200)), (3, 1, Self.small(100, ceil: 200)), (4, 1, Self.small(300))])
        let rates = Self.rates(bench, [2, 3, 4], step: step)
        #expect(near(rates[0], 200, within: 0.01) && near(rates[1], 200, within: 0.01) && near(rates[2], 600, within: 0.01), "\(rates)")
    }

    /// If it is the ceiling of a group, all leaves below it wait.
    @Test func groupsAtTheirCeilingsKeepTheirTurns() {
        let bench = Self.root([
            (2, 1, Self.small(100, ceil: 200)), (3, 1, Self.small(100, ceil: 200)), (4, 1, Self.small(300)), (20, 2, Self.small(50)), (21, 2, Self.small(50)),
            (30, 3, Self.small(100)),
        ])
        let rates = Self.rates(bench, [20, 21, 30, 4], step: 0)
        #expect(near(rates[0] + rates[1], 200, within: 0.01) && near(rates[2], 200, within: 0.01) && near(rates[3], 600, within: 0.01), "\(rates)")
        #expect(near(rates[0], 100, within: 0.02), "\(rates)")
    }

    /// It may also be the ceiling of a leaf in a group that has nothing else to send.
    @Test func aGroupWhoseLeafWasAtItsCeilingKeepsItsTurn() {
        let bench = Self.root([(2, 1, Self.small(100)), (20, 2, Self.small(100, ceil: 200)), (4, 1, Self.small(400))])
        let rates = Self.rates(bench, [20, 4], step: 0)
        #expect(near(rates[0], 200, within: 0.01) && near(rates[1], 800, within: 0.01), "\(rates)")
    }

    /// A peak or a packet rate holds a class back as a ceiling does.
    @Test(arguments: [false, true]) func classesAtTheirPeaksKeepTheirTurns(packets: Bool) {
        var held = ClassParameters.mbit(100, quantum: Self.quantum(100), burst: 1_600)
        if packets { held.ceilingPackets = 200_000_000 / 12_112 } else { held.peak = 200_000_000; held.peakBurst = 1_600 }
        let bench = Self.root([(2, 1, held), (3, 1, held), (4, 1, Self.small(300))])
        let rates = Self.rates(bench, [2, 3, 4], step: 0)
        #expect(near(rates[0], 200, within: 0.01) && near(rates[1], 200, within: 0.01), "\(rates)")
    }

    /// A class that comes back has the rest of its turn and no more: it does not borrow ahead of those that wait.
    @Test func aCeilingIsNoWayToMoreThanOnesQuantum() {
        // 500 Mbit/s are to be borrowed by quanta of 1 to 3, which makes 125 and 375, although the ceiling of the first class would allow 400.
        let bench = Self.root([(2, 1, Self.small(100, ceil: 500)), (4, 1, Self.small(300))])
        let rates = Self.rates(bench, [2, 4], step: 0)
        #expect(near(rates[0], 250, within: 0.01) && near(rates[1], 750, within: 0.01), "\(rates)")
    }
}
