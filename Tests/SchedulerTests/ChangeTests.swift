import Scheduler
import TestSupport
import Testing

@Suite struct ChangeTests {
    @Test func aChangeKeepsTokensAndQueue() {
        let bench = Bench()
        bench.add(2, under: 1, .mbit(8, ceil: 8, burst: 10_000, ceilingBurst: 10_000))
        for _ in 0..<100 { bench.offer(2, 1_000) }
        #expect(bench.drain() == 11)
        #expect(bench.tree.pointee.counters(of: 2).ceilingTokens == -1_000)
        // At ten times the rate, the debt is paid in a tenth of the time, and there is no new burst.
        #expect(bench.tree.pointee.change(2, .mbit(80, ceil: 80, burst: 10_000, ceilingBurst: 10_000), at: 0) == .done)
        #expect(bench.drain() == 0)
        #expect(bench.tree.pointee.counters(of: 2).backlogFrames == 89)
        bench.advance(to: 99_999)
        #expect(bench.drain() == 0)
        bench.advance(to: 100_000)
        #expect(bench.drain() == 1)
        #expect(bench.outOfOrder == 0)
    }

    @Test func aRateHalvedMidRunHolds() {
        let bench = Bench(root: .mbit(100, ceil: 100))
        bench.add(2, under: 1, .mbit(60)); bench.add(3, under: 1, .mbit(40))
        bench.greedy = [2: 1_514, 3: 1_514]
        bench.run(until: second)
        _ = bench.tree.pointee.change(1, .mbit(50, ceil: 50), at: bench.now)
        _ = bench.tree.pointee.change(2, .mbit(10), at: bench.now)
        bench.forget()
        bench.run(until: 3 * second)
        #expect(near(bench.rate(2, over: 2 * second), 10e6, within: 0.003))
        #expect(near(bench.rate(3, over: 2 * second), 40e6, within: 0.003))
        #expect(bench.outOfOrder == 0)
    }

    @Test func removalGivesUpTheQueueAndCountsIt() {
        let bench = Bench(root: .mbit(10, ceil: 10))
        bench.add(2, under: 1, .mbit(5)); bench.add(3, under: 1, .mbit(5))
        for _ in 0..<50 { bench.offer(2, 1_000); bench.offer(3, 1_000) }
        bench.drain()
        let held = Int(bench.tree.pointee.counters(of: 2).backlogFrames)
        #expect(bench.tree.pointee.remove(2, at: bench.now) == .done)
        bench.collectDropped()
        #expect(bench.dropped == held)
        #expect(bench.tree.pointee.droppedByRemoval == UInt64(held))
        #expect(bench.offer(2, 100) == .notALeaf)
        bench.run(until: second)
        #expect(bench.accepted == bench.delivered + bench.dropped)
        #expect(bench.tree.pointee.backlogFrames == 0 && bench.tree.pointee.backlogBytes == 0)
    }

    @Test func aLeafThatBecomesAParentHandsItsQueueDown() {
        let bench = Bench(root: .mbit(10, ceil: 10), outputs: 2)
        bench.add(2, under: 1, .mbit(5))
        for _ in 0..<20 { bench.offer(2, 1_000) }
        bench.add(20, under: 2, .mbit(5))
        #expect(bench.offer(2, 1_000) == .notALeaf)
        #expect(bench.tree.pointee.counters(of: 20).backlogFrames == 20)
        #expect(bench.tree.pointee.heir(of: 2) == 20 && bench.tree.pointee.heir(of: 20) == 20 && bench.tree.pointee.heir(of: 77) == 0)
        // A child with another output cannot take over the frames.
        bench.add(200, under: 20, .mbit(5, output: 1))
        #expect(bench.tree.pointee.droppedByRemoval == 20)
        bench.collectDropped()
        #expect(bench.tree.pointee.heir(of: 2) == 0)
        #expect(bench.tree.pointee.remove(200, at: bench.now) == .done)
        #expect(bench.tree.pointee.heir(of: 2) == 20)
        #expect(bench.offer(20, 1_000) == .queued)
        #expect(bench.drain() == 1)
    }

    @Test func classesComeAndGoUnderLoad() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000))
        bench.gapsAllowed = true
        var dice = Seeded(7)
        var there: Set<ClassID> = []
        for _ in 0..<20_000 {
            let id = ClassID(2 + dice.below(200))
            if there.contains(id), dice.chance(20) {
                #expect(bench.tree.pointee.remove(id, at: bench.now) == .done)
                there.remove(id)
                bench.collectDropped()
            } else if !there.contains(id) {
                #expect(bench.add(id, under: 1, .mbit(UInt64(dice.below(10)))) == .done)
                there.insert(id)
            }
            if there.contains(id) { for _ in 0..<dice.below(20) { bench.offer(id, UInt32(60 + dice.below(1_455))) } }
            bench.advance(to: bench.now + UInt64(dice.below(20_000)))
            bench.drain()
        }
        for id in there { #expect(bench.tree.pointee.remove(id, at: bench.now) == .done) }
        bench.collectDropped()
        #expect(bench.accepted == bench.delivered + bench.dropped)
        #expect(bench.tree.pointee.backlogFrames == 0)
        #expect(bench.outOfOrder == 0)
    }

    /// Whether a frame passes depends on the classes above its leaf only if one of them holds frames back. This must be noticed however such a class came into
    /// that place.
    @Test func aCeilingAboveALeafHoldsFramesThatPass() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000, burst: 100_000, ceilingBurst: 100_000))
        func passed(_ leaf: ClassID) -> Int {
            bench.advance(to: bench.now + second)
            return bench.tree.pointee.bypass([1_000, 1_000, 1_000, 1_000], count: 4, to: leaf, at: bench.now)
        }
        let free = ClassParameters.mbit(0), held = ClassParameters.mbit(0, ceil: 8, ceilingBurst: 1_500)
        bench.add(2, under: 1, free); bench.add(20, under: 2, free); bench.add(200, under: 20, free)
        #expect(passed(200) == 4)
        for _ in 0..<2 {
            #expect(bench.tree.pointee.change(2, held, at: bench.now) == .done)
            #expect(passed(200) == 2)
            #expect(bench.tree.pointee.change(2, free, at: bench.now) == .done)
            #expect(passed(200) == 4)
        }
        // A leaf with a ceiling becomes a parent, and then a leaf again.
        bench.add(21, under: 2, held); bench.add(210, under: 21, free)
        #expect(passed(210) == 2 && passed(200) == 4)
        #expect(bench.tree.pointee.remove(210, at: bench.now) == .done)
        #expect(passed(21) == 2 && passed(200) == 4)
        #expect(bench.tree.pointee.remove(21, at: bench.now) == .done)
        #expect(bench.tree.pointee.change(20, held, at: bench.now) == .done)
        #expect(passed(200) == 2)
    }

    @Test func aChangedOutputMovesTheQueue() {
        let bench = Bench(outputs: 2)
        bench.add(2, under: 1, .mbit(0, output: 0))
        bench.tree.pointee.park(output: 0)
        bench.offer(2, 100)
        #expect(bench.drain() == 0)
        _ = bench.tree.pointee.change(2, .mbit(0, output: 1), at: 0)
        var output: UInt16?
        bench.onSend = { frame, _ in output = frame.output }
        #expect(bench.drain() == 1)
        #expect(output == 1)
    }
}
