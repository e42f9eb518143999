import Foundation
import Testing

extension EndToEnd {
    @Suite("Linux guests with several queues", .needs(.qemu, .hugepages))
    struct MultiqueueTests {
        /// More queue pairs than the ports have queues, as guests of QEMU use all that they are offered.
        private static let pairs = 4

        private func guest(_ lab: Lab, _ number: Int, packed: Bool) throws -> Guest {
            try Guest(lab, "vm\(number)", [Guest.NIC(mac: "52:54:00:00:00:0\(number)", socket: lab.path("vm\(number)"), queues: Self.pairs, packed: packed)])
        }

        /// Boots a guest with all its queues in use.
        private func prepare(_ guest: Guest, _ address: String) throws {
            try guest.booted().run("ethtool -L eth0 combined \(Self.pairs)")
            try guest.configure(address)
        }

        @Test(
            "a guest changes its queues, resets its device and loses its power under traffic: others lose nothing, and all queues pass frames afterwards",
            arguments: [false, true])
        func changesUnderTraffic(_ packed: Bool) throws {
            try withLab { lab in
                let near = try Namespace(lab, "near"), far = try Namespace(lab, "far")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: near, type: tap, bridge: br0, interface: \(lab.tag)n, netns: \(near.name)}
                      - {name: far, type: tap, bridge: br0, interface: \(lab.tag)f, netns: \(far.name)}
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1")), queues: 2}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2")), queues: 2}
                    """)
                try near.configure("\(lab.tag)n", address: "10.0.0.8/24")
                try far.configure("\(lab.tag)f", address: "10.0.0.9/24")
                let first = try guest(lab, 1, packed: packed), second = try guest(lab, 2, packed: packed)
                try prepare(first, "10.0.0.1/24")
                try prepare(second, "10.0.0.2/24")
                try second.reaches("10.0.0.1")
                try near.reaches("10.0.0.9")
                let bystander = try lab.start("busybox", "ping", "-q", "-i", "0.01", "10.0.0.9", namespace: near, cpus: "0")

                let sent = try first.serveRandomFile("f", kib: 8192)
                for count in [1, 4, 2, 3, 4] {
                    let fetch = try second.begin("set -o pipefail; timeout 80 wget -q -O - http://10.0.0.1/f | sha256sum")
                    for between in [4, 1, 3, 2, count] { try first.run("ethtool -L eth0 combined \(between)") }
                    let (status, digest) = try second.end(fetch, within: 90)
                    #expect(status == 0 && digest.hasPrefix(sent), "\(status): \(digest)")
                    #expect(try daemon.port("vm1")["queues"].int == count)
                }

                // Four processes, whose frames take different queues of both guests.
                let flood = try second.begin("for i in 1 2 3 4; do ping -q -i 0.005 -c 2000 -W 1 -s 1400 10.0.0.1 & done; wait; true")
                for _ in 0..<5 {
                    try first.run("(cd /sys/bus/virtio/drivers/virtio_net && for i in virtio*; do echo $i >unbind; echo $i >bind; done)")
                    try prepare(first, "10.0.0.1/24")
                }
                _ = try second.end(flood, within: 120)
                try second.reaches("10.0.0.1")
                #expect(try second.fetchedDigest("http://10.0.0.1/f") == sent)

                let fetch = try second.begin("timeout 10 wget -q -O - http://10.0.0.1/f >/dev/null; true")
                first.pullThePlug()
                try daemon.waitUntil(port: "vm1", is: "waiting")
                let again = try guest(lab, 1, packed: packed)
                try prepare(again, "10.0.0.1/24")
                _ = try second.end(fetch)
                try second.reaches("10.0.0.1")
                let resent = try again.serveRandomFile("f", kib: 8192)
                #expect(try second.fetchedDigest("http://10.0.0.1/f") == resent)

                for name in ["vm1", "vm2"] {
                    let port = try daemon.port(name)
                    #expect(port["state"].string == "up" && port["queues"].int == Self.pairs && port["warnings"].items.isEmpty, "\(port)")
                }
                bystander.signal(SIGINT)
                #expect(bystander.waitForExit(until: .after(10)) != nil)
                // "N packets transmitted, N packets received"; an echo may be under way at the end.
                let text = bystander.output.text
                let counts = try #require(text.firstMatch(of: /(\d+) packets transmitted, (\d+) packets received/), "\(text)")
                #expect(try #require(Int(counts.1)) - #require(Int(counts.2)) <= 1, "\(text)")
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
