import Foundation
import Testing

extension EndToEnd {
    /// A daemon inside a guest whose kernel has vhost-net, which this machine's kernel may lack. Its taps take and give TCP segments whole.
    @Suite("TCP segments that devices cut", .needs(.hugepages, .tshark))
    struct WholeSegmentTests {
        /// What arrives at the far end of the wire, behind a device that has cut what it got whole, as a NIC does.
        private static let fields = ["tcp.srcport", "tcp.dstport", "frame.len", "tcp.checksum", "tcp.checksum.status", "ip.checksum.status", "tcp.len"]

        /// What one port has received or sent since it was last asked.
        private struct Meter {
            let host: SwitchHost
            let port: String
            let direction: String
            private(set) var last: (frames: Int, bytes: Int) = (0, 0)

            init(_ host: SwitchHost, _ port: String, _ direction: String) throws {
                (self.host, self.port, self.direction) = (host, port, direction)
                _ = try average()
            }

            /// The bytes of a frame on average.
            mutating func average() throws -> Int {
                let amount = try host.show("port show \(port)")[0][direction]
                let before = last
                last = (amount["frames"].int ?? 0, amount["bytes"].int ?? 0)
                return (last.bytes - before.bytes) / max(last.frames - before.frames, 1)
            }
        }

        private func setUp(_ lab: Lab, _ device: String) throws -> (host: SwitchHost, far: Namespace) {
            let host = try SwitchHost(lab, device: device)
            try host.guest.run("load-host-modules accelerated; [ -c /dev/vhost-net ] && /bin/ip netns add a && /bin/ip netns add b")
            try host.start([
                "daemon: {cpus: [1], buffers: 16384}",
                "bridges: [{name: br0}]",
                "ports:",
                "  - {name: wire, type: physical, bridge: br0, device: \"\(SwitchHost.nic)\"}",
                "  - {name: a, type: tap, bridge: br0, interface: a0, netns: a, mac: \"02:00:00:00:00:0a\"}",
                "  - {name: b, type: tap, bridge: br0, interface: b0, netns: b}",
                // DPDK's tap driver would cut segments in software, so the switch does that.
                "  - {name: cut, type: physical, bridge: br0, device: \"net_tap_cut\"}",
            ])
            for (number, name) in ["a", "b"].enumerated() {
                try host.guest.run("/bin/ip netns exec \(name) sh -c '/bin/ip addr add 10.0.0.\(number + 2)/24 dev \(name)0; /bin/ip link set lo up'")
            }
            // The kernel of a slow sender makes segments of 1 ms of data, of two frames at least unless told otherwise. (tcp_tso_autosize)
            try host.guest.run(Self.inside("a", "echo 8 >/proc/sys/net/ipv4/tcp_min_tso_segs"))
            try host.guest.run("/bin/ip addr add 10.0.0.4/24 dev dtap0; /bin/ip link set dtap0 up")
            // QEMU hands frames whole to the tap, and the interface behind it cuts them as a NIC would, and finishes their checksums.
            let far = try Namespace(lab, "far")
            try host.outside.run("ip", "addr", "flush", "dev", "wire")
            try host.outside.run("ip", "link", "add", "name", "middle", "type", "bridge")
            try host.outside.run("ip", "link", "add", "name", "near", "type", "veth", "peer", "name", "eth0", "netns", far.name)
            try host.outside.run("ethtool", "-K", "near", "tx", "off", "tso", "off", "gso", "off")
            try far.run("ethtool", "-K", "eth0", "gro", "off")
            for interface in ["wire", "near"] { try host.outside.run("ip", "link", "set", interface, "master", "middle", "up") }
            try host.outside.run("ip", "link", "set", "middle", "up")
            try far.configure("eth0", address: "10.0.0.1/24")
            try far.reaches("10.0.0.2")
            return (host, far)
        }

        private static func inside(_ name: String, _ command: String) -> String { "/bin/ip netns exec \(name) sh -c 'set -o pipefail; \(command)'" }

        private static let virtio = "virtio-net-pci,disable-legacy=on,iommu_platform=on"

        @Test("taps over vhost-net take and give segments whole, and others get them cut", arguments: [virtio, "e1000e"])
        func taps(_ device: String) throws {
            try withLab { lab in
                let (host, far) = try setUp(lab, device), guest = host.guest
                try guest.run("dd if=/dev/urandom of=/tmp/f bs=1k count=4096 2>/dev/null; " + Self.inside("a", "httpd -p 80 -h /tmp"))
                let sent = try String(guest.run("sha256sum /tmp/f").prefix(64))
                var fromA = try Meter(host, "a", "rx"), toB = try Meter(host, "b", "tx")
                var toCut = try Meter(host, "cut", "tx"), toWire = try Meter(host, "wire", "tx")
                func fetched(_ command: String) throws -> String { try String(guest.run(command).prefix(64)) }
                let fetch = "timeout 50 wget -q -O - http://10.0.0.2/f | sha256sum"
                // Where a device gets them cut, no frame is longer than this. (A sender that has lost some sends short segments, too.)
                let frame = 1_514

                #expect(try fetched(Self.inside("b", fetch)) == sent)
                #expect(try fromA.average() > frame)
                #expect(try toB.average() > frame)

                #expect(try fetched("set -o pipefail; \(fetch)") == sent)
                #expect(try fromA.average() > frame)
                #expect(try toCut.average() <= frame)

                let capture = try Capture(lab, "eth0", fields: Self.fields, filter: "tcp src port 80", namespace: far)
                #expect(try far.fetchedDigest("http://10.0.0.2/f") == sent)
                let average = try toWire.average()
                #expect(device == "e1000e" ? average <= frame : average > frame, "\(average)")
                let frames = try capture.waitFor(4_096 * 1_024 / 1_460)
                try expectWire(frames)

                #expect(try guest.run("sluice -j stats show").contains("bad_offload") == false)
            }
        }

        @Test("a NIC that segments sends storage with its priority, every class is charged for what leaves, and one with a low ceiling gets its segments cut")
        func charged() throws {
            try withLab { lab in
                let (host, far) = try setUp(lab, Self.virtio), guest = host.guest
                try guest.run("dd if=/dev/urandom of=/tmp/f bs=1k count=4096 2>/dev/null")
                let sent = try String(guest.run("sha256sum /tmp/f").prefix(64))
                // Nothing but what comes by the wire is counted.
                try far.run("sysctl", "-q", "-w", "net.ipv6.conf.eth0.disable_ipv6=1")
                try host.outside.run("sysctl", "-q", "-w", "net.ipv6.conf.all.disable_ipv6=1")

                /// Has the far end store what is sent to a port of its.
                func upload(_ port: Int) throws {
                    let file = lab.path("f\(port)")
                    _ = try lab.start("busybox", "sh", "-c", "busybox nc -l -p \(port) >\(file)", namespace: far, keepsInput: true)
                    try eventually("port \(port) is listened at") { try far.run("ss", "-ltnH").contains(":\(port) ") }
                    try guest.run(Self.inside("a", "timeout 50 nc 10.0.0.1 \(port) </tmp/f"))
                    try eventually("all has arrived") { try run("sha256sum", file).prefix(64) == sent }
                }
                func root() throws -> (frames: Int, bytes: Int) {
                    let root = try #require(try host.show("class show").items.first { $0["tree"].string == "wire" && $0["path"].string == "" })
                    return (root["sent"]["frames"].int ?? 0, root["sent"]["bytes"].int ?? 0)
                }
                func arrived() throws -> (frames: Int, bytes: Int) {
                    let statistics = "/sys/class/net/eth0/statistics"
                    let words = try far.run("cat", "\(statistics)/rx_packets", "\(statistics)/rx_bytes").split(separator: "\n").map { Int($0) ?? 0 }
                    return (words[0], words[1])
                }

                let wire = try Capture(lab, "wire", fields: ["vlan.priority", "vlan.id", "frame.len"], filter: "", namespace: host.outside)
                let capture = try Capture(lab, "eth0", fields: Self.fields, filter: "tcp dst port 3260", namespace: far)
                var toWire = try Meter(host, "wire", "tx")
                let before = (charged: try root(), arrived: try arrived())
                try upload(3260)
                _ = try wire.waitFor(10) { $0["vlan.priority"] == "4" && $0["vlan.id"] == "0" && Int($0["frame.len"] ?? "") ?? 0 > 1_518 }
                try expectWire(try capture.waitFor(4_096 * 1_024 / 1_460))
                let after = (charged: try root(), arrived: try arrived())
                let (charged, arrivals) = (after.charged.frames - before.charged.frames, after.arrived.frames - before.arrived.frames)
                #expect(charged == arrivals)
                // The far end's kernel has taken off the tags, of four bytes, before it counts.
                #expect(after.charged.bytes - before.charged.bytes == after.arrived.bytes - before.arrived.bytes + 4 * charged)

                // No two segments fit into the burst.
                try guest.run("sluice guest add slow port a macs 02:00:00:00:00:0a && sluice guest set slow outbound ceiling 100mbit ceiling-burst 2kib")
                _ = try toWire.average()
                try upload(5001)
                #expect(try toWire.average() <= 1_518)
            }
        }

        /// Frames as a wire carries them: none longer than the MTU allows, all with their checksums.
        private func expectWire(_ frames: [[String: String]]) throws {
            #expect(frames.allSatisfy { Int($0["frame.len"] ?? "") ?? .max <= 1_518 })
            // The kernel writes 0xffff where a sum is 0 (CSUM_MANGLED_0), which is as right and which tshark calls bad. (RFC 1624)
            let wrong = frames.filter { $0["tcp.checksum.status"] != "1" && $0["tcp.checksum"] != "0xffff" || $0["ip.checksum.status"] != "1" }
            #expect(wrong.isEmpty, "\(wrong.prefix(3))")
        }
    }
}
