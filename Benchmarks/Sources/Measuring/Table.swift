/// Formats results as Markdown tables that can also be read as plain text.
public enum Table {
    static let head = ["benchmark", "quantity", "peer", "median", "spread", "ratio", "spread", "wanted"]

    /// One row for each benchmark and peer: the median with the spread of the rounds (`Spread.low`), and the ratio of the project's value to it.
    public static func text(_ figures: [Figure]) -> String {
        var rows: [[String]] = []
        for figure in figures {
            for (index, peer) in figure.peers.enumerated() {
                var row = index == 0 ? [figure.benchmark, figure.quantity] : ["", ""]
                row.append(peer.peer)
                if let spread = figure.spread(peer.peer) {
                    row += [amount(spread.median, figure.unit), amount(spread.low, figure.unit) + " to " + amount(spread.high, figure.unit)]
                } else {
                    row += ["not measured", ""]
                }
                let ratio = figure.ratio(to: peer.peer)
                row += [ratio.map { ratioText($0.median) } ?? "", ratio.map { "\(ratioText($0.low)) to \(ratioText($0.high))" } ?? ""]
                let target = figure.targets.first { $0.against == (index == 0 ? nil : peer.peer) }
                row.append(target.map { wanted($0, figure) } ?? "")
                rows.append(row)
            }
        }
        return markdown([head] + rows)
    }

    private static func wanted(_ target: Figure.Target, _ figure: Figure) -> String {
        let limit = target.against == nil ? amount(target.value, figure.unit) : ratioText(target.value)
        let verdict = figure.reaches(target).map { $0 ? "reached" : "missed" } ?? "not measured"
        return "\(figure.higherIsBetter ? "at least" : "at most") \(limit): \(verdict)"
    }

    static func ratioText(_ value: Double) -> String { fixed(value, value < 10 ? 3 : 1) }

    /// A value with its unit; frames per second are given in Mpps or kpps.
    public static func amount(_ value: Double, _ unit: String) -> String {
        switch unit {
        case "frames/s" where value >= 1e5: fixed(value / 1e6, 3) + " Mpps"
        case "frames/s": fixed(value / 1e3, 2) + " kpps"
        case "bit/s" where value >= 1e9: fixed(value / 1e9, 3) + " Gbit/s"
        case "bit/s": fixed(value / 1e6, 3) + " Mbit/s"
        default: fixed(value, value.magnitude < 1 ? 4 : value.magnitude < 100 ? 2 : 1) + " " + unit
        }
    }

    public static func fixed(_ value: Double, _ places: Int) -> String {
        guard value.isFinite else { return "-" }
        var scale = 1.0
        for _ in 0..<places { scale *= 10 }
        let whole = Int64((value.magnitude * scale).rounded())
        let digits = String(whole)
        let padded = String(repeating: "0", count: max(0, places + 1 - digits.count)) + digits
        let sign = value < 0 && whole != 0 ? "-" : ""
        return places == 0 ? sign + padded : sign + padded.dropLast(places) + "." + padded.suffix(places)
    }

    /// A table whose columns are aligned: words to the left, figures to the right.
    static func markdown(_ rows: [[String]]) -> String {
        guard let head = rows.first else { return "" }
        let widths = head.indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let figures = Set([3, 5])
        func line(_ row: [String]) -> String {
            "| " + row.enumerated().map { column, text in
                let pad = String(repeating: " ", count: widths[column] - text.count)
                return figures.contains(column) ? pad + text : text + pad
            }.joined(separator: " | ") + " |"
        }
        let rule = "|" + head.indices.map { String(repeating: "-", count: widths[$0] + 1) + (figures.contains($0) ? ":" : "-") }.joined(separator: "|") + "|"
        return ([line(head), rule] + rows.dropFirst().map(line)).joined(separator: "\n") + "\n"
    }
}
