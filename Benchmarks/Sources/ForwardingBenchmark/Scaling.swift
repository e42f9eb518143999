import ArgumentParser
import Foundation
import Measuring
import NUMA

/// Compares one poll loop with several, in short turns. Each number of loops runs in a process of its own, which is stopped while the others have their turns.
struct Scaling: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare several poll loops with one, in many short turns; the default.",
        discussion: """
            One loop is measured on each of the CPUs in turn: several loops should do as much as all of these together. A set is a turn of each, and a ratio \
            is of one set, so that a machine that is faster at one time than at another is so for both sides. A turn in which a loop did not run for over \
            2 % of the time is made again, up to twice, and does not count. Beside the ratio by the clock stands that per running time, each loop's frames \
            by the time in which it ran, of turns in which that was 90 % and more.

            Other turns tell what the machine costs two threads: a process with a loop on each CPU, which share nothing; a loop beside a thread that \
            computes in registers alone, and beside one that works in 8 MiB of its own; and such computing threads alone against all at once.
            """)

    @Option(help: "Most poll loops; default: one for each CPU this process may use.")
    var loops: Int?
    @Option(help: "Sets of turns; their median counts.")
    var rounds = 60
    @Option(help: "Length of each turn, seconds.")
    var seconds = 0.1
    @Option(help: "Seconds after which no set is begun, although fewer are there.")
    var most = 240.0
    @Flag(name: .customShort("j"), help: "Print JSON.")
    var json = false
    @OptionGroup var load: Load

    private struct Ratios: Codable {
        /// The ratios for each set: by the clock, if neither side was disturbed; and per running time, if the loops ran for most of it.
        var byClock: [Double]
        var byRunningTime: [Double]

        init(_ series: TurnSeries, to other: TurnSeries) {
            byClock = series.ratios(to: other, within: ScalingSets.mostDisturbed, \.rate)
            byRunningTime = series.ratios(to: other, within: ScalingSets.mostForRunningTime, \.runningRate)
        }
    }

    private struct Row: Codable {
        var loops: Int
        /// Frames per second of running time.
        var framesPerSecond: Double
        var cyclesPerFrame: Double
        /// The frames of all loops divided by those of one.
        var ratios: Ratios
    }

    private struct Result: Codable {
        var loops: [Row]
        /// What the machine does to threads on several CPUs, by the name of the comparison.
        var machine: [String: Ratios] = [:]
        var sets: Int
        /// The number of turns that were repeated because a thread did not run for more than 2 % of one.
        var repeats: Int
    }

    mutating func validate() throws {
        guard 0.01...60 ~= seconds else { throw ValidationError("--seconds takes 0.01 to 60") }
        guard 1...3_600 ~= most else { throw ValidationError("--most takes 1 to 3600 seconds") }
    }

    func run() throws {
        let allowed = NUMA.allowedCPUs
        let count = loops ?? allowed.count
        guard 1...allowed.count ~= count else { throw ValidationError("--loops takes 1 to \(allowed.count), as many as this process may use CPUs") }
        var sets = try ScalingSets(load, cpus: Array(allowed.suffix(count)), seconds: seconds)
        defer { sets.end() }
        try sets.play(max(rounds, 1), until: .now + .seconds(most))
        let result = Self.result(sets)
        if json { print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self)) } else { show(result) }
    }

    private static func result(_ sets: ScalingSets) -> Result {
        func median(_ values: [Double]) -> Double { Spread.quantile(values, 0.5) ?? 0 }
        let rows = sets.sizes.enumerated().map { index, size in
            Row(
                loops: size, framesPerSecond: median(sets.loops[index].within(ScalingSets.mostForRunningTime).map(\.runningRate)), cyclesPerFrame: median(sets.cycles[index]),
                ratios: Ratios(sets.loops[index], to: sets.loops[0]))
        }
        var result = Result(loops: rows, sets: sets.sets, repeats: sets.repeats)
        guard let most = sets.sizes.last, most > 1 else { return result }
        result.machine = [
            "\(most) processes of one loop, to one": Ratios(sets.processes, to: sets.loops[0]),
            "a loop beside a thread in registers, to alone": Ratios(sets.besideRegisters, to: sets.last),
            "a loop beside a thread in memory, to alone": Ratios(sets.besideMemory, to: sets.last),
            "\(most) threads in registers, to one": Ratios(sets.spinners, to: sets.spinner),
        ]
        return result
    }

    private func show(_ result: Result) {
        func shown(_ values: [Double]) -> String {
            guard let median = Spread.quantile(values, 0.5), let low = Spread.quantile(values, 0.25), let high = Spread.quantile(values, 0.75) else { return "-" }
            return String(format: "%.2f (%.2f to %.2f)", median, low, high)
        }
        func line(_ cells: [String]) -> String {
            zip(cells, [46, 8, 14, 22, 22, 8]).map { cell, width in cell + String(repeating: " ", count: max(0, width - cell.count)) }.joined(separator: "  ")
        }
        print(line(["", "Mpps", "cycles a frame", "ratio by the clock", "per running time", "sets"]))
        for row in result.loops {
            print(line([
                "\(row.loops) loop\(row.loops == 1 ? "" : "s"), to one", String(format: "%.2f", row.framesPerSecond / 1e6), String(format: "%.1f", row.cyclesPerFrame),
                shown(row.ratios.byClock), shown(row.ratios.byRunningTime), "\(row.ratios.byClock.count), \(row.ratios.byRunningTime.count)",
            ]))
        }
        for (name, ratios) in result.machine.sorted(by: { $0.key < $1.key }) {
            print(line([name, "", "", shown(ratios.byClock), shown(ratios.byRunningTime), "\(ratios.byClock.count), \(ratios.byRunningTime.count)"]))
        }
        print("\(result.sets) sets; \(result.repeats) turns made again, since a thread did not run for over 2 % of one; of ratios, medians, quartiles and how many sets")
    }
}
