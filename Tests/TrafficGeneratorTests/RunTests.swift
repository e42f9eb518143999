import Foundation
import Testing
import TrafficGenerator

/// Runs the real program between DPDK devices that need no switch. It needs root, as DPDK does.
@Suite(.serialized, .enabled(if: geteuid() == 0, "DPDK needs root")) struct RunTests {
    let folder: URL

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("sluice-gen-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    /// Runs a scenario and returns the exit status and the report.
    private func play(_ yaml: String, _ options: [String] = []) throws -> (Int32, Report?) { try play("run", yaml, options) }

    private func play<Figures: Decodable>(_ verb: String, _ yaml: String, _ options: [String]) throws -> (Int32, Figures?) {
        let file = folder.appendingPathComponent("scenario.yaml")
        try yaml.write(to: file, atomically: true, encoding: .utf8)
        let report = folder.appendingPathComponent("report.json")
        try? FileManager.default.removeItem(at: report)
        let program = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent().appendingPathComponent("sluice-gen")
        let built = FileManager.default.isExecutableFile(atPath: program.path)
            ? program : URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent().appendingPathComponent("sluice-gen")
        let command = try Command.run(built.path, [verb, file.path, "--json", report.path] + options)
        let data = FileManager.default.contents(atPath: report.path)
        return (command.status, try data.map { try JSONDecoder().decode(Figures.self, from: $0) })
    }

    private var memif: String {
        """
        ports:
          - {name: a, device: "net_memif0,role=server,id=0,socket=\(folder.path)/m.sock,socket-abstract=no"}
          - {name: b, device: "net_memif1,role=client,id=0,socket=\(folder.path)/m.sock,socket-abstract=no"}

        """
    }

    @Test func everythingArrivesOverAMemif() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        func runtimeFolders() -> Set<String> { Set((try? FileManager.default.contentsOfDirectory(atPath: "/var/run/dpdk")) ?? []) }
        let before = runtimeFolders()
        let (status, report) = try play(
            memif + """
                duration: 500ms
                learn: true
                flows:
                  - {name: small, from: a, to: b, rate: 100kpps, subflows: 50, macs: 3}
                  - {name: mix, from: b, to: a, protocol: iscsi, size: [72, 590, 1514], rate: 50mbit, vlan: 9, pcp: 4}
                  - {name: storage, from: a, to: b, protocol: fcoe, size: 1514, rate: 5kpps}
                  - {name: many, from: a, to: "52:54:00:07:00:00", at: b, mac: "52:54:00:08:00:00", macs: 40, to-macs: 20, subflows: 3, rate: 20kpps}
                  - {name: back, from: b, to: "52:54:00:08:00:00", at: a, mac: "52:54:00:07:00:00", macs: 20, to-macs: 40, rate: 20kpps}
                  - {name: late, from: b, to: a, protocol: tcp, ipv6: true, size: 92, rate: 1kpps, start: 100ms, stop: 300ms}
                expect:
                  - {flows: ["*"], intact: true, loss-at-most: 0%}
                """)
        #expect(status == 0)
        let flows = try #require(report?.flows)
        #expect(report?.intact == true)
        for flow in flows {
            #expect(flow.sentFrames > 0 && flow.lost == 0, "\(flow.name)")
            #expect(flow.flooded == 0 && flow.misdelivered == 0)
            #expect(flow.bins?.receivedBytes.reduce(0) { $0 + UInt64($1) } == flow.receivedBytes)
        }
        #expect(flows[1].tagged == flows[1].receivedFrames && flows[1].priorities[4] == flows[1].tagged)
        #expect(flows[0].tagged == 0)
        // There are three source addresses with fifty sub-flows each, at 100 000 frames/s for half a second, so these are the most frames that can be sent.
        #expect(flows[0].sentFrames <= 50_001)
        #expect(flows[5].sentFrames <= 201)
        let left = runtimeFolders().subtracting(before)
        #expect(!left.contains { name in name.hasPrefix("sluice-gen-") && kill(pid_t(name.dropFirst(11)) ?? 0, 0) != 0 })
    }

    /// What a run sent is captured, damaged in known ways, and played back to the same scenario, which must report each kind of damage.
    @Test func namesEveryHarm() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let sent = folder.appendingPathComponent("sent.pcap"), harmed = folder.appendingPathComponent("harmed.pcap")
        func scenario(_ a: String, _ b: String, _ rate: String) -> String {
            """
            duration: 300ms
            ports: [{name: a, device: "net_pcap0,\(a)"}, {name: b, device: "net_pcap1,\(b)"}, {name: c, device: net_null0}]
            flows:
              - {name: one, from: a, to: b, size: 200, rate: \(rate)}
              - {name: two, from: a, to: b, protocol: fcoe, size: 700, rate: \(rate)}
              - {name: astray, from: a, to: c, rate: \(rate)}
            """
        }
        let first = try play(scenario("tx_pcap=\(sent.path)", "tx_pcap=\(folder.path)/none.pcap", "1kpps"))
        #expect(first.0 == 0)
        var capture = CaptureFile([UInt8](try Data(contentsOf: sent)))
        let counts = try #require(first.1).flows.map { Int($0.sentFrames) }
        #expect(capture.frames.count == counts.reduce(0, +))
        // The frames of a flow are recognised by their length.
        func places(_ length: Int) -> [Int] { capture.frames.indices.filter { capture.frames[$0].count == length } }
        let ones = places(200), twos = places(700)
        try #require(ones.count > 40 && twos.count > 40)
        capture.frames[ones[5]][50] ^= 0x10 // payload
        capture.frames[ones[6]][0] ^= 0x02 // destination address
        capture.frames[ones[7]][190] ^= 0x01 // signature
        capture.frames[twos[9]][400] ^= 0x80 // shared filler
        capture.frames[twos[10]][699] ^= 0x01 // trailer
        capture.frames.swapAt(twos[20], twos[21])
        capture.frames.append(capture.frames[ones.last!])
        capture.frames.append([UInt8](repeating: 0x55, count: 60))
        capture.frames.remove(at: ones[30])
        try Data(capture.bytes).write(to: harmed)
        let second = try play(scenario("tx_pcap=\(folder.path)/none.pcap", "rx_pcap=\(harmed.path)", "off"))
        #expect(second.0 == 0)
        let report = try #require(second.1)
        let (one, two, astray) = (report.flows[0], report.flows[1], report.flows[2])
        #expect(one.corrupted == 2 && one.duplicated == 1 && one.reordered == 0)
        // One frame was removed, one had its signature damaged, and one came twice.
        #expect(Int(one.receivedFrames) == counts[0] - 1)
        #expect(two.corrupted == 2 && two.reordered == 1 && two.duplicated == 0)
        #expect(Int(two.receivedFrames) == counts[1])
        #expect(Int(astray.flooded + astray.misdelivered) == counts[2] && astray.receivedFrames == 0)
        #expect(report.ports[1].counters.damaged == 1 && report.ports[1].counters.foreign == 1)
        #expect(!report.intact)
    }

    @Test func stepsAndExpectationsDecideTheExitStatus() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (status, report) = try play(
            memif + """
                duration: 800ms
                flows: [{name: f, from: a, to: b, rate: off}, {name: g, from: a, to: b, size: 1000, rate: 20mbit}]
                steps: [{at: 100ms, flows: [g], rate: off}, {at: 100ms, flows: [f], rate: 10kpps}]
                expect:
                  - {name: missed, flows: [g], at-least: 5gbit}
                  - {name: quiet, flows: [g], from: 700ms, at-most: 1kbit}
                """)
        #expect(status == 1)
        let verdicts = try #require(report?.expectations)
        #expect(verdicts.map(\.met) == [false, true])
        #expect(verdicts[0].text.hasSuffix("MISSED"))
        let sent = try #require(report?.flows[0].sentFrames)
        #expect(sent > 0)
    }

    @Test(arguments: [
        "ports: [{name: a, device: net_nonesuch0}]\nduration: 100ms",
        "connect: 100ms\nports: [{name: a, device: 'virtio_user:/nonexistent/vm.sock'}]\nduration: 100ms",
    ])
    func refusesWhatIsNotThere(_ yaml: String) throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        #expect(try play(yaml).0 == 2)
    }

    @Test func aSocketNobodyConnectsToIsRemoved() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let socket = folder.appendingPathComponent("vm.sock").path
        #expect(try play("connect: 200ms\nports: [{name: a, device: 'virtio_user:\(socket)', server: true}]\nduration: 100ms").0 == 2)
        #expect(!FileManager.default.fileExists(atPath: socket))
    }

    /// A wire takes the place of the switch: what one port sends, the other receives.
    @Test func framesGoRoundOverAMemif() throws {
        defer { try? FileManager.default.removeItem(at: folder) }
        let (status, figures): (Int32, CirculationReport?) = try play(
            "circulate",
            memif + """
                flows:
                  - {name: to, from: a, to: "52:54:00:07:00:00", at: b, mac: "52:54:00:08:00:00", macs: 4, to-macs: 4, subflows: 5, size: imix}
                  - {name: second, from: a, to: b, size: imix, port: 5002}
                  - {name: back, from: b, to: "52:54:00:08:00:00", at: a, mac: "52:54:00:07:00:00", macs: 4, to-macs: 4}
                """, ["--slices", "3", "--slice", "20ms", "--warm-up", "1ms", "--settle", "0", "--window", "64"])
        #expect(status == 0)
        let report = try #require(figures)
        #expect(report.complete && report.astray == 0 && report.switches.count == 1 && report.switches[0].slices.count == 3)
        #expect(report.switches[0].slices.allSatisfy { $0.frames > 0 && $0.bytes > 60 * $0.frames })
    }
}
