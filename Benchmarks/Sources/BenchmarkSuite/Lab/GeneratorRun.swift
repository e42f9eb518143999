import Foundation
import Measuring

/// The report of `sluice-gen` on a scenario that was played to its end.
struct GeneratorReport: Decodable {
    struct Flow: Decodable {
        struct Bins: Decodable {
            var widthMilliseconds: Double
            var receivedBytes: [UInt32]
        }
        var name: String
        var sentFrames: UInt64
        var receivedFrames: UInt64
        var corrupted: UInt64
        var misdelivered: UInt64
        var bins: Bins?
    }
    struct Latency: Decodable {
        var p50: Double
        var p90: Double
        var p99: Double
        var p999: Double
        var most: Double
    }
    struct Port: Decodable {
        struct Counters: Decodable {
            var sentFrames: UInt64
            var receivedFrames: UInt64
        }
        var name: String
        var counters: Counters
    }
    struct Stalls: Decodable {
        struct Summary: Decodable {
            var count: UInt64
            var share: Double
        }
        struct Rest: Decodable {
            var disturbedShare: Double
            var latency: Latency
        }
        var generator: Summary
        var `switch`: Summary?
        var switchUnknown: String?
        /// The latency without the frames that stalls of the generator's thread delayed; and without those that stalls of the switch delayed either, if the
        /// switch reports them.
        var undisturbed: Rest?
        var undisturbedByEither: Rest?
    }
    var flows: [Flow]
    var ports: [Port]
    /// The latency of all flows together, in microseconds.
    var latency: Latency?
    var stalls: Stalls

    func windows(_ flow: String) throws -> (bytes: [UInt32], milliseconds: Double) {
        guard let bins = flows.first(where: { $0.name == flow })?.bins else { throw Fault("the generator's report has no windows of \(flow)") }
        return (bins.receivedBytes, bins.widthMilliseconds)
    }
}

enum GeneratorRun {
    /// - Parameters:
    ///   - histogram: a file for the latency distribution.
    ///   - asksSwitch: whether to ask the switch when it lost its CPU, if it can tell.
    static func play(
        _ bench: Bench, _ running: Running, _ scenario: ScenarioText, seconds: Double, bins: Bool = false, histogram: String? = nil, asksSwitch: Bool = false
    ) throws -> GeneratorReport {
        let file = try bench.file("scenario.yaml", scenario.text), report = bench.path("report.json")
        let without = running.processes.reduce(0) { $0 + $1.secondsWithoutCPU }
        let process = try ChildProcess(
            running.prefix + ["\(bench.programs)/sluice-gen", "run", file, "--json", report] + bench.generatorOptions
                + (bins ? [] : ["--no-bins"]) + (histogram.map { ["--hgrm", $0] } ?? []) + (asksSwitch ? running.control.map { ["--switch", $0] } ?? [] : []),
            log: bench.path("generator.log"))
        guard process.waitForExit(within: seconds + 60) else { throw process.failed("did not end in time") }
        guard let data = FileManager.default.contents(atPath: report) else { throw process.failed("ended without a report") }
        let read: GeneratorReport
        do { read = try JSONDecoder().decode(GeneratorReport.self, from: data) } catch { throw Fault("the generator's report cannot be read: \(error)") }
        let disturbed = (running.processes.reduce(0) { $0 + $1.secondsWithoutCPU } - without) / seconds
        if disturbed > 0.02 {
            let warning = "others had the switch's CPU for \(Int(disturbed * 100)) % of a run of \(Table.fixed(seconds, 1)) s: \(running.processes.last?.name ?? "")"
            bench.results.warnings.append(warning)
            bench.say("  " + warning)
        }
        let faults = read.flows.reduce(0) { $0 + $1.corrupted + $1.misdelivered }
        if faults > 0 { throw Fault("\(faults) frames arrived corrupted or at the wrong port") }
        return read
    }
}
