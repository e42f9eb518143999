import ControlAPI
import Foundation
import Logging
import Synchronization

/// Where whatever happens is told: to the log, and to the clients that have subscribed. It may be used on any thread.
package final class EventDesk: Sendable {
    package typealias Publisher = @Sendable (Event) -> Void

    /// A closure that stands by itself in a mutex is wrapped once more each time it is looked at, as the mutex knows it as a value of any type.
    private struct Audience {
        var publish: Publisher?
    }

    private let log: Logger
    private let audience = Mutex(Audience())

    /// - Parameter log: where events are told at their levels, with what they are about as fields.
    package init(log: Logger) { self.log = log }

    /// Has events sent to clients from now on.
    package func publish(_ publisher: @escaping Publisher) { audience.withLock { $0.publish = publisher } }

    /// - Parameter shown: the sentence in the log, where it is shorter or longer than that of the event.
    package func post(_ event: Event, shown: String? = nil) {
        var event = event
        if event.time == 0 { event.time = Date().timeIntervalSince1970 }
        log.log(level: Logger.Level(rawValue: event.level) ?? .notice, "\(shown ?? event.text)", metadata: Self.fields(event))
        audience.withLock { $0.publish }?(event)
    }

    private static func fields(_ event: Event) -> Logger.Metadata {
        let all: [(String, String?)] = [
            ("port", event.port), ("tree", event.tree), ("class", event.class), ("reason", event.reason), ("uid", event.uid.map { String($0) }),
            ("pid", event.pid.map { String($0) }), ("command", event.command),
        ]
        return all.reduce(into: [:]) { fields, item in if let value = item.1 { fields[item.0] = "\(value)" } }
    }
}
