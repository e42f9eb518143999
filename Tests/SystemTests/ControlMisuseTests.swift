import Foundation
import Testing

extension EndToEnd {
    @Suite("The control socket is misused while guests talk", .needs(.hugepages))
    struct ControlMisuseTests {
        /// How many guests the configuration has, so that what the daemon answers is large.
        private static let many = 400

        @Test("no frame between two guests is lost, other clients are answered, and memory and descriptors are bounded and given back")
        func misuse() throws {
            try withLab { lab in
                let ports = (0..<Self.many).map { "  - {name: p\($0), type: vhost, bridge: br0, socket: \(lab.path("p\($0)"))}\n" }.joined()
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2"))}
                    \(ports)
                    """)
                let scenario = try lab.write("talk.yaml", """
                    duration: 600s
                    learn: true
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", server: true}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", server: true}
                    flows:
                      - {name: to, from: vm1, to: "52:54:02:00:00:00", at: vm2, mac: "52:54:01:00:00:00", rate: 2kpps}
                      - {name: back, from: vm2, to: "52:54:01:00:00:00", at: vm1, mac: "52:54:02:00:00:00", rate: 2kpps}
                    """)
                let guests = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
                lab.atClose { try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-gen-\(guests.pid)") }
                func delivered() throws -> Int { try daemon.show("stats", "show")["delivered"]["frames"].int ?? 0 }
                try eventually("the guests talk") { try delivered() > 2_000 }

                let before = try daemon.configuration()
                // What is made at the first use only does not count: threads, and buffers that are kept.
                try manyClients(daemon)
                let descriptors = try descriptors(daemon), memory = try daemon.memory()
                let misuses: [(name: String, misuse: (Daemon) throws -> Void)] = [
                    ("thousands of connections", manyClients), ("half-sent requests", halfRequests), ("answers that nobody reads", slowReaders),
                    ("batches that nobody reads", slowBatches), ("one byte at a time", singleBytes), ("clients that are killed", killedClients),
                    ("lines of 100 MB", longLines), ("what is no request", nonsense), ("descriptors", descriptorsAreSent),
                ]
                for (name, misuse) in misuses {
                    let frames = try delivered()
                    try misuse(daemon)
                    #expect(daemon.isRunning, "\(name)")
                    // Another client is answered, and frames have passed meanwhile.
                    try eventually("a client gets in after \(name)") { try daemon.sluice("port", "show", "vm1").status == 0 }
                    try eventually("frames pass after \(name)") { try delivered() > frames + 100 }
                    try eventually("the descriptors are given back after \(name)") { try self.descriptors(daemon) <= descriptors + 8 }
                    let now = try daemon.memory()
                    print("after \(name): \(now >> 10) MiB resident, \(memory >> 10) before all")
                    // Twice what all requests and answers together may take: malloc keeps some of what was freed.
                    #expect(now - memory < 400 << 10, "KiB after \(name)")
                }
                #expect(try daemon.configuration() == before)
                guests.signal(SIGINT)
                let exit = guests.waitForExit(until: .after(60))
                #expect(exit != nil)
                let text = guests.output.text
                let report = try JSON(String(text[try #require(text.firstIndex(of: "{"))...]))
                #expect(Generator.faults(report) == Generator.noFaults)
                for flow in report["flows"].items { #expect(flow["lost"].int == 0 && flow["receivedFrames"].int ?? 0 > 2_000, "\(flow)") }
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        private func manyClients(_ daemon: Daemon) throws {
            for _ in 0..<8 {
                let clients = (0..<400).compactMap { _ in try? ControlClient(daemon.socket) }
                #expect(clients.count > 250)
                for client in clients { client.send(#"{"jsonrpc":"2.0","id":1,"method":"version"}"# + "\n", within: 1) }
                for client in clients { client.close() }
            }
        }

        private func halfRequests(_ daemon: Daemon) throws {
            // None of these is ever completed. Together they are larger than all that may wait.
            let clients = (0..<200).compactMap { _ in try? ControlClient(daemon.socket) }
            let half = Array((#"{"jsonrpc":"2.0","id":1,"method":"config.apply","params":{"yaml":""# + String(repeating: "#", count: 1 << 20)).utf8)
            for client in clients { client.send(half, within: 1) }
            // The operator's request is small, and so it is taken all the same.
            #expect(try daemon.sluice("port", "show", "vm1").status == 0)
            for client in clients { client.close() }
        }

        private func slowReaders(_ daemon: Daemon) throws {
            // More clients than there may be, each with an answer to take that is larger than its socket holds.
            let clients = (0..<256).compactMap { _ in try? ControlClient(daemon.socket) }
            let requests = String(repeating: #"{"jsonrpc":"2.0","id":1,"method":"port.show"}"# + "\n", count: 50)
            for client in clients { client.send(requests, within: 1) }
            try eventually("the operator gets in") { try daemon.sluice("port", "show", "vm1").status == 0 }
            for client in clients { client.close() }
        }

        private func slowBatches(_ daemon: Daemon) throws {
            let clients = (0..<64).compactMap { _ in try? ControlClient(daemon.socket) }
            let batch = "[" + String(repeating: #"{"jsonrpc":"2.0","id":1,"method":"port.show"},"#, count: 200) + #"{"jsonrpc":"2.0","id":1,"method":"version"}]"# + "\n"
            for client in clients { client.send(batch, within: 10) }
            // These are behind all of the batches' first requests, and between the others.
            for _ in 0..<10 { #expect(try daemon.sluice("port", "show", "vm1").status == 0) }
            for client in clients { client.close() }
        }

        private func singleBytes(_ daemon: Daemon) throws {
            let client = try ControlClient(daemon.socket)
            for byte in #"{"jsonrpc":"2.0","id":7,"method":"version"}"#.utf8 { #expect(client.send([byte])) }
            client.send("\n")
            #expect(try JSON(client.line() ?? "")["id"].int == 7)
        }

        private func killedClients(_ daemon: Daemon) throws {
            for _ in 0..<20 {
                let clients = try (0..<8).map { number in
                    try ChildProcess([Build.program("sluice"), number % 2 == 0 ? "port" : "class", "show", "-j"], environment: ["SLUICE_SOCKET": daemon.socket])
                }
                for client in clients { client.signal(SIGKILL) }
                for client in clients { #expect(client.waitForExit(until: .after(30)) != nil) }
            }
        }

        private func longLines(_ daemon: Daemon) throws {
            let clients = try (0..<3).map { _ in try ControlClient(daemon.socket) }
            let chunk = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
            for client in clients {
                var sent = 0
                while sent < 100, client.send(chunk, within: 20) { sent += 1 }
                client.send("\n", within: 1)
                // The rest is thrown away for a while, so that the client can read why.
                let answer = try client.line()
                #expect(answer?.contains("the request is larger than 16 MiB") == true, "\(answer ?? "nothing")")
            }
        }

        private func nonsense(_ daemon: Daemon) throws {
            let client = try ControlClient(daemon.socket)
            let deep = String(repeating: "[", count: 2_000_000)
            for text in [deep, "{\"a\":" + deep, "\u{0}", "{\"jsonrpc\":\"2.0\",\"id\":1e999,\"method\":\"status\"}", "nul", "\"\\ud800\"", "[" + String(repeating: "[],", count: 100_000) + "[]]"] {
                client.send(text + "\n")
                let answer = try JSON(client.line() ?? "")
                #expect(answer["error"]["code"].int ?? answer.items.first?["error"]["code"].int ?? 0 < -32_000, "\(text.prefix(40))")
            }
            for bytes in [[0xff, 0xfe], [0xc0, 0x80], [0x22, 0xed, 0xa0, 0x80, 0x22], [0xf5, 0x80, 0x80, 0x80]] as [[UInt8]] {
                client.send(bytes + [10])
                #expect(try JSON(client.line() ?? "")["error"]["code"].int == -32_700)
            }
            #expect(try client.call("version")["result"]["version"].string != nil)
        }

        /// Descriptors that clients pass along with a request (SCM_RIGHTS, unix(7)) are not kept.
        private func descriptorsAreSent(_ daemon: Daemon) throws {
            let client = try ControlClient(daemon.socket)
            let passed = open("/dev/null", O_RDONLY | O_CLOEXEC)
            defer { close(passed) }
            for number in 0..<50 {
                #expect(client.send(Array("{\"jsonrpc\":\"2.0\",\"id\":\(number),\"method\":\"version\"}\n".utf8), passing: [Int32](repeating: passed, count: 100)))
                #expect(try JSON(client.line() ?? "")["id"].int == number)
            }
            // Not even while the client is there.
            let kept = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.process.pid)/fd").count {
                (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/\(daemon.process.pid)/fd/\($0)")) == "/dev/null"
            }
            #expect(kept < 50, "descriptors of /dev/null")
        }

        private func descriptors(_ daemon: Daemon) throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.process.pid)/fd").count }
    }
}
