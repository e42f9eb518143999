import Foundation
import Testing

/// Changes that the system refuses after ports have already been opened or closed for them.
extension EndToEnd {
    @Suite("A change that is refused half-way leaves every port as it was", .needs(.hugepages))
    struct RefusedChangeTests {
        private func vhosts(_ lab: Lab, _ names: [String], _ more: (String) -> String = { _ in "" }) -> String {
            names.map { "  - {name: \($0), type: vhost, bridge: br0, socket: \(lab.path($0))\(more($0))}\n" }.joined()
        }

        /// A port that is refused because the folder of its socket does not exist.
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
                // vm1 is closed for this change, so the loops are told that it is gone while vm3 and vm5 are open.
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

        @Test("what is refused has not touched the interface, and what is accepted has not made another of it")
        func identity() throws {
            try withLab { lab in
                let host = try Namespace(lab, "host")
                let wire = try VethPair(lab, "w"), tap = "\(lab.tag)h"
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}, {name: br1}]
                    ports:
                      - {name: h, type: tap, bridge: br0, interface: \(tap)}
                      - {name: other, type: tap, bridge: br0, interface: \(lab.tag)o}
                      - {name: far, type: physical, bridge: br1, device: \(wire.far)}
                      - {name: uplink, type: physical, bridge: br1, device: \(wire.near)}
                      - {name: vm1, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm1"))}
                    """)
                try run("ip", "addr", "add", "192.0.2.1/24", "dev", tap)
                func all() throws -> (InterfaceIdentity, InterfaceIdentity, [String]) {
                    (try InterfaceIdentity(tap), try InterfaceIdentity(wire.near), try daemon.show("port", "show").items.map { "\($0["name"]) \($0["driver"]) \($0["state"])" })
                }
                // As long as AF_XDP drives one end of the pair, the other end accepts no MTU above a page.
                #expect(try daemon.port("far")["driver"].string == "net_af_xdp")
                try daemon.waitUntil(port: "far", is: "up")
                try daemon.waitUntil(port: "uplink", is: "up")
                let before = try all(), running = try daemon.configuration()
                let socket = try FileManager.default.attributesOfItem(atPath: lab.path("vm1"))[.systemFileNumber] as? Int
                for (words, said) in [
                    (["h", "netns", "nosuch"], "nosuch"), (["h", "interface", "lo"], "lo exists"), (["h", "mtu", "9001"], "9000"),
                    (["uplink", "mtu", "9000"], wire.near), (["uplink", "device", "nosuch0"], "nosuch0"), (["vm1", "socket", lab.path("no/folder")], "no/folder"),
                ] {
                    let refused = try daemon.sluice(["port", "set"] + words)
                    #expect(refused.status == 1 && refused.errors.contains(said), "\(words): \(refused.errors)")
                    #expect(try all() == before, "\(words)")
                }
                // If one port is refused, what was done to another one is undone.
                let file = try lab.write("both.yaml", running.replacingOccurrences(of: "interface: \(tap)", with: "interface: \(tap)\n    mtu: 1400")
                    .replacingOccurrences(of: "device: \(wire.near)", with: "device: \(wire.near)\n    mtu: 9000"))
                #expect(try daemon.sluice("apply", file).status == 1)
                #expect(try all() == before)
                #expect(try daemon.configuration() == running)
                #expect(try FileManager.default.attributesOfItem(atPath: lab.path("vm1"))[.systemFileNumber] as? Int == socket)

                // An accepted change says what else it does, and does no more than that.
                #expect(try daemon.command("port", "set", "h", "mtu", "1400").contains("mtu default -> 1400\n"))
                #expect(try daemon.command("port", "set", "h", "mtu", "9000").contains("9000\n"))
                #expect(try daemon.command("port", "set", "h", "bridge", "br1").contains("is forgotten"))
                var expected = before.0
                expected.mtu = "9000"
                #expect(try InterfaceIdentity(tap) == expected)
                let away = try daemon.command("port", "set", "h", "netns", host.name)
                #expect(away.contains("(moves tap h to another namespace: its addresses go)"), "\(away)")
                #expect(try host.run("cat", "/sys/class/net/\(tap)/ifindex") == "\(before.0.index)\n")
                #expect(try host.run("cat", "/sys/class/net/\(tap)/address") == "\(before.0.mac)\n")
                try daemon.waitUntil(port: "h", is: "up")
                let renamed = try daemon.command("port", "set", "other", "interface", "\(lab.tag)p")
                #expect(renamed.contains("(reopens tap other: its addresses go)"), "\(renamed)")
                daemon.stop()
            }
        }

        @Test("a port whose namespace is gone is failed, holds up no other change, and is open again when it is back")
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
                var running = try daemon.configuration()
                func bound() throws -> [String] {
                    try daemon.show("fdb", "show").items.filter { $0["static"].bool == true }.compactMap { $0["port"].string }
                }
                #expect(try bound() == ["host1"])
                try run("ip", "netns", "del", name)
                try daemon.waitUntil(port: "host1", is: "failed")
                // A change to the port is made nevertheless, and says that the port is not open.
                let changed = try daemon.command("port", "set", "host1", "mtu", "1400")
                #expect(changed.contains("mtu default -> 1400") && changed.contains("! port host1 (not open"), "\(changed)")
                running = try daemon.configuration()
                let file = try lab.write("running.yaml", running)
                let again = try daemon.sluice("apply", file)
                #expect(again.status == 1 && again.errors.contains("port host1") && again.errors.contains(name), "\(again.errors)")
                let lost = try daemon.port("host1")
                #expect(lost["state"].string == "failed" && (lost["reason"].string ?? "").contains(name), "\(lost)")
                #expect(lost["device"].string == "\(lab.tag)h" && lost["mtu"].int == 1_400, "\(lost)")
                #expect(try bound() == [])
                #expect(try daemon.command("status").contains("failed: port host1"))

                // A client that applies the running configuration is told that the port does not work; other changes are not refused because of it.
                #expect(try daemon.command("port", "set", "vm2", "mtu", "9000").contains("host1"))
                #expect(try daemon.port("host1")["state"].string == "failed")
                let reset = try daemon.sluice("port", "reset", "host1")
                #expect(reset.status == 1 && reset.errors.contains(name), "\(reset.errors)")

                try run("ip", "netns", "add", name)
                try daemon.waitUntil(port: "host1", is: "up")
                try eventually("its address is bound again") { try bound() == ["host1"] }
                #expect(daemon.log.contains("port host1 is open again"), "\(daemon.log)")

                // A failed port can be reset or removed.
                try run("ip", "netns", "del", name)
                try daemon.waitUntil(port: "host1", is: "failed")
                try run("ip", "netns", "add", name)
                _ = try daemon.sluice("port", "reset", "host1")
                try daemon.waitUntil(port: "host1", is: "up")
                let healthy = try daemon.sluice("port", "reset", "host1")
                #expect(healthy.status == 1 && healthy.errors.contains("up"), "\(healthy.errors)")
                try run("ip", "netns", "del", name)
                try daemon.waitUntil(port: "host1", is: "failed")
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
                // In another bridge each port needs another index, because frames for the old one may still wait.
                let moved = Daemon.preamble + all.replacingOccurrences(of: "bridge: br0", with: "bridge: br1").replacingOccurrences(of: "br0}]", with: "br0}, {name: br1}]")
                let tooMany = try daemon.sluice("apply", try lab.write("moved.yaml", moved))
                #expect(tooMany.status == 1 && tooMany.errors.contains("600") && tooMany.errors.contains("423"), "\(tooMany.errors)")
                #expect(try daemon.show("port", "show").items.count { $0["bridge"].string == "br0" && $0["state"].string == "waiting" } == 600)
                daemon.stop()
            }
        }
    }
}
