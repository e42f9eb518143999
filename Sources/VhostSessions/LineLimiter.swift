/// Lets at most 10 lines a second and 100 a minute through and counts the others, so that a frontend cannot fill the log.
package struct LineLimiter {
    private static let perSecond = 10, perMinute = 100
    private static let second: UInt64 = 1_000_000_000

    private var secondStart: UInt64 = 0, minuteStart: UInt64 = 0
    private var inSecond = 0, inMinute = 0
    package private(set) var suppressed = 0

    package init() {}

    /// Whether a line may be written now; nanoseconds of any clock that goes forward.
    package mutating func admits(_ now: UInt64) -> Bool {
        if now &- secondStart >= Self.second { (secondStart, inSecond) = (now, 0) }
        if now &- minuteStart >= 60 * Self.second { (minuteStart, inMinute) = (now, 0) }
        guard inSecond < Self.perSecond, inMinute < Self.perMinute else {
            suppressed += 1
            return false
        }
        inSecond += 1
        inMinute += 1
        return true
    }

    /// When lines will be let through again.
    package var again: UInt64 { inMinute < Self.perMinute ? secondStart + Self.second : minuteStart + 60 * Self.second }

    /// What is to be said about lines that were not written; nil: nothing, or not now.
    package mutating func summary(_ now: UInt64) -> String? {
        let count = suppressed
        guard count > 0, admits(now) else {
            suppressed = count
            return nil
        }
        suppressed = 0
        return "\(count) lines about this port were not written, as there were too many"
    }
}
