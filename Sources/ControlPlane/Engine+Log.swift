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
        log.info("\(what): \(text.replacing("\n", with: " "))", metadata: peer.map(Self.metadata))
    }

    static func metadata(_ peer: Peer) -> Logger.Metadata { ["uid": "\(peer.uid)", "pid": "\(peer.pid)", "command": "\(peer.command)"] }

    /// Tells which guests, carriers and ports have come and gone since the last call.
    func tellPorts() {
        let sights = dataPlane.conditions.map { port in
            return PortWatch.Sight(name: port.settings.name, kind: port.settings.kind.type, condition: port.condition, isWaiting: port.isWaiting, isLost: port.isLost)
        }
        let now = (ContinuousClock.now - startInstant) / .seconds(1)
        for event in portWatch.look(sights, now: now) { log.log(level: event.level, "\(event.sentence)", metadata: ["port": "\(event.port)"]) }
    }
}
