import Foundation
import Measuring

/// Benchmarks that are separate programs.
enum Outside {
    private static var folder: String {
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? CommandLine.arguments[0]
        return (own as NSString).deletingLastPathComponent
    }

    private static func program(_ name: String) -> String? {
        let path = folder + "/" + name
        return FileManager.default.isExecutableFile(atPath: path) ? path : nil
    }

    /// Compares the scheduler alone with librte_sched: ns per packet, by the number of classes.
    static func scheduler(_ bench: Bench, _ name: String) throws {
        guard let program = program("scheduler-benchmark") else {
            return bench.skip(name, "scheduler-benchmark is not built: swift build -c release --package-path Benchmarks")
        }
        let text = try shell(["taskset", "-c", String(bench.switchCPUs(1)[0]), program], within: 240)
        var inFloors: [Int: Double] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ").map { $0.trimmingCharacters(in: ["(", ")"]) }
            let numbers = words.compactMap { Double($0) }
            // The columns are: classes, standing frames, librte_sched; Sluice within floors and its ratio; Sluice borrowing and its ratio.
            guard numbers.count == 7, let classes = words.first.flatMap({ Int($0) }) else { continue }
            if numbers[1] == 32 { inFloors[classes] = numbers[3] }
            for (kind, place) in [("floors", 3), ("borrowing", 5)] {
                var result = Figure(name, "\(classes) classes, \(Int(numbers[1])) standing, \(kind)", unit: "ns", higherIsBetter: false)
                if classes == 1_000 { result.targets = [.init(against: "librte_sched", 0.35)] }
                result.add("sluice", numbers[place])
                result.add("librte_sched", numbers[2])
                bench.add(result)
            }
        }
        if let few = inFloors[8], let many = inFloors[65_535] {
            var result = Figure(name, "65535 classes to 8, 32 standing, floors", unit: "x", higherIsBetter: false, targets: [.init(against: nil, 2)])
            result.add("sluice", many / few)
            bench.add(result)
        }
        if !bench.results.figures.contains(where: { $0.benchmark == name }) {
            throw Fault("scheduler-benchmark printed no figures:\n\(text.suffix(600))")
        }
    }

    /// The output of `forwarding-benchmark -j`.
    private struct Scaling: Decodable {
        struct Ratios: Decodable {
            /// For each set: by the clock, if neither side was disturbed; and per running time, if the loops ran for most of it.
            var byClock: [Double]
            var byRunningTime: [Double]
        }
        struct Loops: Decodable {
            var loops: Int
            var framesPerSecond: Double
            var ratios: Ratios
        }
        var loops: [Loops]
        var machine: [String: Ratios]
        var sets: Int
        /// The number of turns that were repeated.
        var repeats: Int
    }

    /// Measures how throughput scales with lcores, without CPUs for a generator: frames are in rings in memory.
    static func rings(_ bench: Bench, _ name: String) throws {
        guard let program = program("forwarding-benchmark") else {
            return bench.skip(name, "forwarding-benchmark is not built: swift build -c release --package-path Benchmarks")
        }
        let turn = 0.1, sets = min(100, max(Spread.many, Int(Double(bench.rounds) * bench.seconds / turn))), most = 300.0
        let text = try shell([program, "-j", "--rounds", "\(sets)", "--seconds", "\(turn)", "--most", "\(most)"], within: most + 120)
        guard let line = text.split(separator: "\n").last(where: { $0.hasPrefix("{") }), let read = try? JSONDecoder().decode(Scaling.self, from: Data(line.utf8)) else {
            throw Fault("forwarding-benchmark printed no figures:\n\(text.suffix(600))")
        }
        func add(_ quantity: String, _ values: [Double], _ targets: [Figure.Target] = [], _ notes: [String] = []) {
            var figure = Figure(name, quantity, unit: "x", targets: targets)
            for value in values { figure.add("sluice", value) }
            figure.notes = notes
            bench.add(figure)
        }
        for row in read.loops {
            var rate = Figure(name, "\(row.loops) poll loop\(row.loops == 1 ? "" : "s")", unit: "frames/s")
            rate.add("sluice", row.framesPerSecond)
            bench.add(rate)
            if row.loops == 1 { continue }
            let targets = row.loops == 2 ? [Figure.Target(against: nil, 1.9)] : []
            let note = "\(row.ratios.byClock.count) of \(read.sets) sets were undisturbed; \(read.repeats) turns were made again, since a thread did not run for over 2 %"
            add("\(row.loops) poll loops to one", row.ratios.byClock, targets, [note])
            add("\(row.loops) poll loops to one, per running time", row.ratios.byRunningTime)
        }
        for (quantity, ratios) in read.machine.sorted(by: { $0.key < $1.key }) { add(quantity + ", per running time", ratios.byRunningTime) }
    }
}
