import Foundation
import Testing

extension EndToEnd {
    @Suite("Guests, host taps and the wire", .needs(.hugepages))
    struct HostTests {
        @Test("a guest and a host tap in a namespace ping and move files, both ways", .needs(.qemu, .iperf3))
        func guestAndTap() throws {
            try withLab { lab in
                let host = try Namespace(lab, "host")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: host0, type: tap, bridge: br0, interface: tap0, netns: \(host.name), mac: "52:54:00:00:00:fe"}
                    """)
                #expect(try host.run("cat", "/sys/class/net/tap0/address") == "52:54:00:00:00:fe\n")
                try host.configure("tap0", address: "10.0.0.2/24")
                let guest = try Guest(lab, "vm1", mac: "52:54:00:00:00:01", socket: lab.path("vm1"))
                try guest.booted().configure("10.0.0.1/24")
                try guest.reaches("10.0.0.2")

                let fromGuest = try guest.serveRandomFile("f", kib: 8192)
                #expect(try host.fetchedDigest("http://10.0.0.1/f") == fromGuest)
                let file = try RandomFile(lab, "g", kib: 8192)
                try host.serve(lab, lab.folder)
                try eventually("the host's web server answers") {
                    try guest.finish("wget -q -O /dev/null http://10.0.0.2/g").status == 0
                }
                #expect(try guest.fetchedDigest("http://10.0.0.2/g") == file.digest)

                let server = try lab.start("iperf3", "-s", "-1", "--forceflush", namespace: host, cpus: "0")
                _ = try server.waitForLine(in: server.output, within: 20) { $0.contains("listening") }
                let speed = try JSON(guest.run("iperf3 -c 10.0.0.2 -t 2 -J"))
                let rate = speed["end"]["sum_received"]["bits_per_second"].double ?? 0
                #expect(rate > 0)
                print("guest to tap: \(Int(rate / 1e6)) Mbit/s of TCP")
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
                #expect(try !host.run("ip", "-br", "link").contains("tap0"), "the tap outlived the daemon")
            }
        }

        @Test("a guest reaches a peer behind a physical port", .needs(.qemu), arguments: ["net_af_packet0,iface=", ""])
        func guestAndWire(_ prefix: String) throws {
            try withLab { lab in
                let peer = try Namespace(lab, "peer")
                let wire = try VethPair(lab, "w", farIn: peer)
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: uplink, type: physical, bridge: br0, device: "\(prefix)\(wire.near)", dcb: false}
                    """)
                try peer.configure(wire.far, address: "10.0.0.2/24")
                let guest = try Guest(lab, "vm1", mac: "52:54:00:00:00:01", socket: lab.path("vm1"))
                try guest.booted().configure("10.0.0.1/24")
                try guest.reaches("10.0.0.2")
                let fromGuest = try guest.serveRandomFile("f", kib: 4096)
                #expect(try peer.fetchedDigest("http://10.0.0.1/f") == fromGuest)
                let file = try RandomFile(lab, "g", kib: 4096)
                try peer.serve(lab, lab.folder)
                try eventually("the peer's web server answers") {
                    try guest.finish("wget -q -O /dev/null http://10.0.0.2/g").status == 0
                }
                #expect(try guest.fetchedDigest("http://10.0.0.2/g") == file.digest)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a physical port is as its interface is: without carrier, with it, gone", arguments: ["net_af_packet0,iface=", ""])
        func interfaceBelow(_ prefix: String) throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: uplink, type: physical, bridge: br0, device: "\(prefix)\(wire.near)"}
                    """)
                func becomes(_ state: String, reason: String?) throws {
                    try eventually("uplink is \(state)") {
                        let port = try daemon.port("uplink")
                        return port["state"].string == state && port["reason"].string == reason
                    }
                }
                try becomes("up", reason: nil)
                try run("ip", "link", "set", wire.far, "down")
                try becomes("down", reason: "no link")
                try run("ip", "link", "set", wire.far, "up")
                try becomes("up", reason: nil)
                // Under another name it is not the configured interface. The port is failed until the interface has its name back, or a new one exists.
                let renamed = "\(lab.tag)wr"
                try run("ip", "link", "set", wire.near, "down")
                try becomes("down", reason: "no link")
                try run("ip", "link", "set", wire.near, "name", renamed)
                try run("ip", "link", "set", renamed, "up")
                try eventually("its name is missed") { try (daemon.port("uplink")["reason"].string ?? "").contains("is called \(renamed) now") }
                try run("ip", "link", "del", renamed)
                try eventually("it is missed") { try (daemon.port("uplink")["reason"].string ?? "").contains("no interface \(wire.near)") }
                #expect(try daemon.port("uplink")["state"].string == "failed")
                #expect(daemon.log.contains("the interface \(wire.near) is gone"), "\(daemon.log)")
                _ = try VethPair(lab, "w")
                try becomes("up", reason: nil)
                daemon.stop()
            }
        }

        @Test("a guest's VLAN passes the bridge and the wire with its tag", .needs(.qemu))
        func vlan() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: uplink, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)"}
                    """)
                let guest = try Guest(lab, "vm1", mac: "52:54:00:00:00:01", socket: lab.path("vm1"))
                let capture = try Capture(lab, wire.far, fields: ["eth.src", "vlan.id", "arp.dst.proto_ipv4"])
                try guest.booted().run("ip link set eth0 up && vconfig add eth0 42 && ip addr add 10.0.42.1/24 dev eth0.42 && ip link set eth0.42 up")
                _ = try guest.finish("ping -c 1 -W 1 10.0.42.2")
                let frames = try capture.waitFor(1) { $0["arp.dst.proto_ipv4"] == "10.0.42.2" }
                #expect(frames[0]["vlan.id"] == "42")
                daemon.stop()
            }
        }
    }
}

/// A file with random content in the lab's folder, and its SHA-256.
struct RandomFile {
    let path: String
    let digest: String

    init(_ lab: Lab, _ name: String, kib: Int) throws {
        path = lab.path(name)
        var random = SystemRandomNumberGenerator()
        var bytes = [UInt64](repeating: 0, count: kib * 128)
        for index in bytes.indices { bytes[index] = random.next() }
        try bytes.withUnsafeBytes { Data($0) }.write(to: URL(fileURLWithPath: path))
        digest = try RandomFile.digest(path)
    }

    static func digest(_ path: String) throws -> String { try String(run("sha256sum", path).prefix(64)) }
}
