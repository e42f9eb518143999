import Scheduler
import Testing

/// A class has rates in bits and in packets: the one that is reached first decides.
@Suite struct PacketRateTests {
    /// 10 Mbit/s and 2 000 packets a second: small frames reach the packet rate first, large ones the bit rate.
    static let sizes: [UInt32] = [60, 1_514]
    static func bits(_ size: UInt32) -> Double { size == 60 ? 2_000 * 60 * 8 : 10e6 }

    @Test(arguments: sizes) func theTighterOfTwoCeilingsBinds(size: UInt32) {
        let bench = Bench()
        var p = ClassParameters.mbit(0, ceil: 10)
        p.ceilingPackets = 2_000
        bench.add(2, under: 1, p)
        bench.greedy[2] = size
        bench.run(until: second)
        bench.forget()
        bench.run(until: 11 * second)
        #expect(near(bench.rate(2, over: 10 * second), Self.bits(size), within: 0.0005))
        let counters = bench.tree.pointee.counters(of: 2)
        #expect(size == 60 ? counters.waitsPackets > 1_000 && counters.waitsCeiling == 0 : counters.waitsCeiling > 1_000 && counters.waitsPackets == 0)
    }

    /// A sibling with a better priority borrows all that is left, so the class has exactly its floor.
    @Test(arguments: sizes) func theTighterOfTwoFloorsBinds(size: UInt32) {
        let bench = Bench(root: .mbit(100, ceil: 100))
        var p = ClassParameters.mbit(10)
        p.floorPackets = 2_000
        bench.add(2, under: 1, p)
        bench.add(3, under: 1, .mbit(0, priority: 0))
        bench.greedy = [2: size, 3: 1_514]
        bench.run(until: second)
        bench.forget()
        bench.run(until: 11 * second)
        #expect(near(bench.rate(2, over: 10 * second), Self.bits(size), within: 0.0005))
        #expect(near(bench.rate(3, over: 10 * second), 100e6 - Self.bits(size), within: 0.0005))
    }

    /// The root has a packet ceiling. A flood of small frames must not reduce its sibling's floor in bits, whether the flood borrows, or has a floor of its own
    /// with a better priority that alone exceeds the packet ceiling.
    @Test(arguments: [UInt64(0), 30]) func aFloodOfSmallFramesVoidsNoFloor(floor: UInt64) {
        var root = ClassParameters.mbit(100, ceil: 100)
        root.ceilingPackets = 10_000
        let bench = Bench(root: root)
        bench.add(2, under: 1, .mbit(floor, priority: 0))
        bench.add(3, under: 1, .mbit(50))
        bench.greedy = [2: 60, 3: 1_514]
        bench.run(until: second)
        bench.forget()
        bench.run(until: 11 * second)
        #expect(bench.rate(3, over: 10 * second) >= 50e6 * 0.9995)
        let packets = Double(bench.sentFrames[2]! + bench.sentFrames[3]!) / 10
        // Floors are served whatever the root's ceiling says, but nothing is lent above it.
        #expect(near(packets, max(10_000, Double(floor) * 1e6 / 480 + 50e6 / 12_112), within: 0.001))
    }
}
