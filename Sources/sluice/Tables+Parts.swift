import ControlAPI
import Foundation

extension Tables {
    /// - Parameter details: whether to print the YAML text that each part was set to, instead of one row for each part.
    static func parts(_ parts: [PartStatus], details: Bool) -> String {
        if details { return parts.map { ($0.problem.map { "# not in use: \($0.replacing("\n", with: "\n# "))\n" } ?? "") + $0.yaml }.joined() }
        let rows = parts.map { part in
            [
                part.name, part.problem == nil ? "in use" : "not in use", list(part.ports), list(part.guests), "\(part.ageSeconds) s",
                part.problem?.split(separator: "\n").first.map(String.init) ?? "",
            ]
        }
        return aligned(["PART", "STATE", "PORTS", "GUESTS", "AGE", ""], rows, right: [4])
    }

    private static func list(_ names: [String]) -> String { names.isEmpty ? "-" : names.joined(separator: ",") }

    /// Past configurations, the latest last.
    static func revisions(_ revisions: [RevisionStatus]) -> String {
        if revisions.isEmpty { return "no configuration was applied yet" }
        let rows = revisions.map { [String($0.number), time($0.time), String($0.changes), $0.how, $0.who ?? "-"] }
        return aligned(["NUMBER", "TIME", "CHANGES", "HOW", "WHO"], rows, right: [0, 2])
    }

    /// The time in ISO 8601, in this machine's time zone.
    private static func time(_ seconds: Double) -> String {
        var time = time_t(seconds), parts = tm()
        localtime_r(&time, &parts)
        return withUnsafeTemporaryAllocation(of: CChar.self, capacity: 64) { text in
            guard let start = text.baseAddress else { return "" }
            strftime(start, text.count, "%Y-%m-%dT%H:%M:%S%z", &parts)
            return String(cString: start)
        }
    }
}
