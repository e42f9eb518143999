import Foundation
import Testing

extension EndToEnd {
    @Suite("What the bridge knows of addresses outlives changes that do not concern it, and nothing else", .needs(.hugepages))
    struct AddressTests {
        private static let own = "52:54:00:00:00:01", guest = "52:54:00:00:00:07"

        private func mac(_ number: Int) -> String { String(format: "52:54:00:01:%02x:%02x", number >> 8, number & 0xff) }

        private func frame(from source: String) -> [UInt8] {
            // A broadcast with IEEE 802 local experimental EtherType 1.
            Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: source, type: 0x88b5, [])
        }

        private func learned(_ daemon: Daemon, behind port: String) throws -> Set<String> {
            Set(try daemon.show("fdb", "show", "port", port).items.filter { $0["static"].bool == false }.compactMap { $0["mac"].string })
        }

        @Test("learned addresses stay when guests, ports and the database's size change, and go with a link or when told to")
        func addresses() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, fdb-size: 4096}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(lab.tag)h}
                      - {name: strict, type: tap, bridge: br0, interface: \(lab.tag)s, spoof-check: true}
                      - {name: up1, type: physical, bridge: br0, device: \(wire.near)}
                      - {name: vm, type: vhost, bridge: br0, socket: \(lab.path("vm"))}
                    guests:
                      - {name: strict, port: strict, macs: ["\(Self.own)"]}
                      - {name: vm, port: vm, macs: ["\(Self.guest)"]}
                    """)
                try daemon.waitUntil(port: "up1", is: "up")
                let host = try RawSocket("\(lab.tag)h"), strict = try RawSocket("\(lab.tag)s"), far = try RawSocket(wire.far)
                let here = Set((0..<200).map(mac)), there = Set((1_000..<1_050).map(mac))
                for address in here { try host.send(frame(from: address)) }
                for address in there { try far.send(frame(from: address)) }
                func allAreKnown(_ when: String) throws {
                    #expect(try here.isSubset(of: learned(daemon, behind: "host")), "\(when)")
                    #expect(try there.isSubset(of: learned(daemon, behind: "up1")), "\(when)")
                }
                try eventually("all are learned") {
                    try here.isSubset(of: learned(daemon, behind: "host")) && there.isSubset(of: learned(daemon, behind: "up1"))
                }

                try daemon.command("guest", "add", "web", "port", "vm", "macs", "52:54:00:00:00:08")
                try allAreKnown("a guest was added")
                try daemon.command("guest", "set", "web", "inbound", "ceiling", "100mbit")
                try daemon.command("guest", "del", "web")
                try allAreKnown("a guest was deleted")
                try daemon.command("fdb", "add", "52:54:00:00:00:09", "port", "host")
                try daemon.command("fdb", "del", "52:54:00:00:00:09")
                try daemon.command("port", "add", "vm2", "type", "vhost", "bridge", "br0", "socket", lab.path("vm2"))
                try daemon.command("port", "del", "vm2")
                try allAreKnown("a port came and went")
                // Addresses that are learned behind a port belong to its catch-all guest, whichever guest that is at the time.
                func guests() throws -> Set<String> {
                    Set(try daemon.show("fdb", "show", "port", "host").items.filter { here.contains($0["mac"].string ?? "") }.compactMap { $0["guest"].string })
                }
                #expect(try guests() == ["host"])
                try daemon.command("guest", "add", "office", "port", "host")
                try allAreKnown("a port has another guest")
                #expect(try guests() == ["office"])
                try daemon.command("guest", "del", "office")
                try allAreKnown("a port's guest has gone")
                #expect(try guests() == ["host"])

                // A port with spoof-check sends frames during all of the following changes.
                let sender = Task.detached { [frame = frame(from: Self.own)] in
                    while !Task.isCancelled { try? strict.send(frame) }
                }
                let spoofed = try daemon.port("strict")["drops"]["spoofed_source"].int ?? 0
                for size in ["8192", "1024", "4096"] {
                    try daemon.command("bridge", "set", "br0", "fdb-size", size)
                    try allAreKnown("the database has another size")
                }
                sender.cancel()
                // The tap's own address does not belong to the port's guest; the host sends few frames from it in this time.
                #expect(try daemon.port("strict")["drops"]["spoofed_source"].int ?? 0 < spoofed + 10)
                #expect(try daemon.port("strict")["rx"]["frames"].int ?? 0 > 100)

                // No guest is connected to the guest's own port; until then, its address may be learned elsewhere.
                #expect(try daemon.show("fdb", "show", "port", "vm")[0]["bound"].bool == false)
                try far.send(frame(from: Self.guest))
                try eventually("the guest's address is learned where it speaks") { try learned(daemon, behind: "up1").contains(Self.guest) }
                #expect(try daemon.port("up1")["drops"]["spoofed_source"].int == nil)

                #expect(try daemon.command("fdb", "flush", "port", "host").hasSuffix("forgotten\n"))
                #expect(try learned(daemon, behind: "host").isDisjoint(with: here))
                #expect(try there.isSubset(of: learned(daemon, behind: "up1")))
                let refused = try daemon.sluice("fdb", "flush", "port", "nosuch")
                #expect(refused.status == 1 && refused.errors.contains("no port 'nosuch'"), "\(refused.errors)")
                try run("ip", "link", "set", wire.far, "down")
                try daemon.waitUntil(port: "up1", is: "down")
                #expect(try learned(daemon, behind: "up1").isEmpty)
                #expect(try daemon.show("fdb", "show").items.contains { $0["mac"].string == Self.own && $0["bound"].bool == true })
                try run("ip", "link", "set", "\(lab.tag)s", "down")
                try daemon.waitUntil(port: "strict", is: "down")
                #expect(try daemon.show("fdb", "show", "port", "strict")[0]["bound"].bool == false)
                try run("ip", "link", "set", "\(lab.tag)s", "up")
                try daemon.waitUntil(port: "strict", is: "up")
                #expect(try daemon.show("fdb", "show", "port", "strict")[0]["bound"].bool == true)
                daemon.stop()
            }
        }
    }
}
