/// How often and for how long a poll loop did not run though it had the right to: time between two polls that neither its frames nor its sleep
/// account for.
///
/// Counted is a turn that took more than `bound` above twice what its frames take on average, for the time above that average. Causes are other threads
/// on its CPU, interrupts, a hypervisor that ran something else, a page of memory touched for the first time, and a stopped process. Not counted are
/// sleep, and time in which the loop carries out changes or copies frames for flooding (`excuse`).
///
/// Times are cycles of the time-stamp counter. The loop is the only writer; anyone may read, as each field is an aligned word.
package struct StallMeter: ~Copyable {
    /// No turn up to this long is looked at.
    package let bound: UInt64
    /// A frame is taken to cost that much at least.
    private let leastPerFrame: UInt64

    package private(set) var count: UInt64 = 0
    package private(set) var total: UInt64 = 0
    package private(set) var longest: UInt64 = 0
    /// The latest `logSize`, by number modulo that.
    private let log: UnsafeMutablePointer<Stall>

    // Of the frames that were average when it was last looked at.
    private var busyCycles: UInt64 = 0
    private var frames: UInt64 = 0
    private var perFrame: UInt64
    /// Time that is accounted for, and the turn it belongs to.
    private var excused: UInt64 = 0
    private var excusedTurn: UInt64 = 0

    /// Nanoseconds: the bound, and the least a frame costs.
    package static var bound: UInt64 { 20_000 }
    package static var leastPerFrame: UInt64 { 250 }
    package static let logSize = 4_096
    /// The average is of so many frames at least.
    @inline(__always) private static var enoughFrames: UInt64 { @_noLocks get { 1_024 } }

    package init(bound: UInt64, leastPerFrame: UInt64) {
        self.bound = bound
        self.leastPerFrame = leastPerFrame
        perFrame = leastPerFrame
        log = .zeroed(Self.logSize)
    }

    deinit { log.free() }

    /// A turn that took longer than `bound`.
    /// - Parameters:
    ///   - began: the cycles at which it began.
    ///   - work: frames it received and sent.
    ///   - busyCycles, handledFrames: of all turns with frames before it.
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

    /// So many cycles of a turn, or so many frames' worth of them, are not lost.
    @inline(__always) @_noLocks
    package mutating func excuse(turn: UInt64, cycles: UInt64 = 0, frames: Int = 0) {
        if turn != excusedTurn {
            excusedTurn = turn
            excused = 0
        }
        excused &+= cycles &+ UInt64(truncatingIfNeeded: frames) &* perFrame
    }

    /// Any thread: the latest, oldest first. Those that the loop adds meanwhile may have taken the place of the oldest, which are then left out.
    package var latest: [Stall] {
        let seen = count
        let kept = min(seen, UInt64(Self.logSize))
        let copies = (seen - kept..<seen).map { ($0, log[Int($0 % UInt64(Self.logSize))]) }
        let now = count
        return copies.filter { now - $0.0 <= UInt64(Self.logSize) }.map(\.1)
    }
}

/// One time in which a poll loop did not run: the turn it happened in.
package struct Stall: Equatable, Sendable {
    /// Cycles of the time-stamp counter.
    package var began: UInt64
    package var took: UInt64

    @_noLocks @inline(__always)
    package init(began: UInt64, took: UInt64) {
        self.began = began
        self.took = took
    }
}
