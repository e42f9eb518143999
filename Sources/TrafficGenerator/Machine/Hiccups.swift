import DPDKShim
import Foundation

/// Measures the machine itself, with threads that do nothing but read the clock, and the gaps between readings. Every switch that polls loses what a spinning
/// thread loses here: no percentile of its latency can be better than the share of time that the machine takes away (after G. Tene's jHiccup).
public enum Hiccups {
    /// What one CPU lost.
    public struct Result: Codable, Sendable {
        public var cpu: Int
        public var seconds: Double
        /// The least length of a gap that counts, in microseconds.
        public var boundMicroseconds: Double
        public var gaps: StallSummary

        public var text: String {
            "CPU \(cpu): lost \(gaps.text), in gaps of \(Quantity.fixed(boundMicroseconds, 0)) us and more in \(Quantity.fixed(seconds, 1)) s"
        }
    }

    /// Spins on all of these CPUs at once.
    /// - Parameter bound: the least length of a gap that counts, in nanoseconds.
    /// - Throws: `RunError` if the process may not use one of the CPUs.
    public static func measure(cpus: [Int], seconds: Double, bound: UInt64) throws -> [Result] {
        try Pinned.check(cpus)
        let before = sluice_instant_now()
        let hertz = sluice_cycles_per_second(before)
        let length = UInt64(seconds * Double(hertz))
        let results = Pinned.run(cpus) { cpu in spin(length, LoopClock(origin: sluice_cycles(), hertz: hertz), bound) }
        return zip(cpus, results).map { Result(cpu: $0, seconds: seconds, boundMicroseconds: Double(bound) / 1e3, gaps: $1) }
    }

    private static func spin(_ length: UInt64, _ clock: LoopClock, _ bound: UInt64) -> StallSummary {
        var (count, total, longest, last) = (UInt64(0), UInt64(0), UInt64(0), UInt64(0))
        let end = clock.nanoseconds(clock.origin &+ length)
        while last < end {
            let now = clock.nanoseconds(sluice_cycles())
            let gap = now &- last
            if gap >= bound {
                count += 1
                total += gap
                longest = max(longest, gap)
            }
            last = now
            sluice_pause()
        }
        return StallSummary(count: count, nanoseconds: total, longest: longest, of: last)
    }
}

/// Runs threads that are pinned to CPUs of their own.
enum Pinned {
    static func check(_ cpus: [Int]) throws {
        let allowed = Environment.allowedCPUs()
        guard let wrong = cpus.first(where: { !allowed.contains($0) }) else { return }
        throw RunError("CPU \(wrong) is not among those this process may use (\(allowed.map(String.init).joined(separator: ", ")))")
    }

    /// Runs `body` on all of these CPUs at once, and returns the results in the order of `cpus`.
    static func run<Value: Sendable>(_ cpus: [Int], _ body: @escaping @Sendable (Int) -> Value) -> [Value] {
        let group = DispatchGroup()
        let results = Results<Value>()
        for (index, cpu) in cpus.enumerated() {
            group.enter()
            Thread.detachNewThread {
                _ = sluice_generator_pin(CInt(cpu))
                results.set(index, body(cpu))
                group.leave()
            }
        }
        group.wait()
        return results.all
    }

    private final class Results<Value: Sendable>: @unchecked Sendable {
        private let lock = NSLock()
        private var values: [Int: Value] = [:]
        func set(_ index: Int, _ value: Value) { lock.withLock { values[index] = value } }
        var all: [Value] { lock.withLock { values.sorted { $0.key < $1.key }.map(\.value) } }
    }
}
