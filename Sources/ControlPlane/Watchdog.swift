import Dispatch

/// Feeds the service manager's watchdog for as long as every poll loop takes turns. A loop that sleeps wakes ten times a second, so one that has taken no turn
/// over half the manager's interval hangs or is held; then the manager hears nothing, and starts the daemon again.
package final class Watchdog {
    private let queue = DispatchQueue(label: "watchdog")
    private let timer: any DispatchSourceTimer

    /// - Parameter turns: the number of turns that each poll loop has taken. It is called on a thread of the watchdog's own.
    /// - Returns: nil if the manager does not watch.
    package init?(_ manager: ServiceManager, turns: @escaping @Sendable () -> [UInt64]) {
        guard let interval = manager.watchdogInterval else { return nil }
        let half = DispatchTimeInterval.microseconds(Int(clamping: max(interval / 2, 1)))
        timer = DispatchSource.makeTimerSource(queue: queue)
        timer.schedule(deadline: .now() + half, repeating: half)
        // Only the timer's handler uses it, and that runs on one queue.
        nonisolated(unsafe) var pulse = Pulse()
        timer.setEventHandler {
            if pulse.beats(turns()) { manager.alive() } else { manager.retry() }
        }
        timer.resume()
    }

    /// Returns when `turns` is no longer used.
    package func end() {
        timer.cancel()
        queue.sync {}
    }
}

/// Whether all of some counters move.
package struct Pulse {
    private var last: [UInt64]?

    package init() {}

    /// - Returns: false if one of the counters is what it was at the last call.
    package mutating func beats(_ now: [UInt64]) -> Bool {
        defer { last = now }
        guard let last, last.count == now.count else { return true }
        return zip(last, now).allSatisfy { $0 != $1 }
    }
}
