import Foundation
import Testing

extension EndToEnd {
    @Suite("Mirrors: copies of frames, which change nothing for what they are of", .needs(.hugepages))
    struct MirrorTests {
        private static let everybody = "ff:ff:ff:ff:ff:ff"
        private func mac(_ number: Int) -> String { String(format: "52:54:00:00:00:%02x", number) }

        /// A frame for the TCP port `service` with a number by which the receiver recognises it.
        private static func tcp(to: String, from: String, port service: UInt16 = 80, tags: [Frames.Tag] = [], length: Int = 60, _ number: Int) -> [UInt8] {
            let payload = [0x51, 0xd0] + Frames.be(UInt16(number)) + [UInt8](repeating: 0x5a, count: max(0, length - 58))
            return Frames.ethernet(to: to, from: from, tags: tags, type: 0x0800, Frames.ipv4(6, Frames.tcp(to: service, payload)))
        }

        /// Whether a frame is one of the test's, a shortened copy of one, or a packet that contains one.
        private static let isOurs: @Sendable ([UInt8]) -> Bool = { frame in
            frame.count > 58 && (50..<frame.count - 1).contains { frame[$0] == 0x51 && frame[$0 + 1] == 0xd0 }
        }

        @Test("of ports in and out, guests and classes, filtered, cut and limited: who gets copies, of what, and how they are counted")
        func copies() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "u")
                let taps = ["a", "b", "m"].map { "\(lab.tag)\($0)" }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}, {name: watch}]
                    filters: [{name: closed, rules: [{deny: tcp port 25}]}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0])}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1])}
                      - {name: mon, type: tap, bridge: watch, interface: \(taps[2])}
                      - {name: u, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", rate: 1gbit}
                    guests:
                      - {name: ga, port: a, macs: ["\(mac(1))"], protocols: {iscsi: {outbound: {floor: 10mbit}}}, outbound: {floor: 100mbit}}
                      - {name: gb, port: b, macs: ["\(mac(2))"]}
                      - {name: gc, port: b, macs: ["\(mac(3))"]}
                    mirrors: [{name: m, port: a, filter: ip or vlan, to: mon}]
                    """)
                for port in ["a", "b", "mon", "u"] { try daemon.waitUntil(port: port, is: "up") }
                let ends = taps + [wire.far]
                let senders = try ends.map { try RawSocket($0) }
                let receiver = try RawReceiver(ends, Self.isOurs)
                let a = 0, b = 1, mon = 2, u = 3
                var number = 0
                /// Sends a frame by one port and checks what arrives at which ports.
                func check(
                    _ what: String, from port: Int, _ frame: (Int) -> [UInt8], _ expected: [Int: ([UInt8]) -> [UInt8]], sourceLocation: SourceLocation = #_sourceLocation
                ) throws {
                    number += 1
                    let sent = frame(number)
                    try senders[port].send(sent)
                    let arrivals = receiver.take(quiet: expected.isEmpty ? 0.2 : 1, until: { $0.count >= max(expected.count, 1) }) + receiver.take(quiet: 0.05)
                    #expect(arrivals.count == expected.count && Set(arrivals.map(\.port)) == Set(expected.keys), "\(what): \(arrivals.map(\.port))", sourceLocation: sourceLocation)
                    for arrival in arrivals { #expect(arrival.frame == expected[arrival.port]?(sent), "\(what), at \(arrival.port)", sourceLocation: sourceLocation) }
                }
                let same: ([UInt8]) -> [UInt8] = { $0 }
                /// The frame as it leaves by the wire, with a priority tag.
                let tagged: ([UInt8]) -> [UInt8] = { Array($0[..<12]) + [0x81, 0, 0, 0] + $0[12...] }
                func set(_ words: String...) throws { try daemon.command(["mirror", "set", "m"] + words) }
                func frame(_ from: Int, _ to: Int, port: UInt16 = 80, length: Int = 60) -> (Int) -> [UInt8] {
                    { Self.tcp(to: mac(to), from: mac(from), port: port, length: length, $0) }
                }
                func toAll(_ from: Int) -> (Int) -> [UInt8] { { Self.tcp(to: Self.everybody, from: mac(from), $0) } }
                try check("from the wire, so that it is known there", from: u, toAll(50), [a: same, b: same, mon: same])

                try set("direction", "in")
                try check("in, to one", from: a, frame(1, 2), [b: same, mon: same])
                try check("in, to all: one copy", from: a, toAll(1), [b: same, u: tagged, mon: same])
                try check("out is not in", from: b, frame(2, 1), [a: same])
                try daemon.command("port", "set", "a", "filter", "outbound", "closed")
                try check("in, of what a filter drops", from: a, frame(1, 2, port: 25), [mon: same])
                try set("direction", "out")
                try check("out, to one", from: b, frame(2, 1), [a: same, mon: same])
                try check("out, to all", from: b, toAll(2), [a: same, u: tagged, mon: same])
                try check("in is not out", from: a, frame(1, 2), [b: same])
                try set("direction", "both")
                try check("both: in", from: a, frame(1, 2), [b: same, mon: same])
                try check("both: out", from: b, frame(2, 1), [a: same, mon: same])
                try set("port", "u")
                try check("out by the wire, with its tag", from: a, frame(1, 50), [u: tagged, mon: tagged])
                try check("in by the wire, with its tag", from: u, { tagged(frame(50, 1)($0)) }, [a: { Array($0[..<12] + $0[16...]) }, mon: same])

                try set("filter", "tcp port 443")
                try check("what the filter is about", from: a, frame(1, 50, port: 443), [u: tagged, mon: tagged])
                try check("and what not", from: a, frame(1, 50), [u: tagged])
                try set("port", "a", "direction", "in", "filter", "ip", "truncate", "64")
                try check("cut", from: a, frame(1, 2, length: 400), [b: same, mon: { Array($0[..<64]) }])
                try check("not as long as that", from: a, frame(1, 2), [b: same, mon: same])
                try set("truncate", "none")

                // Mirrors one of two guests behind a port.
                try set("guest", "gc", "direction", "inbound")
                try check("to the guest", from: a, frame(1, 3), [b: same, mon: same])
                try check("to its neighbour", from: a, frame(1, 2), [b: same])
                try check("from the guest", from: b, frame(3, 1), [a: same])
                try set("direction", "outbound")
                try check("from the guest, outbound", from: b, frame(3, 1), [a: same, mon: same])
                try check("from its neighbour", from: b, frame(2, 1), [a: same])
                try check("to the guest, outbound", from: a, frame(1, 3), [b: same])

                // Mirrors classes of the wire's tree and of the bridge's.
                try set("class", "ga", "direction", "outbound")
                try check("a class by the wire", from: a, frame(1, 50), [u: tagged, mon: tagged])
                try check("a guest's frames that take another class", from: a, frame(1, 2), [b: same])
                try check("a class to all: what leaves by the wire", from: a, toAll(1), [b: same, u: tagged, mon: tagged])
                try set("class", "ga/iscsi", "direction", "outbound")
                let iscsi: ([UInt8]) -> [UInt8] = { Array($0[..<12]) + [0x81, 0, 0x80, 0] + $0[12...] }
                try check("a protocol's class", from: a, frame(1, 50, port: 3260), [u: iscsi, mon: iscsi])
                try check("not the guest's other class", from: a, frame(1, 50), [u: tagged])
                try set("class", "gc", "direction", "inbound")
                try check("a class towards a guest", from: a, frame(1, 3), [b: same, mon: same])
                try check("and not its neighbour's", from: a, frame(1, 2), [b: same])

                // Mirrors at a limited rate, of which a tenth of a second's worth may come at once.
                try set("port", "a", "direction", "in", "filter", "tcp port 81", "rate", "20pps")
                let before = try daemon.show("mirror", "show", "m").items[0]["copied"]["frames"].int ?? 0
                for number in 0..<50 { try senders[a].send(frame(1, 2, port: 81)(1_000 + number)) }
                let arrivals = receiver.take(quiet: 1, until: { $0.count { $0.port == b } >= 50 }) + receiver.take(quiet: 0.1)
                #expect(arrivals.count { $0.port == b } == 50)
                let status = try daemon.show("mirror", "show", "m").items[0]
                let copied = try #require(status["copied"]["frames"].int) - before
                #expect(copied >= 2 && copied < 50 && copied + (status["drops"]["rate"].int ?? 0) == 50 && arrivals.count { $0.port == mon } == copied, "\(status)")

                let refused = try daemon.sluice("mirror", "set", "m", "to", "a")
                #expect(refused.status != 0 && refused.errors.contains("they are the frames of port a"))
                #expect(try daemon.sluice("port", "del", "mon").errors.contains("the port mon is in use by mirror m"))
                try daemon.command("mirror", "del", "m")
                try check("without a mirror", from: a, frame(1, 2, port: 81), [b: same])
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("inside GRE and ERSPAN, as tshark decodes them; what is too long with that in front is told and not copied", .needs(.tshark))
        func tunnels() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "u")
                let taps = ["a", "b"].map { "\(lab.tag)\($0)" }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}, {name: out}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0])}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1])}
                      - {name: u, type: physical, bridge: out, device: "net_af_packet0,iface=\(wire.near)", rate: 1gbit}
                    mirrors:
                      - name: m
                        port: a
                        direction: in
                        filter: tcp
                        erspan: {remote: 192.0.2.9, local: 192.0.2.1, via: u, mac: "52:54:00:00:00:99", session: 617}
                    """)
                for port in ["a", "b", "u"] { try daemon.waitUntil(port: port, is: "up") }
                let sender = try RawSocket(taps[0]), receiver = try RawReceiver([wire.far, taps[1]], Self.isOurs)
                var packets: [[UInt8]] = []
                /// Sends a frame, which must arrive unchanged, and appends its copy to `packets`.
                func send(_ frame: [UInt8]) throws {
                    try sender.send(frame)
                    let arrivals = receiver.take(quiet: 2, until: { $0.count >= 2 })
                    #expect(arrivals.filter { $0.port == 1 }.map(\.frame) == [frame])
                    packets += arrivals.filter { $0.port == 0 }.map(\.frame)
                }
                func tcp(tags: [Frames.Tag] = [], length: Int = 100, _ number: Int) -> [UInt8] { Self.tcp(to: mac(2), from: mac(1), tags: tags, length: length, number) }
                let tunnel = ["remote", "192.0.2.9", "local", "192.0.2.1", "via", "u", "mac", "52:54:00:00:00:99"]
                try send(tcp(1))
                try send(tcp(tags: [Frames.Tag(pcp: 5, vid: 77)], 2))
                try daemon.command("mirror", "set", "m", "truncate", "80")
                try send(tcp(length: 300, 3))
                try daemon.command(["mirror", "set", "m", "truncate", "none", "gre"] + tunnel + ["source-mac", "52:54:00:00:00:98", "vlan", "9"])
                try send(tcp(4))
                try daemon.command("mirror", "set", "m", "gre", "remote", "2001:db8::9", "local", "2001:db8::1", "vlan", "none")
                try send(tcp(5))
                #expect(packets.count == 5)
                if packets.count != 5 { return }
                // Each packet ends with the frame that it carries.
                #expect(packets[0].suffix(100) == tcp(1)[...] && packets[1].suffix(104) == tcp(tags: [Frames.Tag(pcp: 5, vid: 77)], 2)[...])
                #expect(packets[2].suffix(80) == tcp(length: 300, 3)[..<80] && packets[3].suffix(100) == tcp(4)[...] && packets[4].suffix(100) == tcp(5)[...])
                for packet in packets[..<3] { #expect(Frames.checksum(Array(packet[14..<34])) == 0) }

                let file = lab.path("copies.pcap")
                try PacketFile.write(packets, to: file)
                let fields = [
                    "eth.dst", "eth.src", "vlan.id", "ip.src", "ip.dst", "ip.ttl", "ipv6.src", "ipv6.dst", "gre.proto", "gre.sequence_number", "erspan.version", "erspan.spanid",
                    "erspan.vlan", "erspan.cos", "erspan.encap", "erspan.truncated", "tcp.dstport", "_ws.malformed",
                ]
                let result = try finish(
                    ["tshark", "-n", "-r", file, "-T", "fields", "-E", "separator=|"] + fields.flatMap { ["-e", $0] },
                    environment: ["HOME": lab.folder, "WIRESHARK_CONFIG_DIR": lab.folder], within: 60)
                let lines = result.output.split(separator: "\n").map { line in
                    Dictionary(zip(fields, line.split(separator: "|", omittingEmptySubsequences: false).map(String.init))) { first, _ in first }
                }
                try #require(lines.count == 5, "\(result.output)\(result.errors)")
                for (place, line) in lines.enumerated() {
                    #expect(line["eth.dst"] == "52:54:00:00:00:99,\(mac(2))" && line["tcp.dstport"] == "80", "\(line)")
                    #expect(line["eth.src"] == (place < 3 ? "02:53:c0:00:02:01" : "52:54:00:00:00:98") + ",\(mac(1))", "\(line)")
                    if place < 4 { #expect(line["ip.src"] == "192.0.2.1,192.0.2.1" && line["ip.dst"] == "192.0.2.9,192.0.2.2" && line["ip.ttl"]?.hasPrefix("64") == true, "\(line)") }
                    guard place < 3 else {
                        #expect(line["gre.proto"] == "0x6558" && line["gre.sequence_number"] == "", "\(line)")
                        continue
                    }
                    #expect(line["gre.proto"] == "0x88be" && line["gre.sequence_number"] == "\(place)" && line["erspan.version"] == "1" && line["erspan.spanid"] == "617", "\(line)")
                    #expect(line["erspan.truncated"] == (place == 2 ? "1" : "0"), "\(line)")
                    #expect([line["erspan.vlan"], line["erspan.cos"], line["erspan.encap"]] == (place == 1 ? ["77", "5", "3"] : ["0", "0", "0"]), "\(line)")
                }
                #expect(lines[3]["vlan.id"] == "9" && lines[4]["ipv6.src"] == "2001:db8::1" && lines[4]["ipv6.dst"] == "2001:db8::9")

                // A frame that is too long for the port together with the header is counted, and is itself forwarded as usual.
                let long = Self.tcp(to: mac(2), from: mac(1), length: 1_500, 6)
                try sender.send(long)
                #expect(receiver.take(quiet: 1, until: { !$0.isEmpty }).map(\.frame) == [long] && receiver.take(quiet: 0.05).isEmpty)
                #expect(try daemon.show("mirror", "show", "m").items[0]["drops"]["too_long"].int == 1)
                #expect(try daemon.show("class", "show", "u:mirrors").items[0]["sent"]["frames"].int == 5)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a mirror to a port whose ring is full, or whose guest is not there, changes nothing for the traffic")
        func harmless() throws {
            try withLab { lab in
                let taps = ["a", "b"].map { "\(lab.tag)\($0)" }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0])}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1])}
                      - {name: mon, type: vhost, bridge: br0, socket: \(lab.path("mon")), mode: server, flood: off, mcast-flood: off, bcast-flood: off}
                    mirrors: [{name: m, port: a, filter: tcp, to: mon}, {name: n, port: b, filter: tcp, to: mon}]
                    """)
                for port in ["a", "b"] { try daemon.waitUntil(port: port, is: "up") }
                let sender = try RawSocket(taps[0]), receiver = try RawReceiver([taps[1]], Self.isOurs)
                func pass(_ count: Int, sourceLocation: SourceLocation = #_sourceLocation) throws {
                    let drops = try ["a", "b"].map { try daemon.port($0)["drops"] }
                    for start in stride(from: 0, to: count, by: 100) {
                        let sent = (start..<start + 100).map { Self.tcp(to: mac(2), from: mac(1), length: 1_000, $0) }
                        for frame in sent { try sender.send(frame) }
                        #expect(receiver.take(quiet: 5, until: { $0.count >= 100 }).map(\.frame) == sent, sourceLocation: sourceLocation)
                    }
                    #expect(try ["a", "b"].map { try daemon.port($0)["drops"] } == drops, sourceLocation: sourceLocation)
                }
                func drops(_ mirror: String) throws -> [String: Int] { try daemon.show("mirror", "show", mirror).items[0]["drops"].members.compactMapValues(\.int) }

                // The addresses are known, so nothing is flooded.
                try RawSocket(taps[1]).send(Self.tcp(to: Self.everybody, from: mac(2), 0))
                try eventually("both are known") { try daemon.show("fdb", "show", "port", "b").items.contains { $0["mac"].string == mac(2) } }
                let first = try drops("m")["port_down"] ?? 0
                try pass(200)
                #expect(try drops("m") == ["port_down": first + 200] && drops("n")["port_down"] ?? 0 >= 200)

                // This guest offers 256 buffers and takes no frames out of them.
                let guest = try Frontend(lab.path("mon"))
                guest.offer(ring: 0, bufferBytes: 2_048, count: 256)
                try guest.start()
                try daemon.waitUntil(port: "mon", is: "up")
                try pass(2_000)
                #expect(guest.taken == 256)
                let full = try drops("m")["queue_full"] ?? 0, copied = try daemon.show("mirror", "show", "m").items[0]["copied"]["frames"].int ?? 0
                // The rest of one batch waits for the ring, and as many frames as the leaf's queue takes wait there.
                #expect(full > 200 && full + copied == 2_000, "\(full) of 2000 were not copied, \(copied) were")
                #expect(try daemon.port("mon")["tx_full"].int ?? 0 > 0)
                try daemon.command("mirror", "del", "n")
                try daemon.command("mirror", "del", "m")
                try pass(100)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
