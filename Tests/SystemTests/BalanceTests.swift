import Foundation
import Testing

/// There are two poll loops, one of which shares its CPU with the generator. The tests check what arrives and in which order, and long-run shares, but no
/// speed.
extension EndToEnd {
    @Suite("Queues that move between poll loops", .needs(.hugepages))
    struct BalanceTests {
        private let settings = "daemon: {cpus: [0, 1], buffers: 16384, polling: adaptive}\n"
        private let names = ["vm1", "vm2", "vm3", "vm4"]

        private func guests(_ lab: Lab) -> String {
            names.map { "  - {name: \($0), type: vhost, bridge: br0, socket: \(lab.path($0)), cpus: [1]}\n" }.joined()
        }
        private func simulated(_ lab: Lab) -> String {
            names.map { "  - {name: \($0), device: \"virtio_user:\(lab.path($0))\", server: true, mac: \"52:54:00:00:00:0\($0.last!)\"}\n" }.joined()
        }

        /// The traffic generator, running in the background.
        private struct Traffic {
            let process: ChildProcess

            /// Waits until more frames have arrived, stops the sending, and returns the report.
            func verdict(_ daemon: Daemon, after frames: Int = 2_000, at receiver: String = "vm2") throws -> JSON {
                let sent = try daemon.port(receiver)["tx"]["frames"].int ?? 0
                try eventually("frames flow on") { try (daemon.port(receiver)["tx"]["frames"].int ?? 0) > sent + frames }
                process.signal(SIGINT)
                let exit = process.waitForExit(until: .after(90))
                let text = process.output.text
                try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-gen-\(process.pid)")
                guard let exit, let start = text.firstIndex(of: "{") else { throw LabError("no verdict: \(text)\(process.errors.text)") }
                print("\(exit)", process.errors.text)
                return try JSON(String(text[start...]))
            }
        }

        /// Starts the generator and returns when the receiver has got frames.
        private func start(_ lab: Lab, _ daemon: Daemon, _ flows: String, until receiver: String = "vm2") throws -> Traffic {
            let scenario = try lab.write("scenario.yaml", "duration: 60s\nlearn: true\nports:\n" + simulated(lab) + flows)
            let process = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
            try eventually("frames flow") { try (daemon.port(receiver)["tx"]["frames"].int ?? 0) > 1_000 }
            return Traffic(process: process)
        }

        private func cpu(of port: String, _ daemon: Daemon) throws -> Int? {
            try daemon.show("core", "show").items.first { $0["queues"].items.contains { $0["port"].string == port } }?["cpu"].int
        }

        @Test("nothing is lost or overtaken by a queue that moves to and fro, with a backlog in its class")
        func movesUnderLoad() throws {
            try withLab { lab in
                // Frames to vm2 wait in a queue of 200 frames, which is 48 ms long: if a move did not wait for it, each would reorder frames.
                let daemon = try Daemon(lab, settings + "bridges: [{name: br0}]\nports:\n" + guests(lab) + """
                    guests:
                      - {name: vm2, port: vm2, inbound: {ceiling: 50mbit, limit: 200}}
                    """)
                let traffic = try start(lab, daemon, """
                    flows:
                      - {name: limited, from: vm1, to: vm2, size: 1514, rate: 60mbit}
                      - {name: back, from: vm2, to: vm1, size: 60, rate: 20kpps}
                      - {name: free, from: vm3, to: vm4, size: 590, rate: 20kpps}
                    expect:
                      - {name: unlimited, flows: [back, free], intact: true, loss-at-most: 0%}
                      - {name: limited, flows: [limited], intact: true}
                    """)
                for round in 0..<10 {
                    let target = round % 2
                    for port in ["vm1", "vm3"] { try daemon.command("port", "set", port, "cpus", "\(target)") }
                    #expect(try cpu(of: "vm1", daemon) == target && cpu(of: "vm3", daemon) == target)
                    let sent = try daemon.port("vm2")["tx"]["frames"].int ?? 0
                    try eventually("frames flow on") { try (daemon.port("vm2")["tx"]["frames"].int ?? 0) > sent + 500 }
                }
                let report = try traffic.verdict(daemon)
                #expect(Generator.missed(report) == [])
                #expect(Generator.faults(report) == Generator.noFaults)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a busy core's queues are balanced on demand, and a dry run moves none")
        func balance() throws {
            try withLab { lab in
                // The addresses are static, because a generator that shares its CPU with a poll loop may be learned late.
                let known = "bridges: [{name: br0, static: [{mac: \"52:54:00:00:00:02\", port: vm2}, {mac: \"52:54:00:00:00:04\", port: vm4}]}]\nports:\n"
                let daemon = try Daemon(lab, settings + known + guests(lab))
                for port in names { try daemon.command("port", "set", port, "cpus", "none") }
                #expect(try names.allSatisfy { try cpu(of: $0, daemon) == 1 }, "an unpinned queue stays where it is")
                let traffic = try start(lab, daemon, """
                    flows:
                      - {name: a, from: vm1, to: vm2, size: 60, rate: 400kpps}
                      - {name: b, from: vm3, to: vm4, size: 60, rate: 400kpps}
                    expect: [{name: all, flows: ["*"], intact: true, loss-at-most: 0%}]
                    """)
                let busy = try #require(try daemon.show("core", "show", "--stages").items.first { ($0["measured_frames"].int ?? 0) > 10_000 })
                #expect(busy["stages"].items.compactMap { $0["name"].string } == ["poll", "admit", "bridge", "classify", "schedule", "send"])
                #expect(busy["stages"].items.allSatisfy { ($0["cycles"].int ?? 0) > 0 || $0["name"].string == "schedule" })
                let planned = try eventually("there is something to move") {
                    let moves = try daemon.show("core", "balance", "--dry-run").items
                    return moves.isEmpty ? nil : moves
                }
                #expect(planned.allSatisfy { $0["done"].bool == false })
                #expect(try names.allSatisfy { try cpu(of: $0, daemon) == 1 })
                let moved = try eventually("a queue moved") { try daemon.show("core", "balance").items.first { $0["done"].bool == true } }
                let port = try #require(moved["port"].string)
                #expect(try cpu(of: port, daemon) == 0)
                #expect(try (daemon.show("status")["queue_moves"].int ?? 0) > 0)
                let report = try traffic.verdict(daemon, after: 200_000)
                #expect(Generator.missed(report) == [])
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("with balance on, a queue leaves a busy core by itself, and nothing is lost or overtaken")
        func automatic() throws {
            try withLab { lab in
                let known = "bridges: [{name: br0, static: [{mac: \"52:54:00:00:00:02\", port: vm2}, {mac: \"52:54:00:00:00:04\", port: vm4}]}]\nports:\n"
                let daemon = try Daemon(lab, settings + known + guests(lab))
                for port in names { try daemon.command("port", "set", port, "cpus", "none") }
                // There are no more frames on their way than the senders' rings hold, and the receivers' rings and classes have room for them.
                let traffic = try start(lab, daemon, """
                    flows:
                      - {name: a, from: vm1, to: vm2, size: 1514, rate: max}
                      - {name: b, from: vm3, to: vm4, size: 1514, rate: max}
                    expect: [{name: all, flows: ["*"], intact: true, loss-at-most: 0%}]
                    """)
                // The core is so busy that there is no doubt about its load, but nothing may move before balance is switched on.
                try eventually("the core is busy") {
                    try (daemon.show("core", "show").items.first { $0["cpu"].int == 1 }?["busy_percent"].double ?? 0) > 60
                }
                #expect(try daemon.show("status")["queue_moves"].int == 0)
                try daemon.command("core", "set", "all", "balance", "on")
                try eventually("a queue moved by itself") { try (daemon.show("status")["queue_moves"].int ?? 0) > 0 }
                #expect(try names.contains { try cpu(of: $0, daemon) == 0 })
                let report = try traffic.verdict(daemon, after: 200_000)
                #expect(Generator.missed(report) == [])
                #expect(Generator.faults(report) == Generator.noFaults)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a queue whose frames may not leave yet stays, and says so")
        func givenUp() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, settings + "bridges: [{name: br0}]\nports:\n" + guests(lab) + """
                    guests:
                      - {name: vm2, port: vm2, inbound: {ceiling: 1mbit, limit-delay: 10s}}
                      - {name: vm4, port: vm4, inbound: {ceiling: 1mbit, limit-delay: 10s}}
                    """)
                for port in names { try daemon.command("port", "set", port, "cpus", "none") }
                let traffic = try start(lab, daemon, """
                    flows:
                      - {name: a, from: vm1, to: vm2, size: 590, rate: 400kpps}
                      - {name: b, from: vm3, to: vm4, size: 590, rate: 400kpps}
                    expect: [{name: all, flows: ["*"], intact: true}]
                    """)
                let tried = try eventually("there is something to move") {
                    let moves = try daemon.show("core", "balance").items
                    return moves.isEmpty ? nil : moves
                }
                #expect(tried.allSatisfy { $0["done"].bool == false }, "\(tried)")
                #expect(try names.allSatisfy { try cpu(of: $0, daemon) == 1 })
                let report = try traffic.verdict(daemon, after: 100)
                #expect(Generator.missed(report) == [])
                daemon.stop()
            }
        }

        @Test("a port that is pinned elsewhere goes there although its old core holds frames that may not leave yet")
        func pinned() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, settings + "bridges: [{name: br0}]\nports:\n" + guests(lab) + """
                    guests:
                      - {name: vm2, port: vm2, inbound: {ceiling: 1mbit, limit: 200, limit-delay: 10s}}
                    """)
                let traffic = try start(lab, daemon, """
                    flows:
                      - {name: held, from: vm1, to: vm2, size: 1514, rate: 10mbit}
                      - {name: free, from: vm3, to: vm4, size: 590, rate: 20kpps}
                    expect: [{name: free, flows: [free], intact: true, loss-at-most: 0%}]
                    """, until: "vm4")
                // Two seconds' worth of frames is eight times as long as a move waits.
                try eventually("frames wait") { try (daemon.classStatus("br0", "vm2")["backlog"]["frames"].int ?? 0) > 150 }
                try daemon.command("port", "set", "vm1", "cpus", "0")
                #expect(try cpu(of: "vm1", daemon) == 0)
                let report = try traffic.verdict(daemon, after: 20_000, at: "vm4")
                #expect(Generator.missed(report) == [])
                let held = try Generator.flow(report, "held")
                // Frames that the new core receives may leave before those that the old one still held; nothing else may happen to them.
                for fault in ["duplicated", "corrupted", "misdelivered"] { #expect(held[fault].int == 0, "\(fault): \(held)") }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("two loops keep the floors of one tree between them")
        func sharedFloors() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, settings + "bridges: [{name: br0, rate: 100mbit}]\nports:\n" + guests(lab) + """
                    guests:
                      - {name: vm3, port: vm3, inbound: {floor: 60mbit, burst: 256kib}}
                      - {name: vm4, port: vm4, inbound: {floor: 40mbit, burst: 256kib}}
                    """)
                try daemon.command("port", "set", "vm1", "cpus", "0")
                let scenario = "duration: 10s\nlearn: true\nports:\n" + simulated(lab) + """
                    flows:
                      - {name: 1to3, from: vm1, to: vm3, size: 1514, rate: 60mbit}
                      - {name: 2to3, from: vm2, to: vm3, size: 1514, rate: 60mbit}
                      - {name: 1to4, from: vm1, to: vm4, size: 1514, rate: 60mbit}
                      - {name: 2to4, from: vm2, to: vm4, size: 1514, rate: 60mbit}
                    expect:
                      - {name: vm3, flows: [1to3, 2to3], from: 3s, at-least: 60mbit, within: 5%}
                      - {name: vm4, flows: [1to4, 2to4], from: 3s, at-least: 40mbit, within: 5%}
                      - {name: all, flows: ["*"], from: 3s, at-most: 100mbit, within: 5%, intact: true}
                    """
                let report = try Generator.measure(lab, daemon, scenario)
                #expect(Generator.missed(report) == [])
                for name in ["1to3", "2to3", "1to4", "2to4"] { #expect((try Generator.flow(report, name)["receivedFrames"].int ?? 0) > 100, "\(name) starves") }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
