import Scheduler
import TestSupport
import Testing

/// What a histogram of delays must hold, worked out with whole numbers.
enum DelayModel {
    /// The bucket of a delay: the power of two, and the three bits behind the first.
    static func bucket(_ delay: Nanoseconds) -> Int {
        // Delays are taken with 24 bits, and end at 137 s.
        let delay = min(UInt64(Float(delay)), 1 << 37 - 1), power = 63 - delay.leadingZeroBitCount
        return power * 8 + Int((power >= 3 ? delay >> UInt64(power - 3) : delay << UInt64(3 - power)) & 7)
    }

    /// Returns nil if the histogram counts just these delays.
    static func difference(_ histogram: DelayHistogram, _ delays: [Nanoseconds]) -> String? {
        var counts = Array(repeating: UInt64(0), count: DelayHistogram.buckets)
        for delay in delays { counts[bucket(delay)] += 1 }
        if histogram.counts == (delays.isEmpty ? [] : counts) { return nil }
        return "counts delays \(histogram.byDelay), not \(delays.sorted())"
    }
}

/// `OracleTests` compares delays in random trees, too.
@Suite struct DelayTests {
    /// In every bucket, the longest delay is less than nine eighths of the shortest, and the next bucket begins behind it.
    @Test func bucketsAreAnEighthWideAndLeaveNoGap() {
        var dice = Seeded(7)
        for _ in 0..<20_000 {
            let delay = 1 + UInt64(dice.below(1 << 20)) << UInt64(dice.below(17)) & (1 << 37 - 1)
            let highest = DelayHistogram.highest(in: DelayModel.bucket(delay))
            // Rounding to 24 bits may lift a delay into the next bucket.
            #expect(highest >= delay && Double(highest) <= Double(delay) * 9 / 8 * (1 + 0x1p-23), "\(delay) ns counts as \(highest) ns")
        }
        #expect(DelayHistogram.highest(in: DelayHistogram.buckets - 1) == 1 << 37 - 1)
    }

    /// A leaf at its ceiling sends one frame after another, so the delays are known: they grow by the time that a frame takes.
    @Test func delaysOfAPacedLeafAreThoseOfItsQueue() {
        let bench = Bench()
        bench.tree.pointee.grantDelays()
        bench.tree.pointee.countDelays(true)
        bench.add(2, under: 1, .mbit(0, ceil: 10, ceilingBurst: 1_514))
        var began: [UInt32: Nanoseconds] = [:], delays: [Nanoseconds] = []
        bench.onSend = { frame, now in
            if now > began[frame.tag]! { delays.append(now - began[frame.tag]!) }
        }
        for number in 1...200 {
            #expect(bench.offer(2, 1_514) == .queued)
            began[UInt32(number)] = bench.now
        }
        bench.run(until: bench.now + second)
        #expect(delays.count >= 190)
        #expect(DelayModel.difference(bench.tree.pointee.delays(of: 2), delays) == nil)
        #expect(bench.tree.pointee.framesSent(byLeaf: 2) == 200)
    }

    /// What a class counted goes with it, and a tree that does not count delays takes no memory for it.
    @Test func aNewClassBeginsAnew() {
        let bench = Bench()
        #expect(bench.tree.pointee.delays(of: 1) == DelayHistogram())
        bench.tree.pointee.countDelays(true)
        #expect(!bench.tree.pointee.countsDelays)
        bench.tree.pointee.grantDelays()
        bench.tree.pointee.countDelays(true)
        bench.add(2, under: 1, .mbit(0, ceil: 10, ceilingBurst: 1_514))
        for _ in 0..<20 { bench.offer(2, 1_514) }
        bench.run(until: bench.now + second)
        #expect(bench.tree.pointee.delays(of: 2).waited > 10)
        #expect(bench.tree.pointee.remove(2, at: bench.now) == .done)
        bench.add(2, under: 1, .mbit(0, ceil: 10))
        bench.offer(2, 60)
        bench.drain()
        #expect(bench.tree.pointee.delays(of: 2) == DelayHistogram())
        bench.tree.pointee.countDelays(false)
        bench.tree.pointee.reclaimDelays()
        #expect(bench.tree.pointee.delays(of: 2) == DelayHistogram())
    }
}
