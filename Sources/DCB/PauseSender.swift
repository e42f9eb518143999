/// Decides when a port asks the switch at the other end to pause, and remembers what it has asked for. Which priorities are to be paused is for the caller to
/// say.
///
/// A pause lasts for the longest time that a frame can ask for, 100 ms at most. If it is wanted for longer, it is asked for again after half of that time, so that
/// one frame that is lost does no harm. If it is wanted no longer, the other end is told to go on at once (IEEE 802.1Qbb; IEEE 802.3, 31B and 31D).
///
/// The other end would take a pause without a break for a storm, and ignore it (`PauseReceiver.longestPause`; switches do the same). So it may send for a moment
/// (`rest`) where a pause is wanted for longer than `longestAsk`.
public struct PauseSender: Equatable, Sendable {
    /// The priorities that were asked to pause and not told to go on since, a bit for each.
    public private(set) var asked: UInt8 = 0
    /// When they have to be asked again, in ns; `.max`: there are none.
    public private(set) var due: UInt64 = .max
    /// For each priority that was asked to pause, since when without a break, and up to when its pause is counted in `pausedTime`.
    private var began = SIMD8<UInt64>(repeating: 0)
    private var counted = SIMD8<UInt64>(repeating: 0)
    /// The priorities that the other end may send for a moment although they are to be paused, and until when.
    private var resting: UInt8 = 0
    private var restEnd: UInt64 = 0

    // The following only grow.
    /// Frames that were sent, how often each priority was asked to pause after it had been told to go on, and for how many ns.
    public private(set) var frames: UInt64 = 0
    public private(set) var pauses = SIMD8<UInt64>(repeating: 0)
    public private(set) var pausedTime = SIMD8<UInt64>(repeating: 0)

    @_noLocks
    public init() {}

    /// How long a priority is asked to pause without a break: 150 ms.
    @inline(__always) public static var longestAsk: UInt64 { @_noLocks get { 150_000_000 } }
    /// For how long the other end may send then: 100 us.
    @inline(__always) public static var rest: UInt64 { @_noLocks get { 100_000 } }

    /// Whether a frame has to be sent now if these priorities are to be paused and no others.
    @_noLocks
    public func isDue(_ wanted: UInt8, at now: UInt64) -> Bool { now >= due || (now < restEnd ? wanted & ~resting : wanted) != asked }

    /// The frame to be sent now. The caller sends it.
    ///
    /// - Parameters:
    ///   - wanted: the priorities that are to be paused.
    ///   - isByPriority: whether the other end follows pauses by priority. If not, it is to pause as long as any priority is wanted.
    ///   - speed: the link's speed in Mbit/s.
    @_noLocks
    public mutating func ask(_ wanted: UInt8, isByPriority: Bool, speed: UInt32, at now: UInt64) -> PauseFrame {
        if now >= restEnd { resting = 0 }
        var wanted = wanted & ~resting
        let longest = UInt16(truncatingIfNeeded: min(UInt64(UInt16.max), 100_000 &* UInt64(max(speed, 1)) / 512))
        var quanta = SIMD8<UInt16>(repeating: 0)
        for index in 0..<8 {
            let bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: index)
            if asked & bit != 0 { pausedTime[index] &+= now &- min(counted[index], now) }
            if wanted & bit == 0 { continue }
            if asked & bit == 0 {
                pauses[index] &+= 1
                began[index] = now
            } else if now &- began[index] >= Self.longestAsk {
                wanted &= ~bit
                resting |= bit
                restEnd = now &+ Self.rest
                continue
            }
            counted[index] = now
            quanta[index] = longest
        }
        if !isByPriority { quanta = SIMD8(repeating: wanted == 0 ? 0 : longest) }
        let frame = PauseFrame(priorities: isByPriority ? wanted | asked : 0xff, quanta: quanta, isByPriority: isByPriority)
        asked = wanted
        due = wanted == 0 ? .max : now &+ PauseReceiver.time(quanta: longest, speed: speed) / 2
        if resting != 0 { due = min(due, restEnd) }
        frames &+= 1
        return frame
    }
}
