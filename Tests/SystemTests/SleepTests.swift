import Foundation
import Testing

/// Poll loops that sleep must not lose anything because of it: no frame, no rate, no change.
extension EndToEnd {
    @Suite("Sleeping poll loops", .needs(.hugepages))
    struct SleepTests {
        private static let sleeping = ["adaptive", "interrupt"]

        private func settings(_ mode: String) -> String { "daemon: {cpus: [1], buffers: 16384, polling: \(mode)}\n" }

        private func guests(_ lab: Lab) -> String {
            ["vm1", "vm2"].map { "  - {name: \($0), type: vhost, bridge: br0, socket: \(lab.path($0))}\n" }.joined()
        }
        private func simulated(_ lab: Lab) -> String {
            ["vm1", "vm2"].map { "  - {name: \($0), device: \"virtio_user:\(lab.path($0))\", server: true}\n" }.joined()
        }

        /// Two host taps, each in a namespace of its own, which can reach each other.
        private func twoTaps(_ lab: Lab, _ mode: String) throws -> (Daemon, Namespace, Namespace) {
            let (a, b) = (try Namespace(lab, "a"), try Namespace(lab, "b"))
            let daemon = try Daemon(lab, settings(mode) + """
                bridges: [{name: br0}]
                ports:
                  - {name: a, type: tap, bridge: br0, interface: tapa, netns: \(a.name)}
                  - {name: b, type: tap, bridge: br0, interface: tapb, netns: \(b.name)}
                """)
            try a.configure("tapa", address: "10.0.0.1/24")
            try b.configure("tapb", address: "10.0.0.2/24")
            try a.reaches("10.0.0.2")
            return (daemon, a, b)
        }

        private func core(_ daemon: Daemon) throws -> JSON { try daemon.show("core", "show")[0] }
        private func woken(_ daemon: Daemon, by reason: String) throws -> Int { try core(daemon)["wakeups"][reason].int ?? 0 }
        private func sleeps(_ daemon: Daemon) throws -> Int { try core(daemon)["sleeps"].int ?? 0 }
        private func turns(_ daemon: Daemon) throws -> Int { try core(daemon)["turns"].int ?? 0 }

        @Test("an idle switch sleeps, and turns only to look", arguments: sleeping)
        func idle(_ mode: String) throws {
            try withLab { lab in
                let ports = (1...8).map { "  - {name: vm\($0), type: vhost, bridge: br0, socket: \(lab.path("vm\($0)"))}\n" }.joined()
                let daemon = try Daemon(lab, settings(mode) + "bridges: [{name: br0}]\nports:\n" + ports)
                let before = (sleeps: try sleeps(daemon), turns: try turns(daemon))
                try eventually("it slept 20 times more") { try sleeps(daemon) >= before.sleeps + 20 }
                let after = (sleeps: try sleeps(daemon), turns: try turns(daemon))
                // A sleep takes two turns, and an adaptive loop makes some more before it sleeps.
                #expect(after.turns - before.turns < (after.sleeps - before.sleeps) * 2_000)
                daemon.stop()
            }
        }

        @Test("frames far apart all arrive, each waking the switch", arguments: sleeping)
        func lonelyFrames(_ mode: String) throws {
            try withLab { lab in
                let daemon = try Daemon(lab, settings(mode) + "bridges: [{name: br0}]\nports:\n" + guests(lab))
                // This is done twice, because guests that leave and come back find the loop asleep.
                for _ in 1...2 {
                    let before = try woken(daemon, by: "traffic")
                    let report = try Generator.run(lab, "duration: 2s\nlearn: true\nports:\n" + simulated(lab) + """
                        flows:
                          - {name: a, from: vm1, to: vm2, size: 60, rate: 40pps}
                          - {name: b, from: vm2, to: vm1, size: 1514, rate: 30pps}
                        expect: [{name: all, flows: ["*"], intact: true, loss-at-most: 0%}]
                        """)
                    #expect(Generator.missed(report) == [])
                    #expect(Generator.faults(report) == Generator.noFaults)
                    #expect(try woken(daemon, by: "traffic") > before + 20)
                }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("host taps wake the switch, from their first frame on", arguments: sleeping)
        func taps(_ mode: String) throws {
            try withLab { lab in
                let (daemon, a, _) = try twoTaps(lab, mode)
                let before = try woken(daemon, by: "traffic")
                let answers = try a.run("busybox", "ping", "-c", "20", "-A", "-W", "5", "10.0.0.2")
                #expect(answers.contains("20 packets transmitted, 20 packets received"), "\(answers)")
                #expect(try woken(daemon, by: "traffic") > before)
                #expect(try core(daemon)["looked_at"].items.isEmpty)
                daemon.stop()
            }
        }

        @Test("changes while taps are quiet do not make them out to be silent ones")
        func quiet() throws {
            try withLab { lab in
                let (daemon, a, b) = try twoTaps(lab, "polling")
                // No more frames come, so neither tap has ever woken the loop.
                try a.run("ip", "link", "set", "tapa", "down")
                try b.run("ip", "link", "set", "tapb", "down")
                try daemon.command("core", "set", "all", "polling", "interrupt")
                for number in 1...8 {
                    let before = try sleeps(daemon)
                    try eventually("the loop sleeps") { try sleeps(daemon) > before }
                    try daemon.command("guest", "add", "g\(number)", "port", "a", "macs", "02:00:00:00:01:0\(number)")
                }
                #expect(try woken(daemon, by: "traffic") == 0)
                #expect(try core(daemon)["looked_at"].items.isEmpty)
                daemon.stop()
            }
        }

        @Test("a wire without receive interrupts is looked at, and told of", arguments: sleeping)
        func looking(_ mode: String) throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let daemon = try Daemon(lab, settings(mode) + """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)"}
                    """)
                let report = try Generator.run(lab, """
                    duration: 2s
                    learn: true
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", server: true}
                      - {name: far, device: "net_af_packet0,iface=\(wire.far)", mac: "02:00:00:00:00:99"}
                    flows:
                      - {name: in, from: far, to: vm1, size: 590, rate: 50pps}
                      - {name: out, from: vm1, to: far, size: 590, rate: 50pps}
                    expect: [{name: all, flows: ["*"], intact: true, loss-at-most: 0%}]
                    """)
                #expect(Generator.missed(report) == [])
                #expect(try sleeps(daemon) > 0)
                #expect(try core(daemon)["looked_at"].items.compactMap(\.string) == ["uplink"])
                #expect(try daemon.command("core", "show").contains("no receive interrupts at uplink"))
                daemon.stop()
            }
        }

        @Test("floors and a pace are kept by a loop that sleeps between frames", arguments: sleeping)
        func dueTimes(_ mode: String) throws {
            try withLab { lab in
                let daemon = try Daemon(lab, settings(mode) + """
                    bridges: [{name: br0, rate: 20mbit}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2"))}
                      - {name: vm3, type: vhost, bridge: br0, socket: \(lab.path("vm3")), pace: {average: 2mbit}}
                      - {name: src, type: vhost, bridge: br0, socket: \(lab.path("src"))}
                    guests:
                      - {name: vm1, port: vm1, inbound: {floor: 12mbit, burst: 128kib}}
                      - {name: vm2, port: vm2, inbound: {floor: 4mbit, burst: 128kib}}
                      - {name: src, port: src, inbound: {floor: 4mbit, burst: 128kib}}
                    """)
                let ports = ["vm1", "vm2", "vm3", "src"].map { "  - {name: \($0), device: \"virtio_user:\(lab.path($0))\", server: true}\n" }.joined()
                let before = try woken(daemon, by: "time")
                // The first two flows want more than there is; the third is only limited by its pace. Frames take 1.2 ms or more each.
                let report = try Generator.measure(lab, daemon, "duration: 6s\nlearn: true\nports:\n" + ports + """
                    flows:
                      - {name: a, from: src, to: vm1, size: 1514, rate: 30mbit}
                      - {name: b, from: src, to: vm2, size: 1514, rate: 30mbit}
                      - {name: c, from: vm3, to: src, size: 1514, rate: 4mbit}
                    expect:
                      - {name: vm1, flows: [a], from: 3s, at-least: 12mbit}
                      - {name: vm2, flows: [b], from: 3s, at-least: 4mbit}
                      - {name: pace, flows: [c], from: 3s, at-least: 2mbit, at-most: 2mbit, within: 2%, intact: true}
                      - {name: all, flows: ["*"], from: 3s, at-most: 20mbit, intact: true}
                    """)
                #expect(Generator.missed(report) == [])
                #expect(try woken(daemon, by: "time") > before + 100, "it slept between the frames")
                // The port was held back for most of the time, during which the loop slept.
                #expect(try daemon.port("vm3")["paced_nanoseconds"].int ?? 0 > 3_000_000_000)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("changes wake a sleeping loop, and so does the end", arguments: sleeping)
        func changes(_ mode: String) throws {
            try withLab { lab in
                let daemon = try Daemon(lab, settings(mode) + "bridges: [{name: br0}]\nports:\n" + guests(lab))
                for round in 1...5 {
                    let before = try woken(daemon, by: "control")
                    try daemon.command("guest", "add", "g\(round)", "port", "vm1", "macs", "52:54:00:00:01:0\(round)", "inbound", "ceiling", "10mbit")
                    #expect(try woken(daemon, by: "control") > before)
                }
                daemon.stop()
            }
        }

        @Test("the mode of a core changes while it runs")
        func modes() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, settings("adaptive") + "bridges: [{name: br0}]\nports:\n" + guests(lab))
                #expect(try core(daemon)["polling"].string == "adaptive")
                try eventually("it sleeps") { try sleeps(daemon) > 0 }

                try daemon.command("core", "set", "1", "polling", "polling")
                #expect(try core(daemon)["polling"].string == "polling")
                // The turn in which the loop was told may have ended a sleep.
                let (slept, turned) = (try sleeps(daemon), try turns(daemon))
                try eventually("it turns") { try turns(daemon) > turned + 100_000 }
                #expect(try sleeps(daemon) == slept)

                try daemon.command("core", "set", "all", "polling", "interrupt")
                let before = try sleeps(daemon)
                try eventually("it sleeps again") { try sleeps(daemon) > before + 3 }
                #expect(try daemon.configuration().contains("polling: interrupt"))
                let refused = try daemon.sluice("core", "set", "7", "polling", "adaptive")
                #expect(refused.status != 0 && refused.errors.contains("no poll loop runs on CPU 7"), "\(refused.errors)")
                daemon.stop()
            }
        }

        /// Nobody reads the kick descriptors, so the kernel's count of each (proc(5): fdinfo, eventfd-count) is the number of its kicks.
        private func kicks(_ daemon: Daemon) throws -> Int {
            let folder = "/proc/\(daemon.process.pid)/fdinfo"
            return try FileManager.default.contentsOfDirectory(atPath: folder).reduce(0) { sum, name in
                guard let text = try? String(contentsOfFile: "\(folder)/\(name)", encoding: .utf8),
                    let line = text.split(separator: "\n").first(where: { $0.hasPrefix("eventfd-count:") })
                else { return sum }
                return sum + (Int(line.dropFirst("eventfd-count:".count).trimmingCharacters(in: .whitespaces), radix: 16) ?? 0)
            }
        }

        @Test("guests kick a sleeping switch, and not one that is busy")
        func kicks() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, settings("adaptive") + "bridges: [{name: br0}]\nports:\n" + guests(lab))
                let scenario = try lab.write("busy.yaml", "duration: 90s\nlearn: true\nports:\n" + simulated(lab) + """
                    flows:
                      - {name: a, from: vm1, to: vm2, size: 60, rate: max}
                      - {name: b, from: vm2, to: vm1, size: 60, rate: max}
                    """)
                let generator = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--no-bins")
                func frames() throws -> Int { try daemon.port("vm1")["rx"]["frames"].int ?? 0 }
                try eventually("frames flow") { try frames() > 100_000 }
                let before = (kicks: try kicks(daemon), frames: try frames())
                try eventually("many more frames flowed") { try frames() > before.frames + 500_000 }
                // A loop that loses its CPU for a while may find its rings empty once and sleep.
                #expect(try kicks(daemon) - before.kicks < 5_000)
                generator.stop()
                try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-gen-\(generator.pid)")
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
