/// What a port's link counts by itself: frames that came to it and never reached a poll loop, and faults of its guest.
struct LinkLosses {
    var missed: UInt64 = 0
    var errors: UInt64 = 0
    /// Faults of the guest, and how often they put it into quarantine.
    var faults: UInt64 = 0
    var quarantines: UInt64 = 0

    static func += (sum: inout LinkLosses, more: LinkLosses) {
        sum.missed &+= more.missed
        sum.errors &+= more.errors
        sum.faults &+= more.faults
        sum.quarantines &+= more.quarantines
    }
}

extension PortCounters {
    /// Adds frames that arrived at the port and were dropped there, whose bytes are not known, and faults of its guest.
    mutating func add(_ losses: LinkLosses) {
        receivedFrames &+= losses.missed &+ losses.errors
        drops[Int(DropReason.missed.rawValue)] &+= losses.missed
        drops[Int(DropReason.receiveError.rawValue)] &+= losses.errors
        faults &+= losses.faults
        quarantines &+= losses.quarantines
    }
}

/// A total made of a counter that somebody else keeps. The counter may start anew from 0, but the total never falls.
struct GrowingCount {
    private(set) var total: UInt64 = 0
    private var last: UInt64

    /// - Parameter start: the value of the counter that does not count.
    init(from start: UInt64 = 0) { last = start }

    mutating func note(_ value: UInt64) {
        total &+= value >= last ? value &- last : value
        last = value
    }
}
