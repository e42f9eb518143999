import Foundation
import Testing

/// What a daemon that has a configuration file remembers of single changes.
extension EndToEnd {
    @Suite("A configuration file, and single changes beside it", .needs(.hugepages))
    struct PersistenceTests {
        private static let yaml = """
            bridges: [{name: br0, rate: 10gbit}]
            ports: [{name: vm1, type: vhost, bridge: br0, mode: server, socket: SOCKET}]
            guests: [{name: vm1, port: vm1, macs: ["52:54:00:00:00:01"], inbound: {ceiling: 1gbit}}]

            """

        private func yaml(_ lab: Lab) -> String { Self.yaml.replacingOccurrences(of: "SOCKET", with: lab.path("vm1")) }

        /// The numbers of the changes that the running configuration has: the highest ceiling, and those of the static entries.
        private func made(_ daemon: Daemon) throws -> (ceiling: Int, entries: Set<Int>) {
            let entries = try daemon.show("fdb", "show").items.compactMap { $0["mac"].string }.filter { $0.hasPrefix("52:54:01:") }
            let ceiling = try daemon.classStatus("br0", "vm1")["ceiling"].int ?? 0
            return (ceiling / 1_000_000, Set(entries.compactMap { Int($0.suffix(5).replacingOccurrences(of: ":", with: ""), radix: 16) }))
        }

        @Test("a daemon that is killed in the middle of a stream of changes has lost none that it acknowledged")
        func killedAtAnyMoment() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, yaml(lab))
                var random = SystemRandomNumberGenerator(), number = 0, acknowledged = (ceiling: 1_000, entries: Set<Int>())
                for round in 1...8 {
                    let client = try ControlClient(daemon.socket)
                    // The changes are sent in one go, so that the daemon is at work when it is killed.
                    let numbers = Array((number + 1)...(number + 120)), killedAfter = Int.random(in: 1...100, using: &random)
                    number += 120
                    client.send(numbers.map { number in
                        let mac = "52:54:01:00:\(String(format: "%02x:%02x", number >> 8, number & 255))"
                        return number % 2 == 0
                            ? #"{"jsonrpc":"2.0","id":\#(number),"method":"class.set","params":{"path":"vm1","dir":"inbound","ceiling":"\#(1_000 + number)mbit"}}"#
                            : #"{"jsonrpc":"2.0","id":\#(number),"method":"fdb.add","params":{"mac":"\#(mac)","port":"vm1"}}"#
                    }.joined(separator: "\n") + "\n")
                    var answers = 0
                    while answers < 120, let line = try client.line() {
                        let answer = try JSON(line)
                        let id = try #require(answer["id"].int)
                        #expect(answer["result"]["applied"].bool == true, "\(answer)")
                        if id % 2 == 0 { acknowledged.ceiling = 1_000 + id } else { acknowledged.entries.insert(id) }
                        answers += 1
                        if answers == killedAfter { daemon.process.signal(SIGKILL) }
                    }
                    #expect(answers >= killedAfter)
                    try daemon.crashAndRestart()
                    let found = try made(daemon)
                    #expect(found.ceiling >= acknowledged.ceiling && found.ceiling <= 1_000 + number, "round \(round): \(found.ceiling), \(acknowledged.ceiling)")
                    #expect(found.entries.isSuperset(of: acknowledged.entries), "round \(round): \(acknowledged.entries.subtracting(found.entries)) are lost")
                    // What was not acknowledged may have been made all the same.
                    acknowledged = (found.ceiling, found.entries)
                }
                // All of it is told as what differs from the file, and is saved there.
                let count = acknowledged.entries.count + 1
                #expect(try daemon.command("status").contains("what runs differs from that file in \(count) things: sluice config diff shows them"))
                #expect(try daemon.command("config", "diff").split(separator: "\n").count == count)
                try daemon.command("config", "save")
                #expect(try daemon.command("config", "diff") == "nothing to change\n")
                let ran = try daemon.configuration()
                try daemon.crashAndRestart()
                #expect(try daemon.configuration() == ran)
                daemon.stop()
            }
        }

        @Test("a file that was edited while the daemon was away wins where it was edited, and an unfinished one stops no switch")
        func editedWhileAway() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, yaml(lab))
                try daemon.command("bridge", "add", "br1")
                try daemon.command("class", "set", "vm1", "dir", "inbound", "ceiling", "2gbit")
                let file = try String(contentsOfFile: daemon.config, encoding: .utf8)
                _ = try lab.write("control.yaml", file.replacingOccurrences(of: "rate: 10gbit", with: "rate: 20gbit"))
                #expect(try daemon.command("status").contains("that file was edited since it was loaded: sluice diff shows what applying it would change"))
                let diff = try daemon.command("diff")
                #expect(diff.contains("~ bridge br0 rate 10gbit -> 20gbit") && diff.contains("- bridge br1"), "\(diff)")
                let refused = try daemon.sluice("config", "save")
                #expect(refused.status == 1 && refused.errors.contains("was edited since it was loaded, and is not written over"), "\(refused.errors)")
                try daemon.crashAndRestart()
                #expect(daemon.log.contains("was edited while the daemon was away, and is loaded again"))
                #expect(try daemon.bridge("br0")["rate"].int == 20_000_000_000 && daemon.show("bridge", "show").items.count == 2)
                #expect(try daemon.classStatus("br0", "vm1")["ceiling"].int == 2_000_000_000)

                let ran = try daemon.configuration()
                _ = try lab.write("control.yaml", "bridges: [{name: br0, rate: 5")
                try daemon.crashAndRestart()
                #expect(try daemon.configuration() == ran)
                #expect(try daemon.command("status").contains("that file is not in use as it is now: "))
                // Whoever means it can write over it.
                try daemon.command("config", "save", "--force")
                #expect(try !daemon.command("status").contains("that file"))
                try daemon.command("check", daemon.config)
                daemon.stop()
            }
        }

        @Test("a reload, and applying the file itself, end the difference; applying another one makes one, which lasts")
        func reloaded() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, yaml(lab))
                for words in [["apply", daemon.config], []] {
                    try daemon.command("bridge", "add", "br1")
                    #expect(try daemon.command("config", "diff") == "+ bridge br1\n")
                    if words.isEmpty {
                        daemon.process.signal(SIGHUP)
                        try eventually("it is reloaded") { try daemon.show("bridge", "show").items.count == 1 }
                    } else {
                        #expect(try daemon.command(words) == "- bridge br1\n# deleted, as the file does not have it: bridge br1\n")
                    }
                    #expect(try !daemon.command("status").contains("differs"))
                }
                let other = try lab.write("other.yaml", Daemon.preamble + "bridges: [{name: br2}]\n")
                try daemon.command("apply", other)
                try daemon.crashAndRestart()
                #expect(try daemon.show("bridge", "show").items.map { $0["name"].string } == ["br2"])
                #expect(try daemon.command("status").contains("what runs differs from that file in 4 things"))
                // A change that the file makes, too, ends the difference about it.
                try daemon.command("apply", daemon.config)
                #expect(try daemon.command("config", "diff") == "nothing to change\n")
                daemon.stop()
            }
        }

        @Test("every configuration that ran can be shown and run again")
        func history() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, yaml(lab))
                func revisions() throws -> [JSON] { try daemon.show("config", "history").items }
                try eventually("the start is kept") { try revisions().map { $0["how"].string } == ["start"] }
                try daemon.command("bridge", "add", "br1")
                let before = try daemon.configuration()
                let other = try lab.write("other.yaml", "# another one\n" + Daemon.preamble + "bridges: [{name: br0}, {name: br2}]\n")
                let deleted = try daemon.command("apply", other)
                #expect(deleted.contains("# deleted, as the file does not have it: bridge br1, port vm1, guest vm1; `sluice config rollback 2` brings back what ran"), "\(deleted)")
                let list = try revisions()
                #expect(list.map { $0["how"].string } == ["start", "single changes", "apply"] && list.map { $0["number"].int } == [1, 2, 3])
                #expect(list[1]["changes"].int == 1 && list[2]["who"].string == "uid \(getuid()) pid \(list[2]["who"].string?.split(separator: " ")[3] ?? "") sluice")
                #expect(try daemon.command("config", "history", "3").hasPrefix("# another one\n"))
                #expect(try daemon.command("config", "rollback", "2", "--dry-run").contains("+ bridge br1"))
                #expect(try daemon.show("bridge", "show").items.count == 2 && revisions().count == 3)
                try daemon.command("config", "rollback", "2")
                #expect(try daemon.configuration() == before && revisions().last?["how"].string == "rollback to 2")
                let none = try daemon.sluice("config", "rollback", "9")
                #expect(none.status == 1 && none.errors.contains("no past configuration has the number 9: there are 1 to 4"), "\(none.errors)")
                // The file's own text can be returned to after it was saved over.
                let file = try String(contentsOfFile: daemon.config, encoding: .utf8)
                #expect(try daemon.command("config", "save").contains("# saved in \(daemon.config); `sluice config history 5` shows its old text"))
                #expect(try daemon.command("config", "history", "5") == file)
                try daemon.crashAndRestart()
                #expect(try daemon.configuration() == before && revisions().count == 6)
                daemon.stop()
            }
        }

        @Test("what is not confirmed in time is undone, and so is what a crash comes before")
        func unconfirmed() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, yaml(lab))
                try daemon.command("bridge", "add", "br1")
                let before = try daemon.configuration(), file = try String(contentsOfFile: daemon.config, encoding: .utf8)
                let new = file.replacingOccurrences(of: "rate: 10gbit", with: "rate: 20gbit")
                let other = try lab.write("other.yaml", new)
                #expect(try daemon.command("apply", "--confirm", "1h", other).contains("# undone in 3600 s unless `sluice confirm` comes before"))
                #expect(try daemon.command("status").contains("unconfirmed: what was applied is undone in 3"))
                for words in [["apply", "--confirm", "1h", other], ["apply", other], ["config", "rollback", "1"], ["config", "save"]] {
                    let refused = try daemon.sluice(words)
                    #expect(refused.status == 1 && refused.errors.contains("a configuration waits for `sluice confirm` and is otherwise undone in 3"), "\(words): \(refused)")
                }
                // Hooks work on, and single changes belong to what is tried.
                try daemon.command("part", "set", "mine", try lab.write("part.yaml", "ports: [{name: p, type: vhost, bridge: br0, mode: server, socket: \(lab.path("p"))}]\n"))
                try daemon.command("bridge", "add", "br2")
                #expect(try daemon.show("bridge", "show").items.count == 2)
                try daemon.crashAndRestart()
                #expect(daemon.log.contains("a configuration that was to be confirmed had not been when the daemon ended, and is undone"))
                try daemon.command("part", "del", "mine")
                #expect(try daemon.configuration() == before)

                // The edited file itself: what it says is not taken for what the operator wants after the crash either.
                _ = try lab.write("control.yaml", new)
                try daemon.command("apply", "--confirm", "1h", daemon.config)
                for _ in 1...2 {
                    try daemon.crashAndRestart()
                    #expect(try daemon.configuration() == before)
                }
                try daemon.command("apply", "--confirm", "1s", daemon.config)
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 30) { $0.contains("the configuration that was to be confirmed was not, and is undone") }
                #expect(try daemon.configuration() == before)
                try daemon.command("apply", "--confirm", "1h", daemon.config)
                #expect(try daemon.command("confirm", "--undo").contains("+ bridge br1"))
                #expect(try daemon.configuration() == before)

                try daemon.command("apply", "--confirm", "1h", daemon.config)
                #expect(try daemon.command("confirm") == "confirmed\n")
                #expect(try daemon.sluice("confirm").errors == "no configuration waits to be confirmed\n")
                let confirmed = try daemon.configuration()
                try daemon.crashAndRestart()
                #expect(try daemon.configuration() == confirmed && confirmed.contains("20gbit") && !daemon.command("status").contains("unconfirmed"))
                daemon.stop()
            }
        }
    }
}
