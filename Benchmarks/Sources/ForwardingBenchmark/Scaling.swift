import ArgumentParser
import Foundation
import Measuring
import NUMA

/// One poll loop against several, in short turns, each number of loops in a process of its own that is stopped while others have theirs.
struct Scaling: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare several poll loops with one, in many short turns; the default.",
        discussion: """
            One loop is measured on each of the CPUs in turn: several loops should do as much as all of these together. A set is a turn of each, and a ratio \
            is of one set, so that a machine that is faster at one time than at another is so for both sides. A turn in which a loop did not run for over \
            2 % of the time is measured again, up to twice; the least disturbed counts.
            """)

    @Option(help: "Most poll loops; default: one for each CPU this process may use.")
    var loops: Int?
    @Option(help: "Sets of turns; their median counts.")
    var rounds = 60
    @Option(help: "Length of each turn, seconds.")
    var seconds = 0.1
    @Flag(name: .customShort("j"), help: "Print JSON.")
    var json = false
    @OptionGroup var load: Load

    static let mostDisturbed = 0.02

    private struct Result: Codable {
        var loops: Int
        var framesPerSecond: Double
        var cyclesPerFrame: Double
        /// Frames of all loops by those of one: the median, and set by set.
        var ratio: Double
        var ratios: [Double]
        /// Of each set, the share of time in which a loop did not run, of the worse side.
        var disturbed: [Double]
        /// Turns that were measured again, of all sets together.
        var repeats: Int
    }

    /// Of one number of loops, set by set.
    fileprivate struct Series {
        var rates: [Double] = []
        var cycles: [Double] = []
        var ratios: [Double] = []
        var disturbed: [Double] = []
        var repeats = 0
    }

    mutating func validate() throws {
        guard 0.01...60 ~= seconds else { throw ValidationError("--seconds takes 0.01 to 60") }
    }

    func run() throws {
        let allowed = NUMA.allowedCPUs
        let most = loops ?? allowed.count
        guard 1...allowed.count ~= most else { throw ValidationError("--loops takes 1 to \(allowed.count), as many as this process may use CPUs") }
        let cpus = Array(allowed.suffix(most))
        let results = try measure(cpus, sizes: sizes(most))
        if json { return print(String(decoding: try JSONEncoder().encode(results), as: UTF8.self)) }
        print("loops        Mpps  cycles a frame  to one loop  (quartiles)     turns again")
        for result in results {
            let quartiles = "(\(shown(Spread.quantile(result.ratios, 0.25))) to \(shown(Spread.quantile(result.ratios, 0.75))))"
            print(String(
                format: "%5d  %10.2f  %14.1f  %11@  %@  %11d", result.loops, result.framesPerSecond / 1e6, result.cyclesPerFrame, shown(result.ratio) as NSString,
                quartiles as NSString, result.repeats))
        }
    }

    private func shown(_ value: Double?) -> String { String(format: "%.2f", value ?? 0) }

    /// 1, 2, 4 and so on, and the most.
    private func sizes(_ most: Int) -> [Int] { Array(sequence(first: 1) { $0 * 2 }.prefix { $0 < most }) + [most] }

    private func measure(_ cpus: [Int], sizes: [Int]) throws -> [Result] {
        let alone = try cpus.map { try Player([$0], load) }
        let together = try sizes.dropFirst().map { try Player(Array(cpus.suffix($0)), load) }
        defer { for player in alone + together { player.end() } }
        var all = [Series](repeating: Series(), count: sizes.count)
        for _ in 0..<max(rounds, 1) {
            let single = try alone.map(turn)
            let one = single.map(\.value.sentPerSecond).reduce(0, +) / Double(single.count), disturbed = single.map(\.disturbed).max() ?? 0
            all[0].add(one, to: one, single.flatMap(\.value.loops), disturbed, single.map(\.repeats).reduce(0, +))
            for (index, player) in together.enumerated() {
                let result = try turn(player)
                all[index + 1].add(result.value.sentPerSecond, to: one, result.value.loops, max(disturbed, result.disturbed), result.repeats)
            }
        }
        func median(_ values: [Double]) -> Double { Spread.quantile(values, 0.5) ?? 0 }
        return zip(sizes, all).map { size, series in
            Result(
                loops: size, framesPerSecond: median(series.rates), cyclesPerFrame: median(series.cycles), ratio: median(series.ratios),
                ratios: series.ratios, disturbed: series.disturbed, repeats: series.repeats)
        }
    }

    private func turn(_ player: Player) throws -> LeastDisturbed<MeasurementResult> {
        try LeastDisturbed(most: Self.mostDisturbed) {
            let result = try player.turn(seconds: seconds)
            return (result, result.disturbed)
        }
    }
}

extension Scaling.Series {
    fileprivate mutating func add(_ rate: Double, to one: Double, _ loops: [MeasurementResult.Loop], _ disturbed: Double, _ repeats: Int) {
        rates.append(rate)
        ratios.append(rate / one)
        cycles.append(loops.map(\.cyclesPerFrame).reduce(0, +) / Double(max(1, loops.count)))
        self.disturbed.append(disturbed)
        self.repeats += repeats
    }
}
