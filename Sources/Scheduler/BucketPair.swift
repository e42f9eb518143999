/// Floor and ceiling of a plain class as two lanes of one vector: brought up to date and charged by the same few instructions, without a branch.
extension UnsafeMutablePointer<ClassState> {
    /// Brings both buckets up to `now`, less than `Credit.shortTime` after they were last, and charges them. What is left: if that is negative in a
    /// lane, `endDebt` must follow.
    @_noLocks @inline(__always)
    func payShort(_ cost: Int64, at now: Nanoseconds) -> SIMD2<Int64> {
        let raw = UnsafeMutableRawPointer(self)
        let tokens = raw.load(fromByteOffset: 16, as: SIMD2<Int64>.self)
        let rates = raw.load(fromByteOffset: 32, as: SIMD2<UInt64>.self)
        let bursts = raw.load(fromByteOffset: 48, as: SIMD2<UInt32>.self)
        // Products of 32 by 32 bits: those of 64 would take longer.
        let time = SIMD2<UInt64>(truncatingIfNeeded: SIMD2<UInt32>(repeating: UInt32(truncatingIfNeeded: now &- pointee.checkpoint)))
        let low = (rates & 0xffff_ffff) &* time, high = (rates &>> 32) &* time
        let sum = tokens &+ SIMD2<Int64>(truncatingIfNeeded: low &+ high &<< 32)
        let full = SIMD2<Int64>(truncatingIfNeeded: bursts) &* Credit.perByte
        let left = sum.replacing(with: full, where: sum .> full) &- SIMD2(repeating: cost)
        raw.storeBytes(of: now, as: UInt64.self)
        raw.storeBytes(of: left, toByteOffset: 16, as: SIMD2<Int64>.self)
        return left
    }
}

extension SIMD2<Int64> {
    /// A lane is negative.
    @inline(__always)
    var isInDebt: Bool { @_noLocks get { self & .min != .zero } }
}
