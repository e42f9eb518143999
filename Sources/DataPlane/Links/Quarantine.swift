import Scheduler

/// When a guest's port is stopped because its guest makes faults again and again, and for how long.
///
/// A fault is a broken rule of rings (by the guest's driver) or of vhost-user (by the process at the port's socket). By itself, each ends only what it
/// concerns: the ring is stopped until the driver enables it again, the connection is closed. A guest that comes back each time to make the next costs the
/// time of the threads that serve all guests. So beyond a few faults, each one also stops the whole port: for a second at first, then for twice as long each
/// time, up to a bound. After a quiet time all is forgotten.
package struct Quarantine {
    /// So many faults in a row stop only what they concern.
    package static let forgiven = 4
    /// How long the first fault beyond them stops the port, and how long any stops it at most.
    package static let shortest: Nanoseconds = 1_000_000_000
    package static let longest: Nanoseconds = 64_000_000_000
    /// Faults are forgotten when there was none for so long, the time in quarantine not counted.
    package static let quiet: Nanoseconds = 300_000_000_000

    /// All faults, and all times that they stopped the port.
    package private(set) var faults: UInt64 = 0
    package private(set) var times: UInt64 = 0
    /// Until when the port is stopped; nil: it is not.
    package private(set) var until: Nanoseconds?

    /// The faults that are not forgotten, and when the last of them is.
    private var recent = 0
    private var forgottenAt: Nanoseconds = 0

    package init() {}

    /// Notes a fault.
    /// - Returns: for how long the port is stopped from now on; nil: the fault does not stop it.
    package mutating func note(faultAt now: Nanoseconds) -> Nanoseconds? {
        if now >= forgottenAt { recent = 0 }
        faults &+= 1
        recent += 1
        forgottenAt = now + Self.quiet
        guard recent > Self.forgiven else { return nil }
        let time = min(Self.longest, Self.shortest << UInt64(min(recent - Self.forgiven - 1, 32)))
        times &+= 1
        until = now + time
        forgottenAt += time
        return time
    }

    /// Whether a quarantine has come to its end since the last look.
    package mutating func ends(at now: Nanoseconds) -> Bool {
        guard let end = until, now >= end else { return false }
        until = nil
        return true
    }

    /// Ends a quarantine at once, and forgets what led to it.
    /// - Returns: whether there was one.
    package mutating func lift() -> Bool {
        defer { until = nil }
        recent = 0
        return until != nil
    }
}
