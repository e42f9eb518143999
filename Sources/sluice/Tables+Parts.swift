import ControlAPI

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
}
