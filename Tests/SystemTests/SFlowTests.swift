import Foundation
import Testing

extension EndToEnd {
    @Suite("sFlow: samples of frames and of counters for a collector", .needs(.hugepages))
    struct SFlowTests {
        private static func mac(_ number: Int) -> String { String(format: "52:54:00:00:00:%02x", number) }

        private static func tcp(to: Int, from: Int, port service: UInt16 = 80, tags: [Frames.Tag] = [], length: Int = 60) -> [UInt8] {
            Frames.ethernet(
                to: mac(to), from: mac(from), tags: tags, type: 0x0800,
                Frames.ipv4(6, Frames.tcp(to: service, [UInt8](repeating: 0x5a, count: max(0, length - 54)))))
        }

        @Test("every frame is sampled where all are to be: where it came in and leaves, its VLAN, priorities and first bytes; settings change while it runs")
        func samples() throws {
            try withLab { lab in
                let wire = try VethPair(lab, "u"), taps = ["a", "b"].map { "\(lab.tag)\($0)" }, collector = try SFlowCollector()
                func yaml(_ sflow: String) -> String {
                    """
                    daemon: {cpus: [1], buffers: 16384\(sflow)}
                    bridges: [{name: br0}]
                    filters: [{name: closed, rules: [{deny: tcp port 25}]}]
                    ports:
                      - {name: a, type: tap, bridge: br0, interface: \(taps[0]), filter: {outbound: closed}}
                      - {name: b, type: tap, bridge: br0, interface: \(taps[1])}
                      - {name: u, type: physical, bridge: br0, device: "net_af_packet0,iface=\(wire.near)", rate: 1gbit}

                    """
                }
                let daemon = try Daemon(lab, yaml(", sflow: {collector: \"127.0.0.1:\(collector.port)\", sampling: 1, polling: 1s, header: 64}"))
                for port in ["a", "b", "u"] { try daemon.waitUntil(port: port, is: "up") }
                let (a, b, u) = (try RawSocket(taps[0]), try RawSocket(taps[1]), try RawSocket(wire.far))
                var frames: [[UInt8]] = []
                func send(_ socket: RawSocket, _ frame: [UInt8]) throws {
                    try socket.send(frame)
                    frames.append(frame)
                    try eventually("it was sampled") {
                        try collector.receive()
                        return collector.flows.contains { $0.header == Array(frame.prefix(64)) }
                    }
                }
                func sample(_ place: Int) throws -> SFlowCollector.FlowSample { try #require(collector.flows.last { $0.header == Array(frames[place].prefix(64)) }) }
                try send(b, Self.tcp(to: 1, from: 2))
                try send(u, Self.tcp(to: 1, from: 50))
                try send(a, Self.tcp(to: 50, from: 1, port: 3_260, length: 1_000))
                try send(a, Self.tcp(to: 50, from: 1, port: 3_260, tags: [.init(pcp: 1, vid: 42)]))
                try send(a, Self.tcp(to: 2, from: 1, port: 25))
                try send(a, Self.tcp(to: 2, from: 1, tags: [.init(pcp: 5, vid: 7)]))

                let ports = try daemon.show("sflow", "show")["ports"].items
                let indices = Dictionary(ports.map { ($0["port"].string ?? "", UInt32($0["if_index"].int ?? 0)) }) { first, _ in first }
                func index(_ name: String) throws -> UInt32 { try #require(indices[name]) }
                // To an address that nobody knows, a frame goes to all.
                #expect(try sample(0).output == 0x8000_0000 && sample(0).input == index("b") && sample(0).source == index("b"))
                #expect(try sample(2).input == index("a") && sample(2).output == index("u") && sample(2).length == 1_004 && sample(2).header.count == 64)
                // The wire's frames get the priority of their protocol; the second had another one.
                #expect(try sample(2).tags == [0, 0, 0, 4] && sample(3).tags == [42, 1, 42, 4])
                #expect(try sample(4).output == 0x4000_0100)
                #expect(try sample(5).output == index("b") && sample(5).tags == [7, 5, 7, 5] && sample(5).length == 68)
                let own = try collector.flows.filter { try $0.source == index("a") }
                #expect(own.map(\.sequence) == (1...UInt32(own.count)).map { $0 } && own.allSatisfy { $0.rate == 1 && $0.drops == 0 && $0.pool >= $0.sequence })
                #expect(collector.agents.allSatisfy { $0 == [127, 0, 0, 1] } && collector.sequences == (1...UInt32(collector.sequences.count)).map { $0 })

                // Counters come with the ports' names, and agree with what is shown once nothing moves.
                try eventually("counters came") {
                    try collector.receive()
                    guard Set(collector.counters.map(\.name)) == ["a", "b", "u"] else { return false }
                    let counters = try #require(collector.counters.last { $0.name == "a" })
                    let shown = try daemon.port("a")
                    #expect(try counters.source == index("a") && counters.words[0] == index("a") && counters.words[5] == 3)
                    return [7: "rx bytes", 8: "rx frames", 15: "tx bytes", 16: "tx frames"].allSatisfy { place, name in
                        let keys = name.split(separator: " ").map(String.init)
                        return shown[keys[0]][keys[1]].int == Int(counters.words[place])
                    } && counters.words[11] == 1 && counters.words[12] == 0
                }

                // Another collector, by IPv6, with an agent's address that is set.
                let other = try SFlowCollector(ipv6: true)
                let moved = yaml(", sflow: {collector: \"[::1]:\(other.port)\", agent: 192.0.2.1, sampling: 1, polling: 1s}")
                try daemon.command("apply", try lab.write("other.yaml", moved))
                let frame = Self.tcp(to: 2, from: 1, port: 99, length: 200)
                try a.send(frame)
                try eventually("the other one got it") {
                    try other.receive()
                    return other.flows.contains { $0.header == Array(frame.prefix(128)) } && !other.counters.isEmpty
                }
                #expect(other.agents.allSatisfy { $0 == [192, 0, 2, 1] } && other.flows.contains { $0.sequence == 1 })
                #expect(try daemon.command("sflow").contains("collector [::1]:\(other.port) agent 192.0.2.1 sampling 1 polling 1s header 128"))

                try daemon.command("apply", try lab.write("off.yaml", yaml("")))
                #expect(try daemon.show("sflow", "show")["collector"].isNull && daemon.command("sflow").contains("sflow is off"))
                try a.send(frame)
                _ = try daemon.atRest()
                daemon.stop()
                try other.receive()
                #expect(other.flows.count { $0.header == Array(frame.prefix(128)) } == 1)
            }
        }

        @Test("between guests every frame is counted and either sampled or told as lost, and none is harmed; who does not listen is told")
        func guests() throws {
            try withLab { lab in
                let port = try SFlowCollector().port
                let daemon = try Daemon(lab, """
                    daemon: {cpus: [1], buffers: 16384, sflow: {collector: "127.0.0.1:\(port)", sampling: 1, polling: 1s}}
                    bridges: [{name: br0, rate: 10gbit}]
                    ports:
                      - {name: vm1, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm1"))}
                      - {name: vm2, type: vhost, bridge: br0, mode: server, socket: \(lab.path("vm2"))}
                    guests: [{name: vm1, port: vm1}, {name: vm2, port: vm2}]

                    """)
                let report = try Generator.run(lab, """
                    duration: 2s
                    ports:
                      - {name: vm1, device: "virtio_user:\(lab.path("vm1"))", mac: "52:54:00:00:00:02"}
                      - {name: vm2, device: "virtio_user:\(lab.path("vm2"))", mac: "52:54:00:00:00:04"}
                    flows: [{name: there, from: vm1, to: vm2, size: 600, rate: 50kpps}]
                    """)
                #expect(Generator.faults(report) == Generator.noFaults)
                let received = try daemon.port("vm1")["rx"]["frames"].int ?? 0
                try eventually("all samples were sent") {
                    let status = try daemon.show("sflow", "show")
                    return status["samples"].int == status["ports"].items.reduce(0) { $0 + ($1["samples"].int ?? 0) }
                }
                let status = try daemon.show("sflow", "show"), own = try #require(status["ports"].items.first { $0["port"].string == "vm1" })
                #expect(received > 20_000 && own["frames"].int == received)
                #expect((own["samples"].int ?? 0) + (own["no_room"].int ?? 0) == received && own["no_room"].int ?? 0 > 0)
                #expect(status["lost"]["no_room"].int ?? 0 > 0 && status["lost"]["refused"].int ?? 0 > 0)
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 30) { $0.contains("samples for sFlow are lost") }
                #expect(try daemon.command("sflow").contains("nobody listens at 127.0.0.1:\(port): start the collector, or give another address"))
                #expect(try daemon.unaccountedFrames() == 0)
                daemon.stop()
            }
        }
    }
}
