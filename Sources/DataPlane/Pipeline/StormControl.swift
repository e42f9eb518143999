import Scheduler
import Synchronization

/// How much of one kind a port lets in.
package struct StormLimit: Equatable, Sendable {
    /// Packets or bits per second; 0: no limit.
    package var rate: UInt64 = 0
    package var countsBits = false

    package init(rate: UInt64 = 0, countsBits: Bool = false) {
        self.rate = rate
        self.countsBits = countsBits
    }

    /// How long frames of `bytes` together take at the rate, in sixteenths of a nanosecond.
    @inline(__always) @_noLocks
    func duration(frames: Int, bytes: UInt64) -> UInt64 {
        let units = countsBits ? bytes &* 8 : UInt64(truncatingIfNeeded: frames)
        return units &* 16_000_000_000 / max(rate, 1)
    }
}

/// Limits of a port that has some.
package struct PortLimits: Equatable, Sendable {
    package var broadcast = StormLimit()
    package var multicast = StormLimit()
    package var unknown = StormLimit()
    /// Most addresses learned behind it.
    package var addresses = Int.max

    package init() {}
}

/// Token buckets of a port for what is flooded, one a kind, which all poll loops take from. Each is the time until which what was let in lasts at the limit's
/// rate (the generic cell rate algorithm, ITU-T I.371): one word, so that it needs no lock. Nobody touches them where there is no limit.
struct StormBuckets: ~Copyable {
    /// Sixteenths of a nanosecond.
    let broadcast = Atomic<UInt64>(0)
    let multicast = Atomic<UInt64>(0)
    let unknown = Atomic<UInt64>(0)

    /// What may come at once: what the rate gives in 100 ms.
    @inline(__always) static var depth: UInt64 { @_noLocks get { 1_600_000_000 } }

    /// Takes what a run of frames needs, all or nothing. What is there may be exceeded by one run, which later ones wait for.
    @inline(never) @_noLocks
    static func take(from bucket: borrowing Atomic<UInt64>, _ limit: StormLimit, frames: Int, bytes: UInt64, at now: Nanoseconds) -> Bool {
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
