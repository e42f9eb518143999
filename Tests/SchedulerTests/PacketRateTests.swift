import Scheduler
import Testing

/// Rates in bits and in packets on one class: the one that is reached first binds.
@Suite struct PacketRateTests {
    /// 10 Mbit/s and 2 000 packets a second: small frames reach the packets, large ones the bits.
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

    /// A sibling of better priority borrows all that is left, so the class has its floor and no more.
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

    /// Under a packet ceiling of the root a flood of small frames costs its sibling nothing of a floor in bits, whether the flood borrows or has a
    /// floor of its own, of better priority, that alone exceeds the packets.
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
        // Floors are served whatever the root's ceiling says; what is borrowed is not.
        #expect(near(packets, max(10_000, Double(floor) * 1e6 / 480 + 50e6 / 12_112), within: 0.001))
    }
}
