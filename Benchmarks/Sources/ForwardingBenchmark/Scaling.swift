import ArgumentParser
import Foundation
import NUMA

/// One poll loop against several, in alternating rounds, each in a process of its own.
struct Scaling: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Compare several poll loops with one, in alternating rounds; the default.",
        discussion: "One loop is measured on each of the CPUs in turn: several loops should do as much as all of these together.")

    @Option(help: "Most poll loops; default: one for each CPU this process may use.")
    var loops: Int?
    @Option(help: "Rounds; their median counts.")
    var rounds = 5
    @Option(help: "Length of each measurement, seconds.")
    var seconds = 1.0
    @Flag(name: .customShort("j"), help: "Print JSON.")
    var json = false
    @OptionGroup var load: Load

    private struct Result: Codable {
        var loops: Int
        var framesPerSecond: Double
        var cyclesPerFrame: Double
        /// Frames of all loops by those of one.
        var ratio: Double
        var ratios: [Double]
    }

    func run() throws {
        let allowed = NUMA.allowedCPUs
        let most = loops ?? allowed.count
        guard 1...allowed.count ~= most else { throw ValidationError("--loops takes 1 to \(allowed.count), as many as this process may use CPUs") }
        let cpus = Array(allowed.suffix(most))
        var sizes: [Int] = []
        var size = 1
        while size < most {
            sizes.append(size)
            size *= 2
        }
        sizes.append(most)

        var rates: [Int: [Double]] = [:], cycles: [Int: [Double]] = [:], ratios: [Int: [Double]] = [:]
        for _ in 0..<max(rounds, 1) {
            let alone = try cpus.map { try measure([$0]) }
            let one = alone.map(\.sentPerSecond).reduce(0, +) / Double(alone.count)
            for size in sizes {
                let result = size == 1 ? nil : try measure(Array(cpus.suffix(size)))
                let rate = result?.sentPerSecond ?? one
                rates[size, default: []].append(rate)
                ratios[size, default: []].append(rate / one)
                let loops = result.map(\.loops) ?? alone.flatMap(\.loops)
                cycles[size, default: []].append(loops.map(\.cyclesPerFrame).reduce(0, +) / Double(loops.count))
            }
        }
        let results = sizes.map {
            Result(loops: $0, framesPerSecond: median(rates[$0]!), cyclesPerFrame: median(cycles[$0]!), ratio: median(ratios[$0]!), ratios: ratios[$0]!)
        }
        if json { return print(String(decoding: try JSONEncoder().encode(results), as: UTF8.self)) }
        print("loops        Mpps  cycles a frame  to one loop  rounds")
        for result in results {
            let each = result.ratios.map { String(format: "%.2f", $0) }.joined(separator: " ")
            print(String(
                format: "%5d  %10.2f  %14.1f  %11.2f  %@", result.loops, result.framesPerSecond / 1e6, result.cyclesPerFrame, result.ratio, each as NSString))
        }
    }

    /// EAL starts once a process, so each measurement has its own.
    private func measure(_ cpus: [Int]) throws -> MeasurementResult {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
        process.arguments = ["measure", "-j", "--cpus", cpus.map(String.init).joined(separator: ","), "--seconds", "\(seconds)"] + load.arguments
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        guard process.terminationStatus == 0 else { throw Failure("the measurement on CPUs \(cpus) failed") }
        return try JSONDecoder().decode(MeasurementResult.self, from: data)
    }

    private func median(_ values: [Double]) -> Double {
        let sorted = values.sorted()
        return sorted.count % 2 == 1 ? sorted[sorted.count / 2] : (sorted[sorted.count / 2 - 1] + sorted[sorted.count / 2]) / 2
    }
}
