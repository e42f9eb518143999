/// Decides when a port asks the switch at the other end to pause, and remembers what it has asked for. Which priorities are to be paused is for the caller to
/// say.
///
/// A pause lasts for the longest time that a frame can ask for. If it is wanted for longer, it is asked for again after half of that time, so that one frame
/// that is lost does no harm. If it is wanted no longer, the other end is told to go on at once (IEEE 802.1Qbb; IEEE 802.3, 31B and 31D).
public struct PauseSender: Equatable, Sendable {
    /// The priorities that were asked to pause and not told to go on since, a bit for each.
    public private(set) var asked: UInt8 = 0
    /// When they have to be asked again, in ns; `.max`: there are none.
    public private(set) var due: UInt64 = .max
    /// For each priority that was asked to pause, up to when its pause is counted in `pausedTime`.
    private var counted = SIMD8<UInt64>(repeating: 0)

    // The following only grow.
    /// Frames that were sent, how often each priority was asked to pause after it had been told to go on, and for how many ns.
    public private(set) var frames: UInt64 = 0
    public private(set) var pauses = SIMD8<UInt64>(repeating: 0)
    public private(set) var pausedTime = SIMD8<UInt64>(repeating: 0)

    @_noLocks
    public init() {}

    /// Whether a frame has to be sent now if these priorities are to be paused and no others.
    @_noLocks
    public func isDue(_ wanted: UInt8, at now: UInt64) -> Bool { wanted != asked || now >= due }

    /// The frame to be sent now. The caller sends it.
    ///
    /// - Parameters:
    ///   - wanted: the priorities that are to be paused.
    ///   - isByPriority: whether the other end follows pauses by priority. If not, it is to pause as long as any priority is wanted.
    ///   - speed: the link's speed in Mbit/s.
    @_noLocks
    public mutating func ask(_ wanted: UInt8, isByPriority: Bool, speed: UInt32, at now: UInt64) -> PauseFrame {
        var quanta = SIMD8<UInt16>(repeating: 0)
        for index in 0..<8 {
            let bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: index)
            if asked & bit != 0 { pausedTime[index] &+= now &- min(counted[index], now) }
            if wanted & bit == 0 { continue }
            if asked & bit == 0 { pauses[index] &+= 1 }
            counted[index] = now
            quanta[index] = .max
        }
        if !isByPriority { quanta = SIMD8(repeating: wanted == 0 ? 0 : .max) }
        let frame = PauseFrame(priorities: isByPriority ? wanted | asked : 0xff, quanta: quanta, isByPriority: isByPriority)
        asked = wanted
        due = wanted == 0 ? .max : now &+ PauseReceiver.time(quanta: .max, speed: speed) / 2
        frames &+= 1
        return frame
    }
}
