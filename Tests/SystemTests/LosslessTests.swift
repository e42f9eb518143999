import Foundation
import Testing

extension EndToEnd {
    @Suite("Priorities that lose nothing, and ports that are trusted to say them", .needs(.hugepages, .tshark))
    struct LosslessTests {
        private static let guest = "02:00:00:00:00:99"
        private static let data = [UInt8](repeating: 1, count: 1_400)
        /// Of priority 3, and of priority 0.
        private static let roce = Frames.ethernet(to: guest, from: "02:00:00:00:01:01", type: 0x0800, Frames.ipv4(17, Frames.udp(to: 4791, data)))
        private static let plain = Frames.ethernet(to: guest, from: "02:00:00:00:01:02", type: 0x0800, Frames.ipv4(17, Frames.udp(to: 53_000, data)))
        private static let fields = ["macc.opcode", "macc.pause_time", "macc.cbfc.enbv", "macc.cbfc.pause_time.c3", "eth.dst", "_ws.expert", "_ws.malformed"]

        /// A switch with a guest that takes 40 Mbit/s, or as much as `rate` says, behind a physical port.
        private func receiver(_ lab: Lab, _ wire: VethPair, _ tap: String, _ dcb: String, rate: String = "40mbit") throws -> Daemon {
            let daemon = try Daemon(lab, """
                bridges: [{name: br0}]
                ports:
                  - {name: slow, type: tap, bridge: br0, interface: \(tap)}
                  - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", dcb: {\(dcb), buffer: {buffer-size: ["all:128kib"]}}}
                guests: [{name: vm1, port: slow, macs: ["\(Self.guest)"], inbound: {ceiling: \(rate)}}]
                """, name: "receiver")
            try daemon.waitUntil(port: "uplink", is: "up")
            return daemon
        }

        /// The switch at the other end of the wire, with a tap whose guest sends to that of `receiver`.
        private func sender(_ lab: Lab, _ wire: VethPair, _ tap: String) throws -> Daemon {
            let sender = try Daemon(lab, """
                bridges: [{name: br0, static: [{mac: "\(Self.guest)", port: uplink}]}]
                ports:
                  - {name: host, type: tap, bridge: br0, interface: \(tap)}
                  - name: uplink
                    type: physical
                    bridge: br0
                    device: "net_af_packet0,iface=\(wire.far)"
                    rate: 400mbit
                    dcb: {pfc: {prio-pfc: [3]}, buffer: {buffer-size: ["3:128kib"]}}
                guests: [{name: vm1, port: host}]
                """, name: "sender")
            try sender.waitUntil(port: "uplink", is: "up")
            return sender
        }

        private func pfc(_ daemon: Daemon) throws -> JSON {
            guard let status = try daemon.show("dcb", "show").items.first else { throw LabError("no port") }
            return status["pfc"]
        }

        @Test("a guest that is slower than its sender loses nothing of a lossless priority, from a tap over two switches: pauses stop the one, and it stops reading the tap")
        func twoSwitches() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), from = "\(lab.tag)f", to = "\(lab.tag)t"
                let receiver = try receiver(lab, wire, to, "pfc: {prio-pfc: [3]}")
                let sender = try sender(lab, wire, from)
                let capture = try Capture(lab, wire.far, fields: Self.fields, filter: "ether proto 0x8808")
                let socket = try RawSocket(from)
                // What the tap itself loses, while the switch does not read it, no switch ever had.
                for _ in 0..<500 {
                    for _ in 0..<8 { try? socket.send(Self.roce) }
                    try? socket.send(Self.plain)
                    usleep(300)
                }
                func passed() throws -> (seen: Int, sent: Int) {
                    (try sender.protocolRow("rocev2")["seen"]["frames"].int ?? -1, try receiver.classStatus("br0", "vm1/rocev2")["sent"]["frames"].int ?? -1)
                }
                try eventually("all that the first switch has taken has reached the guest", within: 60) { try passed().seen > 1_000 && passed().seen == passed().sent }
                #expect(try sender.unaccountedFrames() == 0 && receiver.unaccountedFrames() == 0)
                for (daemon, tree) in [(sender, "uplink"), (receiver, "br0")] {
                    #expect(try daemon.classStatus(tree, "vm1/rocev2")["dropped"]["frames"].int == 0)
                }
                let sent = try pfc(receiver)["sent"], received = try pfc(sender)["received"]
                #expect(sent["pauses"].items[3].int ?? 0 > 0 && sent["pausing"].items.isEmpty && sent["paused_nanoseconds"].items[3].int ?? 0 > 0)
                #expect(sent["pauses"].items[0].int == 0 && received["frames"].int == sent["frames"].int && received["pauses"].items[3].int ?? 0 > 0)
                #expect(try sender.port("host")["held"].int ?? 0 > 0 && receiver.port("uplink")["injected"].int == sent["frames"].int)
                #expect(try receiver.command("dcb", "pfc", "show").contains("pfc sent: \(sent["frames"].int ?? 0) frames; priority 3:"))
                #expect(try receiver.command("dcb", "buffer", "show").contains("buffer: priority 3 size 131072 headroom 65536 xoff 65536 xon 32768"))
                let frames = try capture.waitFor(sent["frames"].int ?? 0)
                #expect(frames.allSatisfy { $0["macc.opcode"] == "0x0101" && $0["eth.dst"] == "01:80:c2:00:00:01" && $0["_ws.malformed"] == "" && $0["_ws.expert"] == "" })
                #expect(frames.first?["macc.cbfc.pause_time.c3"] == "65535" && frames.last?["macc.cbfc.pause_time.c3"] == "0")
                sender.stop()
                receiver.stop()
            }
        }

        @Test("a guest for which a pause lasts so long that it has several breaks loses nothing: each is over at once")
        func longPauses() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), from = "\(lab.tag)f", to = "\(lab.tag)t"
                let receiver = try receiver(lab, wire, to, "pfc: {prio-pfc: [3]}", rate: "1mbit")
                let sender = try sender(lab, wire, from)
                let socket = try RawSocket(from)
                // The queue is as long as it may be, and the tap is full.
                func offer() { for _ in 0..<64 { try? socket.send(Self.roce) } }
                try eventually("the pause has had breaks", within: 60) {
                    offer()
                    return try pfc(receiver)["sent"]["pauses"].items[3].int ?? 0 > 4
                }
                for (daemon, tree) in [(sender, "uplink"), (receiver, "br0")] {
                    #expect(try daemon.classStatus(tree, "vm1/rocev2")["dropped"]["frames"].int == 0)
                }
                #expect(try pfc(sender)["received"]["storms"].items[3].int == 0 && sender.port("host")["held"].int ?? 0 > 0)
                sender.stop()
                receiver.stop()
            }
        }

        @Test("a device without an address has ETS and PFC as others have, and says so from an address that it has again after a restart")
        func withoutAddress() throws {
            try withLab { lab in
                let tap = "\(lab.tag)m"
                // What leaves by a ring arrives by it again, and the mirror shows it.
                func told(_ name: String) throws -> [UInt8] {
                    let daemon = try Daemon(lab, """
                        bridges: [{name: br0}, {name: watch}]
                        ports:
                          - name: loop
                            type: physical
                            bridge: br0
                            device: net_ring0
                            rate: 100mbit
                            lldp: on
                            dcb: {ets: {tc-tsa: [ets, ets], tc-bw: [70, 30]}, pfc: {prio-pfc: [3]}}
                          - {name: mon, type: tap, bridge: watch, interface: \(tap)}
                        mirrors: [{name: m1, port: loop, direction: in, to: mon}]
                        """, name: name)
                    for port in ["loop", "mon"] { try daemon.waitUntil(port: port, is: "up") }
                    let receiver = try RawReceiver([tap]) { $0[12...13].elementsEqual([0x88, 0xcc]) }
                    guard let status = try daemon.show("dcb", "show", "loop").items.first else { throw LabError("nothing is negotiated at the port") }
                    #expect(status["ets"]["operational"]["tc_bw"].items.prefix(2).map(\.int) == [70, 30])
                    #expect(status["pfc"]["operational"]["prio_pfc"].items.map(\.int) == [3] && status["pfc"]["sent"]["frames"].int == 0)
                    #expect(status["ets"]["sent"].items.count == 8 && status["ets"]["by"].string == "sw" && status["pfc"]["by"].string == "sw")
                    // A change is told at once.
                    try daemon.command("port", "set", "loop", "dcb", "pfc", "prio-pfc", "3,4")
                    let frame = receiver.take(quiet: 30, until: { !$0.isEmpty }).first?.frame
                    daemon.stop()
                    return try #require(frame)
                }
                let frame = try told("first"), again = try told("second")
                #expect(frame[6] & 3 == 2 && frame[6..<12] == again[6..<12])
            }
        }

        @Test("a link without such priorities is paused as a whole, again and again as long as the guest is slow, and then no longer")
        func wholeLink() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), tap = "\(lab.tag)t"
                let daemon = try receiver(lab, wire, tap, "pause: true")
                let capture = try Capture(lab, wire.far, fields: Self.fields, filter: "ether proto 0x8808")
                let socket = try RawSocket(wire.far)
                // This peer does not stop.
                for _ in 0..<60 {
                    for _ in 0..<4 { try? socket.send(Self.plain) }
                    usleep(300)
                }
                try eventually("the guest has taken all", within: 30) { try daemon.port("slow")["tx"]["frames"].int == 240 }
                let sent = try eventually("the link goes on", within: 30) { () -> JSON? in
                    let sent = try pfc(daemon)["sent"]
                    return sent["pausing"].items.isEmpty && sent["frames"].int ?? 0 > 2 ? sent : nil
                }
                let frames = try capture.waitFor(sent["frames"].int ?? 0)
                #expect(frames.allSatisfy { $0["macc.opcode"] == "0x0001" && $0["_ws.malformed"] == "" && $0["_ws.expert"] == "" })
                #expect(frames.dropLast().allSatisfy { $0["macc.pause_time"] == "65535" } && frames.last?["macc.pause_time"] == "0")
                daemon.stop()
            }
        }

        @Test("frames whose transport understands that are marked while a queue is long, with a right checksum; all others leave as they came")
        func marks() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), tap = "\(lab.tag)t"
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, static: [{mac: "\(Self.guest)", port: uplink}]}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(tap)}
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)"}
                    guests: [{name: vm1, port: host, outbound: {ceiling: 20mbit, ecn-threshold: 20kib}}]
                    """)
                try daemon.waitUntil(port: "uplink", is: "up")
                let guest = Frames.mac(Self.guest)
                let receiver = try RawReceiver([wire.far]) { $0.starts(with: guest) }, socket = try RawSocket(tap)
                // ECT(0), ECT(1) and Not-ECT by turns, and IPv6 with ECT(0).
                let bodies = (0..<3).map { ecn -> [UInt8] in
                    var packet = Frames.ipv4(17, dscp: 10, Frames.udp(to: 53_000, Self.data))
                    let marks: [UInt8] = [2, 1, 0]
                    packet[1] = 10 << 2 | marks[ecn]
                    (packet[10], packet[11]) = (0, 0)
                    let sum = Frames.checksum(Array(packet[..<20]))
                    packet.replaceSubrange(10..<12, with: Frames.be(sum))
                    return packet
                }
                var six = Frames.ipv6(17, Frames.udp(to: 53_000, Self.data))
                six[1] |= 0x20
                for _ in 0..<20 {
                    for body in bodies { try socket.send(Frames.ethernet(to: Self.guest, from: "02:00:00:00:01:01", type: 0x0800, body)) }
                    try socket.send(Frames.ethernet(to: Self.guest, from: "02:00:00:00:01:01", type: 0x86dd, six))
                }
                let arrived = receiver.take(quiet: 10) { $0.count == 80 }.map(\.frame)
                var marked = 0
                for frame in arrived {
                    // Behind the priority tag.
                    let packet = Array(frame[18...])
                    guard packet[0] >> 4 == 4 else {
                        if packet[1] & 0x30 == 0x30 { marked += 1 }
                        continue
                    }
                    #expect(Frames.checksum(Array(packet[..<20])) == 0 && packet[1] >> 2 == 10)
                    if packet[1] & 3 == 3 { marked += 1 }
                }
                #expect(arrived.count == 80 && arrived.filter { $0[16...17] == [8, 0] && $0[19] & 3 == 0 }.count == 20)
                let status = try daemon.classStatus("uplink", "vm1")
                #expect(marked > 10 && status["marked"].int == marked && status["dropped"]["frames"].int == 0)
                #expect(try daemon.command("class", "show").contains("marked \(marked)") && daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("frames say their priority by PCP or DSCP where a port is trusted, and leave with it; of two tags the outer one counts")
        func trust() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), tap = "\(lab.tag)t"
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, static: [{mac: "\(Self.guest)", port: uplink}]}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(tap), trust: pcp}
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)"}
                    guests: [{name: vm1, port: host, outbound: {ceiling: 900mbit}, protocols: {fcoe: {outbound: {ceiling: 800mbit}}}}]
                    """)
                try daemon.waitUntil(port: "uplink", is: "up")
                let capture = try Capture(lab, wire.far, fields: ["eth.src", "vlan.id", "vlan.priority"], filter: "ether dst \(Self.guest)")
                let socket = try RawSocket(tap)
                var number = 0
                func send(_ tags: [Frames.Tag], _ packet: [UInt8]) throws -> [String?] {
                    number += 1
                    let source = "02:00:00:00:02:0\(number)"
                    try socket.send(Frames.ethernet(to: Self.guest, from: source, tags: tags, type: 0x0800, packet))
                    let frame = try capture.waitFor(1) { $0["eth.src"] == source }[0]
                    return [frame["vlan.priority"], frame["vlan.id"]]
                }
                let iscsi = Frames.ipv4(6, dscp: 46, Frames.tcp(to: 3260)), other = Frames.ipv4(17, dscp: 46, Frames.udp(to: 53_000))
                #expect(try send([], iscsi) == ["4", "0"] && send([], other) == ["0", "0"])
                #expect(try send([.init(pcp: 5, vid: 0)], other) == ["5", "0"] && send([.init(pcp: 1, vid: 42)], iscsi) == ["1", "42"])
                #expect(try send([.init(pcp: 6, vid: 7), .init(pcp: 2, vid: 8)], other) == ["6,2", "7,8"])
                // A priority takes the class of a protocol that has the same.
                let before = try daemon.classStatus("uplink", "vm1/fcoe")["sent"]["frames"].int
                #expect(try send([.init(pcp: 3, vid: 0)], other) == ["3", "0"] && daemon.classStatus("uplink", "vm1/fcoe")["sent"]["frames"].int == (before ?? 0) + 1)
                try daemon.command("port", "set", "host", "trust", "dscp")
                #expect(try send([.init(pcp: 1, vid: 0)], other) == ["6", "0"] && send([], iscsi) == ["6", "0"])
                try daemon.command("port", "set", "host", "trust", "none")
                #expect(try send([.init(pcp: 5, vid: 0)], other) == ["0", "0"])
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
