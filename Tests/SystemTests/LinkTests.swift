import Foundation
import Testing

extension EndToEnd {
    @Suite("What a kernel interface's link does to frames", .needs(.hugepages))
    struct LinkTests {
        private static let devices = ["", "net_af_packet0,iface="]

        /// With another driver, the new port is opened while the old one still exists, so both of them know the interface.
        @Test("an interface gets back the MTU it had, though its port was opened anew or its daemon was killed, and keeps what somebody else gave it")
        func ownMTU() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                func mtu() throws -> String {
                    try String(contentsOfFile: "/sys/class/net/\(wire.near)/mtu", encoding: .utf8).trimmingCharacters(in: .newlines)
                }
                func yaml(_ ports: String) -> String { Daemon.preamble + "bridges: [{name: br0}]\nports: [\(ports)]\n" }
                let uplink = yaml("{name: uplink, type: physical, bridge: br0, device: \(wire.near), mtu: 1600}")
                let daemon = try Daemon(lab, uplink)
                #expect(try mtu() == "1600")
                for wanted in ["1771", "9000", "1771", "1500"] {
                    try daemon.command("port", "set", "uplink", "mtu", wanted)
                    #expect(try mtu() == wanted)
                }

                // The next daemon has this port as well.
                try daemon.command("port", "set", "uplink", "mtu", "1600")
                try daemon.crashAndRestart()
                try daemon.crashAndRestart()
                #expect(try mtu() == "1600")
                try daemon.command("port", "del", "uplink")
                #expect(try mtu() == "1500")

                // The next daemon does not have this port.
                try daemon.command("apply", try lab.write("uplink.yaml", uplink))
                #expect(try mtu() == "1600")
                _ = try lab.write("control.yaml", yaml(""))
                try daemon.crashAndRestart()
                #expect(try mtu() == "1500")

                try daemon.command("apply", lab.path("uplink.yaml"))
                try run("ip", "link", "set", wire.near, "mtu", "1700")
                try daemon.crashAndRestart()
                #expect(try mtu() == "1700")
                daemon.stop()
                let records = (try? FileManager.default.contentsOfDirectory(atPath: "/run/sluice-mtu")) ?? []
                #expect(records.filter { $0.hasSuffix("-\(if_nametoindex(wire.near))") } == [])
            }
        }

        @Test("frames that came while the loop did not run are counted at their port, and the totals add up", arguments: devices)
        func missed(_ prefix: String) throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: uplink, type: physical, bridge: br0, device: "\(prefix)\(wire.near)"}
                    """)
                try daemon.waitUntil(port: "uplink", is: "up")
                let before = try daemon.port("uplink")["rx"]["frames"].int ?? 0
                let sender = try RawSocket(wire.far), frame = Frames.ethernet(to: "52:54:00:00:00:02", from: "52:54:00:00:00:01", type: 0x88b5, [])
                daemon.process.signal(SIGSTOP)
                for _ in 0..<10_000 { try sender.send(frame) }
                daemon.process.signal(SIGCONT)
                try eventually("all are accounted for") { try daemon.port("uplink")["rx"]["frames"].int ?? 0 >= before + 10_000 }
                #expect(try daemon.unaccountedFrames() == 0)
                let missed = try daemon.port("uplink")["drops"]["missed"].int ?? 0
                #expect(missed > 5_000)
                #expect(try daemon.atRest()["dropped"]["missed"].int == missed)
                #expect(try daemon.show("bridge", "show")[0]["drops"]["missed"].isNull)
                // Counters never decrease, whatever happens to the port.
                try daemon.command("port", "set", "uplink", "mtu", "1400")
                #expect(try daemon.port("uplink")["drops"]["missed"].int ?? 0 >= missed)
                try daemon.command("port", "del", "uplink")
                #expect(try daemon.atRest()["dropped"]["missed"].int ?? 0 >= missed)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("an interface that is renamed is failed and idle until it has its name again or the port has its new one", arguments: devices)
        func renamed(_ prefix: String) throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), other = "\(lab.tag)lan"
                lab.atClose { _ = try? run("ip", "link", "del", other) }
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 16384, polling: interrupt}
                    bridges: [{name: br0}]
                    ports:
                      - {name: uplink, type: physical, bridge: br0, device: "\(prefix)\(wire.near)", mtu: 1600}
                      - {name: vm, type: vhost, bridge: br0, socket: \(lab.path("vm"))}
                    """)
                try daemon.waitUntil(port: "uplink", is: "up")
                let identity = try InterfaceIdentity(wire.near)
                func rename(_ from: String, _ to: String) throws {
                    try run("ip", "link", "set", from, "down")
                    try run("ip", "link", "set", from, "name", to)
                    try run("ip", "link", "set", to, "up")
                }
                func isFailed() throws {
                    let words = "its interface \(wire.near) is called \(other) now; rename it back (`ip link set \(other) name \(wire.near)`), or configure `device \(prefix)\(other)`"
                    try eventually("it is failed") {
                        let port = try daemon.port("uplink")
                        return port["state"].string == "failed" && port["reason"].string == words
                    }
                    // Only the end of the longest sleep wakes the loop, ten times a second. While the port is up, the loop looks at it every half millisecond.
                    func wakeups() throws -> Int { try daemon.show("core", "show")[0]["wakeups"]["time"].int ?? 0 }
                    let first = try wakeups(), began = ContinuousClock.now
                    try eventually("it sleeps on") { try wakeups() >= first + 10 }
                    let rate = Double(try wakeups() - first) / ((ContinuousClock.now - began) / .seconds(1))
                    #expect(rate < 200, "the loop wakes \(rate) times a second")
                }
                try rename(wire.near, other)
                try isFailed()
                try rename(other, wire.near)
                try daemon.waitUntil(port: "uplink", is: "up")
                try rename(wire.near, other)
                try isFailed()
                let changed = try daemon.command("port", "set", "uplink", "device", "\(prefix)\(other)")
                #expect(changed.contains("(its interface is called that already, and stays as it is)"), "\(changed)")
                try daemon.waitUntil(port: "uplink", is: "up")
                #expect(try InterfaceIdentity(other) == identity)
                // An interface that takes the old name belongs to somebody else.
                try run("ip", "tuntap", "add", "dev", wire.near, "mode", "tap")
                let received = try daemon.port("uplink")["rx"]["frames"].int ?? 0, sender = try RawSocket(wire.far)
                try eventually("it receives") {
                    try sender.send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:01", type: 0x88b5, []))
                    return try daemon.port("uplink")["rx"]["frames"].int ?? 0 > received
                }
                #expect(try daemon.port("uplink")["state"].string == "up")
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
                // The interface whose MTU was raised gets its old MTU back.
                #expect(try InterfaceIdentity(other).mtu == "1500")
            }
        }

        @Test("a veth peer that leaves its checksums to the other side speaks TCP with the host", arguments: devices)
        func unfinishedChecksums(_ prefix: String) throws {
            try withLab { lab in
                let peer = try Namespace(lab, "peer"), host = try Namespace(lab, "host")
                let wire = try VethPair(lab, "w", finishesChecksums: false, farIn: peer)
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: uplink, type: physical, bridge: br0, device: "\(prefix)\(wire.near)"}
                      - {name: host, type: tap, bridge: br0, interface: \(lab.tag)t, netns: \(host.name)}
                    """)
                #expect(try peer.run("ethtool", "-k", wire.far).contains("tx-checksum-ip-generic: on"))
                try peer.configure(wire.far, address: "10.0.0.2/24")
                try host.configure("\(lab.tag)t", address: "10.0.0.1/24")
                try host.reaches("10.0.0.2")
                let file = try RandomFile(lab, "f", kib: 512)
                try peer.serve(lab, lab.folder)
                try eventually("the peer's web server answers") { try host.fetchedDigest("http://10.0.0.2/f", within: 20) == file.digest }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        /// The same happens to two daemons on a host, as DPDK's driver makes the number of process id and interface index.
        @Test("a port whose AF_PACKET sockets are refused, as another program has their fanout group, says so, and opens when that has ended")
        func takenFanoutGroup() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\n")
                let words = ["port", "add", "uplink", "type", "physical", "bridge", "br0", "device", "net_af_packet0,iface=\(wire.near)"]
                let number = UInt32(daemon.process.pid) ^ UInt32(if_nametoindex(wire.near))
                let refused = try withExtendedLifetime(RawSocket(wire.far, fanoutGroup: UInt16(truncatingIfNeeded: number))) { _ in try daemon.sluice(words) }
                #expect(refused.status == 1 && refused.errors.contains("Where that is PACKET_FANOUT, another program's process id"), "\(refused.errors)")
                #expect(daemon.log.contains("could not set PACKET_FANOUT on AF_PACKET socket for \(wire.near)"), "\(daemon.log)")
                try daemon.command(words)
                try daemon.waitUntil(port: "uplink", is: "up")
                daemon.stop()
            }
        }

        /// Each packet passes a tap, both ends of a memif, and a kernel interface.
        @Test("packets of 9000 bytes pass on taps, memif and kernel interfaces, both ways and as they came, and AF_XDP leaves them to AF_PACKET")
        func largePackets() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let memif = "id=0,socket=\(lab.path("memif")),socket-abstract=no"
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 65536}
                    bridges: [{name: br0}, {name: br1}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(lab.tag)t, mtu: 9000}
                      - {name: there, type: physical, bridge: br0, device: "net_memif0,role=server,\(memif)", mtu: 9000, dcb: false}
                      - {name: here, type: physical, bridge: br1, device: "net_memif1,role=client,\(memif)", mtu: 9000, dcb: false}
                      - {name: uplink, type: physical, bridge: br1, device: \(wire.near), mtu: 1770, dcb: false}
                    """)
                // An MTU of 1770 is the most that AF_XDP can carry.
                #expect(try daemon.port("uplink")["driver"].string == "net_af_xdp")
                #expect(try daemon.command("port", "set", "uplink", "mtu", "1771").contains("reopens the device with AF_PACKET"))
                let uplink = try daemon.port("uplink")
                #expect(uplink["driver"].string == "net_af_packet")
                #expect(uplink["warnings"].items.contains { $0.string?.contains("AF_XDP carries an mtu of 1770 at most") == true }, "\(uplink)")
                let refused = try daemon.sluice("port", "set", "uplink", "device", "net_af_xdp0,iface=\(wire.near)")
                #expect(refused.status == 1 && refused.errors.contains("carries an mtu of 1770 at most"), "\(refused.errors)")
                try daemon.command("port", "set", "uplink", "mtu", "9000")
                // While AF_XDP is used at one end, the other end accepts no MTU above a page.
                try run("ip", "link", "set", wire.far, "mtu", "9000")
                for port in ["host", "there", "here", "uplink"] { try daemon.waitUntil(port: port, is: "up") }

                let sizes = [46, 1_500, 1_501, 2_025, 2_026, 2_027, 4_096, 8_999, 9_000, 9_000]
                let payloads = sizes.enumerated().map { number, size in (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8 &+ number) } }
                for (from, to, station) in [("\(lab.tag)t", wire.far, "01"), (wire.far, "\(lab.tag)t", "02")] {
                    let capture = try Capture(lab, to, fields: ["data.data"], filter: "ether proto 0x88b5 and ether src 52:54:00:00:00:\(station)")
                    let sender = try RawSocket(from)
                    for payload in payloads { try sender.send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:\(station)", type: 0x88b5, payload)) }
                    let seen = try capture.waitFor(payloads.count).compactMap { $0["data.data"]?.replacingOccurrences(of: ":", with: "") }
                    let sent = payloads.map { $0.map { String(format: "%02x", $0) }.joined() }
                    #expect(seen.map(\.count) == sent.map(\.count))
                    #expect(seen == sent)
                }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("flooded frames leave unchanged by three kernel interfaces, as they came", arguments: devices)
        func flooded(_ prefix: String) throws {
            try withLab { lab in
                let wires = try ["a", "b", "c"].map { try VethPair(lab, $0) }
                func device(_ number: Int) -> String { prefix.replacingOccurrences(of: "0", with: "\(number)") + wires[number].near }
                let daemon = try Daemon(lab, "daemon: {cpus: [1], buffers: 65536}\nbridges: [{name: br0}]\nports:\n" + wires.indices.map {
                    "  - {name: wire\($0), type: physical, bridge: br0, device: \"\(device($0))\", dcb: false}\n"
                }.joined())
                for number in wires.indices { try daemon.waitUntil(port: "wire\(number)", is: "up") }
                #expect(try daemon.port("wire0")["driver"].string == (prefix.isEmpty ? "net_af_xdp" : "net_af_packet"))
                let captures = try wires[1...].map { try Capture(lab, $0.far, fields: ["data.data"], filter: "ether proto 0x88b5") }
                let payloads = (0..<60).map { number in (0..<46 + number * 24).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ number) } }
                let sender = try RawSocket(wires[0].far)
                for payload in payloads {
                    try sender.send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:01", type: 0x88b5, payload))
                }
                let sent = payloads.map { $0.map { String(format: "%02x", $0) }.joined() }
                for capture in captures {
                    let seen = try capture.waitFor(payloads.count).compactMap { $0["data.data"]?.replacingOccurrences(of: ":", with: "") }
                    #expect(seen == sent)
                }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
