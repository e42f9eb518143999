/// One sub-flow, with a sequence and templates of its own.
package struct StreamState {
    package var flow: UInt32
    /// The index of its first template; it has one for each of the flow's sizes.
    package var firstTemplate: UInt32
    package var nextSequence: UInt32 = 0
    /// The sequence number that follows the highest one received.
    package var expected: UInt32 = 0
    /// Which of the 64 sequence numbers before `expected` have arrived, with the latest in bit 0.
    package var seen: UInt64 = 0

    package init(flow: UInt32, firstTemplate: UInt32) {
        self.flow = flow
        self.firstTemplate = firstTemplate
    }

    /// Counts what the arrival of a sequence number tells about the numbers before it. If a frame arrives twice, the second arrival is recognized as a
    /// duplicate as long as fewer than 64 newer frames have arrived; after that it counts as reordered.
    @_noLocks @inline(__always)
    package mutating func follow(_ sequence: UInt32, _ counters: inout FlowCounters) {
        let ahead = Int32(truncatingIfNeeded: sequence &- expected)
        if ahead >= 0 {
            let step = UInt64(UInt32(truncatingIfNeeded: ahead)) &+ 1
            counters.missing &+= step &- 1
            seen = step >= 64 ? 1 : seen &<< step | 1
            expected = sequence &+ 1
            return
        }
        let back = UInt64(truncatingIfNeeded: -Int64(ahead) &- 1)
        if back < 64 {
            if seen &>> back & 1 != 0 {
                counters.duplicated &+= 1
                return
            }
            seen |= 1 &<< back
        }
        counters.reordered &+= 1
        if counters.missing > 0 { counters.missing &-= 1 }
    }
}
