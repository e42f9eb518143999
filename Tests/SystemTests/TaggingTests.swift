import Foundation
import Testing

extension EndToEnd {
    @Suite("DCB tags on the wire, as tshark dissects them", .needs(.hugepages, .tshark))
    struct TaggingTests {
        /// One frame: what it is, how it is built, the priority with which it must leave, and the protocol that must count it.
        struct Sample: Sendable {
            var name: String
            var type: UInt16
            var payload: [UInt8]
            var pcp: Int
            var dissected: String
            var counted: String?
        }

        static let samples: [Sample] = {
            let data = [UInt8](repeating: 0x2a, count: 48)
            func v4(_ name: String, _ proto: UInt8, _ body: [UInt8], _ pcp: Int, _ dissected: String, _ counted: String?, options: [UInt8] = []) -> Sample {
                Sample(name: name, type: 0x0800, payload: Frames.ipv4(proto, options: options, body), pcp: pcp, dissected: dissected, counted: counted)
            }
            func v6(_ name: String, _ proto: UInt8, _ body: [UInt8], _ pcp: Int, _ dissected: String, _ counted: String?, extensions: [UInt8] = []) -> Sample {
                Sample(name: name, type: 0x86dd, payload: Frames.ipv6(proto, extensions: extensions, body), pcp: pcp, dissected: dissected, counted: counted)
            }
            return [
                Sample(name: "FCoE", type: 0x8906, payload: Frames.fcoe, pcp: 3, dissected: "fcoe", counted: "fcoe"),
                Sample(name: "FIP", type: 0x8914, payload: Frames.fip, pcp: 3, dissected: "fip", counted: "fip"),
                Sample(name: "RoCE v1", type: 0x8915, payload: Frames.roce, pcp: 3, dissected: "infiniband", counted: "roce"),
                v4("RoCE v2", 17, Frames.udp(to: 4791, Frames.infiniband), 3, "infiniband", "rocev2"),
                v4("iSCSI", 6, Frames.tcp(to: 3260, data), 4, "tcp", "iscsi"),
                v4("iSCSI, from the target", 6, Frames.tcp(from: 3260, to: 40_000, data), 4, "tcp", "iscsi"),
                v4("iSCSI, system port", 6, Frames.tcp(to: 860, data), 4, "tcp", "iscsi"),
                v4("iSCSI behind IP options", 6, Frames.tcp(to: 3260, data), 4, "tcp", "iscsi", options: [1, 1, 1, 0]),
                v6("iSCSI over IPv6", 6, Frames.tcp(to: 3260, data), 4, "ipv6", "iscsi"),
                v6("iSCSI behind IPv6 extension headers", 6, Frames.tcp(to: 3260, data), 4, "ipv6", "iscsi", extensions: [0, 60]),
                v6("RoCE v2 over IPv6", 17, Frames.udp(to: 4791, Frames.infiniband), 3, "ipv6", "rocev2"),
                v4("NVMe/TCP", 6, Frames.tcp(to: 4420, data), 0, "tcp", "nvme-tcp"),
                v4("plain UDP", 17, Frames.udp(to: 53_000, data), 0, "udp", nil),
                Sample(
                    name: "a later fragment, which has no ports", type: 0x0800, payload: Frames.ipv4(6, fragmentOffset: 64, Frames.tcp(to: 3260, data)), pcp: 0,
                    dissected: "ip", counted: nil),
                Sample(name: "the operator's own row", type: 0x88b6, payload: data, pcp: 6, dissected: "data", counted: "own"),
            ]
        }()

        private func topology(_ lab: Lab) throws -> (Daemon, VethPair, tap: String) {
            let wire = try VethPair(lab, "w")
            let tap = "\(lab.tag)t"
            let daemon = try Daemon(lab, """
                bridges: [{name: br0}]
                ports:
                  - {name: host, type: tap, bridge: br0, interface: \(tap)}
                  - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)"}
                protocols:
                  - {name: own, match: [ethertype 0x88b6], pcp: 6}
                """)
            return (daemon, wire, tap)
        }

        private func source(_ index: Int) -> String { "02:00:00:00:01:\(index < 16 ? "0" : "")\(String(index, radix: 16))" }
        private let far = "02:00:00:00:00:99"
        private let fields = ["eth.src", "vlan.id", "vlan.priority", "frame.protocols", "frame.len"]

        @Test("untagged frames of every protocol leave with a priority tag: VID 0 and the protocol's priority")
        func priorityTags() throws {
            try withLab { lab in
                let (daemon, wire, tap) = try topology(lab)
                let capture = try Capture(lab, wire.far, fields: fields, filter: "ether dst \(far)")
                let sender = try RawSocket(tap)
                for (index, sample) in Self.samples.enumerated() {
                    try sender.send(Frames.ethernet(to: far, from: source(index), type: sample.type, sample.payload))
                }
                let frames = try capture.waitFor(Self.samples.count)
                for (index, sample) in Self.samples.enumerated() {
                    let frame = try #require(frames.first { $0["eth.src"] == source(index) }, "\(sample.name) arrived")
                    #expect(frame["vlan.priority"] == "\(sample.pcp)", "priority of \(sample.name): \(frame)")
                    #expect(frame["vlan.id"] == "0", "VID of \(sample.name): \(frame)")
                    #expect(frame["frame.protocols"]?.contains(sample.dissected) == true, "\(sample.name) as dissected: \(frame)")
                    let sent = Frames.ethernet(to: far, from: source(index), type: sample.type, sample.payload).count
                    #expect(frame["frame.len"] == "\(sent + 4)", "\(sample.name) grew by its tag alone")
                }
                for (name, samples) in Dictionary(grouping: Self.samples.filter { $0.counted != nil }, by: { $0.counted! }) {
                    #expect(try daemon.protocolRow(name)["seen"]["frames"].int == samples.count, "frames seen as \(name)")
                }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("tagged frames keep their VID and get the protocol's priority; an inner tag is left alone")
        func taggedFrames() throws {
            try withLab { lab in
                let (daemon, wire, tap) = try topology(lab)
                let capture = try Capture(lab, wire.far, fields: fields + ["vlan.etype"], filter: "ether dst \(far)")
                let sender = try RawSocket(tap)
                let iscsi = Frames.ipv4(6, Frames.tcp(to: 3260, [UInt8](repeating: 1, count: 40)))
                try sender.send(Frames.ethernet(to: far, from: source(1), tags: [.init(pcp: 1, vid: 42)], type: 0x0800, iscsi))
                try sender.send(Frames.ethernet(to: far, from: source(2), tags: [.init(pcp: 7, vid: 4094)], type: 0x8906, Frames.fcoe))
                try sender.send(Frames.ethernet(to: far, from: source(3), tags: [.init(pcp: 1, vid: 7), .init(pcp: 2, vid: 8)], type: 0x0800, iscsi))
                // The guest itself sends this frame with a priority tag; it must leave with one tag, not two.
                try sender.send(Frames.ethernet(to: far, from: source(4), tags: [.init(pcp: 1, vid: 0)], type: 0x0800, iscsi))
                let frames = try capture.waitFor(4)
                func tags(_ index: Int) -> [String?] { frames.first { $0["eth.src"] == source(index) }.map { [$0["vlan.priority"], $0["vlan.id"]] } ?? [] }
                #expect(tags(1) == ["4", "42"])
                #expect(tags(2) == ["3", "4094"])
                #expect(tags(3) == ["4,2", "7,8"])
                #expect(tags(4) == ["4", "0"])
                daemon.stop()
            }
        }

        @Test("a priority tag is taken off on the way in; a real VLAN's tag stays")
        func inbound() throws {
            try withLab { lab in
                let (daemon, wire, tap) = try topology(lab)
                let host = "02:00:00:00:00:77"
                // The bridge must know where the host is.
                try RawSocket(tap).send(Frames.ethernet(to: "ff:ff:ff:ff:ff:ff", from: host, type: 0x88b5, []))
                try eventually("the bridge learned \(host)") { try daemon.show("fdb", "show").items.contains { $0["mac"].string == host } }
                let capture = try Capture(lab, tap, fields: fields, filter: "ether dst \(host)")
                let sender = try RawSocket(wire.far)
                let iscsi = Frames.ipv4(6, Frames.tcp(to: 3260, [UInt8](repeating: 1, count: 40)))
                try sender.send(Frames.ethernet(to: host, from: source(1), tags: [.init(pcp: 4, vid: 0)], type: 0x0800, iscsi))
                try sender.send(Frames.ethernet(to: host, from: source(2), tags: [.init(pcp: 4, vid: 42)], type: 0x0800, iscsi))
                try sender.send(Frames.ethernet(to: host, from: source(3), type: 0x0800, iscsi))
                let frames = try capture.waitFor(3)
                func tag(_ index: Int) -> String? { frames.first { $0["eth.src"] == source(index) }?["vlan.id"] }
                #expect(tag(1) == "")
                #expect(tag(2) == "42")
                #expect(tag(3) == "")
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a port that asks for no tags sends frames as they are")
        func withoutTags() throws {
            try withLab { lab in
                let (daemon, wire, tap) = try topology(lab)
                try daemon.command("port", "set", "uplink", "dcb", "off")
                let capture = try Capture(lab, wire.far, fields: fields, filter: "ether dst \(far)")
                try RawSocket(tap).send(Frames.ethernet(to: far, from: source(1), type: 0x8906, Frames.fcoe))
                #expect(try capture.waitFor(1)[0]["vlan.id"] == "")
                daemon.stop()
            }
        }
    }
}
