import Foundation
import Testing

extension EndToEnd {
    @Suite("Frames that go round through switches which take turns", .needs(.hugepages))
    struct CirculationTests {
        private func daemon(_ lab: Lab, _ name: String) throws -> Daemon {
            try Daemon(lab, """
                bridges: [{name: br0}]
                ports:
                  - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path(name + "1")), mode: server}
                  - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path(name + "2")), mode: server}
                """, name: name)
        }

        private func words(_ lab: Lab, _ daemons: [(String, Daemon)], _ options: [String]) throws -> [String] {
            let scenario = try lab.write("scenario.yaml", """
                connect: 60s
                ports: [{name: a, device: none}, {name: b, device: none, packed: false}]
                flows:
                  - {name: to, from: a, to: "52:54:00:07:00:00", at: b, mac: "52:54:00:08:00:00", macs: 3, to-macs: 3, subflows: 16}
                  - {name: back, from: b, to: "52:54:00:08:00:00", at: a, mac: "52:54:00:07:00:00", macs: 3, to-macs: 3, subflows: 16}
                """)
            return [Build.program("sluice-gen"), "circulate", scenario, "--cpu", "0", "--json", "-", "--warm-up", "5ms", "--settle", "0"] + options
                + daemons.flatMap { ["--switch", "\($0.0)=\($0.1.process.pid):\(lab.path($0.0 + "1")),\(lab.path($0.0 + "2"))"] }
        }

        /// Whether the process is stopped (state T in proc(5)).
        private func isStopped(_ daemon: Daemon) -> Bool {
            let text = (try? String(contentsOfFile: "/proc/\(daemon.process.pid)/stat", encoding: .utf8)) ?? ""
            return text.split(separator: ")").last?.split(separator: " ").first == "T"
        }

        @Test("are counted slice by slice, and all by the switch as well", arguments: ["own", "virtio-user"])
        func counted(_ rings: String) throws {
            try withLab { lab in
                let first = try daemon(lab, "x"), second = try daemon(lab, "y")
                // More frames circulate than a ring holds, so some always wait in the generator's hands.
                let windows = ["--window", "64", "--window", "y=4096"], told = lab.path("told")
                let options = ["--slices", "3", "--slice", "30ms", "--before", "y=echo $RATE >>\(told)", "--rings", rings] + windows
                let result = try finish(words(lab, [("x", first), ("y", second)], options), within: 120)
                #expect(result.status == 0, "\(result.errors)")
                let report = try JSON(result.output)
                #expect(report["complete"].bool == true && report["ratios"].items.count == 1 && report["ratios"].items[0]["sets"].items.count == 3)
                // Before each slice, y was told the rate that x had just reached.
                let rates = report["switches"].items[0]["slices"].items.compactMap { $0["frames"].int }, heard = report["switches"].items[1]["slices"].items
                #expect(rates.count == 3 && heard.count == 3 && heard.allSatisfy { $0["told"].double ?? 0 > 0 })
                let lines = try String(contentsOfFile: told, encoding: .utf8).split(separator: "\n").compactMap { Double($0) }
                #expect(lines.count >= 3 && heard.allSatisfy { slice in lines.contains { abs($0 - (slice["told"].double ?? 0)) <= 1 } })
                for (name, daemon) in [("x", first), ("y", second)] {
                    let slices = report["switches"].items.first { $0["name"].string == name }?["slices"].items ?? []
                    #expect(slices.count == 3)
                    let counted = slices.reduce(0) { $0 + ($1["frames"].int ?? 0) }
                    #expect(counted > 0)
                    #expect(!isStopped(daemon))
                    // The switch's own counter also includes the warm-ups and the announcements.
                    #expect(try daemon.show("stats", "show")["delivered"]["frames"].int ?? 0 > counted)
                    #expect(try daemon.unaccountedFrames() == 0)
                    daemon.stop()
                }
            }
        }

        @Test("leave no switch stopped, however the generator ends", arguments: [SIGINT, SIGTERM, SIGKILL])
        func continued(_ signal: Int32) throws {
            try withLab { lab in
                let first = try daemon(lab, "x"), second = try daemon(lab, "y")
                let generator = try ChildProcess(words(lab, [("x", first), ("y", second)], ["--slices", "100000"]))
                lab.atClose {
                    generator.stop()
                    try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-gen-\(generator.pid)")
                }
                for daemon in [first, second] {
                    try eventually("frames go round") { try daemon.show("stats", "show")["delivered"]["frames"].int ?? 0 > 1_000 }
                    try eventually("it has to wait") { isStopped(daemon) }
                }
                generator.signal(signal)
                let exit = generator.waitForExit(until: .after(30))
                #expect(exit == (signal == SIGKILL ? .signal(SIGKILL) : .code(1)), "\(generator.errors.text)")
                try eventually("both run again") { !isStopped(first) && !isStopped(second) }
                for daemon in [first, second] {
                    #expect(try daemon.unaccountedFrames() == 0)
                    daemon.stop()
                }
            }
        }

        @Test("name a switch that dies")
        func death() throws {
            try withLab { lab in
                let first = try daemon(lab, "x"), second = try daemon(lab, "y")
                let generator = try ChildProcess(words(lab, [("x", first), ("y", second)], ["--slices", "100000"]))
                lab.atClose { generator.stop() }
                try eventually("the second has had to wait") { isStopped(second) }
                second.process.signal(SIGKILL)
                #expect(generator.waitForExit(until: .after(60)) == .code(2))
                #expect(generator.errors.text.contains("switch y: its process \(second.process.pid) has ended"), "\(generator.errors.text)")
                #expect(!isStopped(first))
                first.stop()
            }
        }
    }
}
