/// Which frames' latency tells of the generator's own stalls rather than of the switch: those in flight while the generator's thread did not run, those
/// that it then sent in a burst to catch up, and those that stood behind either. Times are nanoseconds of the run. The worker is the only writer.
package struct Disturbance {
    /// Time between two readings of the clock that the frames handled meanwhile do not account for counts as a stall from here on.
    package static var bound: UInt64 { 20_000 }

    package private(set) var stalls: UInt64 = 0
    package private(set) var stalled: UInt64 = 0
    package private(set) var longest: UInt64 = 0
    /// Frames sent until then were in flight in a stall, or part of a burst after one.
    private var until: UInt64 = 0
    /// Frames sent until then had some of those before them.
    private var behindUntil: UInt64 = 0
    /// What is sent late before then is due to a stall.
    private var catchUpEnd: UInt64 = 0

    package init() {}

    /// The thread did not run between two times.
    @_noLocks
    package mutating func stall(from start: UInt64, to end: UInt64) {
        let length = end &- start
        stalls &+= 1
        stalled &+= length
        if length > longest { longest = length }
        until = end &- 1
        // At half of the load that the switch can take, catching up takes as long as the stall.
        catchUpEnd = end &+ 4 &* length
    }

    /// A frame is sent later than its flow's rate wanted.
    @_noLocks @inline(__always)
    package mutating func late(at now: UInt64) { if now < catchUpEnd { until = now } }

    /// Judges a frame that arrived.
    @_noLocks @inline(__always)
    package mutating func touches(sent: UInt64, arrived: UInt64) -> Bool {
        if sent <= until, stalls != 0 {
            behindUntil = arrived
            return true
        }
        return sent <= behindUntil && stalls != 0
    }
}

/// A frame that took long, kept to be judged by stalls that are known only after the run.
package struct SlowFrame {
    package var sent: UInt64
    package var latency: UInt64
    package init(sent: UInt64, latency: UInt64) { self.sent = sent; self.latency = latency }

    /// No faster frame is kept: it cannot have been in flight for all of a stall that counts.
    package static var bound: UInt64 { Disturbance.bound }
    /// Frames that are kept.
    package static var most: Int { 1 << 20 }
}

extension SlowFrame {
    /// Which of `frames` (in the order they arrived) were in flight in one of `stalls`, or had frames before them that were.
    package static func touched(_ frames: UnsafeBufferPointer<SlowFrame>, by stalls: [Range<UInt64>]) -> [Bool] {
        let first = merged(stalls)
        // A stall's backlog is gone when the last frame sent before its end has arrived.
        var longer = first
        for frame in frames {
            if let index = place(of: frame, in: first) { longer[index] = first[index].lowerBound..<max(longer[index].upperBound, frame.sent + frame.latency) }
        }
        let all = merged(longer)
        return frames.map { place(of: $0, in: all) != nil }
    }

    /// The first stall that it was in flight in.
    private static func place(of frame: SlowFrame, in stalls: [Range<UInt64>]) -> Int? {
        var low = 0, high = stalls.count
        while low < high {
            let middle = (low + high) / 2
            if stalls[middle].upperBound > frame.sent { high = middle } else { low = middle + 1 }
        }
        return low < stalls.count && stalls[low].lowerBound < frame.sent + frame.latency ? low : nil
    }

    private static func merged(_ stalls: [Range<UInt64>]) -> [Range<UInt64>] {
        var result: [Range<UInt64>] = []
        for stall in stalls.sorted(by: { $0.lowerBound < $1.lowerBound }) {
            if let last = result.last, stall.lowerBound <= last.upperBound {
                result[result.count - 1] = last.lowerBound..<max(last.upperBound, stall.upperBound)
            } else {
                result.append(stall)
            }
        }
        return result
    }
}
