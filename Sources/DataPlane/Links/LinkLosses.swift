/// Frames that came to a port's link and never reached a poll loop.
struct LinkLosses {
    var missed: UInt64 = 0
    var errors: UInt64 = 0

    static func += (sum: inout LinkLosses, more: LinkLosses) {
        sum.missed &+= more.missed
        sum.errors &+= more.errors
    }
}

extension PortCounters {
    /// Adds frames that arrived at the port and were dropped there. Their bytes are not known.
    mutating func add(_ losses: LinkLosses) {
        receivedFrames &+= losses.missed &+ losses.errors
        drops[Int(DropReason.missed.rawValue)] &+= losses.missed
        drops[Int(DropReason.receiveError.rawValue)] &+= losses.errors
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
