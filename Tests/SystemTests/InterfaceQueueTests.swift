import Foundation
import Testing

extension EndToEnd {
    @Suite("Kernel interfaces with several receive queues", .needs(.hugepages))
    struct InterfaceQueueTests {
        /// The driver and the number of queues with which a veth of four queues is opened, depending on the options and the number of buffers.
        private static let cases: [(option: String, buffers: Int, driver: String, queues: Int)] = [
            ("", 65_536, "net_af_xdp", 4), ("", 16_384, "net_af_packet", 4), (", queues: 1", 65_536, "net_af_packet", 1),
        ]

        @Test("all of them are read, by as many loops as there are, and frames of a thousand flows arrive", arguments: 0..<cases.count)
        func allAreRead(_ number: Int) throws {
            let (option, buffers, driver, queues) = Self.cases[number]
            try withLab { lab in
                let wire = try VethPair(lab, "w", queues: 4)
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [0, 1], buffers: \(buffers)}
                    bridges: [{name: br0}]
                    ports:
                      - {name: uplink, type: physical, bridge: br0, device: \(wire.near)\(option)}
                    """)
                try daemon.waitUntil(port: "uplink", is: "up")
                let port = try daemon.port("uplink")
                #expect(port["driver"].string == driver && port["queues"].int == queues, "\(port)")
                #expect(port["warnings"].items.isEmpty)
                let places = try daemon.show("core", "show").items.map { $0["queues"].items.count }
                #expect(places.reduce(0, +) == queues && places.allSatisfy { $0 >= queues / 2 }, "\(places)")
                // There are never more frames on their way than the smallest ring holds.
                for hundred in 0..<10 {
                    try sendFlows(wire.far, hundred * 100..<(hundred + 1) * 100)
                    try eventually("all arrive") { try daemon.port("uplink")["rx"]["frames"].int ?? 0 >= (hundred + 1) * 100 }
                }
                #expect(try daemon.unaccountedFrames() == 0)
                // The device can be closed and opened again: no queue stays bound, and no buffer is lost.
                let buffers = try daemon.buffersInUse()
                for mtu in 1_400..<1_403 { try daemon.command("port", "set", "uplink", "mtu", "\(mtu)") }
                let again = try daemon.port("uplink")
                #expect(again["driver"].string == driver && again["queues"].int == queues)
                #expect(try daemon.buffersInUse() <= buffers + 100)
                daemon.stop()
            }
        }

        @Test("a device string that leaves queues out says so")
        func someAreRead() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w", queues: 4)
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_xdp0,iface=\(wire.near)"}
                    """)
                let warnings = try daemon.port("uplink")["warnings"].items.compactMap(\.string)
                #expect(warnings.count == 1 && warnings[0].contains("only 1 of the 4 receive queues of \(wire.near) are read"), "\(warnings)")
                #expect(try daemon.command("port", "show", "uplink").contains("warning: only 1 of the 4"))
                daemon.stop()
            }
        }

        @Test("where the driver has no rules that choose a queue, it is said that guests' frames are not steered to their loops, and why")
        func noRules() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w", queues: 2)
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [0, 1], buffers: 16384}
                    bridges: [{name: br0}]
                    ports:
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near),qpairs=2", queues: 2}
                      - {name: host0, type: tap, bridge: br0, interface: \(lab.tag)h, cpus: [0]}
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1")), mode: server, queues: 2}
                    guests:
                      - {name: vm0, port: host0, macs: ["02:00:00:00:00:02"]}
                      - {name: vm1, port: vm1, macs: ["02:00:00:00:00:04"]}
                    """)
                try daemon.waitUntil(port: "host0", is: "up")
                try eventually("the driver was asked") { try daemon.port("uplink")["steering"]["addresses"].int == 1 }
                let reason = "the driver net_af_packet has no rules that choose a queue by address"
                try eventually("its refusal is known") { try daemon.port("uplink")["steering"]["reason"].string == reason }
                #expect(try daemon.port("uplink")["steering"]["rules"].int == 0)
                #expect(try daemon.command("port", "show", "uplink").contains("steered 0 of 1 addresses to their loops: \(reason)"))
                #expect(try daemon.port("host0")["steering"].isNull)
                // A guest that uses one of its port's two queues is on one loop.
                let guest = try Frontend(lab.path("vm1"))
                try guest.start()
                try eventually("the guest's address has a loop, too") { try daemon.port("uplink")["steering"]["addresses"].int == 2 }
                withExtendedLifetime(guest) {}
                daemon.stop()
            }
        }

        /// Sends one frame of each UDP flow; a multi-queue interface spreads the flows over its queues.
        private func sendFlows(_ interface: String, _ flows: Range<Int>) throws {
            let sender = try RawSocket(interface)
            for flow in flows {
                try sender.send(Frames.ethernet(
                    to: "ff:ff:ff:ff:ff:ff", from: "52:54:00:00:00:01", type: 0x0800,
                    Frames.ipv4(17, Frames.udp(from: UInt16(10_000 + flow), to: 7, [UInt8](repeating: 7, count: 20)))))
            }
        }
    }
}
