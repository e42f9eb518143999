import Scheduler
import Testing

/// Counters of waits after more events than the short event numbers of the tree can distinguish.
@Suite struct LongWaitTests {
    /// Leaf 4 waits for no class, but shares a tree with leaf 5, which its parent's ceiling holds back again and again.
    @Test func nobodyIsBlamedWhoNeverHeldAnything() {
        let bench = Bench(root: .mbit(10_000, ceil: 10_000, burst: 1 << 20, ceilingBurst: 1 << 20))
        bench.add(2, under: 1, .mbit(1_000, burst: 1 << 20))
        bench.add(4, under: 2, .mbit(0))
        bench.add(3, under: 1, .mbit(1, ceil: 1, burst: 1_514, ceilingBurst: 1_514))
        bench.add(5, under: 3, .mbit(0, priority: 0, quantum: 1_000))
        for _ in 0..<70_000 {
            // Leaf 5 sends until its parent's credit is spent; by then leaf 4 has joined, and it is served afterwards.
            bench.advance(to: bench.now + 30 * millisecond)
            bench.offer(4, 100)
            for _ in 0..<3 { bench.offer(5, 1_514) }
            bench.drain()
        }
        let counters = bench.tree.pointee.counters(of: 4)
        #expect(counters.sentFrames == 70_000)
        #expect(counters.waitsAncestor == 0)
        #expect(counters.waitsNothingToLend == 0)
        #expect(bench.tree.pointee.counters(of: 5).waitsAncestor > 60_000)
    }
}
