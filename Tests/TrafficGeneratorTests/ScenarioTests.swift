import Packet
import Testing
import TrafficGenerator

@Suite struct ScenarioTests {
    @Test func exampleIsGood() throws {
        let scenario = try Scenario(yaml: Scenario.example)
        #expect(scenario.ports.map(\.name) == ["vm1", "vm2", "far"])
        #expect(scenario.ports[0].server && !scenario.ports[2].server)
        #expect(scenario.flows.count == 7)
        #expect(scenario.flows[0].floor == 500_000_000)
        #expect(scenario.flows[3].kind == .etherType(0x88b5))
        #expect(scenario.flows[3].sizes == FlowPlan.internetMix)
        #expect(scenario.flows[4].to == .mac(MACAddress("02:00:00:00:00:50")!, at: "vm1"))
        #expect(scenario.flows[5].pairs == 500 && scenario.flows[5].toMACs == 500)
        #expect(scenario.steps == [Step(at: 5_000_000_000, flows: ["bulk"], rate: .maximum, note: "vm1 wants everything")])
        #expect(scenario.expectations[1].lossAtMost == 0.5)
    }

    @Test func readsJSON() throws {
        let scenario = try Scenario(
            yaml: #"{"duration": "1s", "ports": [{"name": "a", "device": "net_null0"}], "flows": [{"name": "f", "from": "a", "to": "a", "size": [60, 1514]}]}"#)
        #expect(scenario.flows[0].sizes == [60, 1514])
        #expect(scenario.flows[0].rate == .maximum)
        #expect(scenario.ports[0].mac == MACAddress("52:54:00:00:00:01"))
    }

    static let head = "ports: [{name: a, device: net_null0}, {name: b, device: net_null1}]\n"
    @Test(arguments: [
        ("", "empty"),
        ("ports: [", "not YAML"),
        ("[]", "must be a set"),
        ("ports: []", "no ports"),
        ("ports: 5", "must be a list"),
        (head + "colour: red", "no key `colour`"),
        (head + "duration: 5", "duration is `5`"),
        (head + "duration: 48h", "at most 24h"),
        (head + "bin: 1us", "at least 1ms"),
        ("ports: [{device: net_null0}]", "needs `name`"),
        ("ports: [{name: a, device: x}, {name: a, device: y}]", "two ports have the name a"),
        ("ports: [{name: a, device: x, mac: '02:00:00:00:00:01'}, {name: b, device: y, mac: '02:00:00:00:00:01'}]", "same MAC"),
        ("ports: [{name: a, device: x, mac: 'ff:ff:ff:ff:ff:ff'}]", "no station's"),
        ("ports: [{name: a, device: x, mac: hello}]", "must be a MAC address"),
        ("ports: [{name: a, device: x, server: maybe}]", "`true` or `false`"),
        ("ports: [{name: a, device: x, ring: 5}]", "from 64 to 32768"),
        (head + "flows: [{name: f, from: a}]", "needs `to`"),
        (head + "flows: [{name: f, from: z, to: b}]", "port z"),
        (head + "flows: [{name: f, from: a, to: z}]", "it has a, b"),
        (head + "flows: [{name: f, from: a, to: b, at: b}]", "goes with a MAC"),
        (head + "flows: [{name: f, from: a, to: b, rate: 100}]", "must be a rate with its unit"),
        (head + "flows: [{name: f, from: a, to: b, protocol: smtp}]", "must be one of udp"),
        (head + "flows: [{name: f, from: a, to: b, protocol: 0x100}]", "EtherType"),
        (head + "flows: [{name: f, from: a, to: b, size: big}]", "size is `big`"),
        (head + "flows: [{name: f, from: a, to: b, size: 59}]", "needs 60 to"),
        (head + "flows: [{name: f, from: a, to: b, protocol: tcp, size: 60}]", "needs 72 to"),
        (head + "flows: [{name: f, from: a, to: b, size: 20000}]", "20000"),
        (head + "flows: [{name: f, from: a, to: b, protocol: fip, ipv6: true, size: 100}]", "no IP header"),
        (head + "flows: [{name: f, from: a, to: b, protocol: iscsi, port: 99, size: 100}]", "has its own"),
        (head + "flows: [{name: f, from: a, to: b, protocol: 0x88b5, subflows: 4}]", "use `macs`"),
        (head + "flows: [{name: f, from: a, to: b, part-of: f}]", "no other flow"),
        (head + "flows: [{name: f, from: a, to: b, vlan: 4095}]", "from 0 to 4094"),
        (head + "flows: [{name: f, from: a, to: b, vlans: 3}]", "needs the first of them"),
        (head + "flows: [{name: f, from: a, to: b, vlan: 4093, vlans: 3, macs: 3}]", "the last there is is 4094"),
        (head + "flows: [{name: f, from: a, to: b, vlan: 1, vlans: 3, macs: 4}]", "multiples of 3"),
        (head + "flows: [{name: f, from: a, to: b, pcp: 8}]", "from 0 to 7"),
        (head + "flows: [{name: f, from: a, to: b, start: 5s, stop: 2s}]", "stops before"),
        (head + "flows: [{name: f, from: a, to: b, subflows: 65536, macs: 65536}]", "the most is"),
        (head + "flows: [{name: f, from: a, to: b}]\nsteps: [{at: 1s, flows: [g], rate: max}]", "flow g"),
        (head + "flows: [{name: f, from: a, to: b}]\nsteps: [{at: 1s, flows: [f]}]", "needs `rate`"),
        (head + "flows: [{name: f, from: a, to: b}]\nexpect: [{flows: [f]}]", "expects nothing"),
        (head + "flows: [{name: f, from: a, to: b}]\nexpect: [{flows: [f], at-least: 5}]", "rate in bits"),
        (head + "flows: [{name: f, from: a, to: b}]\nexpect: [{flows: [], intact: true}]", "names no flow"),
        (head + "flows: [{name: f, from: a, to: b}]\nexpect: [{flows: [f], intact: true, from: 5s, to: 1s}]", "ends before"),
        (head + "flows: [{name: f, from: a, to: b}]\nexpect: [{flows: [f], at-least: 5mbit, within: 0.1}]", "percentage"),
    ])
    func refuses(_ yaml: String, _ part: String) {
        let error = #expect(throws: ScenarioError.self) { _ = try Scenario(yaml: yaml) }
        #expect(error?.description.contains(part) == true, "\(error?.description ?? "none")")
    }

    @Test func namesTheLine() {
        let error = #expect(throws: ScenarioError.self) { _ = try Scenario(yaml: "ports:\n  - name: a\n    device: x\n    speed: 5\n") }
        #expect(error?.description.hasPrefix("line 4: ports[0] has no key `speed`") == true)
    }

    @Test func readsCommands() throws {
        #expect(try ControlCommand(line: "rate vm1,vm2 500mbit") == .rate(flows: ["vm1", "vm2"], .bits(500_000_000)))
        #expect(try ControlCommand(line: "stats") == .stats)
        #expect(try ControlCommand(line: "quit") == .quit)
        for bad in ["rate", "rate vm1", "rate vm1 5", "stop", "quit now", ""] {
            #expect(throws: ScenarioError.self) { _ = try ControlCommand(line: bad) }
        }
    }

    /// As in the daemon's documents, a few lines must not be able to stand for any number of elements.
    @Test func scenariosAreReadWithinLimits() {
        func refusal(_ yaml: String) -> String {
            do throws(ScenarioError) {
                _ = try Scenario(yaml: yaml)
                return "accepted"
            } catch {
                return error.description
            }
        }
        let bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + zip("abcdefg", "bcdefgh").map { "\($1): &\($1) [*\($0), *\($0), *\($0), *\($0), *\($0), *\($0), *\($0), *\($0), *\($0), *\($0)]\n" }.joined()
        #expect(refusal(bomb).contains("aliases stand for more than 100000 values"))
        #expect(refusal("ports: " + String(repeating: "[", count: 40)).contains("lists and maps are more than 32 deep"))
        #expect(refusal("duration: 1s\nduration: 2s\n").contains("the key 'duration' stands twice"))
        #expect(refusal("").contains("the scenario is empty"))
    }
}
