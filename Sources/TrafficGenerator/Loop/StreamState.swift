/// One sub-flow: its own sequence, its own templates.
package struct StreamState {
    package var flow: UInt32
    /// Its templates: one for each of the flow's sizes, from here.
    package var firstTemplate: UInt32
    package var nextSequence: UInt32 = 0
    /// The sequence number after the greatest received.
    package var expected: UInt32 = 0
    /// Which of the 64 before `expected` arrived, the latest in bit 0.
    package var seen: UInt64 = 0

    package init(flow: UInt32, firstTemplate: UInt32) {
        self.flow = flow
        self.firstTemplate = firstTemplate
    }

    /// Counts what the arrival of a sequence number says about those before it. Of two arrivals of one frame, the second is known
    /// as a duplicate while fewer than 64 newer ones have arrived; after that it counts as reordered.
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
