/// Floor and ceiling of a plain class as two lanes of one vector: brought up to date and charged by the same few instructions, without a branch. Must equal
/// `refillPlain` and `chargePlain`; `OracleTests` holds it to that.
extension UnsafeMutablePointer<ClassState> {
    /// Brings both buckets up to `now`, less than `Credit.shortTime` after they were last, and charges them. What is left: if that is negative in a
    /// lane, `endDebt` must follow.
    @_noLocks @inline(__always)
    func payShort(_ profile: UnsafePointer<ClassProfile>, _ cost: Int64, at now: Nanoseconds) -> SIMD2<Int64> {
        // Products of 32 by 32 bits, as those of 64 would take longer; that the upper half of the time is 0 is told by what is read of it.
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
    /// A lane is negative.
    @inline(__always)
    var isInDebt: Bool { @_noLocks get { self & .min != .zero } }
}
