import Foundation
import Testing
import TrafficGenerator

@Suite struct CirculationTests {
    @Test func readsSwitches() throws {
        #expect(try CirculatedSwitch("ovs=12+13:/run/a,/run/b") == CirculatedSwitch(name: "ovs", processes: [12, 13], sockets: ["/run/a", "/run/b"]))
    }

    @Test(arguments: ["", "sluice", "sluice=12", "=12:/a,/b", "sluice=:/a,/b", "sluice=12+:/a,/b", "sluice=twelve:/a,/b", "sluice=12:", "sluice=0:/a", "sluice=1:/a"])
    func refusesWhatIsNoSwitch(_ text: String) { #expect(throws: ScenarioError.self) { try CirculatedSwitch(text) } }

    /// Every flow, sub-flow and pair of addresses is used once before any of them is used again.
    @Test func everyFlowHasItsTurn() {
        var cycle = HeaderCycle(), seen: [String] = []
        for _ in 0..<2 * 3 * 4 {
            seen.append("\(cycle.flow)\(cycle.header)\(cycle.address)")
            cycle.advance(flows: 2, headers: 3, addresses: 4)
        }
        #expect(Set(seen).count == 24)
        #expect(seen[0] == "000" && seen[1] == "001" && seen[4] == "010" && seen[12] == "100")
        #expect(cycle.flow == 0 && cycle.header == 0 && cycle.address == 0)
    }

    private func slice(_ frames: UInt64, _ seconds: Double = 0.1) -> SliceFigures { SliceFigures(frames: frames, bytes: frames * 60, seconds: seconds) }

    /// A machine that is half as fast during one set does not change its ratio. A set has no ratio if only one switch was measured in it, or if the other moved
    /// no frames.
    @Test func pairsSlices() throws {
        let report = CirculationReport(
            [("us", [slice(1_000), slice(500), slice(800), slice(300)]), ("them", [slice(500), slice(500, 0.2), slice(0)])], sliceSeconds: 0.1)
        let sets: [Double] = [2, 2]
        #expect(report.ratios.count == 1 && report.ratios[0].to == "them" && report.ratios[0].sets == sets)
        #expect(report.ratios[0].ratio == Quartiles([2]))
        #expect(report.switches[0].framesPerSecond?.median == 6_500)
        let read = try JSONDecoder().decode(CirculationReport.self, from: Data(report.json().utf8))
        #expect(read.switches[0].slices.count == 4 && read.switches[1].slices.count == 3 && read.ratios[0].sets == sets)
        #expect(report.lines.count == 4 && report.lines[2].contains("2.000 (2.000 to 2.000)"))
    }

    @Test func givesQuartiles() throws {
        #expect(Quartiles([]) == nil)
        let quartiles = try #require(Quartiles([9, 1, 5, 3, 7]))
        #expect(quartiles.least == 1 && quartiles.lower == 3 && quartiles.median == 5 && quartiles.upper == 7 && quartiles.most == 9)
        #expect(Quartiles([1, 2])?.lower == 1.25)
    }

    /// Among the threads that want a CPU most of the time, the one that waited longest counts; waits of the others do not matter.
    @Test func tellsWhoWaitedForACPU() {
        #expect(ThreadTimes.times("1000 200 3\n") == ThreadTimes.Times(ran: 1_000, waited: 200))
        #expect(ThreadTimes.times("-") == nil)
        let before = ThreadTimes([1: .init(ran: 100, waited: 10), 2: .init(ran: 0, waited: 0)])
        let after = ThreadTimes([1: .init(ran: 1_000, waited: 60), 2: .init(ran: 10, waited: 400), 3: .init(ran: 600, waited: 20)])
        #expect(after.disturbance(since: before, elapsed: 1_000) == 0.05)
        #expect(after.disturbance(since: before, elapsed: 0) == 0)
    }

    static let head = "ports: [{name: a, device: net_null0}, {name: b, device: net_null1}, {name: c, device: net_null2}]\nflows:\n"
    @Test(arguments: [
        ("ports: [{name: a, device: net_null0}]", "needs `flows:`"),
        (head + "  - {name: f, from: a, to: b, rate: 1gbit}", "leave out `rate`"),
        (head + "  - {name: f, from: a, to: b, protocol: fip}", "udp and tcp"),
        (head + "  - {name: f, from: a, to: b, ipv6: true, size: 100}", "udp and tcp"),
        (head + "  - {name: f, from: a, to: a}", "no one other port"),
        (head + "  - {name: f, from: a, to: '02:00:00:00:00:01'}", "with `at`"),
        (head + "  - {name: f, from: a, to: b}\n  - {name: g, from: a, to: c}", "sends to one other port"),
        (head + "  - {name: f, from: a, to: b}\n  - {name: g, from: c, to: b}", "sends to one other port"),
        (head + "  - {name: f, from: a, to: b}\n  - {name: g, from: a, to: b, size: 100}", "the same `size`"),
        (head + "  - {name: f, from: a, to: b, protocol: tcp, segment: 1448, size: 60000}\n  - {name: g, from: b, to: a}", "the same `segment`"),
        (head + "  - {name: f, from: a, to: b}\nsteps: [{at: 1s, flows: [f], rate: off}]", "no `steps`"),
    ])
    func refusesWhatCannotGoRound(_ yaml: String, _ reason: String) throws {
        let scenario = try Scenario(yaml: yaml)
        let error = #expect(throws: ScenarioError.self) { try scenario.checkCirculation([]) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test(arguments: [
        ("size: 60000", "needs 60 to 9014"), ("protocol: udp, segment: 1448", "goes with `protocol: tcp`"),
        ("protocol: tcp, ipv6: true, size: 100, segment: 1448", "over IPv4"), ("protocol: tcp, segment: 1448, size: 70000", "to 65549"),
    ])
    func refusesWhatIsNoSegment(_ fields: String, _ reason: String) {
        let error = #expect(throws: ScenarioError.self) { try Scenario(yaml: Self.head + "  - {name: f, from: a, to: b, \(fields)}") }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test func countsSocketsAndSwitches() throws {
        let scenario = try Scenario(yaml: Self.head + "  - {name: f, from: a, to: b}\n  - {name: g, from: b, to: a}")
        let good = CirculatedSwitch(name: "s", processes: [99], sockets: ["/a", "/b", "/c"])
        try scenario.checkCirculation([good])
        #expect(throws: ScenarioError.self) { try scenario.checkCirculation([good, good]) }
        #expect(throws: ScenarioError.self) { try scenario.checkCirculation([CirculatedSwitch(name: "s", processes: [99], sockets: ["/a", "/b"])]) }
        let many = (0..<11).map { CirculatedSwitch(name: "s\($0)", processes: [99], sockets: good.sockets) }
        #expect(throws: ScenarioError.self) { try scenario.checkCirculation(many) }
    }

    @Test func windowsAreOfAllOrOne() throws {
        var plan = CirculationPlan()
        try plan.setWindow("64")
        try plan.setWindow("sluice=2048")
        #expect(plan.window == 64 && plan.windows == ["sluice": 2_048])
        for text in ["", "many", "=5", "sluice=", "a=b=3"] { #expect(throws: ScenarioError.self) { try plan.setWindow(text) } }
    }

    @Test func commandsAreOfOne() throws {
        var plan = CirculationPlan()
        try plan.setCommand("sluice=set rate=$RATE")
        #expect(plan.commands == ["sluice": "set rate=$RATE"])
        for text in ["", "=x", "sluice", "sluice="] { #expect(throws: ScenarioError.self) { try plan.setCommand(text) } }
    }

    @Test func plansAreBounded() throws {
        try CirculationPlan().check()
        let faults: [(inout CirculationPlan) -> Void] = [{ $0.slice = 1 }, { $0.warmUp = .max }, { $0.sets = 0 }, { $0.settle = -1 }, { $0.window = 0 }, { $0.windows["s"] = 16_385 }]
        for fault in faults {
            var plan = CirculationPlan()
            fault(&plan)
            #expect(throws: ScenarioError.self) { try plan.check() }
        }
    }
}
