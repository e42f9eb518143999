import Foundation
import Measuring

/// Throughput by frames that go round, several switches interleaved: all are up at once with their poll loops on the same CPUs, and one at a time
/// runs for a slice while the others are stopped. What the machine does for seconds at a time, it does to all of a set of slices.
struct Circulation {
    var workload: Workload
    var peers: [any Peer]
    /// What one generator has.
    static let mostPorts = 32
    static let slice = 0.15

    /// Slices for as many seconds as rounds would take.
    static func slices(_ bench: Bench) -> Int { max(5, Int((Double(bench.rounds) * bench.seconds / slice).rounded())) }

    static func slicesPerRound(_ bench: Bench) -> Int { max(2, Int((bench.seconds / slice).rounded())) }

    /// Adds a round for each slice. A peer that does not start is left out; a generator that fails leaves all without a value.
    func measure(_ bench: Bench, _ name: String, into result: inout Figure) {
        var up: [(peer: any Peer, running: Running)] = []
        defer { for (_, running) in up { running.stop() } }
        for peer in peers {
            do { up.append((peer, try peer.start(workload, bench))) } catch { bench.fail(name, peer.name, error) }
        }
        guard !up.isEmpty else { return }
        do {
            let report = try Self.play(bench, workload, up, slices: Self.slices(bench))
            // In the order of measuring; what did not start has no round.
            for peer in peers {
                guard let member = report.switches.first(where: { $0.name == peer.name }) else {
                    result.add(peer.name, nil)
                    continue
                }
                for slice in member.slices { result.add(peer.name, slice.rate, disturbed: slice.disturbed) }
                let lost = report.lost(peer.name)
                if lost > 0 { result.notes.append("\(peer.name) lost \(lost) frames of \(member.slices.reduce(0) { $0 + $1.frames })") }
            }
            result.notes.append(report.limit)
        } catch {
            for (peer, _) in up { result.add(peer.name, nil) }
            bench.fail(name, nil, error)
        }
    }

    /// - Parameters:
    ///   - windows: frames on their way each way, of switches that hold some back.
    ///   - options: more for `sluice-gen circulate`.
    static func play(
        _ bench: Bench, _ workload: Workload, _ up: [(peer: any Peer, running: Running)], slices: Int, windows: [String: Int] = [:],
        options: [String] = []
    ) throws -> CirculationReport {
        var scenario = ScenarioText(ports: up[0].running.ports)
        _ = scenario.bothWays(workload) { _ in "max" }
        let file = try bench.file("scenario.yaml", scenario.text), json = bench.path("slices.json")
        var words = ["\(bench.programs)/sluice-gen", "circulate", file, "--json", json, "--slices", "\(slices)", "--slice", "\(Int(slice * 1e3))ms"]
        words += ["--cpu", String(bench.generatorCPU)] + (bench.hugeDirectory.map { ["--huge-dir", $0] } ?? [])
        for (peer, running) in up {
            let sockets = running.ports.map { String($0.device.drop { $0 != ":" }.dropFirst()) }
            words += ["--switch", "\(peer.name)=\(running.processes.map { String($0.pid) }.joined(separator: "+")):\(sockets.joined(separator: ","))"]
        }
        for (name, frames) in windows.sorted(by: { $0.key < $1.key }) { words += ["--window", "\(name)=\(frames)"] }
        let process = try ChildProcess(words + options, log: bench.path("generator.log"))
        // Every slice may be measured again, and a daemon may be slow to answer.
        let longest = Double(2 * slices * up.count) * (slice + 0.1) + 90
        guard process.waitForExit(within: longest) else { throw process.failed("did not end in \(Int(longest)) s") }
        guard process.exitStatus == 0, let data = FileManager.default.contents(atPath: json) else { throw process.failed("ended without figures") }
        do { return try CirculationReport(json: data) } catch { throw Fault("the generator's figures cannot be read: \(error)") }
    }
}
