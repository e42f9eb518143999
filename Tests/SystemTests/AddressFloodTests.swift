import Foundation
import Testing

extension EndToEnd {
    @Suite("A guest that invents addresses", .needs(.hugepages))
    struct AddressFloodTests {
        @Test("a million source addresses of one guest displace none of its neighbours', of whose frames none is flooded, and new ones of theirs are learned")
        func flood() throws {
            try withLab { lab in
                let tap = "\(lab.tag)t"
                // The entry is needed in each VLAN, because one without a VLAN is static only in the port's native VLAN.
                let own = (10...13).map { "{mac: \"52:54:0f:00:00:01\", port: flooder, vlan: \($0)}" }.joined(separator: ", ")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, fdb-size: 4096, static: [\(own)]}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1")), vlan: {trunk: [10-13]}}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2")), vlan: {trunk: [10-13]}}
                      - {name: flooder, type: vhost, bridge: br0, socket: \(lab.path("flooder")), vlan: {trunk: [10-13]}}
                      - {name: bystander, type: tap, bridge: br0, interface: \(tap), vlan: {trunk: [10-13]}}
                    """)
                try daemon.waitUntil(port: "bystander", is: "up")
                // All frames go to an address behind their own port, so the switch drops them after it has learned their sources.
                let flows = (0..<16).map { number in
                    """
                      - {name: f\(number), from: flooder, to: "52:54:0f:00:00:01", mac: "06:00:00:\(String(format: "%02x", number)):00:00", macs: 65536, to-macs: 1, \
                    vlan: \(10 + number % 4), rate: 20kpps}

                    """
                }
                let scenario = try lab.write("flood.yaml", """
                    duration: 60s
                    ports: [{name: flooder, device: "virtio_user:\(lab.path("flooder"))", server: true}]
                    flows:

                    """ + flows.joined())
                let flooder = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
                lab.atClose { try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-gen-\(flooder.pid)") }
                func addresses(_ port: String) throws -> Int { try daemon.port(port)["learned_addresses"].int ?? 0 }
                func bridge(_ key: String) throws -> Int { try daemon.show("bridge", "show").items.first?[key].int ?? 0 }
                try eventually("the table is full of the flooder's") { try addresses("flooder") > 4_000 }

                // Frames between stations of vm1 and vm2 must not reach the bystander.
                let receiver = try RawReceiver([tap]) { $0[0] & 1 == 0 && $0[6] == 0x52 && $0[7] == 0x54 && ($0[8] == 1 || $0[8] == 2) }
                let before = try bridge("learned")
                let report = try Generator.run(lab, """
                    duration: 8s
                    learn: true
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", server: true}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", server: true}
                    flows:
                      - {name: to, from: vm1, to: "52:54:02:00:00:00", at: vm2, mac: "52:54:01:00:00:00", macs: 400, to-macs: 400, vlan: 10, vlans: 4, rate: 10kpps}
                      - {name: back, from: vm2, to: "52:54:01:00:00:00", at: vm1, mac: "52:54:02:00:00:00", macs: 400, to-macs: 400, vlan: 10, vlans: 4, rate: 10kpps}
                    """)
                #expect(Generator.faults(report) == Generator.noFaults)
                for flow in report["flows"].items { #expect(flow["receivedFrames"].int ?? 0 > 10_000, "\(flow)") }
                #expect(receiver.take(quiet: 0.1).isEmpty)
                for port in ["vm1", "vm2"] { #expect(try daemon.port(port)["unlearned"].int == 0) }
                try eventually("a million were learned") { try bridge("learned") > 1_000_000 }
                #expect(try bridge("learned") > before)
                let station = try RawSocket(tap)
                for number in 0..<200 {
                    let frame = Frames.ethernet(
                        to: "ff:ff:ff:ff:ff:ff", from: String(format: "52:54:03:00:00:%02x", number), tags: [Frames.Tag(pcp: 0, vid: UInt16(10 + number % 4))],
                        type: 0x88b5, [UInt8](repeating: 0, count: 50))
                    try station.send(frame)
                }
                try eventually("a station's new addresses are learned") {
                    try daemon.show("fdb", "show", "port", "bystander").items.count { $0["mac"].string?.hasPrefix("52:54:03") == true } == 200
                }
                #expect(try daemon.port("bystander")["unlearned"].int == 0)
                flooder.signal(SIGINT)
                #expect(flooder.waitForExit(until: .after(90)) != nil)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
