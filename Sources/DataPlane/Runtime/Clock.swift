import DPDKShim
import Scheduler

/// Converts the time-stamp counter into nanoseconds by one multiplication.
struct Clock {
    /// 2^60 * 10^9 / frequency.
    private let scale: UInt64
    private let frequency: UInt64

    /// - Parameter frequency: the frequency of the time-stamp counter in Hz; above 62.5 MHz.
    init(frequency: UInt64) {
        self.frequency = frequency
        scale = frequency.dividingFullWidth((1_000_000_000 >> 4, 1_000_000_000 << 60)).quotient
    }

    /// The cycles in a time of up to a second. It divides, so it is meant for set-up only.
    func cycles(_ nanoseconds: Nanoseconds) -> UInt64 { nanoseconds * frequency / 1_000_000_000 }

    @inline(__always) @_noLocks
    func nanoseconds(_ cycles: UInt64) -> Nanoseconds {
        let product = cycles.multipliedFullWidth(by: scale)
        return product.high &<< 4 | product.low &>> 60
    }
}
