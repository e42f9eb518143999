import Foundation
import Testing

extension EndToEnd {
    @Suite("Bad input is refused with a sentence, and nothing is half-applied", .needs(.hugepages))
    struct BadInputTests {
        /// A configuration that must be refused, and what the error must mention.
        struct Refusal: CustomTestStringConvertible, Sendable {
            var name: String
            var yaml: String
            var words: [String]
            var testDescription: String { name }
            init(_ name: String, _ yaml: String, _ words: String...) { (self.name, self.yaml, self.words) = (name, yaml, words) }
        }

        /// The mistakes in these can be found without opening a device. Each contains the running ports, so that it is not refused because these would be
        /// removed.
        static let refusals = [
            Refusal("malformed YAML", "bridges: [{name: br0\nports: }", "this is not YAML", ":3"),
            Refusal("malformed JSON", #"{"bridges": [{"name": "br0"}], "ports": [}"#, "this is not YAML|this is not JSON", ":1"),
            Refusal("a list instead of a document", "- bridges", "map"),
            Refusal("an unknown top key", base + "brigdes: []\n", "brigdes", "bridges"),
            Refusal("an unknown key of a port", base(port: "sokcet: /tmp/x"), "sokcet", "socket"),
            Refusal("a rate without a unit", base + "guests: [{name: g, port: one, inbound: {floor: 500}}]\n", "guests[0].inbound.floor", "unit", "500mbit"),
            Refusal("a rate that is no number", base + "guests: [{name: g, port: one, inbound: {floor: fast}}]\n", "fast", "unit"),
            Refusal("a negative rate", base + "guests: [{name: g, port: one, inbound: {floor: -5mbit}}]\n", "-5mbit"),
            Refusal(
                "floors that do not fit, with the arithmetic",
                "bridges: [{name: br0, rate: 1gbit}]\n" + ports + "guests: [{name: a, port: one, inbound: {floor: 700mbit}}, {name: b, port: two, inbound: {floor: 400mbit}}]\n",
                "700mbit", "400mbit", "1100mbit|1.1gbit", "1gbit"),
            Refusal(
                "protocol floors that do not fit the guest's",
                "bridges: [{name: br0, rate: 1gbit}]\n" + ports + "guests: [{name: a, port: one, inbound: {floor: 100mbit}, protocols: {iscsi: {inbound: {floor: 200mbit}}}}]\n",
                "200mbit", "100mbit", "iscsi"),
            Refusal("a ceiling below its floor", base + "guests: [{name: a, port: one, inbound: {floor: 50mbit, ceiling: 10mbit}}]\n", "10mbit", "50mbit"),
            Refusal("two ports of one name", "bridges: [{name: br0}]\nports: [{name: one, type: tap, bridge: br0, interface: TAG1}, {name: one, type: tap, bridge: br0, interface: TAG2}]\n", "one"),
            Refusal("two bridges of one name", "bridges: [{name: br0}, {name: br0}]\n" + ports, "br0"),
            Refusal(
                "one MAC address for two guests", base + "guests: [{name: a, port: one, macs: [\"52:54:00:00:00:01\"]}, {name: b, port: two, macs: [\"52:54:00:00:00:01\"]}]\n",
                "52:54:00:00:00:01"),
            Refusal("a group address for a guest", base + "guests: [{name: a, port: one, macs: [\"01:54:00:00:00:01\"]}]\n", "01:54:00:00:00:01"),
            Refusal("a MAC address that is none", base + "guests: [{name: a, port: one, macs: [\"52:54:00\"]}]\n", "52:54:00"),
            Refusal("a port on a bridge that does not exist", base(port: "bridge: br9, socket: /tmp/x.sock"), "br9"),
            Refusal("a guest on a port that does not exist", base + "guests: [{name: a, port: three}]\n", "three"),
            Refusal("a protocol that nobody knows", base + "guests: [{name: a, port: one, protocols: {iscsii: {inbound: {floor: 1mbit}}}}]\n", "iscsii", "iscsi"),
            Refusal("a priority beyond seven", base + "protocols: [{name: p, match: [tcp 99], pcp: 9}]\n", "9", "7"),
            Refusal("two ports on one socket", "bridges: [{name: br0}]\nports: [{name: one, type: vhost, bridge: br0, socket: /tmp/x.sock}, {name: two, type: vhost, bridge: br0, socket: /tmp/x.sock}]\n", "/tmp/x.sock"),
            Refusal("an MTU beyond jumbo", base(port: "socket: /tmp/x.sock, mtu: 100000"), "9000"),
        ]

        private static let ports = "ports: [{name: one, type: tap, bridge: br0, interface: TAG1}, {name: two, type: tap, bridge: br0, interface: TAG2}]\n"
        private static let base = "bridges: [{name: br0}]\n" + ports
        private static func base(port: String) -> String {
            let bridge = port.hasPrefix("bridge:") ? "" : "bridge: br0, "
            return "bridges: [{name: br0}]\nports: [{name: one, type: tap, bridge: br0, interface: TAG1}, {name: two, type: vhost, \(bridge)\(port)}]\n"
        }

        /// One daemon is asked for all of them, so a refused configuration must not have changed it for the next one.
        @Test("configurations that `apply` and `check` refuse")
        func refusedConfigurations() throws {
            try withLab { lab in
                func named(_ yaml: String) -> String { yaml.replacingOccurrences(of: "TAG", with: lab.tag) }
                let daemon = try Daemon(lab, named(Self.base))
                let before = try daemon.configuration()
                for refusal in Self.refusals {
                    let yaml = refusal.yaml.hasPrefix("{") || refusal.yaml.hasPrefix("-") ? refusal.yaml : Daemon.preamble + named(refusal.yaml)
                    let file = try lab.write("bad.yaml", yaml)
                    for verb in ["check", "apply"] {
                        let result = try daemon.sluice(verb, file)
                        #expect(result.status != 0, "sluice \(verb) took \(refusal.name)")
                        expectSentence(result.errors, refusal.words, "sluice \(verb): \(refusal.name)")
                    }
                    #expect(try daemon.configuration() == before, "\(refusal.name) changed the configuration")
                }
                try stillWorks(daemon)
                daemon.stop()
            }
        }

        @Test("what a method names and is not there is told with one and the same code, whatever the method")
        func notThere() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, Self.base.replacingOccurrences(of: "TAG", with: lab.tag))
                let client = try ControlClient(daemon.socket)
                let named = ["port.show", "port.reset", "port.qemu", "bridge.show", "group.show", "guest.show", "protocol.show", "filter.show", "mirror.show", "lldp.show", "dcb.show"]
                let onBridges = ["fdb.show", "mdb.show", "fip.show", "fdb.flush"].flatMap { [($0, "bridge"), ($0, "port")] }
                let requests = named.map { ($0, "name") } + onBridges + [("class.show", "tree"), ("class.show", "path")]
                for (method, key) in requests {
                    let error = try client.call(method, "{\"\(key)\": \"nowhere\"}")["error"]
                    #expect(error["code"].int == -32_001 && error["message"].string?.contains("nowhere") == true, "\(method) \(key): \(error)")
                }
                for method in ["port.reset", "port.qemu"] {
                    let error = try client.call(method)["error"]
                    #expect(error["code"].int == -32_602 && error["message"].string == "\(method) needs the parameter 'name'", "\(method): \(error)")
                }
                daemon.stop()
            }
        }

        @Test("params that are no object, or hold what a method does not know, are refused by every method")
        func shapes() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, Self.base.replacingOccurrences(of: "TAG", with: lab.tag))
                let before = try daemon.configuration()
                let client = try ControlClient(daemon.socket)
                // The daemon's own list, so that a method that is added is tried as well.
                let unknown = try #require(try client.call("nonsense")["error"]["message"].string?.split(separator: "there are ").last)
                let methods = unknown.split(separator: ", ").map(String.init)
                #expect(methods.count > 60 && methods.contains("stats.show") && methods.contains("mirror.add"), "\(methods)")
                for method in methods {
                    for params in ["\"text\"", "[]", "[{}]", "5", "1.5", "true", "{\"nonsense\": 1}", "{\"\": {}}"] {
                        let error = try client.call(method, params)["error"]
                        #expect(error["code"].int == -32_602 && error["message"].string?.contains(method) == true, "\(method) with \(params): \(error)")
                    }
                }
                #expect(try daemon.configuration() == before)
                daemon.stop()
            }
        }

        @Test("the daemon does not start on a configuration that `check` refuses, and says why")
        func refusedAtStart() throws {
            try withLab { lab in
                let file = try lab.write("bad.yaml", Daemon.preamble + "bridges: [{name: br0, rate: 100}]\n")
                let result = try finish(Daemon.command(file, lab.path("c.sock"), lab.path("s.json")), within: 30)
                #expect(result.status != 0)
                expectSentence(result.errors, ["100", "unit", "line 2"], "sluiced")
                #expect(!FileManager.default.fileExists(atPath: lab.path("c.sock")))

                let missing = try finish(Daemon.command(lab.path("nowhere.yaml"), lab.path("c.sock"), lab.path("s.json")), within: 30)
                #expect(missing.status != 0)
                expectSentence(missing.errors, ["nowhere.yaml", "No such file or directory"], "sluiced without its file")
            }
        }

        @Test("changes that fail at the device: the rest of the same change is undone")
        func refusedByTheSystem() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\nports: [{name: one, type: tap, bridge: br0, interface: \(lab.tag)1}]\n")
                let before = try daemon.configuration()
                let occupied = lab.path("occupied")
                try Data().write(to: URL(fileURLWithPath: occupied))
                let changes: [(name: String, port: String, words: [String])] = [
                    ("a missing interface", "{name: bad, type: physical, bridge: br0, device: nosuch0}", ["nosuch0"]),
                    ("a missing interface in a device string", "{name: bad, type: physical, bridge: br0, device: \"net_af_packet0,iface=nosuch0\"}", ["nosuch0"]),
                    ("a PCI address without a device", "{name: bad, type: physical, bridge: br0, device: \"0000:ff:1e.6\"}", ["0000:ff:1e.6", "dpdk-devbind.py --status"]),
                    ("an unknown driver", "{name: bad, type: physical, bridge: br0, device: \"net_nosuch0\"}", ["net_nosuch0", "the daemon's log"]),
                    ("a file where the server socket should be", "{name: bad, type: vhost, bridge: br0, mode: server, socket: \(occupied)}", [occupied]),
                    ("a file where QEMU's socket should be", "{name: bad, type: vhost, bridge: br0, socket: \(occupied)}", [occupied, "is not a socket"]),
                    ("the daemon's own socket", "{name: bad, type: vhost, bridge: br0, socket: \(lab.folder)/./\((daemon.socket as NSString).lastPathComponent)}", ["this daemon's own control socket"]),
                    ("the daemon's own socket, to listen on", "{name: bad, type: vhost, bridge: br0, mode: server, socket: \(daemon.socket)}", ["this daemon's own control socket"]),
                    ("the daemon's own socket for a memif", "{name: bad, type: physical, bridge: br0, device: \"net_memif7,socket=\(daemon.socket),socket-abstract=no\"}", ["this daemon's own control socket"]),
                    ("a folder that does not exist", "{name: bad, type: vhost, bridge: br0, mode: server, socket: \(lab.path("no/such.sock"))}", ["no/such.sock"]),
                    ("a namespace that does not exist", "{name: bad, type: tap, bridge: br0, interface: \(lab.tag)9, netns: nosuchns}", ["nosuchns"]),
                    ("an interface that exists", "{name: bad, type: tap, bridge: br0, interface: lo}", ["lo"]),
                ]
                for change in changes {
                    // A valid port comes first; it must have been removed again.
                    let file = try lab.write("bad.yaml", Daemon.preamble + """
                        bridges: [{name: br0}]
                        ports:
                          - {name: one, type: tap, bridge: br0, interface: \(lab.tag)1}
                          - {name: good, type: tap, bridge: br0, interface: \(lab.tag)2}
                          - \(change.port)
                        """)
                    let result = try daemon.sluice("apply", file)
                    #expect(result.status != 0, "sluice took \(change.name)")
                    expectSentence(result.errors, change.words, change.name)
                    #expect(try daemon.configuration() == before, "\(change.name) changed the configuration")
                    #expect(try daemon.show("port", "show").items.compactMap { $0["name"].string } == ["one"], "ports after \(change.name)")
                    #expect(if_nametoindex("\(lab.tag)2") == 0, "the good port's tap is still there after \(change.name)")
                }
                #expect(FileManager.default.fileExists(atPath: occupied), "a file that is not ours was removed")
                try stillWorks(daemon)
                daemon.stop()
            }
        }

        @Test("single changes with mistakes in them")
        func refusedEdits() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0, rate: 1gbit}]\nports: [{name: one, type: tap, bridge: br0, interface: \(lab.tag)1}]\n")
                let before = try daemon.configuration()
                let edits: [(words: [String], answer: [String])] = [
                    (["port", "add", "one", "type", "tap", "bridge", "br0", "interface", "\(lab.tag)2"], ["one"]),
                    (["port", "add", "two", "type", "tapp", "bridge", "br0"], ["tapp", "tap"]),
                    (["port", "add", "two", "type", "vhost", "bridge", "br0"], ["socket"]),
                    (["port", "add", "two", "type", "tap", "bridge"], ["bridge"]),
                    (["port", "del", "nosuch"], ["nosuch"]),
                    (["port", "set", "one", "mtu", "10"], ["68"]),
                    (["bridge", "del", "br0"], ["br0", "one"]),
                    (["class", "set", "one", "dir", "inbound", "floor", "500"], ["500mbit"]),
                    (["class", "set", "one", "dir", "inbound", "floor", "2gbit"], ["2gbit", "1gbit"]),
                    (["fdb", "add", "ff:ff:ff:ff:ff:ff", "port", "one"], ["ff:ff:ff:ff:ff:ff"]),
                    (["port", "frobnicate"], ["frobnicate"]),
                    (["prot", "show"], ["prot"]),
                ]
                for edit in edits {
                    let result = try daemon.sluice(edit.words)
                    #expect(result.status != 0, "sluice took: \(edit.words.joined(separator: " "))")
                    expectSentence(result.errors, edit.answer, "sluice \(edit.words.joined(separator: " "))")
                    #expect(try daemon.configuration() == before, "changed by: \(edit.words.joined(separator: " "))")
                }
                try stillWorks(daemon)
                daemon.stop()
            }
        }

        @Test("a second daemon on the same socket is refused, and the first does not notice")
        func secondDaemon() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\n")
                let other = try lab.write("other.yaml", Daemon.preamble + "bridges: [{name: br1}]\n")
                let result = try finish(Daemon.command(other, daemon.socket, lab.path("other.json")), within: 30)
                #expect(result.status != 0)
                expectSentence(result.errors, [daemon.socket], "a second sluiced")
                try stillWorks(daemon)
                #expect(try daemon.configuration().contains("br0"))
                daemon.stop()
            }
        }

        @Test("a socket left by a crash does not keep the daemon from starting")
        func staleSocket() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\n")
                try daemon.crashAndRestart()
                try stillWorks(daemon)
                daemon.stop()
            }
        }

        @Test("without hugepages the daemon says how to get them")
        func noHugepages() throws {
            try withLab { lab in
                // For this one process, the machine appears to have no hugepages.
                let meminfo = try String(contentsOfFile: "/proc/meminfo", encoding: .utf8).split(separator: "\n").map {
                    $0.hasPrefix("HugePages_") ? $0.prefix { $0 != ":" } + ": 0" : $0
                }
                let fake = try lab.write("meminfo", meminfo.joined(separator: "\n") + "\n")
                let folder = lab.path("hugepages/hugepages-2048kB")
                try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
                for file in ["nr_hugepages", "free_hugepages", "resv_hugepages", "surplus_hugepages"] { _ = try lab.write("hugepages/hugepages-2048kB/\(file)", "0\n") }
                let config = try lab.write("c.yaml", Daemon.preamble + "bridges: [{name: br0}]\n")
                let hide = "mount --bind \(fake) /proc/meminfo && mount --bind \(lab.path("hugepages")) /sys/kernel/mm/hugepages && exec \"$@\""
                let result = try finish(
                    ["unshare", "-m", "--propagation", "private", "sh", "-c", hide, "sh"] + Daemon.command(config, lab.path("c.sock"), lab.path("s.json")), within: 30)
                #expect(result.status != 0)
                expectSentence(result.errors, ["hugepages", "/proc/sys/vm/nr_hugepages|vm.nr_hugepages"], "sluiced without hugepages")
                #expect(!FileManager.default.fileExists(atPath: lab.path("c.sock")))
            }
        }

        @Test("clients that send nonsense, half a request, 100 MB, or hang up are answered or let go; the daemon serves on")
        func hostileClients() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\n")
                let before = try daemon.configuration()
                let descriptors = try openDescriptors(daemon)

                let nonsense = try ControlClient(daemon.socket)
                for (line, code) in [
                    ("hello\n", -32_700), ("{\"jsonrpc\":\"2.0\",\"id\":1}\n", -32_600), ("[]\n", -32_600), ("\u{0}\u{1}\n", -32_700),
                    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"no.such\"}\n", -32_601),
                    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.apply\",\"params\":{\"yaml\":7}}\n", -32_602),
                    ("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.apply\"}\n", -32_602),
                    (String(repeating: "[", count: 513) + "\n", -32_700), (String(repeating: "{\"a\":", count: 513) + "\n", -32_700),
                    ("{\"jsonrpc\":\"2.0\",\"id\":[1],\"method\":\"status\"}\n", -32_600),
                ] {
                    nonsense.send(line)
                    let answer = try JSON(nonsense.line() ?? "")
                    #expect(answer["error"]["code"].int == code, "\(line.debugDescription) was answered with \(answer)")
                    #expect((answer["error"]["message"].string ?? "").count > 10)
                }
                nonsense.send([0xff, 0xfe, 0xc3, 0x28, 10])
                #expect(try JSON(nonsense.line() ?? "")["error"]["code"].int == -32_700)
                nonsense.close()

                // The client closes the connection in the middle of a request, and before the answer.
                for _ in 0..<20 {
                    let half = try ControlClient(daemon.socket)
                    half.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.apply\",\"params\":{\"yaml\":\"bridges: []")
                    half.close()
                    let impatient = try ControlClient(daemon.socket)
                    impatient.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"stats.show\",\"params\":{}}\n")
                    impatient.close()
                }

                // 100 MB in one line must be refused before all of it has been read into memory.
                let memory = try daemon.memory("VmHWM")
                let flood = try ControlClient(daemon.socket)
                flood.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.apply\",\"params\":{\"yaml\":\"")
                let chunk = [UInt8](repeating: UInt8(ascii: "#"), count: 1 << 20)
                var sent = 0
                while sent < 100, flood.send(chunk, within: 20) { sent += 1 }
                flood.send("\"}}\n")
                let refusal = try? flood.line(within: 20)
                if let refusal {
                    #expect(try JSON(refusal)["error"]["message"].string?.contains("large") == true || JSON(refusal)["error"]["message"].string?.contains("long") == true, "\(refusal)")
                }
                flood.close()
                #expect(try daemon.memory("VmHWM") - memory < 64 << 10, "kiB of memory that 100 MB of request took")

                // Checking this document takes some time, and only its last line is wrong. Meanwhile, other clients must be answered.
                let guests = (0..<60_000).map { "{name: g\($0), port: p, macs: ['52:54:00:\(String(format: "%02x:%02x:%02x", $0 >> 16, $0 >> 8 & 255, $0 & 255))']}" }
                let yaml = "bridges: [{name: br0}]\nports: [{name: p, type: vhost, bridge: br0, socket: /tmp/p}]\nguests: [\(guests.joined(separator: ",")),{name: last, port: nosuch}]\n"
                let slow = try ControlClient(daemon.socket), quick = try ControlClient(daemon.socket)
                slow.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"config.apply\",\"params\":{\"yaml\":\(String(decoding: try JSONEncoder().encode(yaml), as: UTF8.self))}}\n")
                for _ in 0..<5 { #expect(try quick.call("port.show")["result"].items.isEmpty) }
                #expect(throws: LabError.self, "the document is still being read") { try slow.line(within: 0) }
                #expect(try JSON(slow.line(within: 60) ?? "")["error"]["message"].string?.contains("there is no port nosuch") == true)
                slow.close()
                quick.close()

                // Idle connections are closed to make room for others.
                let idle = try (0..<256).map { _ in try ControlClient(daemon.socket) }
                try eventually("an administrator gets in") { try daemon.sluice("port", "show").status == 0 }
                #expect(try JSON(idle[0].line() ?? "")["error"]["message"].string?.contains("closed to let another client in: there are 256") == true)
                for client in idle { client.close() }

                #expect(try daemon.configuration() == before)
                try stillWorks(daemon)
                try eventually("connections are closed") { try openDescriptors(daemon) <= descriptors }
                daemon.stop()
            }
        }

        @Test("the command line tells when no daemon answers")
        func noDaemon() throws {
            try withLab { lab in
                let result = try finish([Build.program("sluice"), "port", "show", "-s", lab.path("nobody.sock")], within: 30)
                #expect(result.status != 0)
                expectSentence(result.errors, [lab.path("nobody.sock"), "sluiced"], "sluice")
            }
        }

        // MARK: What all of these ask for

        /// Checks that a message is written for people: it mentions `words` ("a|b" means either) and is not a dump of internals.
        private func expectSentence(_ text: String, _ words: [String], _ what: String, sourceLocation: SourceLocation = #_sourceLocation) {
            for word in words {
                #expect(word.split(separator: "|").contains { text.contains($0) }, "\(what) does not speak of '\(word)':\n\(text)", sourceLocation: sourceLocation)
            }
            for dump in ["Fatal error", "Swift.", "(lldb)", "Thread 0", "codingPath", "debugDescription"] {
                #expect(!text.contains(dump), "\(what) shows its insides:\n\(text)", sourceLocation: sourceLocation)
            }
        }

        private func stillWorks(_ daemon: Daemon) throws {
            #expect(daemon.isRunning)
            let added = "\(daemon.lab.tag)z"
            try daemon.command("port", "add", "healthy", "type", "tap", "bridge", "br0", "interface", added)
            #expect(if_nametoindex(added) != 0)
            try daemon.command("port", "del", "healthy")
            #expect(if_nametoindex(added) == 0)
        }

        private func openDescriptors(_ daemon: Daemon) throws -> Int {
            try FileManager.default.contentsOfDirectory(atPath: "/proc/\(daemon.process.pid)/fd").count
        }
    }
}
