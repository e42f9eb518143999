/// Follows the pauses that the switch at the other end of a link asks for, and ends those that last too long.
///
/// A pause lasts as long as the frame that asked for it said, counted from when the frame was received (IEEE 802.3, 31B.2 and 31D). A priority that is paused
/// without a break for `longestPause` is in a storm: a device at the other end does not drain, and would stop everything behind it. It is paused no longer, and
/// frames that ask for it are ignored until none has for `recovery`.
public struct PauseReceiver: Equatable, Sendable, BitwiseCopyable {
    /// For each priority, until when it is paused, in ns.
    public private(set) var until = SIMD8<UInt64>(repeating: 0)
    /// For each priority, since when it has been paused without a break.
    private var since = SIMD8<UInt64>(repeating: 0)
    /// For each priority, when a pause was asked for last.
    private var asked = SIMD8<UInt64>(repeating: 0)
    /// The priorities in a storm, a bit for each.
    public private(set) var storming: UInt8 = 0

    // The following only grow.
    /// How often each priority was asked to pause, and how long it was paused, in ns.
    public private(set) var pauses = SIMD8<UInt64>(repeating: 0)
    public private(set) var pausedTime = SIMD8<UInt64>(repeating: 0)
    /// How many storms each priority has had.
    public private(set) var storms = SIMD8<UInt64>(repeating: 0)
    /// Frames that were about no priority that may be paused, and all others.
    public private(set) var ignored: UInt64 = 0
    public private(set) var frames: UInt64 = 0

    @_noLocks
    public init() {}

    /// The longest pause without a break: 200 ms.
    @inline(__always) public static var longestPause: UInt64 { @_noLocks get { 200_000_000 } }
    /// For how long nobody must have asked before a priority that was in a storm may be paused again.
    @inline(__always) public static var recovery: UInt64 { @_noLocks get { 200_000_000 } }

    /// Takes a frame that was received at `now`.
    ///
    /// - Parameters:
    ///   - enabled: the priorities that may be paused, a bit for each. If there are none, PAUSE stops all; otherwise it is ignored, as a link has one or the
    ///     other.
    ///   - speed: the link's speed in Mbit/s.
    @_noLocks
    public mutating func receive(_ frame: PauseFrame, enabled: UInt8, speed: UInt32, at now: UInt64) {
        let concerned = frame.isByPriority ? frame.priorities & enabled : enabled == 0 ? 0xff : 0
        if concerned == 0 {
            ignored &+= 1
            return
        }
        frames &+= 1
        for index in 0..<8 where concerned &>> UInt8(truncatingIfNeeded: index) & 1 != 0 {
            let quanta = frame.quanta[index]
            if quanta == 0 { resume(index, at: now) } else { pause(index, Self.time(quanta: quanta, speed: speed), at: now) }
        }
    }

    /// How long a number of quanta lasts, in ns.
    @_noLocks
    public static func time(quanta: UInt16, speed: UInt32) -> UInt64 { UInt64(quanta) &* 512_000 / UInt64(max(speed, 1)) }

    @_noLocks
    private mutating func pause(_ index: Int, _ time: UInt64, at now: UInt64) {
        let bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: index)
        pauses[index] &+= 1
        endIfLong(index, at: now)
        if storming & bit != 0 {
            let isOver = now &- asked[index] >= Self.recovery
            asked[index] = now
            if !isOver { return }
            storming &= ~bit
        }
        asked[index] = now
        if until[index] <= now { since[index] = now }
        let end = min(now &+ time, since[index] &+ Self.longestPause)
        pausedTime[index] &+= end &- max(min(until[index], end), now)
        until[index] = end
    }

    @_noLocks
    private mutating func resume(_ index: Int, at now: UInt64) {
        if until[index] > now {
            pausedTime[index] &-= until[index] &- now
            until[index] = now
        }
    }

    /// Declares a storm if a priority has been paused for as long as it may.
    @_noLocks
    private mutating func endIfLong(_ index: Int, at now: UInt64) {
        guard until[index] != 0, until[index] == since[index] &+ Self.longestPause, now >= until[index] else { return }
        storming |= 1 &<< UInt8(truncatingIfNeeded: index)
        storms[index] &+= 1
        asked[index] = until[index]
        until[index] = 0
    }

    /// Declares storms of pauses that have lasted too long, and ends storms that are over. The next frame does the same, so this is for those who want to know
    /// before that.
    @_noLocks
    public mutating func watch(at now: UInt64) {
        for index in 0..<8 {
            let bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: index)
            endIfLong(index, at: now)
            if storming & bit != 0, now > asked[index], now &- asked[index] >= Self.recovery { storming &= ~bit }
        }
    }

    /// The priorities that are paused at `now`, a bit for each.
    @_noLocks
    public func paused(at now: UInt64) -> UInt8 {
        var bits: UInt8 = 0
        for index in 0..<8 where until[index] > now { bits |= 1 &<< UInt8(truncatingIfNeeded: index) }
        return bits
    }
}
