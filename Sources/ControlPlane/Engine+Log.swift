import Configuration
import ControlAPI
import DataPlane
import Foundation
import Logging

/// What the log is told of.
extension Engine {
    /// Tells that the configuration has changed, and by whom.
    /// - Parameters:
    ///   - what: what was done, such as `port add`.
    ///   - lines: the changes; if there are none, nothing is told.
    ///   - peer: who did it; nil: the daemon itself.
    func tell(_ what: String, _ lines: [String], _ peer: Peer?) {
        guard !lines.isEmpty else { return }
        let shown = lines.prefix(8).joined(separator: "; ")
        let text = shown.count > 1_000 ? "\(shown.prefix(1_000)) ..." : lines.count > 8 ? "\(shown) and \(lines.count - 8) more" : shown
        var event = Event(.config, level: "info", "\(what): \(lines.count) change\(lines.count == 1 ? "" : "s")")
        (event.change, event.lines) = (what, Array(lines.prefix(Self.mostLines)))
        (event.uid, event.pid, event.command) = (peer?.uid, peer?.pid, peer?.command)
        desk.post(event, shown: "\(what): \(text.replacing("\n", with: " "))")
    }

    /// The most lines of one change that an event has.
    private static let mostLines = 100

    static func metadata(_ peer: Peer) -> Logger.Metadata { ["uid": "\(peer.uid)", "pid": "\(peer.pid)", "command": "\(peer.command)"] }

    /// Tells which guests, carriers and ports have come and gone since the last call.
    func tellPorts() {
        let sights = dataPlane.conditions.map { port in
            return PortWatch.Sight(name: port.settings.name, kind: port.settings.kind.type, condition: port.condition, isWaiting: port.isWaiting, isLost: port.isLost)
        }
        for event in portWatch.look(sights, now: seconds) { desk.post(event) }
    }

    /// Tells which classes miss their floors, which ports drop many frames, and what else has happened without anybody asking for it.
    func tellTrouble() {
        for event in floorWatch.look(classRates.floors, now: seconds) { desk.post(event) }
        for event in dropWatch.look(trafficRates.drops, now: seconds) { desk.post(event) }
        for notice in takeNotices() { desk.post(Event(.port, level: "warning", notice)) }
    }

    /// Seconds since the daemon started.
    private var seconds: Double { (ContinuousClock.now - startInstant) / .seconds(1) }
}
