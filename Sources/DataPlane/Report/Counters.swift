/// What one lcore has counted at one port. Only that lcore writes it; any thread may read it, as each field is an aligned word.
struct PortCounters {
    var receivedFrames: UInt64 = 0
    var receivedBytes: UInt64 = 0
    var sentFrames: UInt64 = 0
    var sentBytes: UInt64 = 0
    /// Copies for this port that were made by flooding, beyond the first copy of each frame, and copies that mirrors made.
    var copiedFrames: UInt64 = 0
    var copiedBytes: UInt64 = 0
    /// Frames that were received here and flooded.
    var floodedFrames: UInt64 = 0
    /// Source addresses that were newly learned here, and those that moved here from another port.
    var learned: UInt64 = 0
    var moved: UInt64 = 0
    /// Frames whose source address was not learned, because the port has as many addresses as it may have, or because the database had no place for it.
    var unlearned: UInt64 = 0
    /// Frames for the switch itself, of which the control thread got a copy.
    var punted: UInt64 = 0
    /// Frames of the switch's own that were sent by the port.
    var injected: UInt64 = 0
    var injectedBytes: UInt64 = 0
    /// How many times the port could not take all that was staged for it.
    var full: UInt64 = 0
    /// Nanoseconds of turns in which a paced port was not polled for want of tokens.
    var pacedNanoseconds: UInt64 = 0
    /// Dropped frames, by `DropReason.rawValue`.
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

/// Frames of one protocol that one lcore has admitted.
struct ProtocolCounters {
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
}
