import Foundation

/// QEMU's monitor at a Unix socket (docs/interop/qmp-spec.txt).
final class QEMUMonitor {
    private let connection: ControlClient
    /// The events that have come and that nobody has waited for yet.
    private var events: [JSON] = []

    /// Waits until QEMU has made the socket.
    init(_ path: String) throws {
        connection = try eventually("QEMU's monitor is at \(path)") { try ControlClient(path) }
        _ = try next(within: 30)
        try call("qmp_capabilities")
    }

    /// Gives a command, and returns its answer.
    @discardableResult
    func call(_ command: String, _ arguments: String = "{}") throws -> JSON {
        connection.send("{\"execute\":\"\(command)\",\"arguments\":\(arguments)}\n")
        while true {
            let line = try next(within: 30)
            if line["event"].string != nil {
                events.append(line)
            } else if let reason = line["error"]["desc"].string {
                throw LabError("QEMU refused \(command): \(reason)")
            } else {
                return line["return"]
            }
        }
    }

    /// Waits for the next event of a name that `matches`, and forgets all events up to it.
    func wait(for name: String, within seconds: Double = 60, _ matches: (JSON) throws -> Bool = { _ in true }) throws {
        while true {
            let event = try events.isEmpty ? next(within: seconds) : events.removeFirst()
            if event["event"].string == name, try matches(event["data"]) { return }
        }
    }

    private func next(within seconds: Double) throws -> JSON {
        guard let line = try connection.line(within: seconds) else { throw LabError("QEMU has ended", isFinal: true) }
        return try JSON(line)
    }
}
