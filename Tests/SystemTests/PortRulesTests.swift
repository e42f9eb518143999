import Foundation
import Testing

extension EndToEnd {
    @Suite("Rules of ports, changed while they run: who gets which frames", .needs(.hugepages))
    struct PortRulesTests {
        private static let everybody = "ff:ff:ff:ff:ff:ff", bridges = "01:80:c2:00:00:00"

        private static func frame(_ number: Int, to: String, from: String) -> [UInt8] {
            Frames.ethernet(to: to, from: from, type: 0x88b5, [0x51, 0xcf] + Frames.be(UInt16(number)) + [UInt8](repeating: 0, count: 50))
        }

        private static let isOurs: @Sendable ([UInt8]) -> Bool = { $0.count > 16 && $0[12] == 0x88 && $0[13] == 0xb5 && $0[14] == 0x51 && $0[15] == 0xcf }

        private func mac(_ number: Int) -> String { String(format: "52:54:00:00:00:%02x", number) }

        @Test("isolated, hairpin, floods, locked, VEPA and private ports, limits of addresses and storms, spanning tree's frames: on taps and af_packet")
        func rules() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "u")
                let taps = ["a", "b", "c"].map { "\(lab.tag)\($0)" }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0])}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1])}
                      - {name: c, type: tap, bridge: br0, interface: \(taps[2])}
                      - {name: u, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", dcb: false}
                    guests: [{name: ga, port: a, macs: ["\(mac(1))"]}, {name: gb, port: b, macs: ["\(mac(2))"]}, {name: gc, port: c, macs: ["\(mac(3))"]}]
                    """)
                try daemon.waitUntil(port: "u", is: "up")
                let ends = taps + [wire.far]
                let senders = try ends.map { try RawSocket($0) }
                let receiver = try RawReceiver(ends, Self.isOurs)
                let a = 0, b = 1, c = 2, u = 3
                var stormPassed = 0
                var number = 0
                /// Sends a frame of a station by one port, and checks which ports receive it.
                func check(_ what: String, from port: Int, station: Int, to: String, _ expected: Set<Int>, sourceLocation: SourceLocation = #_sourceLocation) throws {
                    number += 1
                    let sent = Self.frame(number, to: to, from: mac(station))
                    try senders[port].send(sent)
                    let arrivals = receiver.take(quiet: expected.isEmpty ? 0.2 : 1, until: { $0.count >= max(expected.count, 1) }) + receiver.take(quiet: 0.05)
                    #expect(Set(arrivals.map(\.port)) == expected && arrivals.count == expected.count, "\(what)", sourceLocation: sourceLocation)
                    #expect(arrivals.allSatisfy { $0.frame == sent }, "\(what)", sourceLocation: sourceLocation)
                }
                func set(_ port: String, _ words: String...) throws { try daemon.command(["port", "set", port] + words) }
                func drops(_ port: String, _ reason: String) throws -> Int { try daemon.port(port)["drops"][reason].int ?? 0 }

                try set("a", "isolated", "on")
                try set("b", "isolated", "on")
                try check("between isolated ports", from: a, station: 1, to: mac(2), [])
                try check("from an isolated port to all", from: a, station: 1, to: Self.everybody, [c, u])
                try check("from an isolated port to another", from: a, station: 1, to: mac(3), [c])
                #expect(try drops("a", "isolated") == 1)
                #expect(try daemon.port("a")["rules"]["isolated"].string == "on")
                try set("a", "isolated", "none")
                try check("to an isolated port", from: a, station: 1, to: mac(2), [b])
                try set("b", "isolated", "off")

                try set("u", "hairpin", "on")
                try check("to all, by a hairpin port", from: u, station: 50, to: Self.everybody, [a, b, c, u])
                try check("to one behind the same hairpin port", from: u, station: 51, to: mac(50), [u])
                try set("u", "hairpin", "none")
                try check("to one behind the same port", from: u, station: 51, to: mac(50), [])

                try set("b", "flood", "off", "mcast-flood", "off")
                try set("c", "bcast-flood", "off")
                try check("to nobody known", from: a, station: 1, to: mac(99), [c, u])
                try check("to a group", from: a, station: 1, to: "01:00:5e:01:02:03", [c, u])
                try check("to all", from: a, station: 1, to: Self.everybody, [b, u])
                try set("b", "flood", "none", "mcast-flood", "none")
                try set("c", "bcast-flood", "none")

                try set("a", "locked", "on")
                try check("a locked port's own", from: a, station: 1, to: mac(2), [b])
                try check("a stranger's at a locked port", from: a, station: 60, to: mac(2), [])
                // This includes frames that the host itself sends there.
                #expect(try drops("a", "port_locked") >= 1)
                try set("a", "locked", "off")

                for port in ["a", "b"] { try set(port, "forward", "vepa") }
                try check("from one VEPA port to another", from: a, station: 1, to: mac(2), [u])
                try check("sent back", from: u, station: 1, to: mac(2), [b])
                try check("to all, from a VEPA port", from: a, station: 1, to: Self.everybody, [u])
                try check("to all, sent back", from: u, station: 1, to: Self.everybody, [b, c])
                try check("to the sender who stays where it is", from: u, station: 50, to: mac(1), [a])
                for port in ["a", "b"] { try set(port, "forward", "private") }
                try check("sent back, to private ports", from: u, station: 1, to: mac(2), [])
                try check("to all, sent back, from a private port", from: u, station: 1, to: Self.everybody, [])
                try check("from elsewhere to private ports", from: u, station: 50, to: Self.everybody, [a, b, c])
                #expect(try drops("u", "reflected") >= 1)
                for port in ["a", "b"] { try set(port, "forward", "none") }
                try check("to a guest as before", from: a, station: 1, to: mac(2), [b])

                try set("u", "fdb-limit", "2")
                try daemon.command("fdb", "flush", "port", "u")
                for station in 70..<74 { try check("station \(station)", from: u, station: station, to: mac(1), [a]) }
                let learned = try daemon.show("fdb", "show", "port", "u").items.compactMap { $0["mac"].string }
                #expect(Set(learned) == [mac(70), mac(71)])
                #expect(try daemon.port("u")["unlearned"].int == 2 && daemon.port("u")["learned_addresses"].int == 2)
                try set("u", "fdb-limit", "none")

                try set("u", "storm-broadcast", "10pps")
                for number in 0..<100 { try senders[u].send(Self.frame(1_000 + number, to: Self.everybody, from: mac(70))) }
                try eventually("all frames of the storm are told of") {
                    let passed = receiver.take(quiet: 0.1).count { $0.port == a }
                    stormPassed += passed
                    return try stormPassed + drops("u", "storm_broadcast") == 100
                }
                #expect(stormPassed >= 1 && stormPassed < 100)
                try set("u", "storm-broadcast", "none")
                try check("to all, without a limit", from: u, station: 70, to: Self.everybody, [a, b, c])

                try check("spanning tree's", from: u, station: 70, to: Self.bridges, [])
                try set("u", "bpdu", "forward")
                try set("b", "bpdu", "forward")
                try check("spanning tree's, forwarded", from: u, station: 70, to: Self.bridges, [b])
                try set("u", "bpdu", "guard")
                try check("spanning tree's, at a port that is to have none", from: u, station: 70, to: Self.bridges, [])
                try daemon.waitUntil(port: "u", is: "failed")
                #expect(try daemon.port("u")["reason"].string?.contains("bpdu: guard") == true)
                #expect(try drops("u", "bpdu_guard") == 1)
                try check("from a port that is shut", from: u, station: 70, to: Self.everybody, [])
                #expect(try drops("u", "bpdu_guard") == 2)
                try check("to all, while a port is shut", from: a, station: 1, to: Self.everybody, [b, c])
                try daemon.command("port", "reset", "u")
                try daemon.waitUntil(port: "u", is: "up")
                try check("to all, by the port that is open again", from: u, station: 70, to: Self.everybody, [a, b, c])
                // The port also opens again as soon as `guard` is no longer set.
                try senders[u].send(Self.frame(2_000, to: Self.bridges, from: mac(70)))
                try daemon.waitUntil(port: "u", is: "failed")
                try check("to one who was known by the port that is shut", from: a, station: 1, to: mac(70), [b, c])
                try set("u", "bpdu", "none")
                try daemon.waitUntil(port: "u", is: "up")
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
