import Foundation
import Testing

extension EndToEnd {
    @Suite("Every frame is whole, in order, at the right port, and accounted for", .needs(.hugepages))
    struct IntegrityTests {
        /// Each of three guests sends `count` frames to each of the others. dpdk-testpmd replays them from files and writes what arrives into files.
        @Test("dpdk-testpmd on vhost-user ports: nothing reordered within a flow, nothing corrupted, nothing at the wrong port", .needs(.testpmd))
        func testpmd() throws {
            try withLab { lab in
                let guests = 3, count = 8_000
                func mac(_ guest: Int) -> String { "52:54:00:00:00:0\(guest + 1)" }
                let daemon = try Daemon(lab, """
                    bridges:
                      - name: br0
                        static: [\((0..<guests).map { "{mac: \"\(mac($0))\", port: vm\($0)}" }.joined(separator: ", "))]
                    ports:
                    \((0..<guests).map { "  - {name: vm\($0), type: vhost, bridge: br0, socket: \(lab.path("vm\($0)")), mode: server}" }.joined(separator: "\n"))
                    """)
                for guest in 0..<guests {
                    var frames: [[UInt8]] = []
                    for number in 0..<count {
                        for other in 0..<guests where other != guest { frames.append(numbered(from: mac(guest), to: mac(other), number)) }
                    }
                    try PacketFile.write(frames, to: lab.path("in\(guest)"))
                }
                var devices: [String] = []
                for guest in 0..<guests {
                    devices += [
                        "net_pcap\(guest),rx_pcap=\(lab.path("in\(guest)")),tx_pcap=\(lab.path("out\(guest)"))",
                        "net_virtio_user\(guest),path=\(lab.path("vm\(guest)")),mac=\(mac(guest)),queue_size=1024,packed_vq=\(guest % 2),mrg_rxbuf=1",
                    ]
                }
                let generator = try Testpmd(
                    lab, "gen", devices: devices, options: ["-i", "--forward-mode=io", "--port-topology=paired", "--no-flush-rx", "--no-lsc-interrupt"], cpu: 0)
                try generator.waitFor("testpmd>")
                for guest in 0..<guests { try daemon.waitUntil(port: "vm\(guest)", is: "up") }
                try generator.command("start", answer: "testpmd>")
                // All input has been read when no counter changes any more.
                _ = try eventually("frames arrive") { try daemon.show("stats", "show")["received"]["frames"].int ?? 0 > 0 }
                #expect(try daemon.unaccountedFrames() == 0)
                let stats = try daemon.atRest()
                try generator.command("stop", answer: "Done.")
                try generator.quit()

                var arrived = 0
                for guest in 0..<guests {
                    var next: [[UInt8]: Int] = [:]
                    for frame in try PacketFile.read(lab.path("out\(guest)")) {
                        arrived += 1
                        let source = Array(frame[6..<12])
                        let number = Int(frame[14]) << 16 | Int(frame[15]) << 8 | Int(frame[16])
                        guard Array(frame[0..<6]) == Frames.mac(mac(guest)) else { Issue.record("port vm\(guest) got a frame for \(frame[0..<6])"); return }
                        let sender = (0..<guests).first { Frames.mac(mac($0)) == source }
                        guard let sender, frame == numbered(from: mac(sender), to: mac(guest), number) else {
                            Issue.record("port vm\(guest) got a frame that nobody sent: \(frame)")
                            return
                        }
                        guard number >= next[source, default: 0] else { Issue.record("frame \(number) from vm\(sender) came after \(next[source]! - 1)"); return }
                        next[source] = number + 1
                    }
                    #expect(next.count == guests - 1, "vm\(guest) heard of \(next.count) senders")
                }
                // testpmd drops frames at once when a ring is full. Frames that Sluice accepted and did not deliver are counted under a reason.
                #expect(arrived == stats["delivered"]["frames"].int)
                print("dpdk-testpmd: \(arrived) of \(guests * (guests - 1) * count) frames arrived; dropped by Sluice: \(stats["dropped"])")
                daemon.stop()
            }
        }

        /// A frame that identifies its sender and itself; its length and content follow from its number.
        private func numbered(from source: String, to destination: String, _ number: Int) -> [UInt8] {
            var payload: [UInt8] = [UInt8(number >> 16 & 0xff), UInt8(number >> 8 & 0xff), UInt8(number & 0xff)]
            let length = 46 + number * 37 % 1_440
            payload += (payload.count..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) }
            // IEEE 802 local experimental EtherType 1.
            return Frames.ethernet(to: destination, from: source, type: 0x88b5, payload)
        }

        @Test("four guests flood each other with frames of all sizes: nothing is damaged and the counters add up")
        func everyoneToEveryone() throws {
            try withLab { lab in
                let names = ["vm1", "vm2", "vm3", "vm4"]
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports:\n" + names.map {
                    "  - {name: \($0), type: vhost, bridge: br0, socket: \(lab.path($0)), mode: \($0 == "vm1" ? "server" : "client")}\n"
                }.joined())
                let ports = names.map { "  - {name: \($0), device: \"virtio_user:\(lab.path($0))\", server: \($0 != "vm1"), packed: \($0 != "vm2")}\n" }
                var flows = ""
                for from in names { for to in names where from != to {
                    flows += "  - {name: \(from)-\(to), from: \(from), to: \(to), size: [60, 1514, 590, 61, 128], subflows: 7, rate: 40kpps}\n"
                } }
                let report = try Generator.run(lab, "duration: 4s\nlearn: true\nports:\n" + ports.joined() + "flows:\n" + flows)
                #expect(Generator.faults(report) == Generator.noFaults)
                for flow in report["flows"].items { #expect((flow["receivedFrames"].int ?? 0) > 0, "\(flow["name"]) arrived") }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a guest that offers more than its peer takes: drops have a name and the counters add up")
        func overload() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, rate: 100mbit}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2"))}
                    """)
                let report = try Generator.run(lab, """
                    duration: 2s
                    learn: true
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", server: true}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", server: true}
                    flows: [{name: flood, from: vm1, to: vm2, size: 1514, rate: 400mbit}]
                    """)
                #expect(Generator.faults(report) == Generator.noFaults)
                let dropped = try daemon.classStatus("br0", "vm2")["dropped"]["frames"].int ?? 0
                #expect(dropped > 0)
                let flow = try Generator.flow(report, "flood")
                // The frames that were lost are those that the class says it dropped.
                #expect(try daemon.atRest()["dropped"].members.values.reduce(0) { $0 + ($1.int ?? 0) } >= dropped)
                #expect((flow["lost"].int ?? 0) >= dropped)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("broadcasts reach every other port once, and never come back")
        func flooding() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}, {name: other}]\nports:\n" + (1...4).map {
                    "  - {name: t\($0), type: tap, bridge: \($0 == 4 ? "other" : "br0"), interface: \(lab.tag)t\($0)}\n"
                }.joined())
                let captures = try (1...4).map { try Capture(lab, "\(lab.tag)t\($0)", fields: ["eth.src", "eth.dst"], filter: "ether proto 0x88b5") }
                let sender = try RawSocket("\(lab.tag)t1")
                for number in 0..<50 {
                    try sender.send(Frames.ethernet(to: number % 2 == 0 ? "ff:ff:ff:ff:ff:ff" : "01:00:5e:00:00:42", from: "02:00:00:00:00:01", type: 0x88b5, [UInt8(number)]))
                }
                for index in [1, 2] { #expect(try captures[index].waitFor(50).count == 50) }
                // The capture on t1's own interface shows what t1 sent; nothing may have come back.
                #expect(try captures[0].waitFor(50).count == 50)
                #expect(try daemon.unaccountedFrames() == 0)
                #expect(captures[0].frames.count == 50)
                #expect(captures[3].frames.isEmpty, "another bridge")
                daemon.stop()
            }
        }

        @Test("frames that no bridge forwards are dropped under their own name")
        func notForwarded() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports:\n" + (1...2).map {
                    "  - {name: t\($0), type: tap, bridge: br0, interface: \(lab.tag)t\($0)}\n"
                }.joined())
                let capture = try Capture(lab, "\(lab.tag)t2", fields: ["eth.dst"], filter: "ether src 02:00:00:00:00:01 or ether src 03:00:00:00:00:01")
                let sender = try RawSocket("\(lab.tag)t1")
                let cases: [(String, String, UInt16, String)] = [
                    ("01:80:c2:00:00:00", "02:00:00:00:00:01", 0x88b5, "reserved_address"),   // spanning tree
                    ("01:80:c2:00:00:0e", "02:00:00:00:00:01", 0x88cc, "reserved_address"),   // LLDP
                    ("01:80:c2:00:00:01", "02:00:00:00:00:01", 0x8808, "mac_control"),        // pause
                    ("ff:ff:ff:ff:ff:ff", "03:00:00:00:00:01", 0x88b5, "invalid_source"),     // a group address as source
                    ("02:00:00:00:00:01", "02:00:00:00:00:01", 0x88b5, "source_port"),        // to the sender itself
                ]
                // The bridge must know the sender's address for the last case.
                try sender.send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: "02:00:00:00:00:01", type: 0x88b5, []))
                for (to, from, type, _) in cases { try sender.send(Frames.ethernet(to: to, from: from, type: type, [1, 1])) }
                try sender.send(Frames.ethernet(to: "02:00:00:00:00:ff", from: "02:00:00:00:00:01", type: 0x88b5, []))
                let seen = try capture.waitFor(2).compactMap { $0["eth.dst"] }
                #expect(seen == ["ff:ff:ff:ff:ff:ff", "02:00:00:00:00:ff"])
                let drops = try daemon.port("t1")["drops"]
                let expected = Dictionary(grouping: cases, by: \.3).mapValues(\.count)
                for (reason, number) in expected { #expect(drops[reason].int == number, "\(reason) in \(drops)") }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
