import Foundation
import Testing

extension EndToEnd {
    @Suite("Linux guests over vhost-user", .needs(.qemu, .hugepages))
    struct GuestTests {
        /// A way in which a guest can be connected to its port.
        struct Wiring: CustomTestStringConvertible, Sendable {
            var mode: String
            var packed = false
            var queues = 1
            var testDescription: String { "\(mode) mode, \(packed ? "packed" : "split") rings, \(queues) queue pair\(queues == 1 ? "" : "s")" }

            func port(_ name: String, _ lab: Lab) -> String {
                "  - {name: \(name), type: vhost, bridge: br0, socket: \(lab.path(name)), mode: \(mode), queues: \(queues)}\n"
            }
            func guest(_ number: Int, _ lab: Lab) throws -> Guest {
                try Guest(lab, "vm\(number)", [
                    Guest.NIC(
                        mac: "52:54:00:00:00:0\(number)", socket: lab.path("vm\(number)"), listens: mode == "client", queues: queues,
                        packed: packed)
                ])
            }
        }

        private func pair(_ lab: Lab, _ wiring: Wiring) throws -> (Daemon, Guest, Guest) {
            let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports:\n" + wiring.port("vm1", lab) + wiring.port("vm2", lab))
            let first = try wiring.guest(1, lab), second = try wiring.guest(2, lab)
            try first.booted().configure("10.0.0.1/24")
            try second.booted().configure("10.0.0.2/24")
            return (daemon, first, second)
        }

        @Test(
            "two guests ping each other and move a file intact, both ways",
            arguments: [
                Wiring(mode: "client"), Wiring(mode: "server"), Wiring(mode: "client", packed: true), Wiring(mode: "server", packed: true),
                Wiring(mode: "client", queues: 2), Wiring(mode: "server", packed: true, queues: 2),
            ])
        func pingAndFile(_ wiring: Wiring) throws {
            try withLab { lab in
                let (daemon, first, second) = try pair(lab, wiring)
                if wiring.queues > 1 { for guest in [first, second] { try guest.run("ethtool -L eth0 combined \(wiring.queues)") } }
                try first.reaches("10.0.0.2")
                try first.run("ping -c 5 -i 0.2 -W 5 -s 1400 10.0.0.2")
                let sent = try first.serveRandomFile("f", kib: 8192)
                #expect(try second.fetchedDigest("http://10.0.0.1/f") == sent)
                let back = try second.serveRandomFile("g", kib: 8192)
                #expect(try first.fetchedDigest("http://10.0.0.2/g") == back)

                for name in ["vm1", "vm2"] {
                    let port = try daemon.port(name)
                    #expect(port["state"].string == "up")
                    #expect(port["queues"].int == wiring.queues, "queue pairs in use by \(name)")
                }
                let learned = try daemon.show("fdb", "show").items.compactMap { $0["mac"].string }
                #expect(Set(learned).isSuperset(of: ["52:54:00:00:00:01", "52:54:00:00:00:02"]))
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("jumbo frames of 9000 bytes pass between guests that ask for them")
        func jumbo() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1")), mtu: 9000}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2")), mtu: 9000}
                    """)
                let guests = try (1...2).map {
                    try Guest(lab, "vm\($0)", [Guest.NIC(mac: "52:54:00:00:00:0\($0)", socket: lab.path("vm\($0)"), mtu: 9000)])
                }
                for (index, guest) in guests.enumerated() { try guest.booted().configure("10.0.0.\(index + 1)/24") }
                #expect(try guests[0].run("cat /sys/class/net/eth0/mtu") == "9000\n")
                try guests[0].reaches("10.0.0.2")
                try guests[0].run("ping -c 3 -W 5 -s 8972 10.0.0.2")
                daemon.stop()
            }
        }

        @Test("a guest that lost its power comes back to its port, and the others never notice", arguments: ["client", "server"])
        func guestLeavesAndReturns(_ mode: String) throws {
            try withLab { lab in
                let wiring = Wiring(mode: mode)
                let (daemon, first, second) = try pair(lab, wiring)
                try first.reaches("10.0.0.2")
                second.pullThePlug()
                try daemon.waitUntil(port: "vm2", is: "waiting")
                #expect(try daemon.port("vm2")["reason"].string?.isEmpty == false)
                #expect(try daemon.port("vm1")["state"].string == "up")

                let again = try wiring.guest(2, lab)
                try again.booted().configure("10.0.0.2/24")
                try first.reaches("10.0.0.2")
                #expect(first.isRunning)
                daemon.stop()
            }
        }

        @Test("ports come and go while another pair's traffic loses nothing")
        func portsComeAndGo() throws {
            try withLab { lab in
                let near = try Namespace(lab, "near"), far = try Namespace(lab, "far")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: near, type: tap, bridge: br0, interface: \(lab.tag)n, netns: \(near.name)}
                      - {name: far, type: tap, bridge: br0, interface: \(lab.tag)f, netns: \(far.name)}
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                    """)
                try near.configure("\(lab.tag)n", address: "10.0.0.1/24")
                try far.configure("\(lab.tag)f", address: "10.0.0.2/24")
                let guest = try Guest(lab, "vm1", mac: "52:54:00:00:00:03", socket: lab.path("vm1"))
                try guest.booted().configure("10.0.0.3/24")
                try near.reaches("10.0.0.2")
                try near.reaches("10.0.0.3")

                let ping = try lab.start("busybox", "ping", "-q", "-c", "600", "-i", "0.01", "10.0.0.2", namespace: near, cpus: "0")
                for round in 1...10 {
                    try daemon.command("port", "del", "vm1")
                    #expect(try daemon.show("port", "show").items.count == 1 + round)
                    try daemon.command("port", "add", "vm1", "type", "vhost", "bridge", "br0", "socket", lab.path("vm1"))
                    try daemon.command("port", "add", "extra\(round)", "type", "vhost", "bridge", "br0", "socket", lab.path("extra\(round)"))
                }
                guard ping.waitForExit(until: .after(60)) != nil else { throw LabError("ping did not end") }
                #expect(ping.output.text.contains("600 packets received"), "\(ping.output.text)")
                try near.reaches("10.0.0.3")
                daemon.stop()
            }
        }

        @Test(
            "the daemon dies and starts again: running guests go on by themselves",
            arguments: [Wiring(mode: "client"), Wiring(mode: "server"), Wiring(mode: "client", packed: true)])
        func daemonRestarts(_ wiring: Wiring) throws {
            try withLab { lab in
                let (daemon, first, second) = try pair(lab, wiring)
                try first.reaches("10.0.0.2")
                let digest = try second.serveRandomFile("f", kib: 2048)
                try daemon.crashAndRestart()
                try first.reaches("10.0.0.2", within: 60)
                try second.reaches("10.0.0.1", within: 60)
                #expect(try first.fetchedDigest("http://10.0.0.2/f") == digest)
                daemon.stop()
            }
        }

        @Test("if nothing says how far a packed ring was served, the port says so, and resetting the guest's network device mends it")
        func lostJournal() throws {
            try withLab { lab in
                let near = try Namespace(lab, "near")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: near, type: tap, bridge: br0, interface: \(lab.tag)n, netns: \(near.name)}
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                    """)
                try near.configure("\(lab.tag)n", address: "10.0.0.1/24")
                let guest = try Guest(lab, "vm1", [Guest.NIC(mac: "52:54:00:00:00:03", socket: lab.path("vm1"), packed: true)])
                try guest.booted().configure("10.0.0.3/24")
                try near.reaches("10.0.0.3")
                #expect(try daemon.port("vm1")["warnings"].items.isEmpty)

                let journal = "/run/sluice-rings/" + lab.path("vm1").replacing("/", with: "+")
                try daemon.crashAndRestart { try FileManager.default.removeItem(atPath: journal) }
                try daemon.waitUntil(port: "vm1", is: "up")
                let warnings = try daemon.port("vm1")["warnings"].items.compactMap(\.string)
                #expect(warnings.contains { $0.contains("the packed ring from the guest, queue 0, was served before, and nothing says how far") }, "\(warnings)")

                try guest.run("(cd /sys/bus/virtio/drivers/virtio_net && for i in virtio*; do echo $i >unbind; echo $i >bind; done)")
                try guest.configure("10.0.0.3/24")
                try near.configure("\(lab.tag)n", address: "10.0.0.1/24")
                try near.reaches("10.0.0.3")
                #expect(try daemon.port("vm1")["warnings"].items.isEmpty)
                daemon.stop()
                try? FileManager.default.removeItem(atPath: journal)
            }
        }

        @Test("class ids are the same after a restart")
        func classIDsSurvive() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, rate: 1gbit}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2"))}
                    """)
                // Ids are given in the order in which ports were added, not alphabetically: vm0 is last.
                try daemon.command("port", "add", "vm0", "type", "vhost", "bridge", "br0", "socket", lab.path("vm0"))
                func ids() throws -> [String: Int] {
                    try daemon.show("class", "show").items.reduce(into: [:]) { $0[$1["path"].string ?? "?"] = $1["id"].int }
                }
                let before = try ids()
                let yaml = try daemon.configuration()
                try yaml.write(toFile: daemon.config, atomically: true, encoding: .utf8)
                try daemon.crashAndRestart()
                #expect(try ids() == before)
                daemon.stop()
            }
        }

        @Test("`sluice port show vm1 --qemu` prints arguments with which QEMU connects")
        func printedArgumentsWork() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports:\n" + Wiring(mode: "client").port("vm1", lab))
                let text = try daemon.command("port", "show", "vm1", "--qemu")
                #expect(text.contains("-chardev") && text.contains(lab.path("vm1")) && text.contains("<interface type='vhostuser'>"))
                let reply = try ControlClient(daemon.socket).call("port.qemu", #"{"name":"vm1"}"#)
                let arguments = reply["result"]["arguments"].items.compactMap(\.string)
                #expect(!arguments.isEmpty)
                let guest = try Guest(lab, "vm1", arguments: arguments)
                try guest.booted()
                try daemon.waitUntil(port: "vm1", is: "up")
                try guest.run("ip link set eth0 up")
                daemon.stop()
            }
        }
    }
}
