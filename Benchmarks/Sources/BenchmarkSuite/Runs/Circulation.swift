import Foundation
import Measuring

/// Throughput of frames that circulate through several switches in turn: all are running with their poll loops on the same CPUs, and one at a time runs for a
/// slice while the others are stopped. If the machine is slower for some seconds, this affects all switches of a set of slices.
struct Circulation {
    var workload: Workload
    var peers: [any Peer]
    /// The most ports of one generator.
    static let mostPorts = 32
    static let slice = 0.15

    /// The number of slices that take as long as the rounds would.
    static func slices(_ bench: Bench) -> Int { max(5, Int((Double(bench.rounds) * bench.seconds / slice).rounded())) }

    static func slicesPerRound(_ bench: Bench) -> Int { max(2, Int((bench.seconds / slice).rounded())) }

    /// Adds a round for each slice. A peer that fails to start is left out; if the generator fails, no peer gets a value.
    func measure(_ bench: Bench, _ name: String, into result: inout Figure) {
        var up: [(peer: any Peer, running: Running)] = []
        defer { for (_, running) in up { running.stop() } }
        for peer in peers {
            do { up.append((peer, try peer.start(workload, bench))) } catch { bench.fail(name, peer.name, error) }
        }
        guard !up.isEmpty else { return }
        do {
            let report = try Self.play(bench, workload, up, slices: Self.slices(bench))
            // The order is that of measuring. A peer that did not start has no value.
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
    ///   - windows: for switches that hold frames back, the number of frames on their way in each direction.
    ///   - options: more options for `sluice-gen circulate`.
    static func play(
        _ bench: Bench, _ workload: Workload, _ up: [(peer: any Peer, running: Running)], slices: Int, windows: [String: Int] = [:],
        options: [String] = []
    ) throws -> CirculationReport {
        var scenario = ScenarioText(ports: up[0].running.ports, isSegmented: workload.segment != nil)
        _ = scenario.bothWays(workload) { _ in "max" }
        let file = try bench.file("scenario.yaml", scenario.text), json = bench.path("slices.json")
        var words = ["\(bench.programs)/sluice-gen", "circulate", file, "--json", json, "--slices", "\(slices)", "--slice", "\(Int(slice * 1e3))ms"]
        words += ["--rings", bench.rings, "--cpu", String(bench.generatorCPU)] + (bench.hugeDirectory.map { ["--huge-dir", $0] } ?? [])
        for (peer, running) in up {
            let sockets = running.ports.map { String($0.device.drop { $0 != ":" }.dropFirst()) }
            words += ["--switch", "\(peer.name)=\(running.processes.map { String($0.pid) }.joined(separator: "+")):\(sockets.joined(separator: ","))"]
        }
        // So many long segments always fit into a guest's ring. If more were on their way, dpdk-testpmd would drop what does not fit, and Sluice would cut it.
        if workload.segment != nil { words += ["--window", "12"] }
        for (name, frames) in windows.sorted(by: { $0.key < $1.key }) { words += ["--window", "\(name)=\(frames)"] }
        let process = try ChildProcess(words + options, log: bench.path("generator.log"))
        // Every slice may be measured twice, and a daemon may take some time to answer.
        let longest = Double(2 * slices * up.count) * (slice + 0.1) + 90
        guard process.waitForExit(within: longest) else { throw process.failed("did not end in \(Int(longest)) s") }
        guard process.exitStatus == 0, let data = FileManager.default.contents(atPath: json) else { throw process.failed("ended without figures") }
        do { return try CirculationReport(json: data) } catch { throw Fault("the generator's figures cannot be read: \(error)") }
    }
}
