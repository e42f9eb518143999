import Glibc
import VhostUser

/// A port as the serving thread sees it.
final class Port {
    let id: Int
    var options: PortOptions
    let delegate: any VhostDelegate
    let listener: Listener?
    var listenerNumber: UInt64 = 0

    var connection: Connection?
    var connectionNumber: UInt64 = 0
    var session: Session?
    var regions: [Int: GuestMemoryRegion] = [:]
    var order: [Int] = []
    var log: DirtyLog?

    var limiter = LineLimiter()
    /// The earliest time at which this port is in the list of deadlines; nil: it is not.
    var listed: UInt64?
    /// When a client tries next, or a server accepts again; nil: it waits for nothing.
    var next: UInt64?
    /// Whether nobody is to be connected until `next`.
    var isHeld = false
    /// How long a client waits after it has tried in vain; nanoseconds.
    var pause = Port.shortestPause
    /// What was said last about why a client is not connected.
    var obstacle: String?

    static let shortestPause: UInt64 = 1_000_000
    static let longestPause: UInt64 = 1_000_000_000

    init(id: Int, _ options: PortOptions, _ delegate: any VhostDelegate, _ listener: Listener?) {
        (self.id, self.options, self.delegate, self.listener) = (id, options, delegate, listener)
    }

    /// Takes the pause that is due now; each is twice as long as the one before.
    func takePause() -> UInt64 {
        defer { pause = min(pause * 2, Self.longestPause) }
        return pause
    }

    /// When something about this port is to be looked at, whatever happens; nil: never.
    var due: UInt64? { [connection?.deadline, next, limiter.suppressed > 0 ? limiter.again : nil].compactMap(\.self).min() }
}
