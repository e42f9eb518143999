import Scheduler
import Testing

@Suite struct WaitingTests {
    /// Calls `hasSent` until it has looked at all leaves or stops at a leaf; each call looks at a few leaves.
    private func hasSent(_ bench: Bench, since time: Nanoseconds, _ next: inout UInt32) -> Bool {
        for _ in 0..<10_000 {
            let before = next
            if bench.tree.pointee.hasSent(since: time, from: &next, most: 3) { return true }
            if next == before { return false }
        }
        return false
    }

    @Test("What a tree held at a time is known to have left, whatever came since")
    func markers() {
        let bench = Bench()
        // There are many leaves with distant ids; one of them is slow and needs 8 ms for a frame.
        let leaves = stride(from: ClassID(2), to: 60_000, by: 997).map { $0 }
        for id in leaves { bench.add(id, under: 1, id == leaves[20] ? .mbit(1, ceil: 1, burst: 1_000) : ClassParameters()) }
        bench.advance(to: 1_000)
        for id in leaves { for _ in 0..<6 { bench.offer(id, 1_000) } }
        let time = bench.now
        var next: UInt32 = 0
        #expect(!hasSent(bench, since: time, &next))
        #expect(next == UInt32(leaves[0]))

        bench.advance(to: 2_000)
        bench.drain()
        for id in leaves { bench.offer(id, 1_000) }
        #expect(!hasSent(bench, since: time, &next))
        #expect(next == UInt32(leaves[20]), "it waits for the slow one only")
        bench.advance(to: 100_000_000)
        bench.drain()
        for id in leaves { bench.offer(id, 1_000) }
        #expect(hasSent(bench, since: time, &next), "later frames do not count")

        next = 0
        #expect(hasSent(bench, since: time, &next))
        next = 0
        #expect(!hasSent(bench, since: bench.now, &next))
    }

    @Test("Of a leaf that queues its flows apart, the frames of each flow count, and later ones do not")
    func flows() {
        let bench = Bench()
        bench.gapsAllowed = true
        var parameters = ClassParameters.mbit(0, ceil: 100)
        (parameters.queuesFlows, parameters.codelTarget) = (true, second)
        bench.add(2, under: 1, parameters)
        bench.advance(to: 1_000)
        for _ in 0..<20 { for flow in 1...40 as ClosedRange<UInt32> { bench.offer(2, 1_000, flow: flow) } }
        let time = bench.now
        var next: UInt32 = 0, steps = 0
        // What is sent comes again, so that the leaf is never empty: 20 rounds of 40 flows take 64 ms.
        while !hasSent(bench, since: time, &next), steps < 1_000 {
            steps += 1
            bench.advance(to: bench.now + 100_000)
            let sent = bench.drain()
            for number in 0..<sent { bench.offer(2, 1_000, flow: UInt32(1 + number % 40)) }
        }
        #expect(steps > 500 && steps < 1_000, "\(steps)")
        #expect(bench.tree.pointee.backlogFrames >= 700)
    }

    @Test("An empty tree has sent everything")
    func empty() {
        let bench = Bench()
        var next: UInt32 = 0
        #expect(hasSent(bench, since: .max - 1, &next))
    }
}
