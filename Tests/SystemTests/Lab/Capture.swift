import Foundation

/// tshark on an interface: shows what really is on the wire, read by an independent dissector.
final class Capture {
    private let tshark: ChildProcess
    private let fields: [String]

    /// Starts tshark and waits until it captures.
    init(_ lab: Lab, _ interface: String, fields: [String], filter: String = "", namespace: Namespace? = nil) throws {
        self.fields = fields
        var arguments = ["tshark", "-l", "-n", "-i", interface, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a"]
        for transport in ["ip", "tcp"] { arguments += ["-o", "\(transport).check_checksum:TRUE"] }
        for field in fields { arguments += ["-e", field] }
        if !filter.isEmpty { arguments += ["-f", filter] }
        // Its temporary files are removed together with the lab's folder, and the preferences of the user do not count.
        let child = try ChildProcess(
            arguments, namespace: namespace?.name, cpus: "0", environment: ["TMPDIR": lab.folder, "HOME": lab.folder, "WIRESHARK_CONFIG_DIR": lab.folder])
        tshark = child
        lab.atClose { child.stop() }
        _ = try child.waitForLine(in: child.errors, within: 30) { $0.contains("Capture started") }
    }

    /// The frames seen so far, each as a dictionary of its fields; a field that a frame does not have is empty.
    var frames: [[String: String]] { Capture.parse(tshark.output.lines, fields) }

    /// Waits until `count` frames that `match` have been seen, and returns them.
    func waitFor(_ count: Int, within seconds: Double = 30, _ match: ([String: String]) -> Bool = { _ in true }) throws -> [[String: String]] {
        let fields = fields
        let found = tshark.output.waitForLines(until: .after(seconds)) { text -> [[String: String]]? in
            let matching = Capture.parse(text, fields).filter(match)
            return matching.count >= count ? matching : nil
        }
        if let found { return found }
        throw LabError("\(count) frames awaited within \(Int(seconds)) s; captured:\n\(tshark.output.text)\(tshark.errors.text)")
    }

    /// Reads what tshark prints of each frame, a line with its fields.
    static func parse(_ text: String, _ fields: [String]) -> [[String: String]] {
        text.split(separator: "\n").filter { $0.contains("|") || fields.count == 1 }.map { line in
            let values = line.split(separator: "|", omittingEmptySubsequences: false).map(String.init)
            return Dictionary(zip(fields, values)) { first, _ in first }
        }
    }
}
