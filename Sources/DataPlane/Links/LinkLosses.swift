/// Frames that came to a port's link and that no poll loop ever saw.
struct LinkLosses {
    var missed: UInt64 = 0
    var errors: UInt64 = 0

    static func += (sum: inout LinkLosses, more: LinkLosses) {
        sum.missed &+= more.missed
        sum.errors &+= more.errors
    }
}

extension PortCounters {
    /// They arrived at the port, and were dropped there. Nobody knows their bytes.
    mutating func add(_ losses: LinkLosses) {
        receivedFrames &+= losses.missed &+ losses.errors
        drops[Int(DropReason.missed.rawValue)] &+= losses.missed
        drops[Int(DropReason.receiveError.rawValue)] &+= losses.errors
    }
}

/// A count that somebody else keeps, which may begin anew; what is made of it never falls.
struct GrowingCount {
    private(set) var total: UInt64 = 0
    private var last: UInt64

    /// - Parameter start: what does not count.
    init(from start: UInt64 = 0) { last = start }

    mutating func note(_ value: UInt64) {
        total &+= value >= last ? value &- last : value
        last = value
    }
}
