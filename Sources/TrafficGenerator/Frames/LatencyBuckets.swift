/// A log-linear histogram of nanoseconds with the buckets of an HdrHistogram of two significant digits: 128 buckets an octave, so that a value is known to
/// within 1/128. Values from 2^40 ns (18 minutes) are counted in the last bucket.
public enum LatencyBuckets {
    package static var octave: Int { 128 }
    static var octaveBits: Int { 7 }
    public static var count: Int { (40 - octaveBits + 1) * octave }

    /// The bucket in which a number of nanoseconds is counted.
    @_noLocks @inline(__always)
    public static func index(_ value: UInt64) -> Int {
        if value < UInt64(octave) { return Int(truncatingIfNeeded: value) }
        let exponent = 63 &- value.leadingZeroBitCount
        if exponent >= 40 { return count &- 1 }
        let shift = UInt64(truncatingIfNeeded: exponent &- octaveBits)
        return (exponent &- octaveBits) &* octave &+ Int(truncatingIfNeeded: value &>> shift)
    }

    /// The middle of a bucket, in nanoseconds.
    public static func value(_ index: Int) -> UInt64 {
        if index < 2 * octave { return UInt64(index) }
        let shift = index / octave - 1
        return (UInt64(index % octave + octave) << UInt64(shift)) + (1 << UInt64(shift)) / 2
    }

    /// The largest value that is counted in a bucket, in nanoseconds.
    public static func upperBound(_ index: Int) -> UInt64 {
        if index < 2 * octave { return UInt64(index) }
        let shift = UInt64(index / octave - 1)
        return (UInt64(index % octave + octave + 1) << shift) - 1
    }

    /// The value below which the given fraction of all counted values lies, in nanoseconds; nil: nothing was counted.
    public static func percentile(_ counts: UnsafePointer<UInt64>, _ fraction: Double) -> UInt64? {
        var total: UInt64 = 0
        for index in 0..<count { total += counts[index] }
        guard total > 0 else { return nil }
        let rank = max(1, UInt64((Double(total) * fraction).rounded(.up)))
        var seen: UInt64 = 0
        for index in 0..<count {
            seen += counts[index]
            if seen >= rank { return value(index) }
        }
        return value(count - 1)
    }
}
