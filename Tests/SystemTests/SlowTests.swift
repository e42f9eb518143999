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

        @Test(
            "a receiver's full TCP window lets nothing wait here, so that is said, and where to look",
            .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/python3"), "needs python3"))
        func receiversWindow() throws {
            try withLab { lab in
                let hosts = try ["a", "b"].map { try Namespace(lab, $0) }
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 16384}
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                    \(zip(["a", "b"], hosts).map { "  - {name: \($0), type: tap, bridge: br0, interface: tap0, netns: \($1.name)}\n" }.joined())
                    guests: [{name: a, port: a}, {name: b, port: b}]

                    """)
                for (place, host) in hosts.enumerated() { try host.configure("tap0", address: "10.0.0.\(place + 1)/24") }
                try hosts[0].reaches("10.0.0.2")
                // The receiver has room for a few frames, and reads slowly; this is how slow it is, and nothing waits for it.
                let receiver = try lab.write("receiver.py", """
                    import socket, time
                    listener = socket.socket()
                    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                    listener.bind(("10.0.0.2", 5000))
                    listener.listen()
                    print("listening", flush=True)
                    connection = listener.accept()[0]
                    while connection.recv(1024): time.sleep(0.05)
                    """)
                let sender = try lab.write("sender.py", """
                    import socket
                    connection = socket.create_connection(("10.0.0.2", 5000))
                    while True: connection.sendall(bytes(65536))
                    """)
                let listening = try lab.start("/usr/bin/python3", receiver, namespace: hosts[1], cpus: "0")
                _ = try listening.waitForLine(in: listening.output, within: 20) { $0.contains("listening") }
                _ = try lab.start("/usr/bin/python3", sender, namespace: hosts[0], cpus: "0")
                try eventually("the window is full") { try hosts[0].run("ss", "-ti").contains("rwnd_limited") }
                for guest in ["a", "b"] {
                    var seen: [JSON] = []
                    do {
                        // A CPU that others take for a moment is told, too.
                        try eventually("nothing holds \(guest) back") {
                            seen = try causes(daemon, of: guest)
                            return seen.count == 1 && seen[0]["name"].string == "nothing"
                                && seen[0]["advice"].string?.contains("the windows of their connections") == true
                        }
                    } catch { throw LabError("\(error): \(seen)") }
                }
                daemon.stop()
            }
        }

        @Test("a poll loop that has no time left is named")
        func busyPollLoop() throws {
            try withLab { lab in
                let taps = (0..<6).map { "  - {name: t\($0), type: tap, bridge: br0, interface: \(lab.tag)\($0)}\n" }
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 16384}
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                    \(taps.joined())
                      - {name: vm1, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm2"))}
                    guests: [{name: vm1, port: vm1}, {name: vm2, port: vm2}]

                    """)
                // Nobody has the address, so the poll loop writes each frame to every tap, which takes it far longer than the generator takes to make it.
                let scenario = try lab.write("scenario.yaml", """
                    duration: 120s
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", mac: "52:54:00:00:00:02"}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", mac: "52:54:00:00:00:04"}
                    flows: [{name: all, from: vm1, to: "02:00:00:00:00:99", at: vm2, size: 60, rate: max}]
                    """)
                let generator = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
                try isHeld(daemon, "vm1", by: ["cpu"], "CPU 1, which polls port vm1 and 7 others, is busy")
                generator.signal(SIGTERM)
                _ = generator.waitForExit(until: .after(30))
                daemon.stop()
            }
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
