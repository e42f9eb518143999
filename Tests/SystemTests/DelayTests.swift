import Foundation
import Testing

extension EndToEnd {
    @Suite("How long frames wait", .needs(.hugepages))
    struct DelayTests {
        @Test("delays are counted for classes and guests while that is switched on, and frames that pass at once count as none")
        func delays() throws {
            try withLab { lab in
                func configuration(_ delay: String) -> String {
                    """
                    daemon: {cpus: [1], buffers: 16384, delay: \(delay)}
                    bridges: [{name: br0}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2"))}
                    guests:
                      - {name: vm1, port: vm1, macs: ["52:54:00:00:00:02"]}
                      - {name: vm2, port: vm2, macs: ["52:54:00:00:00:04"], inbound: {ceiling: 10mbit, limit: 20}}

                    """
                }
                let daemon = try Daemon(lab, configuration("on"))
                // Twenty frames of 1514 bytes take 24 ms at 10 Mbit/s, and four times as many come as may leave.
                #expect(Generator.faults(try Generator.run(lab, """
                    duration: 2s
                    learn: true
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", server: true, mac: "52:54:00:00:00:02"}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", server: true, mac: "52:54:00:00:00:04"}
                    flows:
                      - {name: paced, from: vm1, to: vm2, size: 1514, rate: 40mbit}
                      - {name: free, from: vm2, to: vm1, size: 100, rate: 1kpps}
                    """)) == Generator.noFaults)
                _ = try daemon.atRest()
                let paced = try daemon.classStatus("br0", "vm2"), delay = paced["delay"]
                #expect(delay["frames"].int == paced["sent"]["frames"].int && delay["waited"].int ?? 0 > 1_000, "\(paced)")
                #expect(delay["buckets"].items.reduce(0) { $0 + ($1[1].int ?? 0) } == delay["waited"].int, "\(delay)")
                // No frame can have waited less when twenty were there before it.
                let p50 = delay["p50_nanoseconds"].int ?? 0, p99 = delay["p99_nanoseconds"].int ?? 0, longest = delay["max_nanoseconds"].int ?? 0
                #expect(p50 > 15_000_000 && p50 <= p99 && p99 <= longest, "\(delay)")
                #expect(try daemon.guest("vm2")["inbound_delay"] == delay)
                #expect(try daemon.guest("vm1")["inbound_delay"]["p50_nanoseconds"].int == 0)
                #expect(try daemon.command("class", "show", "vm2", "dir", "inbound").contains(/delay p50 \d+(\.\d)?ms p99 \d+(\.\d)?ms max .* pkt waited\)/))
                #expect(try daemon.command("guest", "show", "vm2").contains("vm2 inbound delay p50 "))
                #expect(try daemon.command("top", "--once", "--interval", "100ms").contains("  P99 "))

                // What was counted is gone when counting ends, and begins anew.
                try daemon.command("apply", lab.write("off.yaml", configuration("off")))
                #expect(try daemon.classStatus("br0", "vm2")["delay"].isNull && daemon.guest("vm2")["inbound_delay"].isNull)
                try daemon.command("apply", lab.write("on.yaml", configuration("on")))
                #expect(try daemon.classStatus("br0", "vm2")["delay"]["frames"].int == 0)
                daemon.stop()
            }
        }

        @Test("a mirror that copies frames into the queues they leave from does not change what is counted")
        func mirrored() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], delay: on}
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2"))}
                      - {name: vm3, type: vhost, bridge: br0, socket: \(lab.path("vm3"))}
                    guests:
                      - {name: vm1, port: vm1, macs: ["52:54:00:00:00:02"]}
                      - {name: vm2, port: vm2, macs: ["52:54:00:00:00:04"], inbound: {ceiling: 10mbit, limit: 20}}
                      - {name: vm3, port: vm3, macs: ["52:54:00:00:00:06"], inbound: {ceiling: 5mbit, limit: 50}}

                    """)
                try daemon.command("mirror", "add", "m1", "port", "vm2", "direction", "out", "to", "vm3")
                // Copies arrive at vm3 that no flow has sent there.
                let report = try Generator.run(lab, """
                    duration: 2s
                    learn: true
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", server: true, mac: "52:54:00:00:00:02"}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", server: true, mac: "52:54:00:00:00:04"}
                      - {name: vm3, device: "virtio_user:\(lab.path("vm3"))", server: true, mac: "52:54:00:00:00:06"}
                    flows:
                      - {name: paced, from: vm1, to: vm2, size: 1514, rate: 40mbit}
                      - {name: back, from: vm3, to: vm1, size: 100, rate: 1kpps}
                    """)
                #expect(report["flows"].items.allSatisfy { $0["receivedFrames"].int ?? 0 > 0 }, "\(report)")
                _ = try daemon.atRest()
                let paced = try daemon.classStatus("br0", "vm2"), delay = paced["delay"]
                #expect(try daemon.port("vm3")["tx"]["frames"].int ?? 0 > 0)
                #expect(delay["waited"].int ?? 0 > 100 && delay["frames"].int == paced["sent"]["frames"].int, "\(paced)")
                // A frame of long ago would have waited since the daemon was started, or since the clock was.
                #expect(delay["max_nanoseconds"].int ?? .max < 20_000_000_000, "\(delay)")
                daemon.stop()
            }
        }
    }
}
