import Scheduler

/// How long an adaptive loop that finds nothing keeps polling before it sleeps. Times are given in cycles, and no clock is read.
///
/// The loop keeps polling for as long as it had been awake and busy, within limits. So it wastes at most about as much time as it worked: a single frame costs
/// little, and a gap in steady traffic, such as when the sender loses its CPU for a while, does not lead to a sleep. The lower limit grows while sleeps turn
/// out short.
package struct BackOff {
    /// The lower limit: the shortest time without work after which the loop blocks, and the longest to which this grows while sleeps turn out short. In ns.
    package static var shortestSpin: Nanoseconds { 50_000 }
    package static var longestSpin: Nanoseconds { 800_000 }
    /// The upper limit for a loop that had been busy for as long, in ns.
    package static var busySpin: Nanoseconds { 2_000_000 }
    /// A sleep that traffic ends sooner than the first of these, in ns, would better have been spent polling; one that lasts longer than the second was right.
    package static var shortSleep: Nanoseconds { 100_000 }
    package static var longSleep: Nanoseconds { 5_000_000 }

    // The same times in cycles.
    private let shortestSpin: UInt64
    private let longestSpin: UInt64
    private let busySpin: UInt64
    private let shortSleep: UInt64
    private let longSleep: UInt64
    /// The present lower limit.
    private var spin: UInt64
    /// When there was work for the last time, and when the loop last woke up or began.
    private var lastWork: UInt64 = 0
    private var awakeSince: UInt64 = 0

    /// - Parameter cycles: gives the cycles in a number of nanoseconds.
    package init(_ cycles: (Nanoseconds) -> UInt64) {
        shortestSpin = cycles(Self.shortestSpin)
        longestSpin = cycles(Self.longestSpin)
        busySpin = cycles(Self.busySpin)
        shortSleep = cycles(Self.shortSleep)
        longSleep = cycles(Self.longSleep)
        spin = shortestSpin
    }

    /// Records that there was work.
    @inline(__always) @_noLocks
    package mutating func noteWork(at cycles: UInt64) { lastWork = cycles }

    /// The time since there was work.
    @inline(__always) @_noLocks
    package func idle(at cycles: UInt64) -> UInt64 { cycles &- lastWork }

    /// Whether to keep polling after that much time without work.
    @inline(__always) @_noLocks
    package func isPatient(after idle: UInt64) -> Bool {
        // A loop that was woken for nothing has done no work since, so only the lower limit applies.
        idle < max(spin, lastWork > awakeSince ? min(lastWork &- awakeSince, busySpin) : 0)
    }

    /// How many pauses of the processor come before the next turn: the longer there was nothing to do, the more.
    @inline(__always) @_noLocks
    package static func pauses(after idle: UInt64) -> UInt64 { min(idle &>> 13, 16) &+ 1 }

    /// Records that a sleep has ended. The lower limit grows if the sleep was short, and shrinks if it was long.
    @_noLocks
    package mutating func noteWake(at cycles: UInt64, slept: UInt64, byTraffic: Bool) {
        awakeSince = cycles
        guard byTraffic else { return }
        // The time without work is counted from here, so that the loop keeps polling for a while even if it finds nothing yet: a device announces a frame
        // before its driver returns it.
        lastWork = cycles
        if slept < shortSleep {
            spin = min(spin &* 2, longestSpin)
        } else if slept > longSleep {
            spin = max(spin &>> 1, shortestSpin)
        }
    }
}
