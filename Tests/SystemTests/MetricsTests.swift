import Foundation
import TestSupport
import Testing

extension EndToEnd {
    @Suite("Metrics", .needs(.hugepages))
    struct MetricsTests {
        private func yaml(_ lab: Lab, _ place: String) -> String {
            """
            daemon: {cpus: [1], buffers: 16384, metrics: "\(place)"}
            bridges: [{name: br0, rate: 10gbit}]
            ports:
              - {name: vm1, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm1"))}
              - {name: vm2, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm2"))}
            guests:
              - {name: vm1, port: vm1, macs: ["52:54:00:00:00:02"], inbound: {floor: 1gbit}}
              - {name: vm2, port: vm2, macs: ["52:54:00:00:00:04"]}

            """
        }

        @Test("OpenMetrics on loopback agrees with what the command line shows, and moves to another place while the daemon runs")
        func loopback() throws {
            try withLab { lab in
                let port = try WebClient.freePort()
                let daemon = try Daemon(lab, yaml(lab, "127.0.0.1:\(port)"))
                let scenario = try lab.write("scenario.yaml", """
                    duration: 1s
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", mac: "52:54:00:00:00:02"}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", mac: "52:54:00:00:00:04"}
                    flows: [{name: there, from: vm1, to: vm2, size: 60, rate: 1kpps}]
                    """)
                let generator = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
                #expect(generator.waitForExit(until: .after(60)) != nil)
                try daemon.waitUntil(port: "vm1", is: "waiting")

                let answer = try WebClient.ask(String(port))
                #expect(answer.status == "HTTP/1.1 200 OK" && answer.head.contains("Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8"), "\(answer.head)")
                let metrics = try OpenMetrics(answer.body)
                let shown = try daemon.port("vm1")["rx"]["frames"].int ?? 0
                #expect(shown > 500 && metrics.value("sluice_port_rx_frames_total", ["port": "vm1"]) == Double(shown))
                #expect(metrics.value("sluice_class_floor", ["tree": "br0", "class": "vm1"]) == 1e9)
                #expect(metrics.value("sluice_port_state", ["port": "vm1", "sluice_port_state": "waiting"]) == 1)
                #expect(metrics.value("sluice_guest_outbound_frames_total", ["guest": "vm1"]) != nil)
                #expect(metrics.value("sluice_guest_inbound_cycles_total", ["guest": "vm1"]) != nil)

                #expect(try WebClient.ask(String(port), "HEAD").body.isEmpty)
                #expect(try WebClient.ask(String(port), "GET", "/").status.contains("404"))
                #expect(try WebClient.ask(String(port), "POST").status.contains("405"))
                // A proxy names the whole address.
                #expect(try WebClient.ask(String(port), "GET", "http://127.0.0.1:\(port)/metrics?x=1").status.contains("200"))
                #expect(try WebClient.ask(String(port), "GET", "http://127.0.0.1:\(port)").status.contains("404"))
                // Who connects and asks nothing keeps nobody out.
                let silent = try (0..<40).map { _ in try WebClient.connect(String(port)) }
                for _ in 0..<3 { #expect(try WebClient.ask(String(port)).status.contains("200")) }
                silent.forEach { close($0) }
                // Nor does who asks again and again and reads no answer.
                let requests = Array(String(repeating: "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n", count: 2_000).utf8)
                let memory = try daemon.memory()
                let deaf = try (0..<40).map { _ in try WebClient.connect(String(port)) }
                for descriptor in deaf { _ = send(descriptor, requests, requests.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT)) }
                try eventually("a scraper is served") { (try? WebClient.ask(String(port)).status.contains("200")) == true }
                #expect(try daemon.memory() < memory + 64 << 10, "KiB, \(memory) before")
                deaf.forEach { close($0) }

                // A place that cannot be had is refused, and the old one goes on.
                let refused = try lab.write("refused.yaml", yaml(lab, "/proc/metrics.sock"))
                let told = try daemon.sluice("apply", refused)
                #expect(told.status == 1 && told.errors.contains("the metrics socket /proc/metrics.sock cannot be made"), "\(told.errors)")
                #expect(try WebClient.ask(String(port)).status.contains("200"))

                let path = lab.path("metrics.sock")
                try daemon.command("apply", try lab.write("moved.yaml", yaml(lab, path)))
                #expect(try OpenMetrics(WebClient.ask(path).body).value("sluice_status_ports") == 2)
                #expect(throws: LabError.self) { try WebClient.ask(String(port)) }
                #expect(try run("stat", "-c", "%a", path) == "660\n")
                try daemon.command("apply", try lab.write("off.yaml", yaml(lab, path).replacing(", metrics: \"\(path)\"", with: "")))
                #expect(throws: LabError.self) { try WebClient.ask(path) }
                #expect(!FileManager.default.fileExists(atPath: path))
                daemon.stop()
            }
        }

        @Test("a place that is taken when the daemon starts is told, and served as soon as it is free")
        func taken() throws {
            try withLab { lab in
                let path = lab.path("metrics.sock")
                try Data().write(to: URL(fileURLWithPath: path))
                let daemon = try Daemon(lab, yaml(lab, path))
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 30) { $0.contains("\(path) is there and is no socket: move it away, or give another path under daemon.metrics") }
                try FileManager.default.removeItem(atPath: path)
                try eventually("metrics are served") { (try? WebClient.ask(path).status.contains("200")) == true }
                daemon.stop()
                #expect(!FileManager.default.fileExists(atPath: path))
            }
        }
    }
}
