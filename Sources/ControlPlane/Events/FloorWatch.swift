import Configuration
import ControlAPI

/// Notices when a class that has frames waiting does not get its floor, and when it gets it again. A class is watched in windows of three seconds, so that a
/// burst at the edge of a second is not taken for a miss.
package struct FloorWatch {
    /// A class with a floor, and what it has done since the daemon started.
    package struct Sight: Sendable {
        package var tree: String
        package var path: String
        package var guest: String?
        /// In bit/s.
        package var floor: UInt64
        package var sentBytes: UInt64
        package var hasBacklog: Bool
        /// How often it waited for what is not the tree's to give: its own ceiling, or a receiver that takes no more.
        package var otherWaits: UInt64
        /// Whether its frames waited because their port had used up its share of poll time.
        package var isShortOfTime: Bool

        package init(
            tree: String, path: String, guest: String? = nil, floor: UInt64, sentBytes: UInt64, hasBacklog: Bool, otherWaits: UInt64 = 0, isShortOfTime: Bool = false
        ) {
            (self.tree, self.path, self.guest, self.floor) = (tree, path, guest, floor)
            (self.sentBytes, self.hasBacklog, self.otherWaits, self.isShortOfTime) = (sentBytes, hasBacklog, otherWaits, isShortOfTime)
        }
    }

    private struct Key: Hashable {
        var tree: String
        var path: String
    }

    private struct Known {
        var began: Double
        var bytes: UInt64
        var otherWaits: UInt64
        var isMissed = false
    }

    /// Seconds over which a rate is taken.
    private static let window = 3.0
    /// A class below this share of its floor misses it.
    private static let share = 0.9
    /// Bytes that a class may be behind in a window without missing anything: the longest frame may wait until there are tokens for all of it, and another one
    /// may be on its way.
    private static let slack = 18_000.0

    /// Classes that had frames waiting at every look since `began`.
    private var classes: [Key: Known] = [:]
    /// Nobody fills the log with a class that misses its floor now and then.
    private var limits: [Key: RateLimit] = [:]

    package init() {}

    /// - Parameters:
    ///   - sights: all classes with a floor.
    ///   - now: the time in seconds, from any start.
    package mutating func look(_ sights: [Sight], now: Double) -> [Event] {
        var events: [Event] = [], all: [Key: Known] = [:]
        for sight in sights {
            let key = Key(tree: sight.tree, path: sight.path)
            guard var known = classes[key] else {
                if sight.hasBacklog { all[key] = Known(began: now, bytes: sight.sentBytes, otherWaits: sight.otherWaits) }
                continue
            }
            let seconds = now - known.began
            guard sight.hasBacklog, sight.sentBytes >= known.bytes else {
                // Nothing waits any more, so the class has what it asked for.
                if known.isMissed { events.append(Self.event(sight, nil)) }
                continue
            }
            if seconds >= Self.window {
                let bytes = Double(sight.sentBytes - known.bytes), wanted = Double(sight.floor) / 8 * seconds
                let isMissed = bytes + Self.slack < Self.share * wanted && sight.otherWaits == known.otherWaits
                // What was not told does not end either.
                if isMissed != known.isMissed, !isMissed || limits[key, default: RateLimit(burst: 6, seconds: 60)].consume(now) {
                    events.append(Self.event(sight, isMissed ? UInt64(bytes * 8 / seconds) : nil))
                    known.isMissed = isMissed
                }
                (known.began, known.bytes, known.otherWaits) = (now, sight.sentBytes, sight.otherWaits)
            }
            all[key] = known
        }
        classes = all
        if !limits.isEmpty {
            let there = Set(sights.map { Key(tree: $0.tree, path: $0.path) })
            limits = limits.filter { there.contains($0.key) }
        }
        return events
    }

    /// - Parameter rate: what the class had instead of its floor, in bit/s; nil: it has its floor again.
    private static func event(_ sight: Sight, _ rate: UInt64?) -> Event {
        let floor = Quantity.rate.format(sight.floor)
        let name = "class \(sight.path) of \(sight.tree)"
        let why = sight.isShortOfTime ? ", as its poll loop has no time for more: daemon.cpus gives more loops, and sluice core balance moves ports" : ""
        let sentence = rate.map { "\(name) has frames waiting and got \(Quantity.rate.format($0 - $0 % 1_000)) of its floor \(floor)\(why)" } ?? "\(name) has its floor \(floor) again"
        var event = Event(.floor, level: rate == nil ? "notice" : "warning", sentence)
        (event.tree, event.class, event.guest, event.floor, event.rate) = (sight.tree, sight.path, sight.guest, sight.floor, rate)
        return event
    }
}
