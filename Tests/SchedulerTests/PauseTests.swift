import Scheduler
import TestSupport
import Testing

/// Parts of an output can be paused: `ClassTree.pause`.
@Suite struct OutputPauseTests {
    private static let shares = LinkShares(classes: SIMD8(repeating: 0), percents: SIMD8(100, 0, 0, 0, 0, 0, 0, 0), strict: 0, outputBits: 2)

    /// Leaves 2 to 9 of output 1, one for each part, in a tree with parts; leaves 2 and 3 have floors.
    private static func bench() -> Bench {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 65_536, ceilingBurst: 65_536), classes: 64, outputs: 36)
        bench.checkInterval = 1
        bench.tree.pointee.share(by: shares)
        for part in 0..<8 as Range<UInt8> {
            let output = shares.output(1, part: part)
            bench.add(ClassID(part) + 2, under: 1, .mbit(part < 2 ? 100 : 0, output: output))
            bench.greedy[ClassID(part) + 2] = 1_514
        }
        return bench
    }

    @Test func pausedPartsSendNothingAndOthersGoOn() {
        let bench = Self.bench()
        bench.onSend = { frame, _ in #expect(frame.output == 1) }
        bench.run(until: 10 * millisecond)
        bench.tree.pointee.pause(0b0000_1001, of: 1)
        bench.forget()
        bench.run(until: 60 * millisecond)
        #expect(bench.sentBytes[2] == nil && bench.sentBytes[5] == nil)
        let sum = (2...9).reduce(0.0) { $0 + bench.rate(ClassID($1), over: 50 * millisecond) }
        #expect(near(sum, 1e9, within: 0.01))
        bench.tree.pointee.pause(0, of: 1)
        bench.forget()
        bench.run(until: 110 * millisecond)
        for id in 2...9 as ClosedRange<ClassID> { #expect((bench.sentBytes[id] ?? 0) > 0) }
        #expect(bench.outOfOrder == 0 && bench.broken.isEmpty)
    }

    /// An output that is full holds all its parts, and a part that is paused as well waits for both.
    @Test func fullOutputsAndPausesDoNotUndoEachOther() {
        let bench = Self.bench()
        bench.run(until: millisecond)
        bench.tree.pointee.park(output: 1)
        bench.tree.pointee.pause(0b1, of: 1)
        bench.advance(to: 10 * millisecond)
        #expect(bench.drain() == 0)
        bench.tree.pointee.pause(0, of: 1)
        #expect(bench.drain() == 0)
        bench.tree.pointee.pause(0b1, of: 1)
        bench.tree.pointee.unpark(output: 1)
        bench.forget()
        #expect(bench.drain() > 0 && bench.sentBytes[2] == nil)
        // Without parts nothing is paused.
        bench.tree.pointee.share(by: nil)
        bench.advance(to: 20 * millisecond)
        #expect(bench.drain() > 0 && bench.sentBytes[2] != nil)
        #expect(bench.outOfOrder == 0 && bench.broken.isEmpty)
    }

    /// Parts that come while their output is full wait for it.
    @Test func partsOfAFullOutputWait() {
        let bench = Bench(classes: 64, outputs: 36)
        bench.add(2, under: 1, .mbit(0, output: 1))
        bench.greedy = [2: 1_514]
        bench.tree.pointee.park(output: 1)
        #expect(bench.drain() == 0)
        bench.tree.pointee.share(by: Self.shares)
        _ = bench.tree.pointee.change(2, .mbit(0, output: Self.shares.output(1, part: 3)), at: bench.now)
        #expect(bench.drain() == 0)
        bench.tree.pointee.unpark(output: 1)
        #expect(bench.drain(limit: 100) == 100)
    }

    /// Whatever a leaf waits for when its part is paused, its floor, its ceiling, a parent's or another's turn, it sends nothing until the pause ends.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func nothingLeavesAPausedPart(_ seed: UInt64) {
        var random = Seeded(seed)
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 65_536, ceilingBurst: 65_536), classes: 64, outputs: 36)
        bench.checkInterval = 16
        bench.tree.pointee.share(by: Self.shares)
        bench.add(20, under: 1, .mbit(50, ceil: 80))
        for part in 0..<8 as Range<UInt8> {
            let floors: [UInt64] = [0, 5, 30, 100], ceilings: [UInt64?] = [nil, 30, 90]
            let floor = floors[Int.random(in: 0..<4, using: &random)], ceiling = ceilings[Int.random(in: 0..<3, using: &random)]
            let output = Self.shares.output(1, part: part)
            let parameters = ceiling.map { ClassParameters.mbit(min(floor, $0), ceil: $0, output: output) } ?? .mbit(floor, output: output)
            bench.add(ClassID(part) + 2, under: part % 3 == 2 ? 20 : 1, parameters)
        }
        var paused: UInt8 = 0
        bench.onSend = { frame, now in
            #expect(paused >> (UInt8(frame.leaf) - 2) & 1 == 0, "leaf \(frame.leaf) has sent at \(now) during a pause")
        }
        for _ in 0..<200 {
            if Bool.random(using: &random) {
                paused = UInt8(truncatingIfNeeded: random.next())
                bench.tree.pointee.pause(paused, of: 1)
            }
            for leaf in 2...9 as ClosedRange<ClassID> { bench.greedy[leaf] = Bool.random(using: &random) ? 1_514 : nil }
            bench.run(until: bench.now + UInt64.random(in: 10_000...2_000_000, using: &random))
        }
        #expect(bench.outOfOrder == 0 && bench.broken.isEmpty)
    }
}
