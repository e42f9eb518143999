import Scheduler

/// How long an adaptive loop that finds nothing turns on before it sleeps. Pure: times are cycles, and it reads no clock.
///
/// It is as long as the loop had been awake and busy, within limits. So it burns at most about as much as it worked: a lonely frame costs little, and a
/// gap in steady traffic, such as a sender's that lost its CPU for a while, does not cost a wake. Where sleeps prove short the least of it grows.
package struct BackOff {
    /// Least time without work after which the loop blocks, and the most that it grows to where sleeps prove short.
    package static var shortestSpin: Nanoseconds { 50_000 }
    package static var longestSpin: Nanoseconds { 800_000 }
    /// The most where the loop had been busy for as long.
    package static var busySpin: Nanoseconds { 2_000_000 }
    /// Traffic that ends a sleep sooner than this had better been spun for; later than this it did not matter.
    package static var shortSleep: Nanoseconds { 100_000 }
    package static var longSleep: Nanoseconds { 5_000_000 }

    // The same in cycles.
    private let shortestSpin: UInt64
    private let longestSpin: UInt64
    private let busySpin: UInt64
    private let shortSleep: UInt64
    private let longSleep: UInt64
    /// The least that it turns without work.
    private var spin: UInt64
    /// When there was work last, and when the loop woke last, or began.
    private var lastWork: UInt64 = 0
    private var awakeSince: UInt64 = 0

    /// - Parameter cycles: of so many nanoseconds.
    package init(_ cycles: (Nanoseconds) -> UInt64) {
        shortestSpin = cycles(Self.shortestSpin)
        longestSpin = cycles(Self.longestSpin)
        busySpin = cycles(Self.busySpin)
        shortSleep = cycles(Self.shortSleep)
        longSleep = cycles(Self.longSleep)
        spin = shortestSpin
    }

    @inline(__always) @_noLocks
    package mutating func noteWork(at cycles: UInt64) { lastWork = cycles }

    /// Time without work.
    @inline(__always) @_noLocks
    package func idle(at cycles: UInt64) -> UInt64 { cycles &- lastWork }

    /// Whether to turn on after so much time without work.
    @inline(__always) @_noLocks
    package func isPatient(after idle: UInt64) -> Bool {
        // Woken for nothing, it has done no work since.
        idle < max(spin, lastWork > awakeSince ? min(lastWork &- awakeSince, busySpin) : 0)
    }

    /// Pauses of the processor before the next look: the longer there was nothing, the more.
    @inline(__always) @_noLocks
    package static func pauses(after idle: UInt64) -> UInt64 { min(idle &>> 13, 16) &+ 1 }

    /// A sleep ended: turns longer where sleeps prove short, and shorter again where they prove long.
    @_noLocks
    package mutating func noteWake(at cycles: UInt64, slept: UInt64, byTraffic: Bool) {
        awakeSince = cycles
        guard byTraffic else { return }
        // Turns that find nothing yet go on for a while: a device tells of a frame before its driver gives it out.
        lastWork = cycles
        if slept < shortSleep {
            spin = min(spin &* 2, longestSpin)
        } else if slept > longSleep {
            spin = max(spin &>> 1, shortestSpin)
        }
    }
}
