import Foundation
import Testing

extension EndToEnd {
    @Suite("Filters: what may come in by a port and leave by it", .needs(.hugepages))
    struct FilterTests {
        private static let everybody = "ff:ff:ff:ff:ff:ff"
        private func mac(_ number: Int) -> String { String(format: "52:54:00:00:00:%02x", number) }

        /// A TCP segment from 192.0.2.1 to 192.0.2.2 with a number by which the receiver recognises it.
        private static func tcp(to: String, from: String, port: UInt16, tags: [Frames.Tag] = [], _ number: UInt8) -> [UInt8] {
            Frames.ethernet(to: to, from: from, tags: tags, type: 0x0800, Frames.ipv4(6, Frames.tcp(to: port, [0x51, 0xce, 0xf1, number])))
        }

        private static let isOurs: @Sendable ([UInt8]) -> Bool = { frame in
            frame.count >= 4 && (14..<frame.count - 2).contains { frame[$0] == 0x51 && frame[$0 + 1] == 0xce && frame[$0 + 2] == 0xf1 }
        }

        @Test("denied frames are dropped and counted at their rule and their port, those of floods too; short and tagged ones hide nothing")
        func filters() throws {
            try withLab { lab in
                let taps = ["a", "b", "c"].map { "\(lab.tag)\($0)" }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    filters:
                      - {name: no-smtp, rules: [{allow: dst net 10.0.0.0/8}, {deny: tcp dst port 25}]}
                      - {name: web, default: deny, rules: [{allow: tcp dst port 80}]}
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0]), filter: {outbound: no-smtp}}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1])}
                      - {name: c, type: tap, bridge: br0, interface: \(taps[2]), filter: {inbound: web}}
                    """)
                for port in ["a", "b", "c"] { try daemon.waitUntil(port: port, is: "up") }
                let senders = try taps.map { try RawSocket($0) }
                let receiver = try RawReceiver(taps, Self.isOurs)
                var number: UInt8 = 0
                /// Sends a frame by one port and checks which ports it leaves by.
                func check(_ what: String, from port: Int, to: String = Self.everybody, port service: UInt16, tags: [Frames.Tag] = [], _ expected: Set<Int>) throws {
                    number += 1
                    let sent = Self.tcp(to: to, from: mac(port + 1), port: service, tags: tags, number)
                    try senders[port].send(sent)
                    let arrivals = receiver.take(quiet: expected.isEmpty ? 0.2 : 1, until: { $0.count >= max(expected.count, 1) }) + receiver.take(quiet: 0.05)
                    #expect(Set(arrivals.map(\.port)) == expected && arrivals.allSatisfy { $0.frame == sent }, "\(what)")
                }
                func rule(_ filter: String, _ place: Int) throws -> JSON { try daemon.show("filter", "show", filter).items[0]["rules"].items[place] }
                try check("to everybody", from: 0, port: 443, [1])
                try check("to everybody, and c lets it in", from: 0, port: 80, [1, 2])
                try check("SMTP", from: 0, port: 25, [])
                try check("SMTP in a priority tag", from: 0, port: 25, tags: [Frames.Tag(pcp: 0, vid: 0)], [])
                try check("SMTP by another port", from: 1, port: 25, [0])
                // The addresses are known by now, so nothing is flooded.
                try check("from c to a", from: 2, to: mac(1), port: 25, [0])
                try check("from a to c", from: 0, to: mac(3), port: 443, [])
                try check("from a to c, which lets it in", from: 0, to: mac(3), port: 80, [2])
                #expect(try rule("no-smtp", 1)["hits"].int == 2)
                #expect(try daemon.port("a")["drops"]["filtered"].int == 2)
                #expect(try rule("web", 0)["hits"].int == 2)
                #expect(try daemon.port("c")["drops"]["filtered"].int ?? 0 >= 3)
                // The bridge counts the frames that the filter of a denied as dropped. Those that the filter of c denied, it had already forwarded or flooded.
                try eventually("what was forwarded is told from what was dropped on the way in") {
                    let bridge = try daemon.bridge("br0")
                    return bridge["drops"]["filtered"].int == 2 && bridge["forwarded"].int == 3
                }

                // Frames that are cut off at every length: whatever happens to them, nothing may be read beyond their ends, and the daemon must go on.
                let whole = Self.tcp(to: mac(3), from: mac(1), port: 25, 0)
                for length in 14..<whole.count { try senders[0].send(Array(whole.prefix(length))) }
                let nested = Self.tcp(to: mac(3), from: mac(1), port: 80, tags: (0..<9).map { _ in Frames.Tag(pcp: 0, vid: 0) }, 0)
                try senders[0].send(nested)
                try check("after those", from: 0, to: mac(3), port: 80, [2])

                // Rules that stay keep their counters.
                let before = try #require(try rule("no-smtp", 1)["hits"].int)
                #expect(before >= 2)
                try daemon.command("filter", "set", "no-smtp", "append", "deny", "tcp dst port 81")
                #expect(try rule("no-smtp", 1)["hits"].int == before)
                try check("denied from now on", from: 0, port: 81, [])
                #expect(try rule("no-smtp", 2)["hits"].int == 1)
                #expect(try daemon.command("filter", "show", "no-smtp").contains("deny   tcp dst port 81"))
                // A refused change changes nothing.
                let refused = try daemon.sluice("filter", "set", "no-smtp", "deny", "tcp dst prt 25")
                #expect(refused.status != 0 && refused.errors.contains("the expression 'tcp dst prt 25' is refused"))
                try check("denied still", from: 0, port: 25, [])
                try daemon.command("port", "set", "a", "filter", "none")
                try daemon.command("filter", "del", "no-smtp")
                try check("SMTP without a filter", from: 0, port: 25, [1])
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("addresses and guards: a port sends from its own addresses, and is neither a DHCP server nor a router")
        func locks() throws {
            try withLab { lab in
                let taps = ["a", "b"].map { "\(lab.tag)\($0)" }
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0]), addresses: [192.0.2.1], dhcp-guard: on, ra-guard: on}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1])}
                    """)
                for port in ["a", "b"] { try daemon.waitUntil(port: port, is: "up") }
                let sender = try RawSocket(taps[0]), receiver = try RawReceiver(taps, Self.isOurs)
                func passes(_ frame: [UInt8]) throws -> Bool {
                    try sender.send(frame)
                    return !receiver.take(quiet: 0.3, until: { !$0.isEmpty }).isEmpty
                }
                let own = Self.tcp(to: Self.everybody, from: mac(1), port: 80, 1)
                var other = own
                other[29] = 9
                #expect(try passes(own))
                #expect(try !passes(other))
                // This is what a DHCP server would answer, sent from the port's own address.
                let answer = Frames.ethernet(to: Self.everybody, from: mac(1), type: 0x0800, Frames.ipv4(17, Frames.udp(from: 67, to: 68, [0x51, 0xce, 0xf1, 2])))
                #expect(try !passes(answer))
                let drops = try daemon.port("a")["drops"]
                // The host itself sends more frames on its tap, from addresses of its own.
                #expect(drops["spoofed_address"].int ?? 0 >= 1)
                #expect(drops["guarded"].int == 1)
                try daemon.command("port", "set", "a", "addresses", "192.0.2.1,192.0.2.9")
                #expect(try passes(other))
                try daemon.command("port", "set", "a", "dhcp-guard", "off", "ra-guard", "off", "addresses", "none")
                #expect(try passes(answer))
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
