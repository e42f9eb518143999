/// Decides when a port asks the switch at the other end to pause, and remembers what it has asked for. Which priorities are to be paused is for the caller to
/// say.
///
/// A pause lasts for the longest time that a frame can ask for, 100 ms at most. If it is wanted for longer, it is asked for again after half of that time, so that
/// one frame that is lost does no harm. If it is wanted no longer, the other end is told to go on at once (IEEE 802.1Qbb; IEEE 802.3, 31B and 31D).
///
/// The other end would take a pause without a break for a storm, and ignore it (`PauseReceiver.longestPause`; switches do the same). So it is told to go on and at
/// once to stop again, which is a break of a frame's time, where a pause is wanted for longer than `longestAsk`. A longer break would be as long as the poll loop
/// is held up meanwhile, and what a fast peer sends in it a slow receiver does not take until the next.
public struct PauseSender: Equatable, Sendable, BitwiseCopyable {
    /// The priorities that were asked to pause and not told to go on since, a bit for each.
    public private(set) var asked: UInt8 = 0
    /// When they have to be asked again, in ns; `.max`: there are none.
    public private(set) var due: UInt64 = .max
    /// For each priority that was asked to pause, since when without a break, and up to when its pause is counted in `pausedTime`.
    private var began = SIMD8<UInt64>(repeating: 0)
    private var counted = SIMD8<UInt64>(repeating: 0)

    // The following only grow.
    /// Frames that were sent, how often each priority was asked to pause after it had been told to go on, and for how many ns.
    public private(set) var frames: UInt64 = 0
    public private(set) var pauses = SIMD8<UInt64>(repeating: 0)
    public private(set) var pausedTime = SIMD8<UInt64>(repeating: 0)

    @_noLocks
    public init() {}

    /// How long a priority is asked to pause without a break: 150 ms.
    @inline(__always) public static var longestAsk: UInt64 { @_noLocks get { 150_000_000 } }

    /// Whether a frame has to be sent now if these priorities are to be paused and no others.
    @_noLocks
    public func isDue(_ wanted: UInt8, at now: UInt64) -> Bool { now >= due || wanted != asked }

    /// The frame to be sent now. The caller sends it, and asks whether another is due: after one that makes a break, it is.
    ///
    /// - Parameters:
    ///   - wanted: the priorities that are to be paused.
    ///   - isByPriority: whether the other end follows pauses by priority. If not, it is to pause as long as any priority is wanted.
    ///   - speed: the link's speed in Mbit/s.
    @_noLocks
    public mutating func ask(_ wanted: UInt8, isByPriority: Bool, speed: UInt32, at now: UInt64) -> PauseFrame {
        var wanted = wanted
        let longest = UInt16(truncatingIfNeeded: min(UInt64(UInt16.max), 100_000 &* UInt64(max(speed, 1)) / 512))
        var quanta = SIMD8<UInt16>(repeating: 0), makesBreak = false
        for index in 0..<8 {
            let bit: UInt8 = 1 &<< UInt8(truncatingIfNeeded: index)
            if asked & bit != 0 { pausedTime[index] &+= now &- min(counted[index], now) }
            if wanted & bit == 0 { continue }
            if asked & bit == 0 {
                pauses[index] &+= 1
                began[index] = now
            } else if now &- began[index] >= Self.longestAsk {
                wanted &= ~bit
                makesBreak = true
                continue
            }
            counted[index] = now
            quanta[index] = longest
        }
        // The link goes on only if it is paused for no priority.
        if !isByPriority, makesBreak { wanted = 0 }
        if !isByPriority { quanta = SIMD8(repeating: wanted == 0 ? 0 : longest) }
        let frame = PauseFrame(priorities: isByPriority ? wanted | asked : 0xff, quanta: quanta, isByPriority: isByPriority)
        asked = wanted
        due = wanted == 0 ? .max : now &+ PauseReceiver.time(quanta: longest, speed: speed) / 2
        frames &+= 1
        return frame
    }
}
