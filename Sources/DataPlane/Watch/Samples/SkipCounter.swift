/// Chooses frames at random, one in `rate` on average, at the cost of one subtraction for a burst without such a frame: how many frames are passed over from
/// one to the next is drawn evenly from 1 to 2 * rate - 1, whose mean is `rate` (sFlow version 5, appendix B).
package struct SkipCounter {
    /// The state of the generator of random numbers (splitmix64).
    private var state: UInt64
    private let span: UInt64

    /// - Parameter rate: 1 to 2^24.
    package init(rate: Int, seed: UInt64) {
        precondition((1...1 << 24).contains(rate), "the rate must leave room for the product of its span and a random number")
        (state, span) = (seed, UInt64(2 * rate - 1))
    }

    /// How many frames it is to the next one that is sampled, that one included.
    @inline(__always) @_noLocks
    package mutating func draw() -> Int {
        state &+= 0x9e37_79b9_7f4a_7c15
        var value = (state ^ state &>> 30) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ value &>> 27) &* 0x94d0_49bb_1331_11eb
        // The span is below 2^25, so the product of it and 38 bits has at most 63.
        return 1 &+ Int(truncatingIfNeeded: ((value ^ value &>> 31) &>> 26 &* span) &>> 38)
    }
}

/// A port from whose frames samples are taken, on one poll loop, which alone writes it; any thread may read the counters.
package struct SampleSource {
    /// How many frames it is to the next one that is sampled, that one included.
    package var skip: Int
    /// Frames that came, samples that were taken of them, and samples that were lost as there was no room for them.
    package var pool: UInt64 = 0
    package var taken: UInt64 = 0
    package var lost: UInt64 = 0

    package init(skip: Int) { self.skip = skip }

    /// Counts a burst.
    /// - Returns: whether frames of it are to be sampled; `next` tells which.
    @inline(__always) @_noLocks
    package mutating func hasSample(in count: Int) -> Bool {
        pool &+= UInt64(truncatingIfNeeded: count)
        if _fastPath(skip > count) {
            skip &-= count
            return false
        }
        return true
    }

    /// The place in the burst of the next frame that is to be sampled; nil: there is none any more. After `hasSample` it is called until it returns nil.
    @inline(__always) @_noLocks
    package mutating func next(in count: Int, _ counter: inout SkipCounter) -> Int? {
        if skip > count {
            skip &-= count
            return nil
        }
        let place = skip &- 1
        skip &+= counter.draw()
        return place
    }
}
