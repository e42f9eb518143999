import DPDKShim
import Foundation
import Synchronization

/// Measures how soon a thread runs that waits for an eventfd, which is what a guest's kick costs on this machine without any switch.
public enum Wakes {
    /// How long wakes took from one CPU to another.
    public struct Result: Codable, Sendable {
        public var from: Int
        public var cpu: Int
        public var count: Int
        /// The time from just before the write to just after the wait.
        public var latency: LatencySummary
        public var text: String {
            func fixed(_ value: Double) -> String { Quantity.fixed(value, 1) }
            return "CPU \(cpu) woken by CPU \(from) \(count) times: p50 \(fixed(latency.p50)) us, p90 \(fixed(latency.p90)) us, p99 \(fixed(latency.p99)) us, max \(fixed(latency.most)) us"
        }
    }

    /// Measures wakes.
    /// - Parameters:
    ///   - from: the CPU that spins for `pause` and then writes.
    ///   - cpu: the CPU that waits.
    ///   - count: how many wakes are measured.
    ///   - pause: nanoseconds between two wakes.
    /// - Throws: `RunError` if the CPUs cannot be used.
    public static func measure(from: Int, cpu: Int, count: Int, pause: UInt64) throws -> Result {
        try Pinned.check([from, cpu])
        guard from != cpu else { throw RunError("the two CPUs must differ: a thread that spins keeps the other from running") }
        let event = sluice_event_create()
        guard event >= 0 else { throw RunError("no eventfd: \(reason(event))") }
        defer { sluice_event_close(event) }
        let set = sluice_wait_set_open(event)
        guard set >= 0 else { throw RunError("no epoll set: \(reason(set))") }
        defer { sluice_wait_set_close(set) }
        let clock = LoopClock(origin: sluice_cycles(), hertz: sluice_cycles_per_second(sluice_instant_now()))
        let shared = Shared()
        let results = Pinned.run([from, cpu]) { this in
            if this == from { return write(event, clock, count, pause, shared) }
            wait(set, clock, shared)
            return []
        }
        guard let latency = LatencySummary(results[0]) else { throw RunError("the waiting thread was not woken") }
        return Result(from: from, cpu: cpu, count: count, latency: latency)
    }

    private final class Shared: Sendable {
        /// When the waiting thread woke up last.
        let woken = Atomic<UInt64>(0)
        let isOver = Atomic<Bool>(false)
    }

    private static func write(_ event: CInt, _ clock: LoopClock, _ count: Int, _ pause: UInt64, _ shared: Shared) -> [UInt64] {
        var counts = [UInt64](repeating: 0, count: LatencyBuckets.count)
        for _ in 0..<count {
            let rested = clock.nanoseconds(sluice_cycles()) &+ pause
            while clock.nanoseconds(sluice_cycles()) < rested { sluice_pause() }
            let sent = clock.nanoseconds(sluice_cycles())
            sluice_event_signal(event)
            var woken = shared.woken.load(ordering: .acquiring)
            while woken < sent {
                sluice_pause()
                woken = shared.woken.load(ordering: .acquiring)
            }
            counts[LatencyBuckets.index(woken &- sent)] += 1
        }
        shared.isOver.store(true, ordering: .releasing)
        sluice_event_signal(event)
        return counts
    }

    private static func wait(_ set: CInt, _ clock: LoopClock, _ shared: Shared) {
        sluice_wait_exactly()
        while !shared.isOver.load(ordering: .acquiring) {
            if sluice_wait(set, 100_000_000).by_event { shared.woken.store(clock.nanoseconds(sluice_cycles()), ordering: .releasing) }
        }
    }
}
