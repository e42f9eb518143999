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
                    return monitor.output.text.contains(#""change":"bridge del""#)
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
                func isHeld(_ guest: String, by cause: String, _ sentence: String) throws {
                    // The traffic has to begin, and a change has to show, before there is something to see.
                    try eventually("\(cause) holds \(guest) back", within: 20) {
                        try causes(of: guest).contains { $0["name"].string == cause && $0["weight"].double ?? 0 > 0.1 && $0["sentence"].string?.contains(sentence) == true }
                    }
                }
                try isHeld("vm2", by: "own_ceiling", "class vm2 of br0 is at its own ceiling 20mbit")
                try daemon.command("guest", "set", "vm2", "inbound", "ceiling", "none")
                try daemon.command("bridge", "set", "br0", "rate", "30mbit")
                try isHeld("vm2", by: "ancestor_ceiling", "br0's rate is used up")
                try daemon.command("bridge", "set", "br0", "rate", "10gbit")
                try daemon.command("port", "set", "vm1", "pace", "average", "10mbit")
                try isHeld("vm1", by: "pace", "pace held back the reading of port vm1")
                try daemon.command("port", "set", "vm1", "pace", "none", "filter", "outbound", "nothing")
                try isHeld("vm1", by: "filtered", "a filter denies them")
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
    }
}
