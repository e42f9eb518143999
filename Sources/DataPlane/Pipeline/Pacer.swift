import Scheduler

/// Holds a guest's outbound traffic to `average`, `peak` and `burst` by polling its rings only when the rate allows it. This is back-pressure, so no frame is
/// lost. The buckets may go into debt by up to one burst of frames, for which later polls wait, so the long-run rate is exact.
package struct Pacer {
    /// Average rate in bit/s; 0: the guest is not paced.
    package private(set) var average: UInt64 = 0
    /// Peak rate in bit/s; 0: there is none.
    package private(set) var peak: UInt64 = 0
    /// The credit of the average's bucket in units of 10^-9 bit, so that nanoseconds times bit/s needs no division and loses no remainder.
    private var credit: Int64 = 0
    private var peakCredit: Int64 = 0
    private var burst: Int64 = 0
    private var peakBurst: Int64 = 0
    private var last: Nanoseconds = 0
    /// Nanoseconds after which the buckets are full, whatever they held.
    private var fillTime: UInt64 = 0
    private var peakFillTime: UInt64 = 0

    /// The units of credit in one byte.
    private static let unit: Int64 = 8_000_000_000
    /// The deepest debt that one poll can cause: a burst of the largest frames.
    private static let debt = Int64(burstSize * 9_100) * unit

    package init() {}

    /// The rates that a guest is held to.
    package struct Rates: BitwiseCopyable {
        /// Average rate in bit/s; 0: the guest is not paced.
        package var average: UInt64
        /// Peak rate in bit/s; 0: there is none.
        package var peak: UInt64
        /// Burst in bytes, at most 2^29.
        package var burst: UInt64

        package init(average: UInt64, peak: UInt64, burst: UInt64) {
            self.average = average
            self.peak = peak
            self.burst = burst
        }
    }

    /// Sets new rates. If the guest was already paced, the credit is kept, as far as the new buckets hold it.
    @_noLocks
    package mutating func set(_ rates: Rates, now: Nanoseconds) {
        let begins = average == 0
        average = rates.average
        peak = rates.peak
        burst = Int64(min(rates.burst, 1 << 29)) * Self.unit
        // The peak's bucket holds what the peak rate earns in 100 us, but at least two of the largest frames.
        peakBurst = max(Int64(min(peak / 80_000, 1 << 29)), 18_200) * Self.unit
        fillTime = average == 0 ? 0 : UInt64(burst + Self.debt) / average + 1
        peakFillTime = peak == 0 ? 0 : UInt64(peakBurst + Self.debt) / peak + 1
        if begins { credit = burst; peakCredit = peakBurst; last = now }
        credit = min(credit, burst)
        peakCredit = min(peakCredit, peakBurst)
    }

    /// How many frames may be polled now; 0: none yet.
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
        // One frame for about every 2^44 units of credit, which are 2199 bytes: the debt stays near the length of one frame, and no division is needed.
        return min(burstSize, Int(least &>> 44) &+ 1)
    }

    /// The time when frames may be polled again; `.max` if they could be polled already at the last call of `allowance`. It divides, so only a loop that is
    /// about to sleep should ask.
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
