import Scheduler
import TestSupport
import Testing

@Suite struct ExactnessTests {
    static let rates: [UInt64] = [8_000, 64_000, 999_983, 10_000_000, 333_333_333, 1_000_000_007, 10_000_000_000, 99_999_999_977, 400_000_000_000]

    /// The tree is polled exactly when it asks for it. Frame n then leaves exactly when the bits before it have been earned: the error over any time is below 1
    /// ns, at every rate and length.
    @Test(arguments: rates, [UInt32(60), 64, 1_514, 9_018, 65_550])
    func everyFrameLeavesOnTheNanosecond(rate: UInt64, length: UInt32) {
        for floorBound in [false, true] {
            var p = ClassParameters(floor: floorBound ? rate : 0, ceiling: floorBound ? .max : rate, burst: 0, ceilingBurst: 0)
            p.limitPackets = 0
            // If the floor is to decide, the root owes its own floor from the first frame on, so that it lends nothing.
            let bench = Bench(root: floorBound ? ClassParameters(floor: 1, burst: 0) : ClassParameters())
            bench.add(2, under: 1, p)
            bench.greedy[2] = length
            var first: Nanoseconds?, bits: UInt64 = 0, wrong = 0
            bench.onSend = { frame, now in
                guard let start = first else { first = now; bits = UInt64(length) * 8; return }
                // A burst of 0 still holds what 1 ns earns.
                let burst = (rate / 8_000_000_000 + 1) * 8
                let owed = bits > burst ? bits - burst : 0
                let (quotient, remainder) = rate.dividingFullWidth(owed.multipliedFullWidth(by: 1_000_000_000))
                if now != start + quotient + (remainder == 0 ? 0 : 1) { wrong += 1 }
                bits += UInt64(length) * 8
            }
            let time = UInt64(length) * 8 * 2_000 * 1_000 / (rate / 1_000_000 + 1)
            bench.run(until: time)
            #expect(wrong == 0)
            #expect(bench.sentFrames[2]! > 14 || rate < 1_000_000 && bench.sentFrames[2]! > 1)
        }
    }

    /// The tree is polled late and at uneven times, as by a busy core: nothing is lost as long as the burst covers the gaps.
    @Test(arguments: rates) func unevenPollingLosesNothing(rate: UInt64) {
        let gap: Nanoseconds = rate > 1_000_000_000 ? 3_000 : 300_000
        let burst = max(1_514, rate / 8_000 * gap / 1_000_000 + 1)
        let bench = Bench()
        bench.add(2, under: 1, ClassParameters(ceiling: rate, ceilingBurst: burst))
        bench.greedy[2] = 1_514
        var dice = Seeded(rate)
        var end: Nanoseconds = 0
        // Ten seconds, or the time of 20 000 frames if that is shorter.
        let duration = min(10 * second, Nanoseconds(UInt64(1_514 * 8 * 20_000) * 1_000_000 / (rate / 1_000)))
        while bench.now < duration {
            bench.drain()
            end = bench.now
            bench.advance(to: max(bench.now + 1 + Nanoseconds(dice.below(Int(gap))), rate < 1_000_000 ? bench.tree.pointee.nextEvent(at: bench.now) : 0))
        }
        let earned = Double(end) * Double(rate) / 8e9 + Double(burst)
        let sent = Double(bench.sentBytes[2]!)
        #expect(sent >= earned - 1_514 - Double(burst) * 0.001)
        #expect(sent <= earned + 1_514)
    }

    /// Leaves with one frame each are charged by separate code, which multiplies in halves of 32 bits. For a rate above 2^32, neither half may be lost.
    @Test func highRatesAreEarnedInFull() {
        let bench = Bench(root: ClassParameters(floor: .max))
        bench.add(2, under: 1, ClassParameters(floor: 99_999_999_977, burst: 100_000))
        for _ in 0..<2_000 {
            bench.offer(2, 1_514)
            bench.advance(to: bench.now + 122)
            bench.drain()
        }
        #expect(bench.sentFrames[2] == 2_000)
        // The bucket fills between two frames.
        #expect(bench.tree.pointee.counters(of: 2).floorTokens == 100_000 - 1_514)
    }

    /// The tree is exact to the bit after thirty days of virtual time.
    @Test(arguments: [(UInt64(8_000), UInt32(1_514)), (64_009, 9_018), (1_000_003, 65_550)])
    func nothingDriftsInThirtyDays(rate: UInt64, length: UInt32) {
        let start: Nanoseconds = 1 << 62
        let bench = Bench(now: start)
        bench.add(2, under: 1, ClassParameters(ceiling: rate, ceilingBurst: 100_000))
        bench.greedy[2] = length
        let days = 30 * 86_400 * second
        bench.run(until: start + days)
        let earned = Int128(days) * Int128(rate) + 100_000 * 8_000_000_000
        let sent = Int128(bench.sentBytes[2]!) * 8_000_000_000
        #expect(sent >= earned && sent <= earned + Int128(length) * 8_000_000_000)
        #expect(bench.outOfOrder == 0)
    }

    /// With the largest bucket, the largest rate and the longest sleep, no sum overflows.
    @Test func extremesDoNotOverflow() {
        for rate: UInt64 in [1, 400_000_000_000, 4_398_046_511_103] {
            let bench = Bench()
            bench.add(2, under: 1, ClassParameters(floor: rate, ceiling: rate, burst: .max, ceilingBurst: .max))
            for shift in [0, 20, 40, 62, 63] {
                bench.advance(to: UInt64(1) << UInt64(shift))
                bench.offer(2, 65_550)
                #expect(bench.drain() == 1)
            }
            #expect(bench.tree.pointee.counters(of: 2).ceilingTokens <= 576_460_752)
        }
    }

    /// A parent whose children were promised more than it has goes into debt. The debt must stop growing, and no sum may overflow.
    @Test func overcommittedFloorsRunUpABoundedDebt() {
        let bench = Bench(root: .mbit(1, ceil: 1))
        bench.add(2, under: 1, ClassParameters(floor: 400_000_000_000, burst: 1_000_000))
        bench.greedy[2] = 65_550
        bench.run(until: 30 * millisecond)
        #expect(bench.tree.pointee.counters(of: 1).ceilingTokens == -288_230_376)
        #expect(bench.rate(2, over: 30 * millisecond) > 399e9)
    }

    @Test(arguments: [UInt64(10), 1_000, 999_983, 14_880_952]) func packetCeilingsAreExact(rate: UInt64) {
        let bench = Bench()
        var p = ClassParameters()
        p.ceilingPackets = rate
        bench.add(2, under: 1, p)
        bench.greedy[2] = 60
        let time: UInt64 = min(10 * second, 50_000 * second / rate)
        bench.run(until: time)
        let allowed: UInt64 = max(2, rate / 100) + 1 + time / 1_000 * rate / 1_000_000
        #expect(bench.sentFrames[2]! <= allowed + 1)
        #expect(bench.sentFrames[2]! + 1 >= allowed)
    }

    @Test func aPacketFloorBoundsWhatAFloodOfSmallFramesTakesFirst() {
        let bench = Bench(root: .mbit(100, ceil: 100))
        var p = ClassParameters.mbit(80, priority: 0)
        p.floorPackets = 8_000
        bench.add(2, under: 1, p)
        bench.add(3, under: 1, .mbit(20))
        // Of 60-byte frames, 8 000 a second are a floor of 3.84 Mbit/s; the rest of the link is borrowed as by any class.
        bench.greedy = [2: 60, 3: 1_514]
        _ = bench.tree.pointee.change(2, { var q = p; q.priority = 3; return q }(), at: 0)
        bench.run(until: second)
        bench.forget()
        bench.run(until: 3 * second)
        let small = bench.rate(2, over: 2 * second), large = bench.rate(3, over: 2 * second)
        #expect(near(small + large, 100e6, within: 0.001))
        #expect(near(small, 3.84e6 + (100e6 - 23.84e6) / 2, within: 0.01))
    }

    @Test func aPeakSpacesFramesWithinTheCeilingsBurst() {
        let bench = Bench()
        var p = ClassParameters.mbit(0, ceil: 10, ceilingBurst: 150_000)
        p.peak = 40_000_000
        bench.add(2, under: 1, p)
        bench.greedy[2] = 1_500
        var last: Nanoseconds?, least = Nanoseconds.max
        bench.onSend = { _, now in
            if let last { least = min(least, now - last) }
            last = now
        }
        bench.run(until: 20 * millisecond)
        // At 40 Mbit/s until the bucket is empty, 1 500 bytes leave every 300 us. A peak burst of 0 counts as one byte, which makes a difference of 200 ns.
        #expect(least >= 299_800 && least <= 300_000)
        #expect(bench.sentFrames[2]! >= 66)
        bench.run(until: 5 * second)
        #expect(near(bench.rate(2, over: 5 * second), 10e6 + 150_000 * 8 / 5, within: 0.001))
        #expect(bench.tree.pointee.counters(of: 2).waitsPeak > 60)
        #expect(bench.tree.pointee.counters(of: 2).waitsCeiling > 1_000)
    }

    @Test func overheadIsCharged() {
        let bench = Bench(overhead: 24)
        bench.add(2, under: 1, ClassParameters(ceiling: 84 * 8 * 1_000, ceilingBurst: 0))
        bench.greedy[2] = 60
        bench.run(until: 10 * second)
        #expect(bench.sentFrames[2]! == 10_001)
    }
}
