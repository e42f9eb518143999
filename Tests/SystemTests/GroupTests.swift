import Foundation
import Testing

extension EndToEnd {
    @Suite("Groups: who has joined gets their frames, and nobody else does", .needs(.hugepages))
    struct GroupTests {
        private static func mac(_ number: Int) -> String { String(format: "52:54:00:00:00:%02x", number) }

        /// A UDP frame to a group.
        private static func data(_ number: Int, to group: [UInt8], from station: Int) -> [UInt8] {
            let address = String(format: "01:00:5e:%02x:%02x:%02x", group[1] & 0x7f, group[2], group[3])
            return Frames.ethernet(to: address, from: mac(station), type: 0x0800, datagram(17, ttl: 8, to: group, Frames.udp(to: 5_151, [0x51, 0xd1] + Frames.be(UInt16(number)))))
        }

        /// An IGMP message with the router alert option that it must have. `message` has a checksum of 0.
        private static func igmp(_ message: [UInt8], to group: [UInt8], from station: Int, source: [UInt8]) -> [UInt8] {
            var message = message
            message.replaceSubrange(2..<4, with: Frames.be(Frames.checksum(message)))
            let address = String(format: "01:00:5e:%02x:%02x:%02x", group[1] & 0x7f, group[2], group[3])
            return Frames.ethernet(to: address, from: mac(station), type: 0x0800, datagram(2, ttl: 1, options: [0x94, 4, 0, 0], from: source, to: group, message))
        }

        private static func datagram(_ proto: UInt8, ttl: UInt8, options: [UInt8] = [], from: [UInt8] = [10, 9, 0, 1], to: [UInt8], _ payload: [UInt8]) -> [UInt8] {
            var header: [UInt8] = [0x45 + UInt8(options.count / 4), 0] + Frames.be(UInt16(20 + options.count + payload.count)) + [0, 1, 0, 0, ttl, proto, 0, 0] + from + to + options
            header.replaceSubrange(10..<12, with: Frames.be(Frames.checksum(header)))
            return header + payload
        }

        /// Whether a frame is the test's data or an IGMP message that it has sent.
        private static let isOurs: @Sendable ([UInt8]) -> Bool = { frame in
            guard frame.count >= 46, frame[12] == 8, frame[13] == 0, frame[6] == 0x52, frame[7] == 0x54 else { return false }
            return frame[23] == 2 || frame[42] == 0x51 && frame[43] == 0xd1
        }

        @Test("the kernel joins and leaves on a tap, a router is found and forgotten, reports go to routers alone, and hostile ones stay within their budgets")
        func onTaps() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "u")
                let taps = ["a", "b", "c"].map { "\(lab.tag)\($0)" }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, mcast-snooping: on}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0])}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1]), mcast-fast-leave: on}
                      - {name: c, type: tap, bridge: br0, interface: \(taps[2]), mcast-max-groups: 50}
                      - {name: u, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", dcb: false}
                    """)
                try daemon.waitUntil(port: "u", is: "up")
                let ends = taps + [wire.far]
                let senders = try ends.map { try RawSocket($0) }
                let receiver = try RawReceiver(ends, Self.isOurs)
                let a = 0, b = 1, c = 2, u = 3
                let group: [UInt8] = [239, 1, 1, 1], other: [UInt8] = [239, 7, 7, 7]
                var number = 0
                func check(_ what: String, from port: Int, frame: [UInt8]? = nil, to group: [UInt8] = [239, 1, 1, 1], _ expected: Set<Int>, sourceLocation: SourceLocation = #_sourceLocation) throws {
                    number += 1
                    let sent = frame ?? Self.data(number, to: group, from: port + 1)
                    try senders[port].send(sent)
                    let arrivals = (receiver.take(quiet: expected.isEmpty ? 0.2 : 1, until: { $0.count >= max(expected.count, 1) }) + receiver.take(quiet: 0.05)).filter { $0.frame == sent }
                    #expect(arrivals.map(\.port).sorted() == expected.sorted(), "\(what)", sourceLocation: sourceLocation)
                }
                func members(_ group: String) throws -> Set<String> {
                    Set(try daemon.show("mdb", "show")["entries"].items.filter { $0["group"].string == group }.compactMap { $0["port"].string })
                }
                func routers(_ family: String) throws -> [String] {
                    try daemon.show("mdb", "show")["routers"].items.filter { $0["family"].string == family }.compactMap { $0["port"].string }
                }

                try check("while nobody knows who is a member", from: a, [b, c, u])
                // Hosts have ten seconds to answer the first query.
                try eventually("the bridge asks, and hosts have had time to answer", within: 30) {
                    try daemon.show("mdb", "show")["queriers"].items.contains { $0["family"].string == "ipv4" && $0["own"].bool == true && $0["settled"].bool == true }
                }
                try check("to a group without members", from: a, [])
                try check("to a group that nobody joins", from: a, to: [224, 0, 0, 251], [b, c, u])

                try run("ip", "addr", "add", "239.1.1.1/32", "dev", taps[b], "autojoin")
                try eventually("b has joined", within: 10) { try members("239.1.1.1") == ["b"] }
                try check("to a group", from: a, [b])
                try check("to another group of the same Ethernet address", from: a, to: [238, 129, 1, 1], [])
                try check("from the member itself", from: b, [])

                let v2 = Self.igmp([0x16, 0, 0, 0] + group, to: group, from: 3, source: [10, 9, 0, 3])
                try check("a report, where there is no router", from: c, frame: v2, [])
                try eventually("c has joined", within: 10) { try members("239.1.1.1") == ["b", "c"] }
                try check("to a group with two members", from: a, [b, c])

                let query = Self.igmp([0x11, 100, 0, 0, 0, 0, 0, 0, 2, 125, 0, 0], to: [224, 0, 0, 1], from: 77, source: [10, 9, 0, 254])
                try check("a router's question", from: u, frame: query, [a, b, c])
                try eventually("the router is found", within: 10) { try routers("ipv4") == ["u"] }
                try check("to members and the router", from: a, [b, c, u])
                try check("to a group that only the router wants", from: a, to: other, [u])
                try check("a report goes to the router", from: c, frame: Self.igmp([0x16, 0, 0, 0] + other, to: other, from: 3, source: [10, 9, 0, 3]), [u])
                #expect(try daemon.command("mdb", "show").contains("router on br0 port u ipv4 temp"))

                try run("ip", "addr", "del", "239.1.1.1/32", "dev", taps[b])
                try eventually("b has left", within: 10) { try members("239.1.1.1") == ["c"] }
                try check("after a leave", from: a, [c, u])
                try daemon.command("port", "set", "u", "mcast-router", "never")
                try eventually("no router is there", within: 10) { try routers("ipv4") == [] }
                try check("without the router", from: a, [c])

                // These are more groups than a port may have, and more messages than the switch accepts from it.
                for index in 0..<60 { try senders[c].send(Self.igmp([0x16, 0, 0, 0, 239, 8, 8, UInt8(index)], to: [239, 8, 8, UInt8(index)], from: 3, source: [10, 9, 0, 3])) }
                try eventually("as many groups as the port may have", within: 10) { try daemon.show("mdb", "show", "port", "c")["entries"].items.count == 50 }
                for _ in 0..<20_000 { try senders[c].send(v2) }
                try eventually("reports beyond the port's budget are dropped", within: 20) { try daemon.port("c")["drops"]["punt_limit"].int ?? 0 > 1_000 }
                #expect(try daemon.port("c")["punted"].int ?? 0 > 50)
                // All frames here were on their way to several ports, so none counts as forwarded to one port.
                try eventually("frames to groups are flooded frames, those that are dropped too") {
                    let bridge = try daemon.bridge("br0"), dropped = try daemon.port("c")["drops"]["punt_limit"]
                    return bridge["forwarded"].int == 0 && bridge["drops"]["punt_limit"] == dropped
                }
                try check("of others, meanwhile", from: a, [c])

                // The bridge's queries are well-formed, and they are counted as injected.
                #expect(try daemon.port("b")["injected"].int ?? 0 >= 2)
                try eventually("all is accounted for", within: 10) { try daemon.unaccountedFrames() == 0 }
                try daemon.command("bridge", "set", "br0", "mcast-snooping", "off")
                try check("on a bridge that follows no groups", from: a, to: other, [b, c, u])
                daemon.stop()
            }
        }

        @Test("a guest that sends millions of reports takes nothing from its neighbours on the same poll loop", .needs(.testpmd))
        func flood() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 16384}
                    bridges: [{name: br0, mcast-snooping: "on", rate: 440mbit}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2"))}
                      - {name: flooder, type: vhost, bridge: br0, socket: \(lab.path("flooder")), mode: server}
                    guests:
                      - {name: one, port: vm1, macs: ["52:54:00:00:00:01"], inbound: {floor: 40mbit, ceiling: 40mbit}}
                      - {name: two, port: vm2, macs: ["52:54:00:00:00:02"], inbound: {floor: 400mbit, ceiling: 400mbit}}
                    """)
                // dpdk-testpmd sends the file's reports again and again, as fast as the guest's ring takes them.
                try PacketFile.write(
                    (0..<8_192).map { number in
                        let group: [UInt8] = [239, 1, UInt8(number >> 8), UInt8(number & 255)]
                        return Self.igmp([0x16, 0, 0, 0] + group, to: group, from: 9, source: [10, 0, 0, 9])
                    }, to: lab.path("reports"))
                let flooder = try Testpmd(
                    lab, "flood", devices: ["net_pcap0,rx_pcap=\(lab.path("reports")),infinite_rx=1", "net_virtio_user0,path=\(lab.path("flooder"))"],
                    options: ["-i", "--forward-mode=io", "--port-topology=paired", "--no-flush-rx", "--no-lsc-interrupt"], cpu: 0)
                try flooder.waitFor("testpmd>")
                try daemon.waitUntil(port: "flooder", is: "up")
                try flooder.command("start", answer: "testpmd>")
                func port(_ counter: (JSON) -> Int?) throws -> Int { counter(try daemon.port("flooder")) ?? 0 }
                try eventually("more reports come than the control thread is given") { try port { $0["drops"]["punt_limit"].int } > 0 }
                let report = try Generator.measure(lab, daemon, """
                    duration: 6s
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", server: true, mac: "52:54:00:00:00:01"}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", server: true, mac: "52:54:00:00:00:02"}
                    flows:
                      - {name: a, from: vm1, to: vm2, size: 1514, rate: 500mbit}
                      - {name: b, from: vm2, to: vm1, size: 1514, rate: 60mbit}
                    expect:
                      - {name: "the floor of vm2", flows: [a], from: 2s, at-least: 392mbit}
                      - {name: "the floor of vm1", flows: [b], from: 2s, at-least: 39.2mbit}
                    """)
                #expect(Generator.missed(report) == [])
                try eventually("a million were refused") { try port { $0["drops"]["punt_limit"].int } > 1_000_000 }
                let punted = try port { $0["punted"].int }, refused = try port { $0["drops"]["punt_limit"].int }
                print("of \(punted + refused) reports the control thread was given \(punted)")
                #expect(punted < refused / 100)
                try flooder.command("stop", answer: "Done.")
                try flooder.quit()
                try eventually("all is accounted for") { try daemon.unaccountedFrames() == 0 }
                daemon.stop()
            }
        }

        @Test("tshark finds nothing wrong with what the bridge asks, with the tags of each port")
        func questions() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "q")
                let fields = ["vlan.id", "eth.dst", "ip.src", "ip.ttl", "igmp.version", "igmp.type", "igmp.checksum.status", "ipv6.src", "ipv6.hlim", "icmpv6.type", "icmpv6.checksum.status", "_ws.malformed"]
                let capture = try Capture(lab, wire.far, fields: fields, filter: "")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, mcast-snooping: on, mcast-querier: on, mcast-querier-address: 192.0.2.7}]
                    ports: [{name: p, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", dcb: false, vlan: {trunk: [10], native: 1}}]
                    """)
                let asked = try capture.waitFor(4) { $0["igmp.type"] == "0x11" || $0["icmpv6.type"] == "130" }
                for vlan in ["", "10"] {
                    let igmp = asked.first { $0["vlan.id"] == vlan && $0["igmp.type"] == "0x11" }, mld = asked.first { $0["vlan.id"] == vlan && $0["icmpv6.type"] == "130" }
                    #expect(igmp?["ip.src"] == "192.0.2.7" && igmp?["ip.ttl"] == "1" && igmp?["igmp.version"] == "3" && igmp?["igmp.checksum.status"] == "1" && igmp?["eth.dst"] == "01:00:5e:00:00:01")
                    #expect(mld?["ipv6.src"]?.hasPrefix("fe80::") == true && mld?["ipv6.hlim"] == "1" && mld?["icmpv6.checksum.status"] == "1" && mld?["eth.dst"] == "33:33:00:00:00:01")
                    #expect(igmp?["_ws.malformed"] == "" && mld?["_ws.malformed"] == "")
                }
                daemon.stop()
            }
        }

        @Test("what a port has heard and was sent of the bridge's own stays counted while the port is lost")
        func lostPort() throws {
            try withLab { lab in
                let name = "\(lab.tag)-net", tap = "\(lab.tag)t"
                try run("ip", "netns", "add", name)
                lab.atClose { _ = try? run("ip", "netns", "del", name) }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, mcast-snooping: on, mcast-querier: on}]
                    ports: [{name: host, type: tap, bridge: br0, interface: \(tap), netns: \(name)}]
                    """)
                try run("ip", "-n", name, "link", "set", tap, "up")
                func figures() throws -> (punted: Int, injected: Int) {
                    let port = try daemon.port("host")
                    return (port["punted"].int ?? 0, port["injected"].int ?? 0)
                }
                // The kernel reports the groups that its addresses need.
                try eventually("the port has heard reports and was asked", within: 30) { try figures().punted > 0 && figures().injected > 0 }
                let before = try figures()
                try run("ip", "netns", "del", name)
                try daemon.waitUntil(port: "host", is: "failed")
                let lost = try figures()
                #expect(lost.punted >= before.punted && lost.injected >= before.injected, "\(before), then \(lost)")
                daemon.stop()
            }
        }

        @Test("where ports write priorities, what the bridge asks has network control's, or that of the row that the operator has for it")
        func priorities() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "q")
                let fields = ["vlan.id", "vlan.priority", "igmp.type", "icmpv6.type"]
                let capture = try Capture(lab, wire.far, fields: fields, filter: "")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, mcast-snooping: on, mcast-querier: on, mcast-querier-address: 192.0.2.7}]
                    ports: [{name: p, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", vlan: {trunk: [10], native: 1}}]
                    """)
                func tags(_ asked: [[String: String]], _ key: String, _ type: String) -> Set<[String?]> {
                    Set(asked.filter { $0[key] == type }.map { [$0["vlan.id"], $0["vlan.priority"]] })
                }
                let asked = try capture.waitFor(4) { $0["igmp.type"] == "0x11" || $0["icmpv6.type"] == "130" }
                #expect(tags(asked, "igmp.type", "0x11") == [["0", "7"], ["10", "7"]])
                #expect(tags(asked, "icmpv6.type", "130") == [["0", "7"], ["10", "7"]])

                // Queries of IGMP have CS6 (RFC 3376, 4).
                try daemon.command("protocol", "add", "control", "match", "dscp 48", "pcp", "5")
                try daemon.command("bridge", "set", "br0", "mcast-snooping", "off")
                let second = try Capture(lab, wire.far, fields: fields, filter: "")
                try daemon.command("bridge", "set", "br0", "mcast-snooping", "on")
                let again = try second.waitFor(4) { $0["igmp.type"] == "0x11" || $0["icmpv6.type"] == "130" }
                #expect(tags(again, "igmp.type", "0x11") == [["0", "5"], ["10", "5"]])
                #expect(tags(again, "icmpv6.type", "130") == [["0", "7"], ["10", "7"]])
                daemon.stop()
            }
        }

        @Test("a guest that joins a group gets what another sends there, and a third does not", .needs(.qemu))
        func guests() throws {
            try withLab { lab in
                let host = try Namespace(lab, "sender")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, mcast-snooping: on, mcast-querier-address: 10.0.0.250}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2"))}
                      - {name: host, type: tap, bridge: br0, interface: tap0, netns: \(host.name)}
                    """)
                try host.configure("tap0", address: "10.0.0.3/24")
                try host.run("ip", "route", "add", "224.0.0.0/4", "dev", "tap0")
                let guests = try [1, 2].map { try Guest(lab, "vm\($0)", mac: "52:54:00:00:00:0\($0)", socket: lab.path("vm\($0)")) }
                for (index, guest) in guests.enumerated() { try guest.booted().configure("10.0.0.\(index + 1)/24") }
                try guests[0].reaches("10.0.0.3")
                try guests[0].run("/bin/ip addr add 239.1.1.1/32 dev eth0 autojoin; echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts")
                try guests[1].run("echo 0 >/proc/sys/net/ipv4/icmp_echo_ignore_broadcasts")
                try eventually("vm1 has joined, and that is known to be all", within: 40) {
                    let shown = try daemon.show("mdb", "show")
                    return shown["entries"].items.contains { $0["group"].string == "239.1.1.1" && $0["port"].string == "vm1" }
                        && shown["queriers"].items.contains { $0["family"].string == "ipv4" && $0["settled"].bool == true }
                }
                func delivered(_ port: String) throws -> Int { try daemon.port(port)["tx"]["frames"].int ?? 0 }
                let before = try (delivered("vm1"), delivered("vm2"))
                // These packets are large, so that other frames can be neglected.
                _ = try finish(["busybox", "ping", "-c", "50", "-i", "0.02", "-W", "1", "-s", "1000", "239.1.1.1"], namespace: host.name)
                #expect(try delivered("vm1") - before.0 >= 50)
                #expect(try delivered("vm2") - before.1 < 25)
                // vm1 has received them; its answers must reach the sender.
                try eventually("the member answers", within: 20) {
                    try finish(["busybox", "ping", "-c", "2", "-W", "1", "239.1.1.1"], namespace: host.name).output.contains("from 10.0.0.1")
                }
                let left = try daemon.unaccountedFrames(), stats = try daemon.show("stats", "show")
                #expect(left == 0, "\(stats)")
                daemon.stop()
            }
        }
    }
}
