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
                    // A killed process could not remove its directory itself.
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
                // A port is not up until its link has been looked at.
                try daemon.command(
                    "port", "add", "uplink", "type", "physical", "bridge", "br0", "device",
                    "net_memif0,role=server,id=0,socket=\(lab.path("memif")),socket-abstract=no")
                let port = try daemon.port("uplink")
                #expect(port["state"].string == "down")
                #expect(port["reason"].string == "no link")
                daemon.stop()
            }
        }

        @Test("a memif server's port comes back after the daemon was killed, and one that could not be opened can be once its folder is there")
        func comesBack() throws {
            try withLab { lab in
                func server(_ number: Int, _ path: String) -> String {
                    "{type: physical, bridge: br0, name: m\(number), device: \"net_memif\(number),role=server,id=0,socket=\(lab.path(path)),socket-abstract=no\"}"
                }
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports:\n  - \(server(0, "memif"))\n  - \(server(1, "later/memif"))\n")
                func state(_ port: String) throws -> String? { try daemon.port(port)["state"].string }
                // There is no peer yet.
                #expect(try state("m0") == "down")
                #expect(try state("m1") == "failed")
                try daemon.crashAndRestart()
                #expect(try state("m0") == "down", "\(daemon.log)")
                for _ in 0..<2 {
                    #expect(try daemon.sluice("port", "reset", "m1").status == 1)
                    #expect(!daemon.log.contains("already allocated"), "\(daemon.log)")
                }
                try FileManager.default.createDirectory(atPath: lab.path("later"), withIntermediateDirectories: false)
                // The daemon may try again by itself at this moment and have opened the port already, so the result is not checked.
                _ = try daemon.sluice("port", "reset", "m1")
                try daemon.waitUntil(port: "m1", is: "down")
                #expect(FileManager.default.fileExists(atPath: lab.path("later/memif")))
                daemon.stop()
            }
        }

        private func sent(_ daemon: Daemon) throws -> [Int] {
            try ["vm1", "uplink"].map { try daemon.port($0)["tx"]["frames"].int ?? 0 }
        }
    }
}
