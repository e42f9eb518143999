/// Finds the frames whose latency was caused by the generator's own stalls rather than by the switch: frames in flight while the generator's thread did not
/// run, frames that it then sent in a burst to catch up, and frames that had to wait behind either. Times are nanoseconds since the start of the run. Only the
/// worker writes this.
package struct Disturbance {
    /// A stall is a time of at least this many nanoseconds between two readings of the clock for which the frames handled meanwhile do not account.
    package static var bound: UInt64 { 20_000 }

    package private(set) var stalls: UInt64 = 0
    package private(set) var stalled: UInt64 = 0
    package private(set) var longest: UInt64 = 0
    /// Frames sent up to this time were in flight during a stall, or were part of a burst after one.
    private var until: UInt64 = 0
    /// Frames sent up to this time had some of those in front of them.
    private var behindUntil: UInt64 = 0
    /// Frames that are sent late before this time are late because of a stall.
    private var catchUpEnd: UInt64 = 0

    package init() {}

    /// Records that the thread did not run between two times.
    @_noLocks
    package mutating func stall(from start: UInt64, to end: UInt64) {
        let length = end &- start
        stalls &+= 1
        stalled &+= length
        if length > longest { longest = length }
        until = end &- 1
        // If the load is half of what the switch can take, catching up takes as long as the stall lasted; four times that is allowed.
        catchUpEnd = end &+ 4 &* length
    }

    /// Records that a frame is sent later than its flow's rate demands.
    @_noLocks @inline(__always)
    package mutating func late(at now: UInt64) { if now < catchUpEnd { until = now } }

    /// Whether a stall has affected the latency of a frame that has arrived.
    @_noLocks @inline(__always)
    package mutating func touches(sent: UInt64, arrived: UInt64) -> Bool {
        if sent <= until, stalls != 0 {
            behindUntil = arrived
            return true
        }
        return sent <= behindUntil && stalls != 0
    }
}

/// A frame with a high latency. It is kept until the switch's stalls are known, which is after the run.
package struct SlowFrame {
    package var sent: UInt64
    package var latency: UInt64
    package init(sent: UInt64, latency: UInt64) { self.sent = sent; self.latency = latency }

    /// The least latency of frames that are kept, in nanoseconds. A faster frame cannot have been in flight during the whole of a stall that counts.
    package static var bound: UInt64 { Disturbance.bound }
    /// The most frames that are kept.
    package static var most: Int { 1 << 20 }
}

extension SlowFrame {
    /// Which of `frames`, in the order in which they arrived, were in flight during one of `stalls`, or had such frames in front of them.
    package static func touched(_ frames: UnsafeBufferPointer<SlowFrame>, by stalls: [Range<UInt64>]) -> [Bool] {
        let first = merged(stalls)
        // The backlog that a stall has caused is gone when the last frame that was sent before the stall's end has arrived.
        var longer = first
        for frame in frames {
            if let index = place(of: frame, in: first) { longer[index] = first[index].lowerBound..<max(longer[index].upperBound, frame.sent + frame.latency) }
        }
        let all = merged(longer)
        return frames.map { place(of: $0, in: all) != nil }
    }

    /// The index of the first stall during which the frame was in flight; nil: there is none.
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
