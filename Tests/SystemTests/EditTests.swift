import Foundation
import Testing

/// Single changes of a configuration with many classes.
extension EndToEnd {
    @Suite("Single changes among many classes", .needs(.hugepages))
    struct EditTests {
        private static let guests = 5_000

        /// Each guest has two classes, one in the bridge's tree and one in the uplink's.
        private func configuration(_ lab: Lab) -> String {
            var lines = [
                "bridges: [{name: br0, rate: 100gbit}]", "ports:", "  - {name: up, type: physical, bridge: br0, device: \"net_null0,no-rx=1\", rate: 100gbit}",
            ]
            lines += ["vm2", "vm4"].map { "  - {name: \($0), type: vhost, bridge: br0, socket: \(lab.path($0))}" }
            lines += (0..<50).map { "  - {name: p\($0), type: vhost, bridge: br0, mode: server, socket: \(lab.path("p\($0)"))}" }
            lines += ["guests:"] + (0..<Self.guests).map { number in
                let mac = "52:54:01:00:\(String(format: "%02x:%02x", number >> 8, number & 255))"
                return "  - {name: g\(number), port: p\(number % 50), macs: ['\(mac)'], inbound: {floor: 1mbit, ceiling: 100mbit}, outbound: {floor: 1mbit, ceiling: 100mbit}}"
            }
            return lines.joined(separator: "\n") + "\n"
        }

        @Test("frames flow on, others look at all classes, and each change is what the next look shows (how fast is told, not judged)")
        func manyClasses() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\n")
                let client = try ControlClient(daemon.socket), other = try ControlClient(daemon.socket)
                let clock = ContinuousClock()
                func seconds(_ body: () throws -> Void) rethrows -> Double { try clock.measure(body) / .seconds(1) }
                let yaml = String(decoding: try JSONEncoder().encode(configuration(lab)), as: UTF8.self)
                let apply = try seconds {
                    let reply = try client.call("config.apply", "{\"yaml\":\(yaml)}")
                    #expect(reply["result"]["applied"].bool == true)
                }
                let scenario = try lab.write("scenario.yaml", """
                    duration: 7s
                    learn: true
                    ports:
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", server: true, mac: "52:54:00:00:00:02"}
                      - {name: vm4, device: "virtio_user:\(lab.path("vm4"))", server: true, mac: "52:54:00:00:00:04"}
                    flows: [{name: there, from: vm2, to: vm4, size: 60, rate: 2kpps}]
                    expect: [{name: untouched, flows: [there], intact: true, loss-at-most: 0%}]
                    """)
                let generator = try lab.start(Build.program("sluice-gen"), "run", scenario, "--cpu", "0", "--json", "-", "--no-bins")
                try eventually("frames flow") { try (daemon.port("vm4")["tx"]["frames"].int ?? 0) > 500 }

                // Frames go to the class that the last change says.
                func sent(_ path: String) throws -> Int { try client.call("class.show", "{\"tree\":\"br0\",\"path\":\"\(path)\"}")["result"][0]["sent"]["frames"].int ?? 0 }
                for (change, path) in [
                    ("guest.add {\"name\":\"vm4\",\"macs\":[\"52:54:00:00:00:04\"],\"inbound\":{\"floor\":\"1mbit\"}}", "vm4"),
                    ("guest.add {\"name\":\"beside\",\"port\":\"vm4\",\"macs\":[\"52:54:00:00:01:04\"]}", "vm4"),
                    ("class.set {\"path\":\"vm4/iscsi\",\"dir\":\"inbound\",\"floor\":\"100kbit\"}", "vm4/default"),
                    ("guest.set {\"name\":\"vm4\",\"macs\":[\"52:54:00:00:02:04\"]}", "vm4:others"),
                    ("guest.set {\"name\":\"beside\",\"macs\":[\"52:54:00:00:00:04\"]}", "beside"),
                    ("guest.del {\"name\":\"beside\"}", "vm4/default"),
                    ("class.del {\"path\":\"vm4/iscsi\",\"dir\":\"inbound\"}", "vm4"),
                ] {
                    let parts = change.split(separator: " ", maxSplits: 1).map(String.init)
                    let reply = try client.call(parts[0], parts[1])
                    #expect(reply["result"]["applied"].bool == true, "\(change): \(reply)")
                    let before = try sent(path)
                    try eventually("frames pass in \(path) after \(change)") { try sent(path) > before + 10 }
                }
                let guests = try guestEdits(client, 50)
                print("\(Int(guests)) changes of guests and of their protocols' classes a second")
                let others = 50 * 5 + 7

                func edit(_ number: Int) throws {
                    let direction = number % 2 == 0 ? "inbound" : "outbound"
                    let reply = try client.call("class.set", "{\"path\":\"g\(number % Self.guests)\",\"dir\":\"\(direction)\",\"floor\":\"\(1_000 + number)kbit\"}")
                    #expect(reply["result"]["changes"].items.count == 1, "\(reply)")
                }
                let count = 2_000
                let edits = try seconds { for number in 1...count { try edit(number) } }
                let show = try seconds {
                    let reply = try other.call("class.show")
                    #expect(reply["result"].items.count > 2 * Self.guests)
                }
                // Changes are made while another client reads all classes.
                other.send("{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"class.show\"}\n")
                var longest = 0.0
                for number in (count + 1)...(count + 200) { longest = max(longest, try seconds { try edit(number) }) }
                #expect(try other.line() != nil)
                print(
                    "\(2 * Self.guests) classes: applied in \(Int(apply * 1_000)) ms, \(Int(Double(count) / edits)) changes a second, shown in \(Int(show * 1_000)) ms,"
                        + " longest change meanwhile \(Int(longest * 1e6)) us")

                let last = count + 200
                let shown = try client.call("class.show", "{\"tree\":\"br0\",\"path\":\"g\(last)\"}")["result"][0]
                #expect(shown["floor"].int == (1_000 + last) * 1_000)
                #expect(try client.call("status")["result"]["changes"].int == 1 + last + others)
                let exit = generator.waitForExit(until: .after(90))
                try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-gen-\(generator.pid)")
                #expect(exit == .code(0), "\(generator.output.text)\(generator.errors.text)")
                #expect(try daemon.unaccountedFrames() == 0)
                client.close()
                other.close()
                daemon.stop()
            }
        }

        @Test("a guest's protocols keep their classes when its addresses and its floor change at once")
        func addressesAndFloor() throws {
            try withLab { lab in
                let taps = ["a", "b"].map { "  - {name: \($0), type: tap, bridge: br0, interface: \(lab.tag)\($0)}\n" }.joined()
                let daemon = try Daemon(lab, """
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                    \(taps)protocols: [{name: own, match: [ethertype 0x88b5], pcp: 1}]
                    guests: [{name: vm, port: b, macs: ["52:54:00:00:00:02"], inbound: {floor: 100mbit}, protocols: {own: {inbound: {floor: 10mbit}}}}]

                    """)
                for port in ["a", "b"] { try daemon.waitUntil(port: port, is: "up") }
                let sender = try RawSocket("\(lab.tag)a")
                func sent(_ path: String) throws -> Int { try daemon.classStatus("br0", path)["sent"]["frames"].int ?? 0 }
                for words in [[], ["guest", "set", "vm", "macs", "52:54:00:00:00:02,52:54:00:00:00:03", "inbound", "floor", "200mbit"], ["guest", "add", "b2", "port", "b", "macs", "52:54:00:00:00:04"]] {
                    if !words.isEmpty { try daemon.command(words) }
                    let before = try (sent("vm/own"), sent("vm/default"))
                    for _ in 0..<10 { try sender.send(Frames.ethernet(to: "52:54:00:00:00:02", from: "52:54:00:00:00:01", type: 0x88b5, [])) }
                    try eventually("ten frames pass in vm/own after \(words)") { try sent("vm/own") == before.0 + 10 }
                    for _ in 0..<10 { try sender.send(Frames.ethernet(to: "52:54:00:00:00:02", from: "52:54:00:00:00:01", type: 0x88b6, [])) }
                    try eventually("ten frames pass in vm/default after \(words)") { try sent("vm/default") >= before.1 + 10 }
                    #expect(try sent("vm/own") == before.0 + 10)
                }
                daemon.stop()
            }
        }

        @Test("a change that brings a warning tells it once, and the start counts as no change")
        func warnings() throws {
            try withLab { lab in
                let yaml = """
                    bridges: [{name: br0}]
                    ports: [{name: vm1, type: vhost, bridge: br0, socket: \(lab.path("vm1"))}]
                    guests: [{name: vm1, port: vm1, outbound: {floor: 1mbit}}]

                    """
                let daemon = try Daemon(lab, yaml)
                func sentence(_ name: String) -> String { "nothing guarantees the outbound floor of \(name): it holds where frames leave by a physical port" }
                try eventually("the start tells what does not work") { daemon.process.errors.text.contains(sentence("vm1")) }
                #expect(try daemon.show("status")["changes"].int == 0)
                let client = try ControlClient(daemon.socket)
                func told(_ method: String, _ params: String) throws -> [String] {
                    let reply = try client.call(method, params)["result"]
                    #expect(reply["changes"].items.count >= 1, "\(method) \(params): \(reply)")
                    return reply["warnings"].items.compactMap(\.string).map { String($0.prefix { $0 != ":" }) }
                }
                func about(_ name: String) -> [String] { ["nothing guarantees the outbound floor of \(name)"] }
                #expect(try told("guest.set", "{\"name\":\"vm1\",\"outbound\":{\"floor\":\"2mbit\"}}") == [])
                #expect(try told("class.set", "{\"path\":\"vm1/iscsi\",\"dir\":\"outbound\",\"floor\":\"1mbit\"}") == about("vm1/iscsi"))
                #expect(try told("guest.add", "{\"name\":\"vm2\",\"port\":\"vm1\",\"macs\":[\"52:54:00:00:00:02\"],\"outbound\":{\"floor\":\"1mbit\"}}") == about("vm2"))
                #expect(try told("bridge.set", "{\"name\":\"br0\",\"ageing\":\"60s\"}") == [])
                let part = "guests: [{name: vm3, port: vm1, macs: ['52:54:00:00:00:03'], outbound: {floor: 1mbit}}]"
                #expect(try told("part.set", "{\"name\":\"p\",\"yaml\":\"\(part)\"}") == about("vm3"))
                #expect(try daemon.show("status")["changes"].int == 5)
                let back = try lab.write("back.yaml", yaml + "groups: [{name: g, bridge: br0, outbound: {floor: 1mbit}}]\n")
                for words in [["diff", back], ["apply", back]] {
                    let run = try daemon.sluice(words)
                    #expect(run.status == 0 && run.errors.hasPrefix("warning: \(sentence("g"))") && run.errors.split(separator: "\n").count == 1, "\(words): \(run)")
                }
                client.close()
                daemon.stop()
            }
        }

        /// Adds guests, changes them and deletes them.
        /// - Returns: the number of changes per second.
        private func guestEdits(_ client: ControlClient, _ count: Int) throws -> Double {
            let time = try ContinuousClock().measure {
                for number in 1...count {
                    let mac = "52:54:02:00:00:\(String(format: "%02x", number))"
                    for (method, params) in [
                        ("guest.add", "{\"name\":\"n\(number)\",\"port\":\"p\(number % 50)\",\"macs\":[\"\(mac)\"],\"inbound\":{\"floor\":\"1mbit\"}}"),
                        ("guest.set", "{\"name\":\"n\(number)\",\"macs\":[\"52:54:03\(mac.dropFirst(8))\"]}"),
                        ("class.set", "{\"path\":\"n\(number)/iscsi\",\"dir\":\"both\",\"ceiling\":\"1gbit\"}"),
                        ("class.del", "{\"path\":\"n\(number)/iscsi\",\"dir\":\"both\"}"), ("guest.del", "{\"name\":\"n\(number)\"}"),
                    ] {
                        let reply = try client.call(method, params)
                        #expect(reply["result"]["changes"].items.count == 1, "\(method) \(params): \(reply)")
                    }
                }
            }
            return Double(5 * count) / (time / .seconds(1))
        }

        @Test("a batch is carried out one by one, each whole or not at all, and diff says what is fixed")
        func batch() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0, rate: 10gbit}]\nports: [{name: host, type: tap, bridge: br0, interface: \(lab.tag)t}]\n")
                let client = try ControlClient(daemon.socket)
                client.send("""
                    [{"jsonrpc":"2.0","id":1,"method":"guest.add","params":{"name":"vm1","port":"host","macs":["52:54:00:00:00:01"],"inbound":{"floor":"1gbit"}}},\
                    {"jsonrpc":"2.0","id":2,"method":"class.set","params":{"path":"vm1","dir":"inbound","floor":"11gbit"}},\
                    {"jsonrpc":"2.0","method":"class.set","params":{"path":"vm1","dir":"inbound","ceiling":"2gbit"}},\
                    {"jsonrpc":"2.0","id":3,"method":"class.show","params":{"path":"vm1"}}]

                    """)
                let answers = try JSON(try #require(try client.line()))
                #expect(answers.items.map { $0["id"].int } == [1, 2, 3])
                #expect(answers[1]["error"]["message"].string?.contains("more than br0's rate 10gbit") == true)
                #expect(answers[2]["result"][0]["floor"].int == 1_000_000_000 && answers[2]["result"][0]["ceiling"].int == 2_000_000_000)
                let other = try lab.write("other.yaml", "daemon: {cpus: [1], buffers: 32768}\nbridges: [{name: br0}]\nports: [{name: host, type: tap, bridge: br0, interface: \(lab.tag)t}]\n")
                #expect(try daemon.command("diff", other).contains("! daemon buffers 16384 -> 32768 (takes a restart of sluiced)"))
                let refused = try daemon.sluice("apply", other)
                #expect(refused.status == 1 && refused.errors.contains("daemon: buffers 16384 -> 32768 is fixed while the daemon runs"), "\(refused.errors)")
                client.close()
                daemon.stop()
            }
        }
    }
}
