/// What one lcore has counted at one port. Only that lcore writes it; any thread may read it, as each field is an aligned word. A new counter needs its field
/// here, and a row in `PortCounters.rows` under whose name it is shown.
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
    /// Nanoseconds of turns in which the port was not polled because it had used up its share of the loop's time, summed over its queues.
    var pollTimeNanoseconds: UInt64 = 0
    /// How many times a port was not read on because a lossless class had no room for more of its frames.
    var held: UInt64 = 0
    /// Faults of the port's guest, and how often they put it into quarantine. Its link counts them, not an lcore.
    var faults: UInt64 = 0
    var quarantines: UInt64 = 0
    /// Dropped frames, by `DropReason.rawValue`.
    var drops: InlineArray<48, UInt64> = .init(repeating: 0)

    @inline(__always) @_noLocks
    mutating func count(drop reason: DropReason, _ frames: Int = 1) {
        drops[unchecked: Int(reason.rawValue)] &+= UInt64(truncatingIfNeeded: frames)
    }

    /// Adds every counter. All fields are words that only grow, so that none needs to be named here.
    static func += (sum: inout PortCounters, more: PortCounters) {
        withUnsafeBytes(of: more) { more in
            withUnsafeMutableBytes(of: &sum) { sum in
                let (sum, more) = (sum.bindMemory(to: UInt64.self), more.bindMemory(to: UInt64.self))
                for index in sum.indices { sum[index] &+= more[index] }
            }
        }
    }
}

/// How a counter is shown.
extension PortCounters {
    enum Owner {
        case port, bridge
    }

    /// The name in JSON, where the counter stands beside the fields of its owner's status, and in the tables of the command line.
    struct Row {
        let name: String
        let value: KeyPath<PortCounters, UInt64> & Sendable
        /// Whose status shows the counter: the port's own, or the bridge's, as the sum over its ports.
        let owner: Owner
        /// What is counted, as a sentence.
        let help: String
    }

    /// The counters that are shown by name. Frames and bytes that were received, sent, copied and injected are shown as amounts, and drops by their reasons.
    static let rows = [
        Row(name: "flooded", value: \.floodedFrames, owner: .bridge, help: "Frames that went to several ports."),
        Row(name: "learned", value: \.learned, owner: .bridge, help: "Source addresses that were learned."),
        Row(name: "moved", value: \.moved, owner: .bridge, help: "Addresses that moved from one port to another."),
        Row(name: "unlearned", value: \.unlearned, owner: .port, help: "Frames whose source address was not learned, as fdb-limit or the room in the database was used up."),
        Row(name: "punted", value: \.punted, owner: .port, help: "Frames for the switch itself that came in by the port."),
        Row(name: "injected", value: \.injected, owner: .port, help: "Frames of the switch's own that were sent by the port."),
        Row(name: "txFull", value: \.full, owner: .port, help: "How often the port could not take all that was to be sent."),
        Row(name: "pacedNanoseconds", value: \.pacedNanoseconds, owner: .port, help: "Nanoseconds for which pace held back the reading of the port."),
        Row(
            name: "pollTimeNanoseconds", value: \.pollTimeNanoseconds, owner: .port,
            help: "Nanoseconds for which the reading of the port was held back because it had used up its share of its poll loop's time, summed over its queues."),
        Row(name: "held", value: \.held, owner: .port, help: "How often the reading of the port was held back because a lossless class had no room."),
        Row(name: "faults", value: \.faults, owner: .port, help: "How often the guest broke the rules of its rings or of vhost-user."),
        Row(name: "quarantines", value: \.quarantines, owner: .port, help: "How often the port was stopped because of the guest's faults."),
    ]

    /// The names of an owner's counters, and what each counts.
    static func names(of owner: Owner) -> [(name: String, help: String)] { rows.filter { $0.owner == owner }.map { ($0.name, $0.help) } }

    /// The counters that an owner's status shows, by name.
    func counts(of owner: Owner) -> [String: UInt64] {
        Dictionary(uniqueKeysWithValues: Self.rows.filter { $0.owner == owner }.map { ($0.name, self[keyPath: $0.value]) })
    }
}

/// Frames of one protocol that one lcore has admitted.
struct ProtocolCounters {
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
}
