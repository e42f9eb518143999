import Scheduler
import Synchronization

/// How much of one kind of flooded traffic a port lets in.
package struct StormLimit: Equatable, Sendable {
    /// The rate in packets per second, or in bits per second if `countsBits`; 0: there is no limit.
    package var rate: UInt64 = 0
    package var countsBits = false

    package init(rate: UInt64 = 0, countsBits: Bool = false) {
        self.rate = rate
        self.countsBits = countsBits
    }

    /// How long frames with `bytes` bytes in total take at this rate, in sixteenths of a nanosecond.
    @inline(__always) @_noLocks
    func duration(frames: Int, bytes: UInt64) -> UInt64 {
        let units = countsBits ? bytes &* 8 : UInt64(truncatingIfNeeded: frames)
        return units &* 16_000_000_000 / max(rate, 1)
    }
}

/// The limits of a port that has at least one.
package struct PortLimits: Equatable, Sendable {
    package var broadcast = StormLimit()
    package var multicast = StormLimit()
    package var unknown = StormLimit()
    /// The largest number of addresses that may be learned behind the port.
    package var addresses = Int.max

    package init() {}
}

/// A port's token buckets for flooded traffic, one for each kind, which all poll loops share. Each bucket is the time until which the traffic that was let in
/// lasts at the limit's rate (the generic cell rate algorithm, ITU-T I.371). This is a single word, so it needs no lock. A bucket without a limit is never
/// accessed.
struct StormBuckets: ~Copyable {
    /// Times in sixteenths of a nanosecond.
    let broadcast = Atomic<UInt64>(0)
    let multicast = Atomic<UInt64>(0)
    let unknown = Atomic<UInt64>(0)

    /// How much may come at once, expressed as time: what the rate provides in 100 ms.
    @inline(__always) static var depth: UInt64 { @_noLocks get { 1_600_000_000 } }

    /// Takes from the bucket what a run of frames needs, all or nothing. One run may exceed what is left; later runs then have to wait.
    @inline(never) @_noLocks
    static func consume(from bucket: borrowing Atomic<UInt64>, _ limit: StormLimit, frames: Int, bytes: UInt64, at now: Nanoseconds) -> Bool {
        if limit.rate == 0 { return true }
        let time = now &<< 4, duration = limit.duration(frames: frames, bytes: bytes)
        var until = bucket.load(ordering: .relaxed)
        while true {
            let start = Int64(bitPattern: until &- time) > 0 ? until : time
            if start &- time > depth { return false }
            let result = bucket.compareExchange(
                expected: until, desired: start &+ duration, successOrdering: .relaxed, failureOrdering: .relaxed)
            if result.exchanged { return true }
            until = result.original
        }
    }
}
