import ControlAPI

/// Notices when a port begins to drop many frames for one reason, and when that ends.
package struct DropWatch {
    /// What a port has dropped since the daemon started, by reason.
    package struct Sight: Sendable {
        package var port: String
        package var drops: [String: UInt64]
        package init(port: String, drops: [String: UInt64]) { (self.port, self.drops) = (port, drops) }
    }

    private struct Key: Hashable {
        var port: String
        var reason: String
    }

    private struct Burst {
        /// What had been dropped before it, and when it began and last went on.
        var before: UInt64
        var began: Double
        var last: Double
        var isTold: Bool
    }

    /// Frames a second from which on it is a burst, and below which it is none.
    private static let many = 1_000.0, few = 100.0
    /// Seconds with few drops that end it.
    private static let pause = 3.0
    /// What a healthy switch drops in any number: frames that need not leave the port they came by, those that a bridge never forwards, and copies for ports
    /// that nobody is connected to.
    private static let usual: Set<String> = ["source_port", "reserved_address", "mac_control", "port_down"]

    private var counts: [Key: UInt64] = [:]
    private var bursts: [Key: Burst] = [:]
    private var limits: [Key: RateLimit] = [:]
    private var lastLook: Double?

    package init() {}

    /// - Parameter now: the time in seconds, from any start.
    package mutating func look(_ sights: [Sight], now: Double) -> [Event] {
        var events: [Event] = [], seen: [Key: UInt64] = [:]
        let seconds = lastLook.map { now - $0 } ?? 0
        for sight in sights {
            for (reason, count) in sight.drops where !Self.usual.contains(reason) {
                let key = Key(port: sight.port, reason: reason)
                seen[key] = count
                // A port that is new has dropped nothing before; of one that was there when the daemon began to look, nothing is known.
                let before = counts[key] ?? (lastLook == nil ? count : 0)
                guard seconds > 0, count >= before else { continue }
                let rate = Double(count - before) / seconds
                if var burst = bursts[key] {
                    if rate >= Self.few { burst.last = now }
                    bursts[key] = burst
                    guard now - burst.last >= Self.pause else { continue }
                    bursts[key] = nil
                    if burst.isTold { events.append(Self.event(key, nil, count - burst.before, burst.last - burst.began)) }
                } else if rate >= Self.many {
                    let isTold = limits[key, default: RateLimit(burst: 6, seconds: 60)].consume(now)
                    bursts[key] = Burst(before: before, began: now - seconds, last: now, isTold: isTold)
                    if isTold { events.append(Self.event(key, rate, count - before, seconds)) }
                }
            }
        }
        (counts, lastLook) = (seen, now)
        bursts = bursts.filter { seen[$0.key] != nil }
        limits = limits.filter { seen[$0.key] != nil }
        return events.sorted { ($0.port ?? "", $0.reason ?? "") < ($1.port ?? "", $1.reason ?? "") }
    }

    /// - Parameter rate: frames a second; nil: it has ended.
    private static func event(_ key: Key, _ rate: Double?, _ count: UInt64, _ seconds: Double) -> Event {
        let sentence = rate.map { "the port drops \(Int($0)) frames a second (\(key.reason))" }
            ?? "the port has stopped dropping: \(count) frames in \(Int(seconds.rounded(.up))) s (\(key.reason))"
        var event = Event(.drops, level: rate == nil ? "notice" : "warning", sentence)
        (event.port, event.reason, event.count) = (key.port, key.reason, count)
        return event
    }
}
