import Foundation
import Measuring

/// Benchmarks that are programs of their own, beside this one.
enum Outside {
    private static var folder: String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (own as NSString).deletingLastPathComponent
    }

    private static func program(_ name: String) -> String? {
        let path = folder + "/" + name
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// The scheduler alone beside librte_sched: ns per packet, by number of classes.
    static func scheduler(_ bench: Bench, _ name: String) throws {
        guard let program = program("scheduler-benchmark") else {
            return bench.skip(name, "scheduler-benchmark is not built: swift build -c release --package-path Benchmarks")
        }
        let text = try shell(["taskset", "-c", String(bench.switchCPUs(1)[0]), program], within: 240)
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map { $0.trimmingCharacters(in: ["(", ")"]) }
            let numbers = words.compactMap { Double($0) }
            // classes, frames standing, librte_sched, own in floors and its ratio, own borrowing and its ratio
            guard numbers.count == 7, let classes = words.first.flatMap({ Int($0) }) else { continue }
            for (kind, place) in [("floors", 3), ("borrowing", 5)] {
                var result = Figure(name, "\(classes) classes, \(Int(numbers[1])) standing, \(kind)", unit: "ns", higherIsBetter: false)
                if classes == 1_000 { result.targets = [.init(against: "librte_sched", 0.35)] }
                result.add("sluice", numbers[place])
                result.add("librte_sched", numbers[2])
                bench.add(result)
            }
        }
        if !bench.results.figures.contains(where: { $0.benchmark == name }) {
            throw Fault("scheduler-benchmark printed no figures:\n\(text.suffix(600))")
        }
    }

    /// What `forwarding-benchmark -j` says of one number of poll loops.
    private struct Loops: Decodable {
        var loops: Int
        var framesPerSecond: Double
        /// Frames of all loops by those of one, set by set, and the share of each set in which a loop did not run.
        var ratios: [Double]
        var disturbed: [Double]
        /// Turns that were measured again.
        var repeats: Int
    }

    /// Scaling over lcores without generator cores: frames in rings in memory.
    static func rings(_ bench: Bench, _ name: String) throws {
        guard let program = program("forwarding-benchmark") else {
            return bench.skip(name, "forwarding-benchmark is not built: swift build -c release --package-path Benchmarks")
        }
        let turn = 0.1, sets = min(100, max(Spread.many, Int(Double(bench.rounds) * bench.seconds / turn)))
        let text = try shell([program, "-j", "--rounds", "\(sets)", "--seconds", "\(turn)"], within: 600)
        guard let start = text.firstIndex(of: "["), let rows = try? JSONDecoder().decode([Loops].self, from: Data(text[start...].utf8)) else {
            throw Fault("forwarding-benchmark printed no figures:\n\(text.suffix(600))")
        }
        for row in rows {
            var rate = Figure(name, "\(row.loops) poll loop\(row.loops == 1 ? "" : "s")", unit: "frames/s")
            rate.add("sluice", row.framesPerSecond)
            bench.add(rate)
            if row.loops == 1 { continue }
            var ratio = Figure(name, "\(row.loops) poll loops to one", unit: "x", targets: row.loops == 2 ? [.init(against: nil, 1.9)] : [])
            for (value, disturbed) in zip(row.ratios, row.disturbed) { ratio.add("sluice", value, disturbed: disturbed) }
            ratio.notes = ["\(row.repeats) turns of several loops were measured again since a loop did not run for over 2 % of one"]
            bench.add(ratio)
        }
    }
}
