import Foundation
import Measuring

/// Checks whether `sluice-gen` counts correctly: behind a forwarding testpmd, it receives from one testpmd in txonly mode and sends to one in rxonly mode, and
/// every frame must be counted exactly once. This is slow, because two pollers share the generator's CPU; only counts are compared.
struct GeneratorCheck {
    static func run(_ bench: Bench, _ name: String) {
        var result = Figure(name, "frames in no count or in two", unit: "frames", higherIsBetter: false, targets: [.init(against: nil, 0)])
        do {
            let (received, first) = try receives(bench)
            let (sent, second) = try sends(bench)
            result.add("sluice-gen receives", first)
            result.add("sluice-gen sends", second)
            result.notes = ["\(received) frames received from testpmd's txonly, \(sent) sent to its rxonly"]
            bench.add(result)
            if first + second > 0 { throw Fault("sluice-gen and dpdk-testpmd do not agree: \(Int(first)) frames received and \(Int(second)) sent differ") }
        } catch { bench.fail(name, nil, error) }
    }

    private struct Counts {
        var received = 0, sent = 0, dropped = 0

        /// Parses the statistics that testpmd prints for a port when forwarding stops.
        init(_ log: String, port: Int) throws {
            guard let start = log.range(of: "Forward statistics for port \(port)", options: .backwards) else {
                throw Fault("dpdk-testpmd printed no statistics of port \(port):\n\(log.suffix(500))")
            }
            func value(_ key: String) -> Int {
                guard let range = log.range(of: key, range: start.lowerBound..<log.endIndex) else { return 0 }
                return Int(log[range.upperBound...].drop { $0 == " " }.prefix { $0.isNumber }) ?? 0
            }
            (received, sent, dropped) = (value("RX-packets:"), value("TX-packets:"), value("TX-dropped:"))
        }
    }

    /// Starts a testpmd at the generator's end of a socket.
    private static func far(_ bench: Bench, _ mode: String, _ port: GeneratorPort) throws -> ChildProcess {
        let cpu = bench.generatorCPU, socket = port.device.split(separator: ":").last ?? ""
        let process = try ChildProcess(
            [
                "stdbuf", "-oL", "dpdk-testpmd", "--lcores", "0@\(cpu),1@\(cpu)", "--no-pci", "--no-huge", "-m", "256", "--no-telemetry",
                "--file-prefix", bench.tag + "f", "--vdev", "net_virtio_user0,path=\(socket),packed_vq=1,mrg_rxbuf=1,in_order=1,queue_size=1024",
                "--", "-i", "--forward-mode=\(mode)", "--total-num-mbufs=8192", "--txd=1024", "--rxd=1024",
            ], log: bench.path("far.log"), keepsInput: true)
        try process.waitFor("testpmd>", within: 30)
        return process
    }

    private static func command(_ process: ChildProcess, _ text: String, answer: String) throws {
        try process.write(text)
        try process.waitFor(answer, within: 30)
    }

    private static func end(_ process: ChildProcess, _ bench: Bench) throws -> String {
        try process.write("quit")
        guard process.waitForExit(within: 20) else { throw process.failed("does not quit") }
        try? FileManager.default.removeItem(atPath: "/var/run/dpdk/\(bench.tag)f")
        return process.logText
    }

    /// Starts the forwarding testpmd, executes `body`, and returns the log, at the end of which are its counts.
    private static func forwarding(_ bench: Bench, _ body: (Running) throws -> Void) throws -> String {
        let running = try TestpmdPeer().start(Workload(), bench)
        defer { running.stop() }
        try body(running)
        guard let process = running.processes.first else { return "" }
        process.stop()
        return process.logText
    }

    private static func receives(_ bench: Bench) throws -> (frames: Int, difference: Double) {
        var sent = 0, arrived = 0
        let log = try forwarding(bench) { running in
            let scenario = "connect: 30s\nports: [{name: sink, device: \"\(running.ports[1].device)\", mac: \"\(Workload.mac(port: 1))\"}]\n"
            let file = try bench.file("scenario.yaml", scenario), report = bench.path("report.json")
            let generator = try ChildProcess(
                ["\(bench.programs)/sluice-gen", "run", file, "--control", "--no-table", "--cpu", String(bench.generatorCPU), "--json", report],
                log: bench.path("generator.log"), talks: true)
            try generator.write("stats")
            _ = try generator.readLine(within: 30)
            let source = try far(bench, "txonly", running.ports[0])
            try command(source, "start", answer: "Port 0")
            usleep(1_000_000)
            try command(source, "stop", answer: "Done.")
            // This lets frames arrive that are still in rings.
            usleep(500_000)
            sent = try Counts(try end(source, bench), port: 0).sent
            try generator.write("quit")
            guard generator.waitForExit(within: 20), let data = FileManager.default.contents(atPath: report) else { throw generator.failed("gave no report") }
            arrived = Int(try JSONDecoder().decode(GeneratorReport.self, from: data).ports.first?.counters.receivedFrames ?? 0)
        }
        let (into, out) = (try Counts(log, port: 0), try Counts(log, port: 1))
        guard sent > 0 else { throw Fault("dpdk-testpmd's txonly sent nothing") }
        return (arrived, Double(abs(sent - into.received) + abs(out.sent - arrived) + abs(into.received - out.sent - out.dropped)))
    }

    private static func sends(_ bench: Bench) throws -> (frames: Int, difference: Double) {
        var sent = 0, arrived = 0
        let log = try forwarding(bench) { running in
            let sink = try far(bench, "rxonly", running.ports[1])
            try command(sink, "start", answer: "rxonly packet forwarding")
            var scenario = ScenarioText(ports: [running.ports[0]], duration: 1, learn: false)
            scenario.line("  - {name: f, from: p0, to: \"\(Workload.mac(port: 1))\", rate: 20kpps, size: [60, 590, 1514]}")
            sent = Int(try GeneratorRun.play(bench, running, scenario, seconds: 1).ports.first?.counters.sentFrames ?? 0)
            usleep(500_000)
            try command(sink, "stop", answer: "Done.")
            arrived = try Counts(try end(sink, bench), port: 0).received
        }
        let (into, out) = (try Counts(log, port: 0), try Counts(log, port: 1))
        guard sent > 0 else { throw Fault("sluice-gen sent nothing") }
        return (sent, Double(abs(sent - into.received) + abs(out.sent - arrived) + abs(into.received - out.sent - out.dropped)))
    }
}
