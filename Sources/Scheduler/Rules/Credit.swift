/// Exact token arithmetic. The unit of credit is so small that time multiplied by rate is a whole number, so nothing is rounded and nothing drifts.
enum Credit {
    /// Cost of a byte in nanobits.
    @inline(__always) static var perByte: Int64 { @_noLocks get { 8_000_000_000 } }
    /// Cost of a packet in billionths of a packet.
    @inline(__always) static var perPacket: Int64 { @_noLocks get { 1_000_000_000 } }
    /// Greatest depth of a bucket in bytes; it corresponds to 2^62 nanobits.
    @inline(__always) static var mostBytes: UInt64 { @_noLocks get { 576_460_752 } }
    /// Debt does not grow beyond this (288 MB), so that sums fit in 64 bits. It gets this far only if floors are promised that cannot be met.
    @inline(__always) static var mostDebt: Int64 { @_noLocks get { -(1 << 61) } }
    /// Rates from here on count as unlimited.
    @inline(__always) static var endlessRate: UInt64 { @_noLocks get { 1 << 42 } }

    /// Tokens in a full bucket of the greatest depth.
    @inline(__always) static var endless: Int64 { @_noLocks get { 576_460_752 * 8_000_000_000 } }
    /// Limits for arithmetic in 64 bits: what a rate of up to 2^37 bit/s earns in less than 2^25 ns fits in 62 bits, and with the bucket's tokens in 63.
    @inline(__always) static var mostShortRate: UInt64 { @_noLocks get { 1 << 37 } }
    @inline(__always) static var shortTime: Nanoseconds { @_noLocks get { 1 << 25 } }

    /// Tokens after another `elapsed` ns at `rate`, but no more than `burst`. Requires tokens <= burst.
    @_noLocks @inline(__always)
    static func refilled(_ tokens: Int64, rate: UInt64, elapsed: Nanoseconds, burst: Int64) -> Int64 {
        let earned = rate.multipliedFullWidth(by: elapsed)
        let room = UInt64(bitPattern: burst &- tokens)
        return earned.high != 0 || earned.low >= room ? burst : tokens &+ Int64(bitPattern: earned.low)
    }

    @_noLocks @inline(__always)
    static func charged(_ tokens: Int64, _ cost: Int64) -> Int64 {
        let rest = tokens &- cost
        return rest < mostDebt ? mostDebt : rest
    }

    /// Least time in ns after which the tokens are no longer negative: -tokens / rate, rounded up.
    @_noLocks @inline(__always)
    static func wait(_ tokens: Int64, rate: UInt64, reciprocal: UInt64) -> Nanoseconds {
        guard tokens < 0 else { return 0 }
        let debt = UInt64(bitPattern: 0 &- tokens)
        // The estimate is at most 2 too small, because the reciprocal is less than 1 too small and the debt is below 2^64.
        var time = debt.multipliedFullWidth(by: reciprocal).high
        while time &* rate < debt { time &+= 1 }
        return time
    }

    /// Depth in bytes of a bucket for `bytes`. It holds at least what a nanosecond earns: time is counted in whole nanoseconds, and what is earned between the
    /// moment when a frame was due and the end of that nanosecond must not be lost.
    @_noLocks
    static func depth(_ bytes: UInt64, rate: UInt64) -> UInt32 {
        UInt32(min(max(bytes, min(rate, endlessRate) / 8_000_000_000 + 1), mostBytes))
    }

    @_noLocks
    static func reciprocal(_ rate: UInt64) -> UInt64 { rate == 0 ? 0 : UInt64.max / rate }
}
