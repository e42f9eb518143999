import Foundation
import Testing

extension EndToEnd {
    @Suite("Start, stop and answer", .needs(.hugepages))
    struct LifecycleTests {
        private func configuration(_ lab: Lab) -> String {
            "bridges: [{name: br0}]\nports:\n" + (1...4).map {
                "  - {name: vm\($0), type: vhost, bridge: br0, socket: \(lab.path("vm\($0)")), mode: \($0 == 1 ? "server" : "client")}\n"
            }.joined() + "  - {name: host, type: tap, bridge: br0, interface: \(lab.tag)t}\n"
        }

        /// A configuration with two taps, a and b.
        private func taps(_ lab: Lab) -> String {
            "bridges: [{name: br0}]\nports:\n" + ["a", "b"].map { "  - {name: \($0), type: tap, bridge: br0, interface: \(lab.tag)\($0)}\n" }.joined()
        }

        /// A frame from a station behind a to one behind b.
        private static func frame(_ payload: Int) -> [UInt8] {
            Frames.ethernet(to: "52:54:00:00:00:02", from: "52:54:00:00:00:01", type: 0x88b5, [UInt8](repeating: 7, count: payload))
        }

        @Test("SIGTERM and SIGINT end the daemon cleanly: no socket, interface, file or process stays", arguments: [SIGTERM, SIGINT])
        func stop(_ signal: Int32) throws {
            try withLab { lab in
                let daemon = try Daemon(lab, configuration(lab))
                #expect(if_nametoindex("\(lab.tag)t") != 0)
                #expect(FileManager.default.fileExists(atPath: lab.path("vm1")))
                let free = Hugepages.free
                daemon.stop(signal)
                #expect(if_nametoindex("\(lab.tag)t") == 0, "the tap is still there")
                #expect(!FileManager.default.fileExists(atPath: lab.path("vm1")), "the vhost socket is still there")
                #expect(Hugepages.free >= free)
            }
        }

        @Test("a port that cannot be opened at the start is failed and told, and the rest runs")
        func missingInterface() throws {
            try withLab { lab in
                let wire = "\(lab.tag)wa"
                let daemon = try Daemon(lab, taps(lab) + "  - {name: uplink, type: physical, bridge: br0, device: \(wire), rate: 1gbit}\n"
                    + "guests: [{name: a, port: a, macs: [\"52:54:00:00:00:01\"], outbound: {floor: 100mbit}}]\n")
                #expect(daemon.log.contains("port uplink") && daemon.log.contains("no interface \(wire)"), "\(daemon.log)")
                let sender = try RawSocket("\(lab.tag)a")
                try sender.send(Self.frame(100))
                try eventually("others carry frames") { try daemon.port("b")["tx"]["frames"].int ?? 0 > 0 }
                #expect(try daemon.classStatus("uplink", "a")["floor"].int == 100_000_000)
                // A port that is added by hand and cannot be opened is refused as always.
                #expect(try daemon.sluice("port", "add", "more", "type", "physical", "bridge", "br0", "device", "\(lab.tag)x").status == 1)
                // The port is also failed after the daemon restarts with what ran last, with its file or without.
                for isConfigured in [true, false] {
                    try daemon.crashAndRestart(isConfigured: isConfigured)
                    #expect(daemon.log.contains("no interface \(wire)"), "\(daemon.log)")
                    let failed = try daemon.port("uplink")
                    #expect(failed["state"].string == "failed" && (failed["reason"].string ?? "").contains(wire), "\(failed)")
                    #expect(try daemon.command("status").contains("failed: port uplink"))
                    let before = try daemon.port("b")["tx"]["frames"].int ?? 0, sender = try RawSocket("\(lab.tag)a")
                    try eventually("others carry frames") {
                        try sender.send(Self.frame(100))
                        return try daemon.port("b")["tx"]["frames"].int ?? 0 > before
                    }
                }
                // Changes to the port are accepted whatever they are about, even if the port still cannot be opened.
                for words in [["rate", "2gbit"], ["rest", "floor", "1mbit"], ["dcb", "false"], ["mtu", "1400"], ["device", "\(lab.tag)no"], ["device", wire]] {
                    let changed = try daemon.command(["port", "set", "uplink"] + words)
                    #expect(changed.contains("~ port uplink") && changed.contains("! port uplink (not open"), "\(words): \(changed)")
                    #expect(try daemon.port("uplink")["state"].string == "failed")
                    if words[0] == "device" { #expect(try daemon.command("status").contains("no interface \(words[1])")) }
                }
                #expect(try daemon.port("uplink")["mtu"].int == 1_400)
                _ = try VethPair(lab, "w")
                try daemon.waitUntil(port: "uplink", is: "up")
                #expect(try daemon.classStatus("uplink", "")["ceiling"].int == 2_000_000_000)
                let again = try RawSocket("\(lab.tag)a")
                try eventually("it carries frames") {
                    try again.send(Self.frame(100))
                    return try daemon.port("uplink")["tx"]["frames"].int ?? 0 > 0
                }
                daemon.stop()
            }
        }

        @Test("how long it takes to serve and to answer (told, not judged)")
        func speed() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, configuration(lab))
                print("start to ready: \(Int(daemon.startSeconds * 1000)) ms")
                let times = try (0..<20).map { _ in
                    let result = try daemon.sluice("port", "show")
                    #expect(result.status == 0, "\(result.errors)")
                    return result.seconds
                }.sorted()
                print("sluice port show: median \(Int(times[10] * 1000)) ms, most \(Int(times[19] * 1000)) ms")
                let raw = try ControlClient(daemon.socket)
                let start = ContinuousClock.now
                for _ in 0..<100 { _ = try raw.call("port.show") }
                print("port.show on the socket: \((ContinuousClock.now - start) / 100) each")
                daemon.stop()
            }
        }

        /// Another process may have a socket of another kind at this path; it must not lose it.
        @Test("a vhost port's socket in place of another process's live one is refused, whatever its kind, and that one stays",
            arguments: [SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET].map { Int32($0.rawValue) })
        func anothersSocket(_ kind: Int32) throws {
            try withLab { lab in
                let path = lab.path("theirs")
                let theirs = socket(AF_UNIX, kind | Int32(SOCK_CLOEXEC.rawValue), 0)
                defer { close(theirs) }
                var address = sockaddr_un()
                address.sun_family = sa_family_t(AF_UNIX)
                withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
                func with(_ call: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
                    withUnsafePointer(to: address) { $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { call($0, socklen_t(MemoryLayout<sockaddr_un>.size)) } }
                }
                try #require(with { bind(theirs, $0, $1) } == 0 && (kind == Int32(SOCK_DGRAM.rawValue) || listen(theirs, 0) == 0))
                // The queue of waiting connections is already full.
                let waiting = (0..<2).map { _ in socket(AF_UNIX, kind | Int32(SOCK_CLOEXEC.rawValue) | Int32(SOCK_NONBLOCK.rawValue), 0) }
                defer { for descriptor in waiting { close(descriptor) } }
                for descriptor in waiting { _ = with { connect(descriptor, $0, $1) } }
                func inode() throws -> Int? { try FileManager.default.attributesOfItem(atPath: path)[.systemFileNumber] as? Int }
                let before = try inode()
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports: [{name: vm1, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm1"))}]\n")
                for words in [["port", "add", "vm2", "type", "vhost", "bridge", "br0", "mode", "server", "socket", path], ["port", "set", "vm1", "socket", path]] {
                    let refused = try daemon.sluice(words)
                    #expect(refused.status == 1 && refused.errors.contains("another process has the socket \(path): choose another path"), "\(refused.errors)")
                    #expect(try inode() == before)
                }
                daemon.stop()
                #expect(try inode() == before)
            }
        }

        /// The limits on open files are like those that systemd and login shells set.
        @Test("the limit of open files is raised as far as may be, a low one is told, and where descriptors run out the daemon waits for some")
        func openFiles() throws {
            try withLab { lab in
                func limit(_ daemon: Daemon) throws -> [Substring] {
                    let text = try String(contentsOfFile: "/proc/\(daemon.process.pid)/limits", encoding: .utf8)
                    return try #require(text.split(separator: "\n").first { $0.hasPrefix("Max open files") }).split(separator: " ").dropFirst(3).prefix(2).map { $0 }
                }
                let daemon = try Daemon(lab, "daemon: {cpus: [1], buffers: 16384, polling: interrupt}\nbridges: [{name: br0}]\n", limitedBy: ["prlimit", "--nofile=128:192"])
                #expect(try limit(daemon) == ["192", "192"])
                #expect(daemon.log.contains("only 192 files can be open at a time, which is enough for some 12 guests: set LimitNOFILE=65536 in the unit, or ulimit -n 65536"), "\(daemon.log)")
                // These are more clients than there are descriptors for, but fewer than the daemon would serve.
                let clients = try (0..<220).map { _ in try ControlClient(daemon.socket) }
                func descriptors() throws -> Int { try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.process.pid)/fd").count }
                try eventually("descriptors have run out") { try descriptors() >= 191 }
                // The thread that accepts connections must wait between its attempts. If it tried again at once, it would never give up its CPU.
                let acceptor = try #require(try daemon.thread(named: "NIO-ELT"))
                func waits() throws -> Int {
                    let text = try String(contentsOfFile: "/proc/\(daemon.process.pid)/task/\(acceptor)/status", encoding: .utf8)
                    return try #require(text.split(separator: "\n").first { $0.hasPrefix("voluntary_ctxt_switches:") }?.split(separator: "\t").last.flatMap { Int($0) })
                }
                let before = try waits()
                try eventually("it has waited ten times more") { try waits() >= before + 10 }
                // Idle clients are closed to make room, here as well.
                try eventually("an administrator gets in") { try daemon.sluice("port", "show").status == 0 }
                for client in clients { client.close() }
                try eventually("it serves on") { try daemon.sluice("port", "show").status == 0 }
                daemon.stop()
                let raised = try Daemon(lab, "bridges: [{name: br0}]\n", limitedBy: ["prlimit", "--nofile=256:20000"])
                #expect(try limit(raised) == ["20000", "20000"])
                #expect(!raised.log.contains("files can be open"))
                raised.stop()
            }
        }

        @Test("an address whose guest and port are gone is bound to nobody, and free for the next port")
        func addressesAreReleased() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, configuration(lab))
                try daemon.command("guest", "add", "vm2", "port", "vm2", "macs", "52:54:00:00:00:02")
                #expect(try daemon.show("fdb", "show").items.contains { $0["mac"].string == "52:54:00:00:00:02" && $0["port"].string == "vm2" })
                try daemon.command("guest", "del", "vm2")
                try daemon.command("guest", "add", "vm2", "port", "vm2", "macs", "52:54:00:00:00:12")
                // A single change removes guest and port, and gives the port's socket, and with it its index in every table, to another port.
                let model = try daemon.configuration().replacingOccurrences(of: "name: vm2", with: "name: vm9").replacingOccurrences(of: "port: vm2", with: "port: vm9")
                    .replacingOccurrences(of: "52:54:00:00:00:12", with: "52:54:00:00:00:19")
                try daemon.command("apply", try lab.write("renamed.yaml", model))
                let bound = try daemon.show("fdb", "show").items.filter { $0["static"].bool == true }
                #expect(bound.map(\.["mac"].string) == ["52:54:00:00:00:19"], "\(bound)")
                #expect(bound.map(\.["port"].string) == ["vm9"], "\(bound)")
                try daemon.command("guest", "del", "vm9")
                try daemon.command("port", "del", "vm9")
                try daemon.command("port", "add", "vm7", "type", "vhost", "bridge", "br0", "socket", lab.path("vm7"))
                #expect(try daemon.show("fdb", "show").items.allSatisfy { $0["static"].bool != true })
                daemon.stop()
            }
        }

        @Test("a port that is opened anew, as another interface, goes on getting what its classes hold, and no other port does")
        func reopened() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, taps(lab) + "guests: [{name: b, port: b, macs: [\"52:54:00:00:00:02\"], inbound: {ceiling: 10mbit}}]\n")
                let sender = try RawSocket("\(lab.tag)a")
                let frame = Self.frame(1_000)
                // These are more frames than the class's bursts allow, so most have to wait.
                func sendAll() throws {
                    let before = try daemon.port("b")["tx"]["frames"].int ?? 0
                    for _ in 0..<60 { try sender.send(frame) }
                    try eventually("all are sent") { try (daemon.port("b")["tx"]["frames"].int ?? 0) - before >= 60 }
                    _ = try daemon.atRest()
                }
                try sendAll()
                try daemon.command("port", "set", "b", "interface", "\(lab.tag)c")
                try sendAll()
                try daemon.command("port", "add", "d", "type", "tap", "bridge", "br0", "interface", "\(lab.tag)d")
                try sendAll()
                #expect(try daemon.atRest()["dropped"]["port_removed"].int == nil)
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }

        @Test("what a bridge counted stays counted when a port of it goes, and when one moves to another bridge")
        func bridgeCounters() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, taps(lab).replacingOccurrences(of: "{name: br0}", with: "{name: br0}, {name: br1}")
                    + "  - {name: c, type: tap, bridge: br0, interface: \(lab.tag)c}\n")
                let counters = ["forwarded", "flooded", "learned", "moved"]
                func counts(_ bridge: String) throws -> [Int] {
                    let shown = try daemon.show("bridge", "show").items.first { $0["name"].string == bridge }
                    return counters.map { shown?[$0].int ?? -1 }
                }
                let sender = try RawSocket("\(lab.tag)a")
                for _ in 0..<20 { try sender.send(Self.frame(100)) }
                try eventually("they are flooded") { try counts("br0")[1] >= 20 }
                _ = try daemon.atRest()
                for (words, bridge) in [(["port", "set", "a", "bridge", "br1"], "br0"), (["port", "del", "b"], "br0"), (["port", "del", "a"], "br1")] {
                    let before = try counts(bridge)
                    try daemon.command(words)
                    let after = try counts(bridge)
                    #expect(zip(before, after).allSatisfy { $0 <= $1 }, "\(words): \(counters) were \(before) and are \(after)")
                }
                #expect(try counts("br0")[1] >= 20 && counts("br0")[2] >= 1)
                // A new bridge of the same name starts at 0.
                try daemon.command("port", "del", "c")
                try daemon.command("bridge", "del", "br0")
                try daemon.command("bridge", "add", "br0")
                #expect(try counts("br0") == [0, 0, 0, 0])
                daemon.stop()
            }
        }

        @Test("a change that cannot be kept over a restart is refused, and nothing changes")
        func stateCannotBeSaved() throws {
            try withLab { lab in
                // There is no room for changes that are made after the start.
                try FileManager.default.createSymbolicLink(atPath: lab.path("control.state.json.changes.1"), withDestinationPath: "/dev/full")
                let daemon = try Daemon(lab, configuration(lab))
                let before = try daemon.configuration()
                for words in [["port", "set", "vm2", "mtu", "9000"], ["class", "set", "vm2", "dir", "inbound", "ceiling", "9mbit"]] {
                    let refused = try daemon.sluice(words)
                    #expect(refused.status == 1 && refused.errors.contains("the change cannot be saved in \(daemon.state)"), "\(refused.errors)")
                    #expect(refused.errors.contains("No space left on device"))
                }
                #expect(try daemon.configuration() == before)
                daemon.stop()
            }
        }

        @Test("what was acknowledged outlives a daemon that is killed at once, and what was refused does not")
        func killedAfterAChange() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, configuration(lab))
                try daemon.command("port", "set", "vm2", "mtu", "9000")
                for rate in 1...20 { try daemon.command("class", "set", "vm2", "dir", "inbound", "ceiling", "\(rate)mbit") }
                #expect(try daemon.sluice("port", "add", "host2", "type", "tap", "bridge", "br0", "interface", "lo").status == 1)
                let ran = try daemon.configuration()
                let leaf = try daemon.classStatus("br0", "vm4")["id"].int
                #expect(ran.contains("20mbit") && ran.contains("9000") && !ran.contains("host2"))
                daemon.process.signal(SIGKILL)
                #expect(daemon.process.waitForExit(until: .after(20)) == .signal(SIGKILL))
                // Without --config, the daemon starts with what ran last.
                let next = try ChildProcess(Daemon.command(daemon.config, daemon.socket, daemon.state).filter { $0 != "--config" && $0 != daemon.config })
                lab.atClose { next.stop() }
                _ = try next.waitForLine(in: next.output, within: 30) { $0.hasPrefix("ready") }
                let client = try ControlClient(daemon.socket)
                #expect(try client.call("config.get")["result"]["yaml"].string == ran)
                #expect(try client.call("class.show", #"{"tree":"br0","path":"vm4"}"#)["result"][0]["id"].int == leaf)
                client.close()
                next.signal(SIGTERM)
                #expect(next.waitForExit(until: .after(20)) == .code(0))
                // Only one file is left, and it has the same contents.
                #expect(try FileManager.default.contentsOfDirectory(atPath: lab.folder).filter { $0.contains("state.json") } == ["control.state.json"])
                #expect(try JSON(String(contentsOfFile: daemon.state, encoding: .utf8))["yaml"].string == ran)
            }
        }

        @Test("two daemons do not share a state file, and the second says whose it is")
        func oneDaemonAStateFile() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, configuration(lab))
                let kept = try String(contentsOfFile: daemon.state, encoding: .utf8)
                let other = try lab.write("other.yaml", Daemon.preamble + "bridges: [{name: br1}]\n")
                let second = try finish(Daemon.command(other, lab.path("other.sock"), daemon.state), within: 30)
                #expect(second.status != 0)
                #expect(second.errors.contains("pid \(daemon.process.pid)") && second.errors.contains("--state"), "\(second.errors)")
                #expect(try String(contentsOfFile: daemon.state, encoding: .utf8) == kept)
                // A daemon that fails to start must also release the lock of its control socket.
                let third = try finish(Daemon.command(lab.path("nowhere.yaml"), lab.path("third.sock"), lab.path("third.json")), within: 30)
                #expect(third.status != 0)
                #expect(try FileManager.default.contentsOfDirectory(atPath: lab.folder).filter { $0.hasPrefix("other.sock") || $0.hasPrefix("third.") } == [])
                daemon.stop()
                #expect(try FileManager.default.contentsOfDirectory(atPath: lab.folder).filter { $0.hasSuffix(".lock") } == [])
            }
        }

        @Test("what runs from the start is kept, even if it is nothing, and class ids come back from the state file")
        func stateAtTheStart() throws {
            try withLab { lab in
                let yaml = configuration(lab)
                var daemon = try Daemon(lab, yaml)
                try daemon.command("port", "del", "vm2")
                let leaf = try daemon.classStatus("br0", "vm4")["id"].int
                daemon.stop()
                // There are only three classes now, and vm4 keeps its id although its position has changed.
                daemon = try Daemon(lab, yaml.replacingOccurrences(of: "  - {name: vm2, type: vhost, bridge: br0, socket: \(lab.path("vm2")), mode: client}\n", with: ""))
                #expect(try daemon.classStatus("br0", "vm4")["id"].int == leaf)
                daemon.stop()
                daemon = try Daemon(lab, Daemon.preamble)
                #expect(try !(JSON(String(contentsOfFile: daemon.state, encoding: .utf8))["yaml"].string ?? "br0").contains("br0"))
                daemon.stop()
            }
        }

        @Test("a file that spells out the daemon's defaults sets them, and one that says nothing of the daemon leaves it as it runs")
        func daemonSection() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "daemon: {polling: interrupt}\nbridges: [{name: br0}]\n")
                #expect(try daemon.command("apply", try lab.write("none.yaml", "bridges: [{name: br0}]\n")).contains("nothing to change"))
                #expect(try daemon.show("core", "show").items.first?["polling"].string == "interrupt")
                #expect(try daemon.command("apply", try lab.write("spelled.yaml", "daemon: {polling: adaptive}\nbridges: [{name: br0}]\n")).contains("polling interrupt -> default"))
                #expect(try daemon.show("core", "show").items.first?["polling"].string == "adaptive")
                daemon.stop()
            }
        }

        @Test("what was counted of a protocol stays with it when another is taken out")
        func protocolCounters() throws {
            try withLab { lab in
                let daemon = try Daemon(
                    lab, taps(lab) + "protocols: [{name: first, match: [tcp 873], pcp: 1}, {name: second, match: [ethertype 0x88b5], pcp: 2}]\n")
                let sender = try RawSocket("\(lab.tag)a"), frame = Self.frame(60)
                func seen(_ name: String) throws -> Int? { try daemon.protocolRow(name)["seen"]["frames"].int }
                for _ in 0..<10 { try sender.send(frame) }
                try eventually("all are seen") { try seen("second") == 10 }
                try daemon.command("protocol", "del", "first")
                #expect(try seen("second") == 10)
                // A protocol that is given the freed row does not inherit its counters.
                try daemon.command("protocol", "add", "third", "match", "tcp 874")
                for _ in 0..<10 { try sender.send(frame) }
                try eventually("all are seen") { try seen("second") == 20 }
                #expect(try seen("third") == 0)
                try daemon.command("protocol", "del", "second")
                try daemon.command("protocol", "add", "second", "match", "ethertype 0x88b5")
                #expect(try seen("second") == 0)
                daemon.stop()
            }
        }

        @Test("without a configuration file to speak of, everything can be built by commands, and is shown back as a file")
        func builtByCommands() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "daemon: {cpus: [1], buffers: 16384}\n")
                try daemon.command("bridge", "add", "br0", "rate", "1gbit")
                try daemon.command("port", "add", "vm1", "type", "vhost", "bridge", "br0", "socket", lab.path("vm1"), "queues", "2")
                try daemon.command("port", "add", "host", "type", "tap", "bridge", "br0", "interface", "\(lab.tag)t")
                try daemon.command("guest", "add", "web", "port", "vm1", "macs", "52:54:00:00:00:01")
                try daemon.command("guest", "add", "db", "port", "vm1", "macs", "52:54:00:00:00:02")
                try daemon.command("class", "set", "web", "dir", "inbound", "floor", "100mbit", "ceiling", "500mbit")
                try daemon.command("protocol", "add", "backup", "match", "tcp 873", "pcp", "1")
                try daemon.command("fdb", "add", "52:54:00:00:00:01", "bridge", "br0", "port", "vm1")

                let leaf = try daemon.classStatus("br0", "web")
                #expect(leaf["floor"].int == 100_000_000 && leaf["ceiling"].int == 500_000_000)
                // The address still belongs to the guest, so frames to it go to the guest's class.
                let entry = try daemon.show("fdb", "show").items.first { $0["mac"].string == "52:54:00:00:00:01" }
                #expect(entry?["static"].bool == true && entry?["guest"].string == "web", "\(entry ?? .null)")
                #expect(try daemon.show("core", "show").items.first?["cpu"].int == 1)
                for object in ["port", "bridge", "fdb", "class", "protocol", "core", "stats"] { #expect(try !daemon.command(object, "show").isEmpty) }

                // The output is a configuration file, and applying it changes nothing.
                let yaml = try daemon.configuration()
                let file = try lab.write("shown.yaml", yaml)
                try daemon.command("check", file)
                try daemon.command("apply", file)
                #expect(try daemon.configuration() == yaml)
                let reply = try ControlClient(daemon.socket).call("config.diff", "{\"yaml\":\(JSON.quoted(yaml))}")
                #expect(reply["result"]["changes"].items.isEmpty, "\(reply)")
                daemon.stop()
            }
        }
    }
}
