import Foundation
import Measuring

/// Writes the results: a table, JSON, and pictures.
enum Output {
    static func write(_ bench: Bench) throws {
        let results = bench.results
        try put(try results.json(), bench, "results.json")
        let table = Table.text(results.figures)
        try put(table + remarks(results), bench, "results.md")
        let charts = [
            ("frames/s", "rates.svg", "Frames delivered per second", 1e6), ("us", "latency.svg", "Latency", 1),
            ("ns", "scheduler.svg", "Scheduler, time per packet", 1),
        ]
        for (unit, file, title, scale) in charts {
            let groups = results.figures.filter { $0.unit == unit }.map { figure in
                (figure.benchmark + (figure.quantity == "MRR" ? "" : " " + short(figure.quantity)), bars(figure, scale))
            }
            if groups.isEmpty { continue }
            let chart = BarChart(title + ": medians and the spread of the rounds", unit: unit == "frames/s" ? "Mpps" : unit, groups: groups)
            try put(chart.svg, bench, file)
        }
        for (number, curve) in results.curves.enumerated() {
            let chart = LineChart("\(curve.benchmark): \(curve.title)", x: curve.xTitle, y: curve.yTitle, logarithmic: curve.logarithmic, series: curve.series)
            try put(chart.svg, bench, "\(curve.benchmark)-\(number + 1).svg")
        }
    }

    /// Prints the table on standard output.
    static func tell(_ bench: Bench) {
        print(Table.text(bench.results.figures) + remarks(bench.results))
        bench.say("\(bench.output): results.md, results.json and pictures")
    }

    private static func short(_ quantity: String) -> String { quantity.count < 24 ? quantity : String(quantity.prefix(21)) + "..." }

    private static func bars(_ figure: Figure, _ scale: Double) -> [BarChart.Bar] {
        figure.peers.compactMap { peer in
            Spread(peer.rounds.compactMap { $0.map { $0 / scale } }).map { BarChart.Bar(peer.peer, $0) }
        }
    }

    /// Lists what did not run, and what disturbed the figures.
    private static func remarks(_ results: Results) -> String {
        var lines: [String] = []
        for figure in results.figures {
            for note in figure.notes { lines.append("\(figure.benchmark), \(figure.quantity): \(note)") }
            for peer in figure.peers {
                let worst = Spread(peer.disturbed)?.high ?? 0
                if worst > 0.02 {
                    let rounds = peer.disturbed.count >= Spread.many ? "three of four rounds" : "any round"
                    lines.append("\(figure.benchmark), \(peer.peer): others had its CPUs for up to \(Int(worst * 100)) % of \(rounds)")
                }
            }
        }
        lines.append("\(results.took.count) benchmarks took \(Table.fixed(results.took.values.reduce(0, +) / 60, 1)) min")
        lines += results.warnings
        lines += results.skipped.map { "Skipped: \($0.benchmark): \($0.reason)" }
        lines += results.failures.map { "FAILED: \($0.benchmark)\($0.peer.map { ", \($0)" } ?? ""): \($0.reason)" }
        return lines.isEmpty ? "" : "\n" + lines.joined(separator: "\n") + "\n"
    }

    private static func put(_ text: String, _ bench: Bench, _ name: String) throws {
        let path = "\(bench.output)/\(name)"
        do { try text.write(toFile: path, atomically: true, encoding: .utf8) } catch { throw Fault("cannot write \(path): \(error)") }
    }
}
