import Foundation
import Testing

extension EndToEnd {
    @Suite("A wire made of shared memory", .needs(.hugepages))
    struct MemifTests {
        @Test("a memif peer that is killed in the midst of traffic harms nobody, and the next one is served")
        func killedPeers() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1")), mode: server}
                      - {name: uplink, type: physical, bridge: br0, device: "net_memif0,role=server,id=0,socket=\(lab.path("memif")),socket-abstract=no"}
                    """)
                let scenario = try lab.write("scenario.yaml", """
                    duration: 60s
                    learn: true
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))"}
                      - {name: far, device: "net_memif1,role=client,id=0,socket=\(lab.path("memif")),socket-abstract=no"}
                    flows:
                      - {name: out, from: vm1, to: far, size: 60, rate: max}
                      - {name: back, from: far, to: vm1, size: 60, rate: max}
                    """)
                for _ in 1...5 {
                    let before = try sent(daemon)
                    let generator = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--no-bins")
                    try eventually("frames flow both ways") { try zip(sent(daemon), before).allSatisfy { $0 > $1 + 10_000 } }
                    generator.stop()
                    // What a killed process could not remove itself.
                    try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-gen-\(generator.pid)")
                }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("a memif port that nobody is connected to is down from the first")
        func withoutPeer() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\n")
                // Nothing is up until its link was looked at.
                try daemon.command(
                    "port", "add", "uplink", "type", "physical", "bridge", "br0", "device",
                    "net_memif0,role=server,id=0,socket=\(lab.path("memif")),socket-abstract=no")
                let port = try daemon.port("uplink")
                #expect(port["state"].string == "down")
                #expect(port["reason"].string == "no link")
                daemon.stop()
            }
        }

        private func sent(_ daemon: Daemon) throws -> [Int] {
            try ["vm1", "uplink"].map { try daemon.port($0)["tx"]["frames"].int ?? 0 }
        }
    }
}
