import Foundation
import Testing

extension EndToEnd {
    @Suite("What a group counted", .needs(.hugepages))
    struct GroupCounterTests {
        /// What was sent to the members of a group, and from them, according to `group show` and `class show`.
        private struct Figures: Equatable, CustomStringConvertible {
            var inbound: Int, outbound: Int
            var description: String { "\(inbound) in, \(outbound) out" }
        }

        @Test("is what its guests counted while they were in it: it never falls, and nothing from before comes in")
        func members() throws {
            try withLab { lab in
                let taps = ["a", "b"].map { "  - {name: \($0), type: tap, bridge: br0, interface: \(lab.tag)\($0)}\n" }.joined()
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                    \(taps)  - {name: up, type: physical, bridge: br0, device: "net_null0,no-rx=1", rate: 10gbit}
                    protocols: [{name: own, match: [ethertype 0x88b5], pcp: 1}]
                    groups: [{name: p, bridge: br0}, {name: g, bridge: br0, parent: p}, {name: q, bridge: br0}]
                    guests:
                      - {name: vm, port: b, macs: ["52:54:00:00:00:02"], protocols: {own: {inbound: {priority: 1}}}}

                    """)
                for port in ["a", "b", "up"] { try daemon.waitUntil(port: port, is: "up") }
                // Frames of the host itself must not be counted here.
                for tap in ["a", "b"] { try "1".write(toFile: "/proc/sys/net/ipv6/conf/\(lab.tag)\(tap)/disable_ipv6", atomically: false, encoding: .utf8) }
                _ = try daemon.atRest()
                let host = try RawSocket("\(lab.tag)a"), guest = try RawSocket("\(lab.tag)b")
                func figures(_ group: String) throws -> Figures {
                    let shown = try #require(try daemon.show("group", "show", group).items.first)
                    return Figures(inbound: shown["inbound"]["frames"].int ?? 0, outbound: shown["outbound"]["frames"].int ?? 0)
                }
                func sent(_ tree: String, _ path: String) throws -> Int { try daemon.classStatus(tree, path)["sent"]["frames"].int ?? 0 }
                func guestFrames() throws -> Int { try daemon.guest("vm")["inbound"]["frames"].int ?? 0 }
                /// Sends `count` frames to the guest, alternately of two protocols, and as many from it to the wire.
                func pass(_ count: Int) throws {
                    let before = (try guestFrames(), try daemon.guest("vm")["outbound"]["frames"].int ?? 0)
                    for number in 0..<count {
                        try host.send(Frames.ethernet(to: "52:54:00:00:00:02", from: "52:54:00:00:00:01", type: number % 2 == 0 ? 0x88b5 : 0x88b6, []))
                        try guest.send(Frames.ethernet(to: "52:54:00:00:00:77", from: "52:54:00:00:00:02", type: 0x88b6, []))
                    }
                    try eventually("they are sent") { try guestFrames() >= before.0 + count && daemon.guest("vm")["outbound"]["frames"].int ?? 0 >= before.1 + count }
                    #expect(try guestFrames() == before.0 + count)
                }
                func inbound(_ group: String) throws -> Int { try figures(group).inbound }

                let first = try guestFrames()
                try pass(20)
                try daemon.command("guest", "set", "vm", "group", "g")
                #expect(try figures("g") == Figures(inbound: 0, outbound: 0) && figures("p") == Figures(inbound: 0, outbound: 0))
                #expect(try sent("br0", "p/g") == 0 && sent("br0", "p") == 0 && sent("up", "p/g") == 0)
                try pass(10)
                #expect(try figures("g").inbound == 10 && figures("g").outbound >= 10)
                #expect(try figures("p") == figures("g"))
                #expect(try sent("br0", "p/g") == 10 && sent("br0", "p") == 10)

                // The guest moves to another group, which is then moved below the parent of the first one.
                let left = try figures("g")
                try daemon.command("guest", "set", "vm", "group", "q")
                #expect(try figures("g") == left && figures("p") == left && figures("q") == Figures(inbound: 0, outbound: 0))
                try pass(5)
                #expect(try inbound("g") == 10 && inbound("p") == 10 && inbound("q") == 5)
                try daemon.command("group", "set", "q", "parent", "p")
                #expect(try inbound("p") == 10 && inbound("q") == 5)
                try pass(3)
                #expect(try inbound("p") == 13 && inbound("q") == 8)
                // The group moves within the tree, because it gets a floor.
                try daemon.command("group", "set", "p", "inbound", "floor", "200mbit", "outbound", "ceiling", "5gbit")
                #expect(try inbound("p") == 13 && inbound("q") == 8)
                try pass(1)
                #expect(try inbound("p") == 14 && inbound("q") == 9)
                let inside = try (sent("br0", "p"), sent("up", "p"))
                try daemon.command("guest", "set", "vm", "group", "none")
                #expect(try inbound("p") == 14 && inbound("q") == 9 && inbound("g") == 10)

                // A group has a class only while it has guests, but its counters continue when it has guests again.
                try daemon.command("guest", "set", "vm", "group", "g")
                #expect(try sent("br0", "p") == inside.0 && sent("up", "p") == inside.1 && sent("br0", "p/g") == 10)
                try pass(2)
                #expect(try inbound("g") == 12 && inbound("p") == 16 && sent("br0", "p/g") == 12 && sent("br0", "p") == inside.0 + 2)
                #expect(try guestFrames() == first + 41)
                let before = try (figures("g"), figures("p"))
                try daemon.command("guest", "del", "vm")
                #expect(try figures("g") == before.0 && figures("p") == before.1)
                // What was counted in a removed tree stays counted.
                try daemon.command("port", "del", "up")
                #expect(try figures("g") == before.0 && figures("p") == before.1)

                // A new group of the same name starts at 0.
                try daemon.command("group", "del", "g")
                try daemon.command("group", "add", "g", "parent", "p")
                #expect(try figures("g") == Figures(inbound: 0, outbound: 0) && figures("p") == before.1)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
