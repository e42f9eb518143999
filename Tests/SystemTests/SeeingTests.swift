import ControlAPI
import Foundation
import Testing

extension EndToEnd {
    @Suite("Seeing what happens", .needs(.hugepages))
    struct SeeingTests {
        @Test("what holds guests back is named rightly, and changes, guests and drops are told as they happen")
        func slowGuestsAndEvents() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm2"))}
                    guests:
                      - {name: vm1, port: vm1, macs: ["52:54:00:00:00:02"]}
                      - {name: vm2, port: vm2, macs: ["52:54:00:00:00:04"], inbound: {ceiling: 20mbit}}
                    filters: [{name: nothing, rules: [{deny: "udp"}]}]

                    """)
                let monitor = try lab.start(Build.program("sluice"), "-s", daemon.socket, "monitor", "-j")
                func told(_ kind: String, _ parts: String...) throws {
                    _ = try monitor.waitForLine(in: monitor.output, within: 30) { line in line.contains(#""kind":"\#(kind)""#) && parts.allSatisfy { line.contains($0) } }
                }
                // The first event that is told shows that the subscription stands.
                try eventually("the monitor has subscribed") {
                    try daemon.command("bridge", "add", "br1")
                    try daemon.command("bridge", "del", "br1")
                    // The subscription may begin between the two.
                    return monitor.output.text.contains(#""change":"bridge add""#)
                }
                try told("config", #""lines":["+ bridge br1"]"#, #""command":"sluice""#, #""uid":\#(getuid())"#)

                let scenario = try lab.write("scenario.yaml", """
                    duration: 60s
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", mac: "52:54:00:00:00:02"}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", mac: "52:54:00:00:00:04"}
                    flows: [{name: there, from: vm1, to: vm2, size: 1000, rate: 10kpps}]
                    """)
                let generator = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
                try told("guest", #""port":"vm1""#, #""text":"a guest is connected""#)
                func causes(of guest: String) throws -> [JSON] { try JSON(daemon.command("slow", guest, "--interval", "500ms", "-j")).items }
                func isHeld(_ guest: String, by names: [String], _ sentence: String) throws {
                    // The traffic has to begin, and a change has to show, before there is something to see.
                    try eventually("\(names) hold \(guest) back", within: 20) {
                        try causes(of: guest).contains { cause in
                            names.contains(cause["name"].string ?? "") && cause["weight"].double ?? 0 > 0.1 && cause["sentence"].string?.contains(sentence) == true
                        }
                    }
                }
                try isHeld("vm2", by: ["own_ceiling"], "class vm2 of br0 is at its own ceiling 20mbit")
                try daemon.command("guest", "set", "vm2", "inbound", "ceiling", "none")
                try daemon.command("bridge", "set", "br0", "rate", "30mbit")
                try isHeld("vm2", by: ["ancestor_ceiling", "nothing_to_lend"], "class vm2 of br0")
                try daemon.command("bridge", "set", "br0", "rate", "10gbit")
                try daemon.command("port", "set", "vm1", "pace", "average", "10mbit")
                try isHeld("vm1", by: ["pace"], "pace held back the reading of port vm1")
                try daemon.command("port", "set", "vm1", "pace", "none", "filter", "outbound", "nothing")
                try isHeld("vm1", by: ["filtered"], "a filter denies them")
                try told("drops", #""port":"vm1""#, #""reason":"filtered""#)
                let screen = try daemon.command("top", "--once", "--view", "ports", "--interval", "200ms")
                #expect(screen.contains("CPU 1 busy") && screen.contains("vm1              up") && screen.contains("filtered"), "\(screen)")
                generator.signal(SIGTERM)
                _ = generator.waitForExit(until: .after(30))
                try told("guest", #""port":"vm1""#, #""text":"the guest is gone""#)
                monitor.signal(SIGTERM)
                daemon.stop()
            }
        }

        @Test("what would happen to a frame is told, from its port to its class and tag, and nothing happens")
        func explanations() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, mode: server, spoof-check: true, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm2"))}
                      - {name: up, type: physical, bridge: br0, device: \(wire.near), rate: 1gbit}
                    guests:
                      - {name: vm1, port: vm1, macs: ["52:54:00:00:00:02"], outbound: {floor: 100mbit}, protocols: {iscsi: {outbound: {floor: 50mbit}}}}
                      - {name: vm2, port: vm2, macs: ["52:54:00:00:00:04"]}
                    filters: [{name: no-smtp, rules: [{allow: "dst net 10.0.0.0/8"}, {deny: "tcp dst port 25"}]}]

                    """)
                func explain(_ words: String) throws -> JSON { try JSON(daemon.sluice(["explain", "-j"] + words.split(separator: " ").map(String.init)).output) }
                try daemon.waitUntil(port: "up", is: "up")
                let before = try daemon.show("port", "show")
                let storage = try explain("from vm1 to 52:54:00:00:00:99 tcp dport 3260")
                #expect(storage["guest"].string == "vm1" && storage["protocol"].string == "iscsi" && storage["flooded"].bool == true && storage["drop"].isNull, "\(storage)")
                let exit = storage["exits"][0]
                // Guests that are not connected get no copy.
                #expect(storage["exits"].items.count == 1 && exit["port"].string == "up" && exit["class"].string?.hasSuffix("vm1/iscsi") == true, "\(storage)")
                #expect(exit["action"].string == "push" && exit["pcp"].int == 4 && exit["holds"].items.isEmpty, "\(storage)")
                #expect(try explain("from vm1 to 52:54:00:00:00:99 udp dport 9")["exits"][0]["class"].string?.contains("iscsi") == false)

                let spoofed = try explain("from vm1 mac 52:54:00:00:00:04 to broadcast arp")
                #expect(spoofed["drop"].string == "spoofed_source" && spoofed["owner"].string == "52:54:00:00:00:04 is guest vm2's, on port vm2", "\(spoofed)")
                #expect(try explain("from vm1 mac 52:54:00:00:00:05 to vm2")["owner"].string?.hasPrefix("52:54:00:00:00:05 is no address of a guest on port vm1") == true)
                #expect(try explain("from vm1 to 01:80:c2:00:00:00 ethertype 0x88cc")["drop"].string == "reserved_address")
                #expect(try explain("from vm1 to vm2 size 3000")["drop"].string == "oversized")
                #expect(try explain("from up mac 52:54:00:00:00:99 to vm2")["drop"].string == "no_destination")
                try daemon.command("port", "set", "vm1", "filter", "outbound", "no-smtp")
                let filtered = try explain("from vm1 to 52:54:00:00:00:99 tcp dport 25")
                #expect(filtered["drop"].string == "filtered" && filtered["filtering"][0]["rule"].string == "deny tcp dst port 25", "\(filtered)")
                let allowed = try explain("from vm1 to 52:54:00:00:00:99 ip 10.0.0.1 10.0.0.2 tcp dport 25")
                #expect(allowed["drop"].isNull && allowed["filtering"][0]["rule"].string == "allow dst net 10.0.0.0/8", "\(allowed)")
                #expect(try daemon.command("explain", "from", "vm1", "to", "52:54:00:00:00:99", "tcp", "dport", "3260").contains("now       nothing holds it"))

                // Nothing was counted, learned or sent.
                let after = try daemon.show("port", "show")
                for place in 0..<2 { #expect(before[place]["drops"] == after[place]["drops"] && before[place]["rx"] == after[place]["rx"] && after[place]["tx"]["frames"].int == 0) }
                #expect(try daemon.show("fdb", "show").items.allSatisfy { $0["mac"].string != "52:54:00:00:00:99" })
                #expect(try daemon.show("filter", "show")[0]["rules"].items.allSatisfy { $0["hits"].int == 0 })
                daemon.stop()
            }
        }
    }
}
