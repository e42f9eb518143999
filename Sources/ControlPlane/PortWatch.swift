import Configuration
import ControlAPI
import DataPlane

/// Notices when guests connect and go, and when carriers and ports are lost and return, and puts it into sentences for the log. A port that flaps fills no log:
/// beyond a few sentences in a row, there is one a minute for it, which counts those that were left out.
package struct PortWatch {
    /// What there is to know of a port.
    package struct Sight {
        package var name: String
        package var kind: PortType
        /// As in the port's report: "up", "down", or why it is neither.
        package var condition: String
        package var isWaiting: Bool
        /// Whether the port is not open. Whoever closed it has told so already.
        package var isLost: Bool

        package init(name: String, kind: PortType, condition: String, isWaiting: Bool = false, isLost: Bool = false) {
            (self.name, self.kind, self.condition, self.isWaiting, self.isLost) = (name, kind, condition, isWaiting, isLost)
        }
    }

    private enum State: Equatable {
        case up, down, waiting, lost
        case failed(String)

        init(_ sight: Sight) {
            self = sight.isLost ? .lost : sight.isWaiting ? .waiting : sight.condition == "up" ? .up : sight.condition == "down" ? .down : .failed(sight.condition)
        }
    }

    private struct Known {
        /// The state that was last told, and the one that was last seen.
        var told: State
        var seen: State
        /// The changes since `told`.
        var changes = 0
        var limit = RateLimit(burst: 6, seconds: 60)
    }

    private var ports: [String: Known] = [:]

    package init() {}

    /// Compares the ports with how they were at the last call.
    /// - Parameter now: the time in seconds, from any start.
    package mutating func look(_ sights: [Sight], now: Double) -> [Event] {
        var events: [Event] = [], all: [String: Known] = [:]
        for sight in sights {
            let state = State(sight)
            // A vhost port that is new has no guest, and of other ports nothing is told that was so from the start.
            let first = sight.kind == .vhost && !sight.isLost ? State.waiting : state
            var known = ports[sight.name] ?? Known(told: first, seen: first)
            if state != known.seen { known.changes += 1 }
            known.seen = state
            if state != known.told {
                if let (kind, level, sentence) = Self.sentence(known.told, state, sight) {
                    if known.limit.consume(now) {
                        let between = known.changes - 1
                        let more = between > 0 ? ", after \(between) change\(between == 1 ? "" : "s") that \(between == 1 ? "was" : "were") not told" : ""
                        var event = Event(kind, level: level, sentence + more)
                        event.port = sight.name
                        events.append(event)
                        (known.told, known.changes) = (state, 0)
                    }
                } else {
                    (known.told, known.changes) = (state, 0)
                }
            }
            all[sight.name] = known
        }
        ports = all
        return events.sorted { ($0.port ?? "") < ($1.port ?? "") }
    }

    /// nil: there is nothing to tell.
    private static func sentence(_ before: State, _ now: State, _ sight: Sight) -> (Event.Kind, String, String)? {
        let guest = sight.kind == .vhost
        switch now {
        case .lost: return nil
        case .failed(let reason): return (.port, "error", "the port fails: \(reason)")
        case .waiting: return before == .lost ? nil : (.guest, "notice", "the guest is gone")
        case .up:
            if case .failed = before { return (.port, "notice", "the port works again") }
            return guest ? (.guest, "info", "a guest is connected") : before == .lost ? nil : (.link, "notice", "the carrier is back")
        case .down: return before == .lost ? nil : (.link, "warning", guest ? "the guest has taken its link down" : "the carrier is lost")
        }
    }
}

/// Lets a number of events pass at once, and then one in a while.
package struct RateLimit {
    private let burst: Double
    private let seconds: Double
    private var tokens: Double
    private var last = 0.0

    /// - Parameters:
    ///   - burst: how many may pass at once.
    ///   - seconds: the time until another one may pass.
    package init(burst: Int, seconds: Double) { (self.burst, self.seconds, tokens) = (Double(burst), seconds, Double(burst)) }

    /// Whether an event may pass now.
    /// - Parameter now: the time in seconds, from any start.
    package mutating func consume(_ now: Double) -> Bool {
        tokens = min(burst, tokens + max(0, now - last) / seconds)
        last = now
        if tokens < 1 { return false }
        tokens -= 1
        return true
    }
}
