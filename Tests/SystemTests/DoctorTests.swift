import Foundation
import Testing

extension EndToEnd {
    @Suite("The doctor", .needs(.hugepages))
    struct DoctorTests {
        @Test("it compares the host with what runs or with a file, and its exit status tells whether something is wrong")
        func doctor() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\n")
                let running = try daemon.sluice("doctor", "--all")
                #expect(running.output.contains("ok      daemon: sluiced "), "\(running.output)\(running.errors)")
                #expect(running.output.contains("ok      hugepages: the daemon has the hugepages that it needs"), "\(running.output)")
                #expect(running.status == (running.output.contains("WRONG") ? 1 : 0))

                let file = try lab.write("next.yaml", """
                    daemon: {cpus: [4000], hugepages: false}
                    bridges: [{name: br0}]
                    ports:
                      - {name: wire, type: physical, bridge: br0, device: \(lab.tag)no}
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("none"))/vm1}

                    """)
                let wrong = try daemon.sluice("doctor", "--config", file, "-j")
                #expect(wrong.status == 1)
                let sentences = try JSON(wrong.output).items.filter { $0["kind"].string == "wrong" }.compactMap { $0["sentence"].string }
                #expect(sentences.contains { $0.hasPrefix("daemon.cpus names 4000, and this host has ") }, "\(sentences)")
                #expect(sentences.contains("there is no interface \(lab.tag)no"), "\(sentences)")
                #expect(sentences.contains("there is no folder \(lab.path("none")), in which QEMU is to make sockets"), "\(sentences)")
                daemon.stop()
            }
        }
    }
}
