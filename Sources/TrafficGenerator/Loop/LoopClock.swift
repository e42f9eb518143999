/// Nanoseconds since the start of the run, by the time-stamp counter.
package struct LoopClock {
    package var origin: UInt64
    /// Nanoseconds per tick, in units of 2^-32.
    private var scale: UInt64

    package init(origin: UInt64, hertz: UInt64) {
        self.origin = origin
        scale = UInt64((1e9 / Double(hertz) * 4_294_967_296).rounded())
    }

    /// Nanoseconds between the origin and a value of the time-stamp counter.
    @_noLocks @inline(__always)
    package func nanoseconds(_ ticks: UInt64) -> UInt64 {
        let product = (ticks &- origin).multipliedFullWidth(by: scale)
        return product.high &<< 32 | product.low &>> 32
    }
}
