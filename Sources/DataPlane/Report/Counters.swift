/// What one lcore counted at one port. Its lcore is the only writer; anyone may read, as each field is an aligned word.
struct PortCounters {
    var receivedFrames: UInt64 = 0
    var receivedBytes: UInt64 = 0
    var sentFrames: UInt64 = 0
    var sentBytes: UInt64 = 0
    /// Copies made to flood a frame to this port beyond the first receiver of it, and those of mirrors.
    var copiedFrames: UInt64 = 0
    var copiedBytes: UInt64 = 0
    /// Frames received and flooded.
    var floodedFrames: UInt64 = 0
    /// Source addresses learned anew, and moved here from another port.
    var learned: UInt64 = 0
    var moved: UInt64 = 0
    /// Frames whose source was not learned: the port has as many addresses as it may, or the table had no place for it.
    var unlearned: UInt64 = 0
    /// Frames that went to the control thread, as a copy: those for the switch itself.
    var punted: UInt64 = 0
    /// Frames of the switch's own that were sent by the port.
    var injected: UInt64 = 0
    var injectedBytes: UInt64 = 0
    /// Times the port could not take all that was staged for it.
    var full: UInt64 = 0
    /// Time of the turns in which a paced port was not polled for want of tokens.
    var pacedNanoseconds: UInt64 = 0
    /// By `DropReason.rawValue`.
    var drops: InlineArray<48, UInt64> = .init(repeating: 0)

    @inline(__always) @_noLocks
    mutating func count(drop reason: DropReason, _ frames: Int = 1) {
        drops[unchecked: Int(reason.rawValue)] &+= UInt64(truncatingIfNeeded: frames)
    }

    static func += (sum: inout PortCounters, more: PortCounters) {
        sum.receivedFrames &+= more.receivedFrames
        sum.receivedBytes &+= more.receivedBytes
        sum.sentFrames &+= more.sentFrames
        sum.sentBytes &+= more.sentBytes
        sum.copiedFrames &+= more.copiedFrames
        sum.copiedBytes &+= more.copiedBytes
        sum.floodedFrames &+= more.floodedFrames
        sum.learned &+= more.learned
        sum.moved &+= more.moved
        sum.unlearned &+= more.unlearned
        sum.punted &+= more.punted
        sum.injected &+= more.injected
        sum.injectedBytes &+= more.injectedBytes
        sum.full &+= more.full
        sum.pacedNanoseconds &+= more.pacedNanoseconds
        for index in DropReason.allCases.indices { sum.drops[index] &+= more.drops[index] }
    }
}

/// Frames of one protocol that one lcore admitted.
struct ProtocolCounters {
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
}
