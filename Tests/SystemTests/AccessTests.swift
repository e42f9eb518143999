import Foundation
import Testing

/// Who may ask the daemon for what.
extension EndToEnd {
    @Suite("Groups that may look, and that may change", .needs(.hugepages))
    struct AccessTests {
        @Test("members of one group look, those of the other change as well, and everybody else is told which group to join")
        func groups() throws {
            try withLab { lab in
                let config = try lab.write("c.yaml", Daemon.preamble + "bridges: [{name: br0}]\n"), socket = lab.path("c.sock")
                let daemon = try ChildProcess(Daemon.command(config, socket, lab.path("c.json")) + ["--view-group", "60001", "--change-group", "60002"])
                lab.atClose { daemon.stop() }
                _ = try daemon.waitForLine(in: daemon.output, within: 30) { $0.hasPrefix("ready") }
                chmod(lab.folder, 0o755)
                func sluice(_ groups: String, _ words: String...) throws -> Finished {
                    let user = ["setpriv", "--reuid", "60000", "--regid", "60000"] + (groups.isEmpty ? ["--clear-groups"] : ["--groups", groups])
                    return try finish(user + [lab.path("sluice")] + words, environment: ["SLUICE_SOCKET": socket], within: 30)
                }
                // Other users cannot look into the folder where this was built.
                try FileManager.default.copyItem(atPath: Build.program("sluice"), toPath: lab.path("sluice"))
                // The group is the last of many, more than the daemon expects at first.
                let many = (70_000..<70_100).map(String.init).joined(separator: ",")
                #expect(try sluice("60001", "bridge", "show").output.contains("br0"))
                let looking = try sluice("\(many),60001", "bridge", "add", "br1")
                #expect(looking.status == 1 && looking.errors == "bridge.add is for root and members of the group 60002: join one, or use sudo\n", "\(looking.errors)")
                for words in [["apply", "--dry-run", "/dev/null"], ["config", "save"], ["fdb", "flush"], ["core", "balance"], ["confirm"]] {
                    let refused = try finish(
                        ["setpriv", "--reuid", "60000", "--regid", "60000", "--groups", "60001", lab.path("sluice")] + words, environment: ["SLUICE_SOCKET": socket], within: 30)
                    #expect(refused.status == 1 && refused.errors.contains("is for root and members of the group 60002"), "\(words): \(refused.errors)")
                }
                #expect(try sluice("\(many),60002", "bridge", "add", "br1").status == 0)
                #expect(try sluice("60001", "bridge", "show").output.contains("br1"))
                _ = try daemon.waitForLine(in: daemon.errors, within: 10) { $0.contains("command=sluice pid=") && $0.contains("uid=60000 bridge add: + bridge br1") }
                _ = try daemon.waitForLine(in: daemon.errors, within: 10) { $0.contains("notice sluiced: command=sluice pid=") && $0.contains("uid=60000 refused: bridge.add") }
                let stranger = try sluice("", "bridge", "show")
                #expect(stranger.status == 1 && stranger.errors.contains("members of the group sluice may look and those of sluice-admin may change"), "\(stranger.errors)")
                daemon.signal(SIGTERM)
                #expect(daemon.waitForExit(until: .after(30)) == .code(0))
                let refused = try finish(Daemon.command(config, socket, lab.path("c.json")) + ["--view-group", "nobody-is-called-so"], within: 30)
                #expect(refused.status != 0 && refused.errors.contains("there is no group 'nobody-is-called-so'"), "\(refused.errors)")
            }
        }
    }
}
