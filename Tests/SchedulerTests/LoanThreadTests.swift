import Scheduler
import Synchronization
import TestSupport
import Testing

/// Another thread reads what a leaf borrowed while the leaf's lender changes.
@Suite("Loans: several threads") struct LoanThreadTests {
    @Test func whatWasBorrowedNeverFallsAndIsNeverMoreThanWasSent() {
        let bench = Bench(root: .mbit(1_000, ceil: 1_000), classes: 8)
        bench.add(2, under: 1, .mbit(300, ceil: 1_000))
        bench.add(3, under: 2, .mbit(100, ceil: 900))
        nonisolated(unsafe) let it = bench
        let isRunning = Atomic<Bool>(true), wrong = Atomic<Int>(0), reads = Atomic<Int>(0)
        onThreads(2) { thread in
            if thread == 0 {
                // The leaf sends on its own floor, on its parent's and on the root's, alternately.
                for turn in 0..<200_000 {
                    it.offer(3, 1_000)
                    it.drain()
                    it.advance(to: it.now + (turn % 64 < 32 ? 9_000 : 200_000))
                }
                isRunning.store(false, ordering: .relaxed)
                return
            }
            var last: UInt64 = 0
            while isRunning.load(ordering: .relaxed) {
                let counters = it.tree.pointee.counters(of: 3)
                if counters.borrowedFrames < last || counters.borrowedFrames > counters.sentFrames { wrong.add(1, ordering: .relaxed) }
                last = counters.borrowedFrames
                reads.add(1, ordering: .relaxed)
            }
        }
        let lenders = bench.tree.pointee.loans(of: 3).map(\.lender)
        #expect(lenders == [2, 1])
        #expect(bench.tree.pointee.counters(of: 3).sentFrames > bench.tree.pointee.counters(of: 3).borrowedFrames)
        #expect(reads.load(ordering: .relaxed) > 100)
        #expect(wrong.load(ordering: .relaxed) == 0)
        bench.dispose()
    }
}
