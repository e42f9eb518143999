import Glibc
import Scheduler
import Synchronization
import TestSupport

/// Several instances of one tree, each on a thread of its own. Leaves 3 and 4 are under class 2, which limits both.
final class ThreadedCluster {
    let benches: [Bench]
    let length: Nanoseconds
    private let shared: SharedTree
    private let windows: Int
    /// The frames and bytes of each thread and window; a thread writes only its own rows.
    private let frames: UnsafeMutablePointer<UInt64>
    private let bytes: UnsafeMutablePointer<UInt64>
    static let start = LeaseThreadTests.start, window = LeaseThreadTests.window
    /// The time between two calls of the closure that `run` is given.
    static let turn: Nanoseconds = 500_000

    init(_ count: Int, parent: ClassParameters, length: Nanoseconds) {
        let shared = SharedTree.create(classes: 64)
        benches = (0..<count).map { _ in
            let bench = Bench(root: ClassParameters(), classes: 64, now: Self.start, shared: shared)
            bench.add(2, under: 1, parent)
            bench.add(3, under: 2, .mbit(0))
            bench.add(4, under: 2, .mbit(0))
            return bench
        }
        self.shared = shared
        self.length = length
        windows = Int(length / Self.window) + 2
        frames = .allocate(capacity: count * windows)
        frames.initialize(repeating: 0, count: count * windows)
        bytes = .allocate(capacity: count * windows)
        bytes.initialize(repeating: 0, count: count * windows)
    }

    deinit {
        for bench in benches { bench.dispose() }
        SharedTree.destroy(shared)
        frames.deallocate()
        bytes.deallocate()
    }

    /// Every thread calls `act` with its instance and the number of the turn at the beginning of each turn, and polls until the next turn.
    func run(_ act: @Sendable (Bench, Int) -> Void) {
        let clock = SharedClock(benches.count, start: Self.start)
        nonisolated(unsafe) let me = self
        onThreads(benches.count) { thread in
            let bench = me.benches[thread], row = thread * me.windows
            bench.onSend = { frame, now in
                let window = row + Int((now - Self.start) / Self.window)
                me.frames[window] += 1
                me.bytes[window] += UInt64(frame.charge.bytes)
            }
            var turn = 0
            while bench.now < Self.start + me.length {
                if bench.now >= Self.start + Self.turn * UInt64(turn) {
                    act(bench, turn)
                    turn += 1
                }
                bench.drain()
                bench.advance(to: max(clock.next(after: bench.now, of: thread, lag: LeaseThreadTests.lag), bench.now))
            }
            clock.leave(thread)
        }
    }

    /// The excess above a rate in any sequence of windows.
    func excess(above perSecond: Double, packets: Bool) -> Excess {
        let excess = Excess(above: perSecond)
        for window in 0..<windows {
            let sent = benches.indices.reduce(UInt64(0)) { $0 + (packets ? frames : bytes)[$1 * windows + window] }
            excess.note(sent, at: UInt64(window + 1) * Self.window)
        }
        return excess
    }

    /// What may be earned in one more window at each end, because a window only says roughly when a frame left.
    func blur(_ perSecond: Double) -> Double { perSecond * Double(2 * Self.window) / 1e9 }
}

/// One time for all threads. Whichever thread comes first advances it, but it never runs away from the slowest one.
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

    /// The time at which a thread continues that has done what was due at `time`.
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
