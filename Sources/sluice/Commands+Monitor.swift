import ArgumentParser
import ControlAPI
import Foundation

struct MonitorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "monitor", abstract: "Events as they happen: monitor, monitor guest floor",
        discussion: """
            Kinds: link (carriers), guest (guests connect and go), port (ports fail and work again), floor (classes that do not get theirs), drops (bursts), \
            config (changes, and by whom), core (poll loops that hang), sflow (lost samples). With -j, one JSON object a line. The log tells the same.
            """)
    @OptionGroup var connecting: Connecting
    @Argument(help: "Kinds of events; none: all.") var kinds: [String] = []
    @Option(help: "End after so many events.") var count: Int?

    func validate() throws {
        if let count, count < 1 { throw ValidationError("--count takes a number from 1") }
    }

    func run() throws {
        try reporting {
            var left = count ?? .max
            try connecting.client.follow(kinds.isEmpty ? nil : kinds) { event in
                Output.print(connecting.json ? String(decoding: try JSONRPC.encoder().encode(event), as: UTF8.self) : Tables.event(event))
                left -= 1
                return left > 0
            }
        }
    }
}

extension Tables {
    /// An event on one line, with its time in the machine's time zone.
    static func event(_ event: Event) -> String {
        var now = time_t(event.time), parts = tm()
        localtime_r(&now, &parts)
        let time = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            strftime(text.baseAddress!, text.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
            return String(cString: text.baseAddress!)
        }
        var line = "\(time) \(event.level) \(event.kind.rawValue): "
        if let port = event.port { line += "port \(port): " }
        line += event.text
        if let lines = event.lines { line += lines.isEmpty ? "" : " " + lines.joined(separator: "; ") }
        if let uid = event.uid { line += " (uid \(uid)\(event.pid.map { " pid \($0)" } ?? "")\(event.command.map { " \($0)" } ?? ""))" }
        return line
    }
}
