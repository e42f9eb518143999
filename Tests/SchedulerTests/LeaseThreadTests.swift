import Glibc
import Scheduler
import Synchronization
import TestSupport
import Testing

/// Runs the code of `LeaseTests` on real threads, each with an instance of its own. scripts/lab/thread-sanitizer runs this under ThreadSanitizer.
@Suite("Leases: several threads") struct LeaseThreadTests {
    static let rate = 1e9
    static let burst: UInt64 = 20_000
    static let start: Nanoseconds = 10 * second
    static let length: Nanoseconds = 50 * millisecond
    static let window: Nanoseconds = 100_000
    /// No thread's time is behind the clock by more than this.
    static let lag: Nanoseconds = 50_000

    /// All threads share one clock, which waits for the slowest, so the documented bound applies to the tree's own time. Demand is skewed and moves from thread
    /// to thread. Meanwhile another thread reads the counters of every instance.
    @Test(arguments: [2, 4, 8]) func theSumStaysWithinTheWrittenBound(count: Int) {
        let shared = SharedTree.create(classes: 8)
        let benches = (0..<count).map { _ in
            let bench = Bench(root: ClassParameters(), classes: 8, now: Self.start, shared: shared)
            bench.add(2, under: 1, .mbit(0, ceil: 1_000, ceilingBurst: Self.burst))
            bench.add(3, under: 2, .mbit(600, ceil: 1_000))
            bench.add(4, under: 2, .mbit(100, ceil: 1_000))
            return bench
        }
        let clock = SharedClock(count, start: Self.start)
        let windows = Int(Self.length / Self.window) + 2
        // The bytes of each thread and window; each thread writes only its own row.
        let sent = UnsafeMutableBufferPointer<UInt64>.allocate(capacity: count * windows)
        sent.initialize(repeating: 0)
        nonisolated(unsafe) let rows = sent.baseAddress!
        nonisolated(unsafe) let all = benches

        let backwards = Atomic<Int>(0)
        onThreads(count + 1) { thread in
            if thread == count {
                backwards.store(Self.watch(all, clock), ordering: .relaxed)
                return
            }
            let bench = all[thread]
            let row = rows + thread * windows
            bench.onSend = { frame, now in row[Int((now - Self.start) / Self.window)] += UInt64(frame.charge.bytes) }
            var dice = Seeded(UInt64(thread + 1))
            var until: Nanoseconds = 0
            while bench.now < Self.start + Self.length {
                if bench.now >= until {
                    // The first thread wants to send most of the time, and at least one of its leaves always does.
                    let greed = thread == 0 ? 90 : 30
                    bench.greedy = dice.chance(greed) ? [3: 1_514, 4: 300] : thread == 0 ? [4: 1_514] : [:]
                    until = bench.now + UInt64(dice.below(3_000_000))
                }
                bench.drain()
                bench.advance(to: max(clock.next(after: bench.now, of: thread, lag: Self.lag), bench.now))
            }
            clock.leave(thread)
        }

        let total = (0..<windows).map { window in (0..<count).reduce(UInt64(0)) { $0 + sent[$1 * windows + window] } }
        let bound = Double(Self.burst) + Double(count) * (LeaseBound.most(Self.rate) + 1_514)
        // The most that left above the rate in any sequence of windows. It may contain one window more at each end, because a window only says roughly when a
        // frame left.
        var excess = 0.0, worst = 0.0
        for bytes in total {
            excess = max(0, excess + Double(bytes) - Self.rate / 8 * Double(Self.window) / 1e9)
            worst = max(worst, excess)
        }
        #expect(worst <= bound + Self.rate / 8 * Double(2 * Self.window) / 1e9)
        #expect(Double(total.reduce(0, +)) >= Self.rate / 8 * Double(Self.length) / 1e9 * 0.9)
        #expect(backwards.load(ordering: .relaxed) == 0)
        for bench in benches { #expect(bench.outOfOrder == 0 && bench.tree.pointee.brokenInvariants() == []) }
        #expect(benches.allSatisfy { $0.delivered > 0 })
        for bench in benches { bench.dispose() }
        SharedTree.destroy(shared)
        sent.deallocate()
    }

    /// All instances send against a leased peak or packet ceiling of which each wants more.
    @Test(arguments: [LeaseTests.Limit.peak, .packets]) func theSumOfAPeakAndOfPacketsStaysWithinTheWrittenBound(limit: LeaseTests.Limit) {
        let threads = ThreadedCluster(4, parent: limit.parameters, length: 20 * millisecond)
        threads.run { bench, _ in bench.greedy = [3: 1_514, 4: 300] }
        let excess = threads.excess(above: limit.perSecond, packets: limit == .packets)
        #expect(excess.worst <= limit.burst + (limit == .packets ? 4 * 3 : LeaseBound.excess(4, 1e9, turns: 2)) + threads.blur(limit.perSecond))
        #expect(excess.total >= limit.perSecond * 0.02 * 0.9)
    }

    /// Classes are added, given children, changed and removed on every thread, at times of the thread's own clock, while all lease from the class above them.
    @Test func changesWhileThreadsRunKeepTheBound() {
        let parent = ClassParameters.mbit(0, ceil: 1_000, ceilingBurst: Self.burst)
        let threads = ThreadedCluster(4, parent: parent, length: 20 * millisecond)
        let refused = Atomic<Int>(0)
        threads.run { bench, turn in
            let tree = bench.tree, now = bench.now
            let leaf = ClassID(10 + turn / 4 % 10), child = leaf + 20
            bench.gapsAllowed = true
            var verdicts: [ChangeVerdict] = []
            switch turn % 4 {
            case 0:
                verdicts.append(tree.pointee.change(3, .mbit(UInt64(turn), ceil: 900), at: now))
            case 1:
                verdicts.append(tree.pointee.add(leaf, under: 2, .mbit(10, ceil: 500), at: now))
            case 2:
                // The leaf has a full queue at that time.
                verdicts.append(tree.pointee.add(child, under: leaf, .mbit(5, ceil: 400), at: now))
            default:
                verdicts.append(tree.pointee.remove(child, at: now))
                verdicts.append(tree.pointee.remove(leaf, at: now))
                bench.collectDropped()
            }
            bench.greedy = [3: 1_514, 4: 300, leaf: 1_000, child: 1_000]
            refused.add(verdicts.count { $0 != .done }, ordering: .relaxed)
        }
        #expect(refused.load(ordering: .relaxed) == 0)
        let excess = threads.excess(above: 1e9 / 8, packets: false)
        // Floors below the class are served whatever its ceiling says, and each turn may begin a new one.
        #expect(excess.worst <= Double(Self.burst) + LeaseBound.excess(4, 1e9, turns: 8) + threads.blur(1e9 / 8))
        #expect(excess.total >= 1e9 / 8 * 0.02 * 0.9)
        for bench in threads.benches {
            bench.collectDropped()
            #expect(bench.accepted == bench.delivered + bench.dropped + bench.tree.pointee.backlogFrames)
            #expect(bench.tree.pointee.brokenInvariants() == [])
        }
    }

    /// Reads the counters as the control thread does for `sluice class show`. Returns how often a counter went backwards.
    private static func watch(_ benches: [Bench], _ clock: SharedClock) -> Int {
        var seen = [UInt64](repeating: 0, count: benches.count)
        var backwards = 0
        while clock.isRunning {
            for (index, bench) in benches.enumerated() {
                let bytes = bench.tree.pointee.counters(of: 3).sentBytes
                if bytes < seen[index] { backwards += 1 }
                seen[index] = bytes
            }
            sched_yield()
        }
        return backwards
    }
}
