/// How often and for how long a poll loop did not run although it was ready to: time between two polls for which neither its frames nor a sleep account.
///
/// A turn counts as a stall if it took over `bound` longer than twice what its frames take on average; the time above the average is counted. Stalls are caused
/// by other threads on the CPU, by interrupts, by a hypervisor that ran something else, by a page of memory that is touched for the first time, and by a
/// stopped process. Sleep is not counted, nor is the time in which the loop carries out changes or copies frames for flooding (`excuse`).
///
/// Times are cycles of the time-stamp counter. Only the loop writes this; any thread may read it, as each field is an aligned word.
package struct StallMeter: ~Copyable {
    /// Turns up to this long, in cycles, are not examined.
    package let bound: UInt64
    /// The least number of cycles that a frame is taken to cost.
    private let leastPerFrame: UInt64

    package private(set) var count: UInt64 = 0
    package private(set) var total: UInt64 = 0
    package private(set) var longest: UInt64 = 0
    /// The latest `logSize` stalls; each is at its number modulo `logSize`.
    private let log: UnsafeMutablePointer<Stall>

    // Totals when the average was last worked out, and that average in cycles per frame.
    private var busyCycles: UInt64 = 0
    private var frames: UInt64 = 0
    private var perFrame: UInt64
    /// Cycles of a turn that do not count as lost, and the number of that turn.
    private var excused: UInt64 = 0
    private var excusedTurn: UInt64 = 0

    /// The usual values of `bound` and `leastPerFrame`, in nanoseconds.
    package static var bound: UInt64 { 20_000 }
    package static var leastPerFrame: UInt64 { 250 }
    package static let logSize = 4_096
    /// The least number of frames over which the average is taken.
    @inline(__always) private static var enoughFrames: UInt64 { @_noLocks get { 1_024 } }

    package init(bound: UInt64, leastPerFrame: UInt64) {
        self.bound = bound
        self.leastPerFrame = leastPerFrame
        perFrame = leastPerFrame
        log = .zeroed(Self.logSize)
    }

    deinit { log.free() }

    /// Examines a turn that took longer than `bound`.
    /// - Parameters:
    ///   - began: the cycles at which it began.
    ///   - work: frames it received and sent.
    ///   - busyCycles, handledFrames: totals of all turns with frames before this one.
    @inline(never) @_noLocks
    package mutating func judge(turn: UInt64, began: UInt64, took: UInt64, work: Int, busyCycles: UInt64, handledFrames: UInt64) {
        let newFrames = handledFrames &- frames
        if newFrames >= Self.enoughFrames {
            perFrame = max(leastPerFrame, (busyCycles &- self.busyCycles) / newFrames)
            frames = handledFrames
            self.busyCycles = busyCycles
        }
        let usual = UInt64(truncatingIfNeeded: work) &* perFrame &+ (turn == excusedTurn ? excused : 0)
        guard took > usual, took &- usual > bound &+ usual else { return }
        let lost = took &- usual
        let place = log + Int(truncatingIfNeeded: count & UInt64(Self.logSize &- 1))
        place.pointee = Stall(began: began, took: took)
        total &+= lost
        if lost > longest { longest = lost }
        count &+= 1
    }

    /// Excuses so many cycles of a turn, or as many as so many frames take: they do not count as lost.
    @inline(__always) @_noLocks
    package mutating func excuse(turn: UInt64, cycles: UInt64 = 0, frames: Int = 0) {
        if turn != excusedTurn {
            excusedTurn = turn
            excused = 0
        }
        excused &+= cycles &+ UInt64(truncatingIfNeeded: frames) &* perFrame
    }

    /// The latest stalls, oldest first. Any thread may call it. Those that the loop overwrites meanwhile are left out.
    package var latest: [Stall] {
        let seen = count
        let kept = min(seen, UInt64(Self.logSize))
        let copies = (seen - kept..<seen).map { ($0, log[Int($0 % UInt64(Self.logSize))]) }
        let now = count
        return copies.filter { now - $0.0 <= UInt64(Self.logSize) }.map(\.1)
    }
}

/// One time in which a poll loop did not run, given by the turn in which it happened.
package struct Stall: Equatable, Sendable {
    /// When the turn began, and how long it took, in cycles of the time-stamp counter.
    package var began: UInt64
    package var took: UInt64

    @_noLocks @inline(__always)
    package init(began: UInt64, took: UInt64) {
        self.began = began
        self.took = took
    }
}
