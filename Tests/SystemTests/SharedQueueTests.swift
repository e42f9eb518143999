import Testing

/// Several poll loops send to one ring: one at a time, and a loop that finds another in the ring tries again later.
extension EndToEnd {
    @Suite("Rings that poll loops share", .needs(.hugepages))
    struct SharedQueueTests {
        @Test("a ring with room is not full because another loop is in it")
        func contention() throws {
            try withLab { lab in
                func port(_ name: String, _ cpu: Int) -> String {
                    "  - {name: \(name), type: vhost, bridge: br0, socket: \(lab.path(name)), cpus: [\(cpu)]}\n"
                }
                let daemon = try Daemon(
                    lab, "daemon: {cpus: [0, 1], buffers: 16384, polling: adaptive}\nbridges: [{name: br0}]\nports:\n"
                        + port("vm1", 0) + port("vm2", 1) + port("sink", 0))
                let ports = ["vm1", "vm2", "sink"].map { "  - {name: \($0), device: \"virtio_user:\(lab.path($0))\", server: true, ring: 1024}\n" }.joined()
                // There are so few frames that the sink's ring has room for those that come while the generator, which shares a CPU, does not run.
                let scenario = "duration: 5s\nlearn: true\nports:\n" + ports + """
                    flows:
                      - {name: a, from: vm1, to: sink, size: 60, rate: 15kpps}
                      - {name: b, from: vm2, to: sink, size: 60, rate: 15kpps}
                    expect: [{name: all, flows: ["*"], intact: true, loss-at-most: 0%}]
                    """
                var full = 0
                // If the generator did not have its CPU for a tenth of a second, it has to catch up with more frames than the ring holds.
                for _ in 1...3 {
                    let before = try daemon.port("sink")["tx_full"].int ?? 0
                    let report = try Generator.measure(lab, daemon, scenario)
                    #expect(Generator.missed(report) == [])
                    full = try (daemon.port("sink")["tx_full"].int ?? 0) - before
                    if full == 0 { break }
                    print("played again: the ring was full \(full) times")
                    for port in ["vm1", "vm2", "sink"] { try daemon.waitUntil(port: port, is: "waiting") }
                }
                #expect(full == 0)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
