import Glibc
import Scheduler
import Synchronization
import TestSupport
import Testing

/// The same code as `LeaseTests` on real threads, each with an instance of its own; run under ThreadSanitizer by scripts/lab/thread-sanitizer.
@Suite("Leases: several threads") struct LeaseThreadTests {
    static let rate = 1e9
    static let burst: UInt64 = 20_000
    static let start: Nanoseconds = 10 * second
    static let length: Nanoseconds = 50 * millisecond
    static let window: Nanoseconds = 100_000
    /// No thread's time is further behind the clock than this.
    static let lag: Nanoseconds = 50_000

    /// All threads share one clock, which waits for the slowest, so the written bound is counted in the tree's own time. Demand is skewed and
    /// moves from thread to thread. Meanwhile another thread reads every instance's counters.
    @Test(arguments: [2, 4, 8]) func theSumStaysWithinTheWrittenBound(count: Int) {
        let shared = SharedTree.create(classes: 8)
        let benches = (0..<count).map { index in
            let bench = Bench(root: ClassParameters(), classes: 8, now: Self.start, shared: shared, instance: index)
            bench.add(2, under: 1, .mbit(0, ceil: 1_000, ceilingBurst: Self.burst))
            bench.add(3, under: 2, .mbit(600, ceil: 1_000))
            bench.add(4, under: 2, .mbit(100, ceil: 1_000))
            return bench
        }
        let clock = SharedClock(count, start: Self.start)
        let windows = Int(Self.length / Self.window) + 2
        // Bytes by thread and window; a thread writes its own row.
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
            bench.onSend = { frame, now in row[Int((now - Self.start) / Self.window)] += UInt64(frame.length) }
            var dice = Dice(state: UInt64(thread + 1))
            var until: Nanoseconds = 0
            while bench.now < Self.start + Self.length {
                if bench.now >= until {
                    // The first thread wants most; one of them always wants something.
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
        // The most that left above the line in any run of windows: one more at each end, as a window says only about when.
        var excess = 0.0, worst = 0.0
        for bytes in total {
            excess = max(0, excess + Double(bytes) - Self.rate / 8 * Double(Self.window) / 1e9)
            worst = max(worst, excess)
        }
        #expect(worst <= bound + Self.rate / 8 * Double(2 * Self.window) / 1e9)
        #expect(Double(total.reduce(0, +)) >= Self.rate / 8 * Double(Self.length) / 1e9 * 0.9)
        #expect(backwards.load(ordering: .relaxed) == 0)
        for bench in benches { #expect(bench.outOfOrder == 0) }
        #expect(benches.allSatisfy { $0.delivered > 0 })
        for bench in benches { bench.dispose() }
        SharedTree.destroy(shared)
        sent.deallocate()
    }

    /// What the control thread does for `sluice class show`. Returns how often a counter went backwards.
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

/// One time for all threads, carried on by whichever comes first, that never runs away from the slowest.
final class SharedClock: Sendable {
    private let now: Atomic<UInt64>
    private let running: Atomic<Int>
    private let seen: [Place]

    private final class Place: Sendable {
        let time: Atomic<UInt64>
        init(_ start: Nanoseconds) { time = Atomic(start) }
    }

    init(_ count: Int, start: Nanoseconds) {
        now = Atomic(start)
        running = Atomic(count)
        seen = (0..<count).map { _ in Place(start) }
    }

    var isRunning: Bool { running.load(ordering: .relaxed) > 0 }

    /// The time at which a thread that has done what was due at `time` goes on.
    func next(after time: Nanoseconds, of thread: Int, lag: Nanoseconds) -> Nanoseconds {
        seen[thread].time.store(time, ordering: .relaxed)
        while true {
            let current = now.load(ordering: .relaxed)
            if current > time { return current }
            if seen.allSatisfy({ $0.time.load(ordering: .relaxed) + lag > current }) {
                _ = now.compareExchange(expected: current, desired: current + 2_000, ordering: .relaxed)
            } else {
                sched_yield()
            }
        }
    }

    func leave(_ thread: Int) {
        seen[thread].time.store(.max / 2, ordering: .relaxed)
        running.subtract(1, ordering: .relaxed)
    }
}
