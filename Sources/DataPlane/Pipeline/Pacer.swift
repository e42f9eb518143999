import Scheduler

/// Holds a guest's outbound traffic to `average`, `peak` and `burst` by polling its rings no sooner than that: back-pressure that loses
/// nothing. The buckets may go into debt by one burst of frames, which later polls wait for, so the long-run rate is exact.
package struct Pacer {
    /// bit/s; 0: not paced.
    package private(set) var average: UInt64 = 0
    /// bit/s; 0: none.
    package private(set) var peak: UInt64 = 0
    /// Credit in 10^-9 bit, so that nanoseconds times bit/s needs no division and loses no remainder.
    private var credit: Int64 = 0
    private var peakCredit: Int64 = 0
    private var burst: Int64 = 0
    private var peakBurst: Int64 = 0
    private var last: Nanoseconds = 0
    /// Times after which the buckets are full whatever they held.
    private var fillTime: UInt64 = 0
    private var peakFillTime: UInt64 = 0

    /// 10^-9 bit a byte.
    private static let unit: Int64 = 8_000_000_000
    /// The deepest debt one poll can make: a burst of the largest frames.
    private static let debt = Int64(burstSize * 9_100) * unit

    package init() {}

    /// What a guest is held to.
    package struct Rates: BitwiseCopyable {
        /// bit/s; 0: not paced.
        package var average: UInt64
        /// bit/s; 0: none.
        package var peak: UInt64
        /// Bytes, at most 2^29.
        package var burst: UInt64

        package init(average: UInt64, peak: UInt64, burst: UInt64) {
            self.average = average
            self.peak = peak
            self.burst = burst
        }
    }

    /// Keeps the credit where the pace only changes.
    @_noLocks
    package mutating func set(_ rates: Rates, now: Nanoseconds) {
        let begins = average == 0
        average = rates.average
        peak = rates.peak
        burst = Int64(min(rates.burst, 1 << 29)) * Self.unit
        // The peak's bucket holds what it earns in 100 us, and two of the largest frames at least.
        peakBurst = max(Int64(min(peak / 80_000, 1 << 29)), 18_200) * Self.unit
        fillTime = average == 0 ? 0 : UInt64(burst + Self.debt) / average + 1
        peakFillTime = peak == 0 ? 0 : UInt64(peakBurst + Self.debt) / peak + 1
        if begins { credit = burst; peakCredit = peakBurst; last = now }
        credit = min(credit, burst)
        peakCredit = min(peakCredit, peakBurst)
    }

    /// Frames that may be polled now; 0: not yet.
    @inline(__always) @_noLocks
    package mutating func allowance(at now: Nanoseconds) -> Int {
        if average == 0 { return burstSize }
        let elapsed = now &- last
        last = now
        credit = elapsed >= fillTime ? burst : min(burst, credit &+ Int64(truncatingIfNeeded: elapsed &* average))
        var least = credit
        if peak != 0 {
            peakCredit = elapsed >= peakFillTime ? peakBurst : min(peakBurst, peakCredit &+ Int64(truncatingIfNeeded: elapsed &* peak))
            least = min(least, peakCredit)
        }
        if least <= 0 { return 0 }
        // About one frame for each 2^44 units, 2199 bytes, of credit: the debt stays near a frame, without a division.
        return min(burstSize, Int(least &>> 44) &+ 1)
    }

    /// When frames may be polled again; `.max`: they may now, as far as was known when it was last asked. Divides, so it is for who sleeps.
    package var nextAllowance: Nanoseconds {
        @_noLocks get {
            if average == 0 { return .max }
            var wait: UInt64 = 0
            if credit <= 0 { wait = UInt64(bitPattern: 0 &- credit) / average &+ 1 }
            if peak != 0 && peakCredit <= 0 { wait = max(wait, UInt64(bitPattern: 0 &- peakCredit) / peak &+ 1) }
            return wait == 0 ? .max : last &+ wait
        }
    }

    @inline(__always) @_noLocks
    package mutating func charge(bytes: UInt64) {
        if average == 0 { return }
        let cost = Int64(truncatingIfNeeded: bytes) &* Self.unit
        credit &-= cost
        peakCredit &-= cost
    }
}
