import Foundation
import Testing

/// What the daemon says of what happens on it.
extension EndToEnd {
    @Suite("The daemon's log", .needs(.hugepages))
    struct LogTests {
        private func yaml(_ lab: Lab) -> String {
            """
            bridges: [{name: br0}]
            ports:
              - {name: vm1, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm1"))}
              - {name: vm2, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm2"))}

            """
        }

        @Test("guests that come and go, carriers, and changes with who made them are logged")
        func events() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let daemon = try Daemon(lab, yaml(lab) + "  - {name: up, type: physical, bridge: br0, device: \(wire.near), rate: 1gbit}\n")
                func waitFor(_ parts: String...) throws {
                    _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 30) { line in parts.allSatisfy { line.contains($0) } }
                }
                let scenario = try lab.write("scenario.yaml", """
                    duration: 3s
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", mac: "52:54:00:00:00:02"}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", mac: "52:54:00:00:00:04"}
                    flows: [{name: there, from: vm1, to: vm2, size: 60, rate: 1kpps}]
                    """)
                let generator = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
                try waitFor(" info sluiced: port=vm1 a guest is connected")
                #expect(generator.waitForExit(until: .after(60)) != nil)
                try waitFor(" notice sluiced: port=vm1 the guest is gone")
                try run("ip", "link", "set", wire.far, "down")
                try waitFor(" warning sluiced: port=up the carrier is lost")
                try run("ip", "link", "set", wire.far, "up")
                try waitFor(" notice sluiced: port=up the carrier is back")
                try daemon.command("bridge", "add", "br1")
                try waitFor(" info sluiced: command=sluice pid=", " uid=\(getuid()) bridge add: + bridge br1")
                try daemon.command("apply", daemon.config)
                try waitFor(" info sluiced: command=sluice pid=", " apply: - bridge br1")
                try daemon.command("bridge", "add", "br2")
                daemon.process.signal(SIGHUP)
                try waitFor(" info sluiced: reload: - bridge br2")
                daemon.stop()
            }
        }

        @Test("for systemd's journal each line begins with its priority")
        func journal() throws {
            try withLab { lab in
                let file = lab.path("journal")
                let script = "exec 2>\(file); export JOURNAL_STREAM=$(stat -c %d:%i \(file)); exec \"$@\""
                let daemon = try Daemon(lab, yaml(lab), limitedBy: ["sh", "-c", script, "sh"])
                try daemon.command("bridge", "add", "br1")
                let lines = try String(contentsOfFile: file, encoding: .utf8).split(separator: "\n")
                #expect(lines.contains { $0.hasPrefix("<6>info sluiced: command=sluice ") && $0.hasSuffix(" bridge add: + bridge br1") }, "\(lines)")
                daemon.stop()
            }
        }

        @Test("only what is important enough is logged, and a level that does not exist is refused")
        func levels() throws {
            try withLab { lab in
                let config = try lab.write("c.yaml", Daemon.preamble + yaml(lab)), socket = lab.path("c.sock")
                let words = Daemon.command(config, socket, lab.path("c.json"))
                let refused = try finish(words + ["--log-level", "loud"], within: 30)
                #expect(refused.status != 0 && refused.errors.contains("--log-level takes one of trace, debug, info, notice, warning, error, critical, not 'loud'"))
                let quiet = try ChildProcess(words + ["--log-level", "warning"])
                lab.atClose { quiet.stop() }
                _ = try quiet.waitForLine(in: quiet.output, within: 30) { $0.hasPrefix("ready") }
                #expect(try finish([Build.program("sluice"), "bridge", "add", "br1"], environment: ["SLUICE_SOCKET": socket], within: 30).status == 0)
                quiet.signal(SIGTERM)
                #expect(quiet.waitForExit(until: .after(30)) == .code(0))
                #expect(!quiet.errors.text.contains("carrying traffic") && !quiet.errors.text.contains("bridge add"), "\(quiet.errors.text)")
            }
        }
    }
}
