import Foundation
import Measuring

/// A `sluice-gen` that is connected to the ports of a running switch and is told for each trial what to send.
final class GeneratorSession {
    private let process: ChildProcess
    private let running: Running
    private let flows: Int
    /// The time for which switch and generator lacked a CPU during the last measurement, as a share of its duration.
    private(set) var disturbed = 0.0

    /// Starts the generator and waits until all ports are connected and all addresses have been announced.
    init(_ bench: Bench, _ running: Running, _ workload: Workload) throws {
        self.running = running
        var scenario = ScenarioText(ports: running.ports)
        flows = scenario.bothWays(workload) { _ in "off" }
        let file = try bench.file("scenario.yaml", scenario.text)
        process = try ChildProcess(
            running.prefix + ["\(bench.programs)/sluice-gen", "run", file, "--control"] + bench.generatorOptions,
            log: bench.path("generator.log"), talks: true)
        _ = try counters(within: 120)
    }

    func counters(within seconds: Double = 20) throws -> StreamCounters {
        try process.write("stats")
        let line = try process.readLine(within: seconds)
        do { return try StreamCounters(json: line) } catch { throw process.failed("answered `\(line.prefix(200))`") }
    }

    private func rate(_ text: String) throws {
        try process.write("rate * \(text)")
        let answer = try process.readLine(within: 20)
        guard answer.contains("ok") else { throw process.failed("answered `\(answer)`") }
    }

    private func sleep(_ seconds: Double) { usleep(UInt32(seconds * 1e6)) }

    /// Sends as much as the switch takes. Returns the frames and bits delivered per second, in both directions together.
    func flood(_ seconds: Double, warmUp: Double = 0.4) throws -> (frames: Double, bits: Double) {
        try offer("max", seconds, warmUp)
    }

    /// Sends a constant load, in frames per second of all flows together. Returns what was delivered per second.
    func offered(_ load: Double, _ seconds: Double, warmUp: Double = 0.6) throws -> (frames: Double, bits: Double) {
        try offer(each(load), seconds, warmUp)
    }

    /// If other programs had the CPUs for more than 5 % of the time, this measures again, up to twice; the least disturbed measurement counts.
    private func offer(_ text: String, _ seconds: Double, _ warmUp: Double) throws -> (frames: Double, bits: Double) {
        let best = try LeastDisturbed(most: 0.05) {
            let rates = try once(text, seconds, warmUp)
            return (rates, disturbed)
        }
        disturbed = best.disturbed
        return best.value
    }

    private func once(_ text: String, _ seconds: Double, _ warmUp: Double) throws -> (frames: Double, bits: Double) {
        try rate(text)
        sleep(warmUp)
        let without = secondsWithoutCPU
        let before = try counters()
        sleep(seconds)
        let after = try counters()
        try rate("off")
        // If the kernel forwards, it is the switch itself that uses the generator's CPU, so that does not count as a disturbance.
        disturbed = running.processes.isEmpty ? 0 : (secondsWithoutCPU - without) / seconds
        try settle()
        let bytes = Double(after.receivedBytes - before.receivedBytes)
        return (after.rate(since: before), bytes * 8 / (after.seconds - before.seconds))
    }

    /// The share of a load's frames that did not arrive.
    func loss(at load: Int, _ seconds: Double) throws -> Double {
        let before = try counters()
        try rate(each(Double(load)))
        sleep(seconds)
        try rate("off")
        let after = try settle()
        return after.loss(since: before, rate: Double(load) / Double(flows))
    }

    private func each(_ load: Double) -> String { "\(max(1, Int(load / Double(flows))))pps" }

    /// Waits until no frames are on their way any more.
    @discardableResult
    private func settle() throws -> StreamCounters {
        var last = try counters()
        for _ in 0..<100 {
            sleep(0.02)
            let now = try counters()
            if now.received == last.received { return now }
            last = now
        }
        return last
    }

    private var secondsWithoutCPU: Double { process.secondsWithoutCPU + running.processes.reduce(0) { $0 + $1.secondsWithoutCPU } }

    /// Ends the generator. Frames that arrived damaged or at the wrong port fail the benchmark.
    func close() throws {
        let faults = try counters().faults
        try process.write("quit")
        guard process.waitForExit(within: 20) else { throw process.failed("does not end") }
        if faults > 0 { throw Fault("\(faults) frames arrived corrupted or at the wrong port") }
    }
}
