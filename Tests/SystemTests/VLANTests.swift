import Foundation
import Testing

extension EndToEnd {
    @Suite("VLANs: who gets which frames, with which tags", .needs(.hugepages))
    struct VLANTests {
        private static let everybody = "ff:ff:ff:ff:ff:ff"

        /// A frame with a number by which the receivers of a test recognise it.
        private static func frame(_ number: Int, to: String = everybody, from: String, tags: [Frames.Tag] = []) -> [UInt8] {
            Frames.ethernet(to: to, from: from, tags: tags, type: 0x88b5, [0x51, 0xce] + Frames.be(UInt16(number)) + [UInt8](repeating: UInt8(number & 0xff), count: 50))
        }

        private static let isOurs: @Sendable ([UInt8]) -> Bool = { frame in
            guard let place = (6..<20).first(where: { 2 * $0 + 3 < frame.count && frame[2 * $0] == 0x88 && frame[2 * $0 + 1] == 0xb5 }) else { return false }
            return frame[2 * place + 2] == 0x51 && frame[2 * place + 3] == 0xce
        }

        private func mac(_ number: Int) -> String { String(format: "52:54:00:00:00:%02x", number) }

        @Test("access, trunk, native and service VLANs on taps, af_packet and AF_XDP: each port gets its VLANs' frames with its tags, and nothing else")
        func ports() throws {
            try withLab { lab in
                let wires = try [VethPair(lab, "p"), VethPair(lab, "x")]
                let taps = ["a", "b", "c", "s", "n"].map { "\(lab.tag)\($0)" }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0]), vlan: 10}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1]), vlan: 10}
                      - {name: c, type: tap, bridge: br0, interface: \(taps[2]), vlan: 20}
                      - {name: s, type: tap, bridge: br0, interface: \(taps[3]), vlan: {service: 100}}
                      - {name: n, type: tap, bridge: br0, interface: \(taps[4])}
                      - {name: p, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wires[0].near)", dcb: false, vlan: {trunk: [10, 20, 100], native: 1}}
                      - {name: x, type: physical, bridge: br0, device: \(wires[1].near), vlan: {trunk: [10, 30, 100]}}
                    """)
                for port in ["p", "x"] { try daemon.waitUntil(port: port, is: "up") }
                let ends = taps + wires.map(\.far)
                let senders = try ends.map { try RawSocket($0) }
                let receiver = try RawReceiver(ends, Self.isOurs)
                var number = 0
                /// Sends a frame by one port and checks which ports get it with which tags.
                func check(_ what: String, from port: Int, to: String = Self.everybody, station: Int, tags: [Frames.Tag] = [], _ expected: [Int: [Frames.Tag]]) throws {
                    number += 1
                    let sent = Self.frame(number, to: to, from: mac(station), tags: tags)
                    try senders[port].send(sent)
                    let wanted = Dictionary(uniqueKeysWithValues: expected.map { ($0.key, Self.frame(number, to: to, from: mac(station), tags: $0.value)) })
                    var seen: [Int: [UInt8]] = [:]
                    // If more frames arrive than expected, they do so at about the same time.
                    for arrival in receiver.take(quiet: wanted.isEmpty ? 0.2 : 1, until: { $0.count >= max(wanted.count, 1) }) + receiver.take(quiet: 0.05) {
                        #expect(seen[arrival.port] == nil, "\(what): twice at \(arrival.port)")
                        // The padding behind a removed tag remains.
                        seen[arrival.port] = arrival.frame
                    }
                    #expect(seen == wanted, "\(what)")
                }
                func c(_ vid: UInt16, pcp: UInt8 = 0) -> Frames.Tag { Frames.Tag(pcp: pcp, vid: vid) }
                func s(_ vid: UInt16) -> Frames.Tag { Frames.Tag(pcp: 0, vid: vid, tpid: 0x88a8) }
                // The ports and their VLANs are: 0 a and 1 b: 10; 2 c: 20; 3 s: service 100; 4 n: 1; 5 p: trunk 10, 20, 100, native 1; 6 x: trunk 10, 30, 100,
                // with DCB's priorities.
                try check("from an access port", from: 0, station: 1, [1: [], 5: [c(10)], 6: [c(10)]])
                try check("its priority tag", from: 0, station: 1, tags: [c(0, pcp: 5)], [1: [], 5: [c(10, pcp: 5)], 6: [c(10)]])
                try check("in another VLAN than the port's", from: 0, station: 1, tags: [c(20)], [:])
                try check("with a tag from a trunk", from: 5, station: 2, tags: [c(20, pcp: 3)], [2: []])
                try check("without a tag from a trunk with a native VLAN", from: 5, station: 2, [4: []])
                try check("without a tag from one without", from: 6, station: 3, [:])
                try check("in a VLAN that only one port is in", from: 6, station: 3, tags: [c(30)], [:])
                try check("from the port that names none", from: 4, station: 4, [5: []])
                try check("of a customer, whose tags are its own", from: 3, station: 5, tags: [c(10), c(7)], [5: [s(100), c(10), c(7)], 6: [s(100), c(10), c(7)]])
                try check("of a customer, without", from: 3, station: 5, [5: [s(100)], 6: [s(100)]])
                try check("to a customer", from: 5, station: 6, tags: [s(100), c(10)], [3: [c(10)], 6: [s(100), c(10)]])
                try check("to a customer, by AF_XDP", from: 6, station: 6, tags: [s(100), c(10)], [3: [c(10)], 5: [s(100), c(10)]])
                try check("in a service VLAN without a service tag", from: 6, station: 6, tags: [c(100)], [:])
                // An address that is known in one VLAN is not known in another.
                try check("to whom is known", from: 1, to: mac(1), station: 7, [0: []])
                try check("to whom is known in another VLAN", from: 2, to: mac(1), station: 8, [5: [c(20)]])
                try check("to whom is known on a trunk", from: 2, to: mac(2), station: 8, [5: [c(20)]])

                let known = try daemon.show("fdb", "show", "vlan", "10").items
                // The host's own frames on its taps are left out.
                #expect(Set(known.compactMap { $0["mac"].string }.filter { $0.hasPrefix("52:54") }) == [mac(1), mac(7)])
                #expect(known.allSatisfy { $0["vlan"].int == 10 })
                #expect(try daemon.command("vlan", "show", "p") == """
                    port  vlan-id
                    p     1 PVID Egress Untagged
                          10
                          20
                          100 Service

                    """)
                #expect(try daemon.port("a")["drops"]["vlan_not_allowed"].int == 1)
                #expect(try daemon.port("x")["drops"]["vlan_not_allowed"].int == 2)
                // None of them was forwarded.
                #expect(try daemon.bridge("br0")["drops"]["vlan_not_allowed"].int == 3)

                // When a VLAN stops being a service VLAN, its tags change on all trunks, so all addresses that were known there are forgotten.
                func inService() throws -> Set<String> {
                    let known = try daemon.show("fdb", "show", "vlan", "100").items.filter { $0["mac"].string?.hasPrefix("52:54") ?? false }
                    return Set(known.compactMap { $0["port"].string })
                }
                #expect(try inService() == ["s", "x"])
                try daemon.command("port", "set", "s", "vlan", "10")
                #expect(try inService() == [])
                try check("in what was a service VLAN", from: 6, station: 6, tags: [c(100)], [5: [c(100)]])
                #expect(try inService() == ["x"])
                try daemon.command("port", "set", "s", "vlan", "service", "100")
                #expect(try inService() == [])

                // The port leaves the VLAN at once, and what was learned there is forgotten.
                try daemon.command("port", "set", "b", "vlan", "20")
                try check("after a port has changed its VLAN", from: 2, station: 9, [1: [], 5: [c(20)]])
                try check("to whom was known there", from: 0, to: mac(7), station: 1, [5: [c(10)], 6: [c(10)]])
                // Without VLANs, frames pass unchanged.
                for port in ["a", "b", "c", "s", "p", "x"] { try daemon.command("port", "set", port, "vlan", "none") }
                try check("on a bridge without VLANs", from: 0, station: 1, tags: [c(77)], [1: [c(77)], 2: [c(77)], 3: [c(77)], 4: [c(77)], 5: [c(77)], 6: [c(77)]])
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        /// The median second must be right to 1 % for what arrives, and to 0.1 % for what the daemon counts. Bursts are large, and floors and ceiling fill the
        /// link, so that a poll loop that lost its CPU to other programs for a while can catch up.
        /// What tshark shows of a frame's tags.
        private struct Shown: Hashable, CustomStringConvertible {
            /// The outer tag's VLAN and priority, of type 0x88a8 and of type 0x8100; empty: it has no such tag.
            var service: String, vlan: String, priority: String
            var description: String { "service \(service) vlan \(vlan) priority \(priority)" }
        }

        @Test("tshark reads the tags of what leaves by each kind of port, as trunk and as access port: vhost, tap, memif, af_packet, AF_XDP", .needs(.testpmd))
        func tshark() throws {
            try withLab { lab in
                let wires = try ["p", "q", "x", "y"].map { try VethPair(lab, $0) }
                let taps = ["i", "t", "u", "s"].map { "\(lab.tag)\($0)" }
                let trunk = "vlan: {trunk: [10, 100], native: 20}", access = "vlan: 10"
                func memif(_ number: Int) -> String { "net_memif\(number),role=server,id=0,socket=\(lab.path("memif\(number)")),socket-abstract=no" }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: in, type: tap, bridge: br0, interface: \(taps[0]), vlan: {trunk: [10, 100], native: 20}}
                      - {name: service, type: tap, bridge: br0, interface: \(taps[3]), vlan: {service: 100}}
                      - {name: tap-trunk, type: tap, bridge: br0, interface: \(taps[1]), \(trunk)}
                      - {name: tap-access, type: tap, bridge: br0, interface: \(taps[2]), \(access)}
                      - {name: packet-trunk, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wires[0].near)", \(trunk)}
                      - {name: packet-access, type: physical, bridge: br0, device: "net_af_packet1,iface=\(wires[1].near)", dcb: false, \(access)}
                      - {name: xdp-trunk, type: physical, bridge: br0, device: \(wires[2].near), \(trunk)}
                      - {name: xdp-access, type: physical, bridge: br0, device: \(wires[3].near), dcb: false, \(access)}
                      - {name: memif-trunk, type: physical, bridge: br0, device: "\(memif(0))", \(trunk)}
                      - {name: memif-access, type: physical, bridge: br0, device: "\(memif(1))", dcb: false, \(access)}
                      - {name: vhost-trunk, type: vhost, bridge: br0, socket: \(lab.path("trunk")), mode: server, \(trunk)}
                      - {name: vhost-access, type: vhost, bridge: br0, socket: \(lab.path("access")), mode: server, \(access)}
                    """)
                // The far ends of memif and vhost ports, which write what they get into files.
                try PacketFile.write([], to: lab.path("nothing"))
                let files = ["memif-trunk", "memif-access", "vhost-trunk", "vhost-access"].map { ($0, lab.path("\($0).pcap")) }
                let ends = [
                    "net_memif0,role=client,id=0,socket=\(lab.path("memif0")),socket-abstract=no", "net_memif1,role=client,id=0,socket=\(lab.path("memif1")),socket-abstract=no",
                    "net_virtio_user0,path=\(lab.path("trunk"))", "net_virtio_user1,path=\(lab.path("access"))",
                ]
                let devices = zip(files, ends).enumerated().flatMap { ["net_pcap\($0),rx_pcap=\(lab.path("nothing")),tx_pcap=\($1.0.1)", $1.1] }
                let sink = try Testpmd(
                    lab, "sink", devices: devices, options: ["-i", "--forward-mode=io", "--port-topology=paired", "--no-flush-rx", "--no-lsc-interrupt"], cpu: 0)
                try sink.waitFor("testpmd>")
                try sink.command("start", answer: "testpmd>")
                for port in files.map(\.0) + ["packet-trunk", "packet-access", "xdp-trunk", "xdp-access"] { try daemon.waitUntil(port: port, is: "up") }
                let fields = ["eth.src", "ieee8021ad.id", "vlan.id", "vlan.priority"]
                let captures = try [("tap-trunk", taps[1]), ("tap-access", taps[2])].map { ($0.0, try Capture(lab, $0.1, fields: fields)) }
                    + zip(["packet-trunk", "packet-access", "xdp-trunk", "xdp-access"], wires).map { ($0, try Capture(lab, $1.far, fields: fields)) }

                let station = try RawSocket(taps[0]), customer = try RawSocket(taps[3])
                try station.send(Self.frame(1, from: mac(1), tags: [Frames.Tag(pcp: 5, vid: 10)]))
                try station.send(Self.frame(2, from: mac(2)))
                try customer.send(Self.frame(3, from: mac(3), tags: [Frames.Tag(pcp: 3, vid: 7)]))
                func shown(_ frames: [[String: String]]) -> [String: Shown] {
                    Dictionary(
                        frames.map { ($0["eth.src"] ?? "", Shown(service: $0["ieee8021ad.id"] ?? "", vlan: $0["vlan.id"] ?? "", priority: $0["vlan.priority"] ?? "")) },
                        uniquingKeysWith: { first, _ in first })
                }
                let ours = Set((1...3).map(mac))
                var seen: [String: [String: Shown]] = [:]
                func count(_ port: String) -> Int { port.hasSuffix("trunk") ? 3 : 1 }
                for (port, capture) in captures {
                    seen[port] = shown(try capture.waitFor(count(port)) { ours.contains($0["eth.src"] ?? "") })
                }
                for (port, file) in files {
                    let frames = try eventually("frames arrive at \(port)") {
                        let all = Capture.parse(
                            try run("tshark", "-n", "-r", file, "-T", "fields", "-E", "separator=|", "-E", "occurrence=a", "-e", fields[0], "-e", fields[1], "-e", fields[2], "-e", fields[3]),
                            fields).filter { ours.contains($0["eth.src"] ?? "") }
                        return all.count >= count(port) ? all : nil
                    }
                    seen[port] = shown(frames)
                }
                for (port, frames) in seen {
                    // Ports that write priorities give frames that no protocol matches PCP 0, and tell it of frames without a VLAN's tag in a priority tag.
                    let writes = port.hasSuffix("trunk") && !port.hasPrefix("tap") && !port.hasPrefix("vhost")
                    let expected = port.hasSuffix("access")
                        ? [mac(1): Shown(service: "", vlan: "", priority: "")]
                        : [
                            mac(1): Shown(service: "", vlan: "10", priority: writes ? "0" : "5"),
                            mac(2): Shown(service: "", vlan: writes ? "0" : "", priority: writes ? "0" : ""),
                            mac(3): Shown(service: "100", vlan: "7", priority: "3"),
                        ]
                    #expect(frames.filter { ours.contains($0.key) } == expected, "\(port)")
                }
                try sink.quit()
                daemon.stop()
            }
        }

        @Test("VLANs behind a trunk have floors and ceilings of their own")
        func floors() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), rings = "qpairs=1,framesz=2048,blocksz=65536,framecnt=8192"
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, static: [{mac: "02:00:00:00:00:99", port: uplink, vlan: 10}, {mac: "02:00:00:00:00:99", port: uplink, vlan: 20}]}]
                    ports:
                      - {name: trunk, type: vhost, bridge: br0, socket: \(lab.path("trunk")), vlan: {trunk: [10, 20]}}
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near),\(rings)", rate: 200mbit, dcb: false, vlan: {trunk: [10, 20]}}
                    guests:
                      - {name: ten, port: trunk, vlan: 10, outbound: {floor: 150mbit, burst: 512kib}}
                      - {name: twenty, port: trunk, vlan: 20, outbound: {floor: 50mbit, ceiling: 80mbit, burst: 512kib, ceiling-burst: 1mib}}
                    """)
                let ports = """
                    learn: true
                    ports:
                      - {name: trunk, device: "virtio_user:\(lab.path("trunk"))", server: true}
                      - {name: far, device: "net_af_packet0,iface=\(wire.far),\(rings)", mac: "02:00:00:00:00:99"}
                    flows:
                      - {name: b, from: trunk, to: far, vlan: 20, size: 1514, rate: 250mbit, mac: "02:00:00:00:00:0b"}

                    """
                let rates = ClassRates(daemon, "uplink")
                let alone = try rates.during {
                    try Generator.measure(lab, daemon, "duration: 4s\n" + ports + """
                        expect:
                          - {name: "the ceiling of VLAN 20", flows: [b], from: 1s, at-least: 80mbit, at-most: 80mbit, intact: true}
                        """)
                }
                #expect(Generator.missed(alone) == [])
                try rates.expect("twenty", 80e6)
                let both = try rates.during {
                    try Generator.measure(lab, daemon, "duration: 5s\n" + ports + """
                          - {name: a, from: trunk, to: far, vlan: 10, size: 1514, rate: 250mbit}
                        expect:
                          - {name: "the floor of VLAN 10", flows: [a], from: 1s, at-least: 150mbit}
                          - {name: "the floor of VLAN 20", flows: [b], from: 1s, at-least: 50mbit}
                          - {name: link, flows: ["*"], from: 1s, at-least: 200mbit, at-most: 200mbit, intact: true}
                        """)
                }
                #expect(Generator.missed(both) == [])
                try rates.expect("ten", 150e6)
                try rates.expect("twenty", 50e6)
                for guest in ["ten", "twenty"] { #expect(try daemon.guest(guest)["outbound"]["frames"].int ?? 0 > 0) }
                #expect(try daemon.guest("ten")["vlan"].int == 10)
                daemon.stop()
            }
        }

        @Test("a guest with VLAN interfaces on a trunk reaches who is in each VLAN, and nobody else does", .needs(.qemu))
        func guestOnATrunk() throws {
            try withLab { lab in
                let hosts = try ["ten", "twenty"].map { try Namespace(lab, $0) }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1")), vlan: {trunk: [10, 20]}}
                      - {name: ten, type: tap, bridge: br0, interface: tap0, netns: \(hosts[0].name), vlan: 10}
                      - {name: twenty, type: tap, bridge: br0, interface: tap0, netns: \(hosts[1].name), vlan: 20}
                    """)
                // Both VLANs use the same addresses, because they are separate networks.
                for host in hosts { try host.configure("tap0", address: "10.0.0.2/24") }
                let guest = try Guest(lab, "vm1", mac: "52:54:00:00:00:01", socket: lab.path("vm1"))
                try guest.booted().run("ip link set eth0 up; for v in 10 20; do vconfig add eth0 $v && ip link set eth0.$v up || exit 1; done; ip addr add 10.0.0.1/24 dev eth0.10")
                try guest.reaches("10.0.0.2")
                try hosts[0].reaches("10.0.0.1")
                #expect(try hosts[1].run("ip", "neigh", "show").contains("10.0.0.1") == false)
                let file = try guest.serveRandomFile("f", kib: 1024)
                #expect(try hosts[0].fetchedDigest("http://10.0.0.1/f") == file)
                try guest.run("ip addr del 10.0.0.1/24 dev eth0.10; ip addr add 10.0.0.1/24 dev eth0.20")
                try hosts[1].reaches("10.0.0.1")
                #expect(try hosts[1].fetchedDigest("http://10.0.0.1/f") == file)
                let vlans = try daemon.show("fdb", "show", "port", "vm1").items.filter { $0["mac"].string == "52:54:00:00:00:01" }.compactMap { $0["vlan"].int }
                #expect(Set(vlans) == [10, 20])
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
