import Foundation
import Testing

extension EndToEnd {
    @Suite("Ports that are trusted to say the priorities of frames", .needs(.hugepages, .tshark))
    struct LosslessTests {
        private static let guest = "02:00:00:00:00:99"

        @Test("frames say their priority by PCP or DSCP where a port is trusted, and leave with it; of two tags the outer one counts")
        func trust() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w"), tap = "\(lab.tag)t"
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, static: [{mac: "\(Self.guest)", port: uplink}]}]
                    ports:
                      - {name: host, type: tap, bridge: br0, interface: \(tap), trust: pcp}
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)"}
                    guests: [{name: vm1, port: host, outbound: {ceiling: 900mbit}, protocols: {fcoe: {outbound: {ceiling: 800mbit}}}}]
                    """)
                try daemon.waitUntil(port: "uplink", is: "up")
                let capture = try Capture(lab, wire.far, fields: ["eth.src", "vlan.id", "vlan.priority"], filter: "ether dst \(Self.guest)")
                let socket = try RawSocket(tap)
                var number = 0
                func send(_ tags: [Frames.Tag], _ packet: [UInt8]) throws -> [String?] {
                    number += 1
                    let source = "02:00:00:00:02:0\(number)"
                    try socket.send(Frames.ethernet(to: Self.guest, from: source, tags: tags, type: 0x0800, packet))
                    let frame = try capture.waitFor(1) { $0["eth.src"] == source }[0]
                    return [frame["vlan.priority"], frame["vlan.id"]]
                }
                let iscsi = Frames.ipv4(6, dscp: 46, Frames.tcp(to: 3260)), other = Frames.ipv4(17, dscp: 46, Frames.udp(to: 53_000))
                #expect(try send([], iscsi) == ["4", "0"] && send([], other) == ["0", "0"])
                #expect(try send([.init(pcp: 5, vid: 0)], other) == ["5", "0"] && send([.init(pcp: 1, vid: 42)], iscsi) == ["1", "42"])
                #expect(try send([.init(pcp: 6, vid: 7), .init(pcp: 2, vid: 8)], other) == ["6,2", "7,8"])
                // A priority takes the class of a protocol that has the same.
                let before = try daemon.classStatus("uplink", "vm1/fcoe")["sent"]["frames"].int
                #expect(try send([.init(pcp: 3, vid: 0)], other) == ["3", "0"] && daemon.classStatus("uplink", "vm1/fcoe")["sent"]["frames"].int == (before ?? 0) + 1)
                try daemon.command("port", "set", "host", "trust", "dscp")
                #expect(try send([.init(pcp: 1, vid: 0)], other) == ["6", "0"] && send([], iscsi) == ["6", "0"])
                try daemon.command("port", "set", "host", "trust", "none")
                #expect(try send([.init(pcp: 5, vid: 0)], other) == ["0", "0"])
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
