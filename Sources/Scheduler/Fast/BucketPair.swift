/// Floor and ceiling of a plain class as the two lanes of a vector, which are refilled and charged by the same few instructions without a branch. This must
/// equal `refillPlain` and `chargePlain`; `OracleTests` checks that.
extension UnsafeMutablePointer<ClassState> {
    /// Refills both buckets to `now`, which must be less than `Credit.shortTime` after the last refill, and charges them. Returns what is left: if a lane is
    /// negative, `endDebt` must be called.
    @_noLocks @inline(__always)
    func payShort(_ profile: UnsafePointer<ClassProfile>, _ cost: Int64, at now: Nanoseconds) -> SIMD2<Int64> {
        // Products of 32 by 32 bits, which are faster than those of 64 bits. Only the lower half of the time is read; the caller has made sure that the upper
        // half of the difference is 0.
        let time = UInt32(truncatingIfNeeded: now) &- UnsafeRawPointer(self).load(as: UInt32.self)
        let rates = profile.rates, times = SIMD2<UInt64>(truncatingIfNeeded: SIMD2<UInt32>(repeating: time))
        let low = (rates & 0xffff_ffff) &* times, high = (rates &>> 32) &* times
        let sum = tokens &+ SIMD2<Int64>(truncatingIfNeeded: low &+ high &<< 32)
        let full = profile.bursts
        let left = sum.replacing(with: full, where: sum .> full) &- SIMD2(repeating: cost)
        storeTokens(left, at: now)
        return left
    }

    @inline(__always)
    private var tokens: SIMD2<Int64> { @_noLocks get { UnsafeRawPointer(self).load(fromByteOffset: 16, as: SIMD2<Int64>.self) } }

    @_noLocks @inline(__always)
    private func storeTokens(_ tokens: SIMD2<Int64>, at now: Nanoseconds) {
        pointee.checkpoint = now
        UnsafeMutableRawPointer(self).storeBytes(of: tokens, toByteOffset: 16, as: SIMD2<Int64>.self)
    }
}

extension UnsafePointer<ClassProfile> {
    @inline(__always)
    fileprivate var rates: SIMD2<UInt64> { @_noLocks get { UnsafeRawPointer(self).load(as: SIMD2<UInt64>.self) } }

    @inline(__always)
    fileprivate var bursts: SIMD2<Int64> { @_noLocks get { UnsafeRawPointer(self).load(fromByteOffset: 16, as: SIMD2<Int64>.self) } }
}

extension SIMD2<Int64> {
    /// Whether a lane is negative.
    @inline(__always)
    var isInDebt: Bool { @_noLocks get { self & .min != .zero } }
}
