import Foundation
import Testing

/// Changes that the system refuses after ports were opened or closed for them.
extension EndToEnd {
    @Suite("A change that is refused half-way leaves every port as it was", .needs(.hugepages))
    struct RefusedChangeTests {
        private func vhosts(_ lab: Lab, _ names: [String], _ more: (String) -> String = { _ in "" }) -> String {
            names.map { "  - {name: \($0), type: vhost, bridge: br0, socket: \(lab.path($0))\(more($0))}\n" }.joined()
        }

        /// Refused because the folder of its socket is not there.
        private func nowhere(_ lab: Lab, _ name: String) -> String {
            "  - {name: \(name), type: vhost, bridge: br0, mode: server, socket: \(lab.path("no/folder"))}\n"
        }

        @Test("the loops are given none of its ports, and traffic between others goes on")
        func addedPorts() throws {
            try withLab { lab in
                let server = "  - {name: vm1, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm1"))}\n"
                let others = vhosts(lab, ["vm2", "vm4"])
                let start = "bridges: [{name: br0}]\nports:\n"
                let daemon = try Daemon(lab, start + server + others)
                let before = try daemon.configuration()
                let scenario = try lab.write("scenario.yaml", """
                    duration: 12s
                    learn: true
                    ports:
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", server: true, mac: "52:54:00:00:00:02"}
                      - {name: vm4, device: "virtio_user:\(lab.path("vm4"))", server: true, mac: "52:54:00:00:00:04"}
                    flows: [{name: there, from: vm2, to: vm4, size: 60, rate: 5kpps}]
                    expect: [{name: untouched, flows: [there], intact: true, loss-at-most: 0%}]
                    """)
                let generator = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
                try eventually("frames flow") { try (daemon.port("vm4")["tx"]["frames"].int ?? 0) > 1_000 }
                // vm1 is closed for it, so the loops are told of its going while vm3 and vm5 are open.
                let file = try lab.write("moved.yaml", Daemon.preamble + start + nowhere(lab, "vm1") + others + vhosts(lab, ["vm3", "vm5"]))
                for _ in 0..<10 {
                    let refused = try daemon.sluice("apply", file)
                    #expect(refused.status == 1 && refused.errors.contains("no/folder"), "\(refused.errors)")
                    #expect(try daemon.show("port", "show").items.compactMap { $0["name"].string } == ["vm1", "vm2", "vm4"])
                }
                #expect(try daemon.configuration() == before)
                let exit = generator.waitForExit(until: .after(90))
                try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-gen-\(generator.pid)")
                #expect(exit == .code(0), "\(generator.output.text)\(generator.errors.text)")
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a port that was closed for it is paced again")
        func pace() throws {
            try withLab { lab in
                func ports(mtu: Int) -> String {
                    """
                    bridges: [{name: br0}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(lab.tag)a, mtu: \(mtu), pace: {average: 10mbit, burst: 4kib}}
                      - {name: b, type: tap, bridge: br0, interface: \(lab.tag)b}

                    """
                }
                let daemon = try Daemon(lab, ports(mtu: 1_500) + vhosts(lab, ["vm1"]))
                let refused = try daemon.sluice("apply", try lab.write("no.yaml", Daemon.preamble + ports(mtu: 9_000) + nowhere(lab, "vm1")))
                #expect(refused.status == 1, "\(refused.errors)")
                let sender = try RawSocket("\(lab.tag)a")
                let frame = Frames.ethernet(to: "52:54:00:00:00:02", from: "52:54:00:00:00:01", type: 0x88b5, [UInt8](repeating: 7, count: 1_000))
                for _ in 0..<60 { try sender.send(frame) }
                try eventually("all are read") { try daemon.port("a")["rx"]["frames"].int ?? 0 >= 60 }
                #expect(try daemon.port("a")["paced_nanoseconds"].int ?? 0 > 0)
                daemon.stop()
            }
        }

        @Test("a port that cannot be opened again is shown as failed, and opened by the next change that can")
        func lostPort() throws {
            try withLab { lab in
                let name = "\(lab.tag)-net"
                try run("ip", "netns", "add", name)
                lab.atClose { _ = try? run("ip", "netns", "del", name) }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: host1, type: tap, bridge: br0, interface: \(lab.tag)h, netns: \(name)}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2"))}
                    guests: [{name: host1, port: host1, macs: ["52:54:00:00:00:01"]}]
                    """)
                let running = try daemon.configuration()
                func bound() throws -> [String] {
                    try daemon.show("fdb", "show").items.filter { $0["static"].bool == true }.compactMap { $0["port"].string }
                }
                #expect(try bound() == ["host1"])
                try run("ip", "netns", "del", name)
                let refused = try daemon.sluice("port", "set", "host1", "mtu", "9000")
                #expect(refused.status == 1 && refused.errors.contains(name), "\(refused.errors)")
                #expect(try daemon.configuration() == running)
                let lost = try daemon.port("host1")
                #expect(lost["state"].string == "failed" && (lost["reason"].string ?? "").contains(name), "\(lost)")
                #expect(lost["device"].string == "\(lab.tag)h" && lost["mtu"].int == 1_500, "\(lost)")
                #expect(try bound() == [])

                // Who asks for what runs is told that it does not; other changes are not held up by it.
                let file = try lab.write("running.yaml", running)
                let again = try daemon.sluice("apply", file)
                #expect(again.status == 1 && again.errors.contains("port host1") && again.errors.contains(name), "\(again.errors)")
                #expect(try daemon.command("port", "set", "vm2", "mtu", "9000").contains("host1"))
                #expect(try daemon.port("host1")["state"].string == "failed")
                try daemon.command("port", "set", "vm2", "mtu", "1500")

                try run("ip", "netns", "add", name)
                #expect(try daemon.command("apply", file).contains("host1"))
                #expect(try daemon.port("host1")["state"].string == "up")
                #expect(try bound() == ["host1"])
                #expect(try daemon.command("apply", file).contains("nothing to change"))

                // One that is lost can be taken out.
                try run("ip", "netns", "del", name)
                #expect(try daemon.sluice("port", "set", "host1", "mtu", "9000").status == 1)
                try daemon.command("guest", "del", "host1")
                try daemon.command("port", "del", "host1")
                #expect(try daemon.show("port", "show").items.compactMap { $0["name"].string } == ["vm2"])
                daemon.stop()
            }
        }

        @Test("more ports than half of all that a daemon has can be replaced in one change, and a refusal of that takes none of them away")
        func manyPorts() throws {
            try withLab { lab in
                let names = (1...600).map { "g\($0)" }
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports:\n" + vhosts(lab, names))
                let all = "bridges: [{name: br0}]\nports:\n" + vhosts(lab, names) { _ in ", queues: 2" }
                let refused = try daemon.sluice("apply", try lab.write("no.yaml", Daemon.preamble + all + nowhere(lab, "bad")))
                #expect(refused.status == 1 && refused.errors.contains("no/folder"), "\(refused.errors)")
                #expect(try daemon.show("port", "show").items.count { $0["state"].string == "waiting" } == 600)
                try daemon.command("apply", try lab.write("two.yaml", Daemon.preamble + all))
                #expect(try daemon.show("port", "show").items.count { $0["queues_max"].int == 2 && $0["state"].string == "waiting" } == 600)
                // Another bridge takes another number for each, as frames for the old one may still wait.
                let moved = Daemon.preamble + all.replacingOccurrences(of: "bridge: br0", with: "bridge: br1").replacingOccurrences(of: "br0}]", with: "br0}, {name: br1}]")
                let tooMany = try daemon.sluice("apply", try lab.write("moved.yaml", moved))
                #expect(tooMany.status == 1 && tooMany.errors.contains("600") && tooMany.errors.contains("423"), "\(tooMany.errors)")
                #expect(try daemon.show("port", "show").items.count { $0["bridge"].string == "br0" && $0["state"].string == "waiting" } == 600)
                daemon.stop()
            }
        }
    }
}
