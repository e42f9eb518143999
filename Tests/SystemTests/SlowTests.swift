import Foundation
import Testing

/// `sluice slow`, where each cause is made by real traffic. `SeeingTests` makes the others: a ceiling of its own, a bridge's rate, pace and a filter.
extension EndToEnd {
    @Suite("What holds a guest back", .needs(.hugepages))
    struct SlowTests {
        private func causes(_ daemon: Daemon, of guest: String) throws -> [JSON] { try JSON(daemon.command("slow", guest, "--interval", "500ms", "-j")).items }

        /// The traffic has to begin, and a change has to show, before there is something to see.
        private func isHeld(_ daemon: Daemon, _ guest: String, by names: [String], _ sentence: String) throws {
            var seen: [JSON] = []
            do {
                try eventually("\(names) hold \(guest) back", within: 30) {
                    seen = try causes(daemon, of: guest)
                    return seen.contains { cause in
                        names.contains(cause["name"].string ?? "") && cause["weight"].double ?? 0 > 0.1 && cause["sentence"].string?.contains(sentence) == true
                    }
                }
            } catch { throw LabError("\(error): \(seen)") }
        }

        @Test("a group's ceiling, a full queue, the uplink's rate, a full ring and a CPU that others take are named")
        func staged() throws {
            try withLab { lab in
                let wires = try [VethPair(lab, "w")]
                let uplinks = wires.enumerated().map { "  - {name: up\($0), type: physical, bridge: br0, device: \"net_af_packet\($0),iface=\($1.near)\"\($0 == 0 ? ", rate: 10mbit" : "")}\n" }
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 16384}
                    bridges: [{name: br0, rate: 10gbit, static: [{mac: "02:00:00:00:00:99", port: up0}]}]
                    ports:
                    \(uplinks.joined())
                    \(["vm1", "vm2", "vm3"].map { "  - {name: \($0), type: vhost, bridge: br0, mode: server, socket: \(lab.path($0))}\n" }.joined())
                    groups: [{name: tenant, bridge: br0, inbound: {ceiling: 20mbit}}]
                    guests:
                      - {name: vm1, port: vm1, macs: ["52:54:00:00:00:02"]}
                      - {name: vm2, port: vm2, group: tenant, macs: ["52:54:00:00:00:04"]}
                      - {name: vm3, port: vm3, macs: ["52:54:00:00:00:06"]}

                    """)
                func generate(_ flows: String) throws -> ChildProcess {
                    let scenario = try lab.write("scenario.yaml", """
                        duration: 120s
                        ports:
                          - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", mac: "52:54:00:00:00:02"}
                          - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", mac: "52:54:00:00:00:04"}
                        flows:
                        \(flows)
                        """)
                    return try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
                }
                func end(_ generator: ChildProcess) {
                    generator.signal(SIGTERM)
                    _ = generator.waitForExit(until: .after(30))
                }
                // What is for vm3 and for the wire arrives nowhere in the generator, which does not matter here.
                let generator = try generate("""
                      - {name: there, from: vm1, to: vm2, size: 1000, rate: 5kpps}
                      - {name: wire, from: vm1, to: "02:00:00:00:00:99", at: vm2, size: 1000, rate: 2kpps}
                      - {name: third, from: vm1, to: "52:54:00:00:00:06", at: vm2, size: 200, rate: 5kpps}
                    """)
                try isHeld(daemon, "vm2", by: ["ancestor_ceiling"], "class tenant, which it shares with others, is at its ceiling")
                try daemon.command("group", "set", "tenant", "inbound", "ceiling", "none")
                try daemon.command("guest", "set", "vm2", "inbound", "ceiling", "20mbit", "limit", "10")
                try isHeld(daemon, "vm2", by: ["queue_limit"], "its queue is full")
                try isHeld(daemon, "vm1", by: ["ancestor_ceiling", "nothing_to_lend"], " of up0 ")

                // A guest that makes eight buffers available at a time, and fewer than frames come for it.
                nonisolated(unsafe) let slow = try Frontend(lab.path("vm3"))
                try slow.start()
                try daemon.waitUntil(port: "vm3", is: "up")
                let ends = DispatchSemaphore(value: 0), ended = DispatchSemaphore(value: 0)
                Thread.detachNewThread {
                    var count: UInt16 = 0
                    // This is how slow the guest is; nothing waits for it.
                    while ends.wait(timeout: .now() + .milliseconds(4)) == .timedOut {
                        count &+= 8
                        slow.offer(ring: 0, bufferBytes: 2_048, count: count)
                    }
                    ended.signal()
                }
                defer {
                    ends.signal()
                    ended.wait()
                }
                try isHeld(daemon, "vm3", by: ["output_full"], "its ring was full")

                let rival = try lab.start("taskset", "-c", "1", "sh", "-c", "while :; do :; done")
                try isHeld(daemon, "vm1", by: ["stalls"], "CPU 1, which polls port vm1, was taken away")
                rival.stop()
                end(generator)

                daemon.stop()
            }
        }
    }
}
