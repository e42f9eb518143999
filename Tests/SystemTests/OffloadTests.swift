import Foundation
import Testing

extension EndToEnd {
    @Suite("Segmentation that guests leave to the switch", .needs(.qemu, .hugepages))
    struct OffloadTests {
        /// The longest frame where segments are cut, in bytes. Whole ones make the average longer.
        private static let frame = 1_514

        /// Boots a guest and gives it an address. Its kernel makes segments of eight frames or more where the window allows; that of a slow
        /// sender would else make segments of 1 ms of data. (tcp_tso_autosize)
        private func boot(_ guest: Guest, _ address: String) throws {
            try guest.booted().configure(address)
            try guest.run("echo 8 >/proc/sys/net/ipv4/tcp_min_tso_segs")
        }

        /// The bytes of a frame that a port has received or sent, on average.
        private func average(_ daemon: Daemon, _ port: String, _ direction: String) throws -> Int {
            let amount = try daemon.port(port)[direction]
            guard let frames = amount["frames"].int, let bytes = amount["bytes"].int, frames > 0 else { throw LabError("no frames in \(amount)") }
            return bytes / frames
        }

        @Test("between guests that take them, TCP segments stay whole; with `offload: false` the guest cuts them itself")
        func betweenGuests() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2")), offload: false}
                    """)
                let guests = try (1...2).map { try Guest(lab, "vm\($0)", mac: "52:54:00:00:00:0\($0)", socket: lab.path("vm\($0)")) }
                for (index, guest) in guests.enumerated() { try boot(guest, "10.0.0.\(index + 1)/24") }
                try guests[0].reaches("10.0.0.2")
                let sent = try guests[0].serveRandomFile("f", kib: 16_384)
                #expect(try guests[1].fetchedDigest("http://10.0.0.1/f") == sent)
                #expect(try average(daemon, "vm1", "rx") > Self.frame)
                #expect(try average(daemon, "vm2", "tx") > Self.frame)
                let back = try guests[1].serveRandomFile("g", kib: 8_192)
                #expect(try guests[0].fetchedDigest("http://10.0.0.2/g") == back)
                #expect(try average(daemon, "vm2", "rx") <= Self.frame)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a class that is limited, a tap and a VLAN get segments of their own, and every byte arrives")
        func segmented() throws {
            try withLab { lab in
                let host = try Namespace(lab, "host")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1")), vlan: 7, mtu: 9000}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2")), vlan: 7}
                      - {name: host, type: tap, bridge: br0, interface: \(lab.tag)h, netns: \(host.name), vlan: 7}
                    guests:
                      - {name: slow, port: vm2, inbound: {ceiling: 100mbit}}
                    """)
                let guests = try (1...2).map { try Guest(lab, "vm\($0)", mac: "52:54:00:00:00:0\($0)", socket: lab.path("vm\($0)")) }
                for (index, guest) in guests.enumerated() { try boot(guest, "10.0.0.\(index + 1)/24") }
                try host.configure("\(lab.tag)h", address: "10.0.0.3/24")
                try guests[0].reaches("10.0.0.2")
                try guests[0].reaches("10.0.0.3")
                let sent = try guests[0].serveRandomFile("f", kib: 8_192)
                #expect(try guests[1].fetchedDigest("http://10.0.0.1/f") == sent)
                #expect(try average(daemon, "vm1", "rx") > Self.frame)
                try host.run("busybox", "wget", "-q", "-O", lab.path("f"), "http://10.0.0.1/f")
                let copy = try host.run("sha256sum", lab.path("f")).prefix(64)
                #expect(sent.contains(copy))
                #expect(try average(daemon, "host", "tx") <= Self.frame)
                // The guest's segments are short enough for all, although some frames are not that its port, of a larger MTU, takes in one.
                for port in ["vm2", "host"] { #expect(try daemon.port(port)["drops"]["exceeds_mtu"].int == nil) }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
