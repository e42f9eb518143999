import Foundation

/// How long the threads of processes ran and waited for a CPU (proc(5), schedstat), in nanoseconds.
package struct ThreadTimes: Equatable, Sendable {
    /// Nanoseconds for which a thread ran, and for which it was ready and waited.
    package struct Times: Equatable, Sendable {
        package var ran: UInt64
        package var waited: UInt64
        package init(ran: UInt64, waited: UInt64) { self.ran = ran; self.waited = waited }
    }
    package var threads: [Int32: Times]

    package init(_ threads: [Int32: Times]) { self.threads = threads }

    /// The times of all threads of these processes. Processes that are gone have no threads.
    init(of processes: [Int32]) {
        threads = [:]
        for process in processes {
            for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? [] {
                guard let thread = Int32(name), let text = try? String(contentsOfFile: "/proc/\(process)/task/\(name)/schedstat", encoding: .utf8) else { continue }
                threads[thread] = Self.times(text)
            }
        }
    }

    /// The times in the text of a schedstat file; nil: it is none.
    package static func times(_ schedstat: String) -> Times? {
        let fields = schedstat.split(separator: " ").compactMap { UInt64($0.filter(\.isNumber)) }
        return fields.count >= 2 ? Times(ran: fields[0], waited: fields[1]) : nil
    }

    /// The share of `elapsed` in which a poll loop was ready while others ran. Threads that wanted a CPU for most of the time count as poll loops, and the one
    /// that waited longest decides. Threads that only wake now and then may wait, as they share the generator's CPU.
    package func disturbance(since earlier: ThreadTimes, elapsed: UInt64) -> Double {
        guard elapsed > 0 else { return 0 }
        var most: UInt64 = 0
        for (thread, times) in threads {
            let before = earlier.threads[thread] ?? Times(ran: 0, waited: 0)
            let ran = times.ran &- before.ran, waited = times.waited &- before.waited
            if ran &+ waited > elapsed / 2, waited <= elapsed { most = max(most, waited) }
        }
        return Double(most) / Double(elapsed)
    }
}
