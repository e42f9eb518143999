import Foundation
import Measuring

/// Measures how long a class that was idle waits for its floor: its sibling has borrowed everything, and then the class comes back, several times.
struct Recovery {
    var peers: [any Peer]
    static let link = 200e6, floors = [120e6, 80e6]
    /// In milliseconds: when the class first comes back, the period after that, and how long it stays. `times` is how often it comes back.
    static let first = 500, period = 400, stay = 200, times = 8

    private var workload: Workload {
        var workload = Workload()
        workload.size = .bytes(1_514)
        workload.link = Self.link
        workload.shapes = Self.floors.map { .init(floor: $0, ceiling: Self.link) }
        return workload
    }

    func run(_ bench: Bench, _ name: String) {
        var result = Figure(name, "median time until a floor is back", unit: "ms", higherIsBetter: false)
        var most = Figure(name, "greatest time until a floor is back", unit: "ms", higherIsBetter: false)
        var curves: [LineChart.Series] = []
        bench.turns(name, peers) { peer, round in
            let report = try peer.whileRunning(workload, bench) { running in
                try GeneratorRun.play(bench, running, scenario(running), seconds: Double(Self.first + Self.period * Self.times) / 1e3, bins: true)
            }
            let (bytes, milliseconds) = try report.windows("returning")
            let windows = RateWindows(bytes: bytes, milliseconds: milliseconds)
            let times = try (0..<Self.times).map { turn in
                let start = Double(Self.first + turn * Self.period)
                guard let time = windows.recovery(from: start, until: start + Double(Self.stay), floor: Self.floors[0]) else {
                    throw Fault("the floor of \(Table.amount(Self.floors[0], "bit/s")) did not come back in \(Self.stay) ms")
                }
                return time
            }
            result.add(peer.name, Spread(times)?.median)
            most.add(peer.name, times.max())
            if round == 0 {
                for (flow, who) in [("returning", "returns"), ("borrower", "lends back")] {
                    let (bytes, _) = try report.windows(flow)
                    let from = Self.first - 20, part = bytes[from..<min(bytes.count, from + 80)]
                    curves.append(.init(
                        "\(peer.name) \(who)", x: part.indices.map { Double($0 - Self.first) * milliseconds },
                        y: part.map { Double($0) * 8 / milliseconds / 1e3 }))
                }
            }
        } failed: {
            result.add($0.name, nil)
            most.add($0.name, nil)
        }
        result.notes = ["a floor is back from the first ms after which 10 ms deliver 99 % of it; \(Self.times) times a round"]
        bench.add(result, most)
        let title = "A class with a floor of \(Table.amount(Self.floors[0], "bit/s")) returns at 0"
        bench.results.curves.append(Curve(name, title, x: "ms", y: "Mbit/s in each ms", series: curves))
    }

    private func scenario(_ running: Running) -> ScenarioText {
        var scenario = ScenarioText(ports: running.ports, duration: Double(Self.first + Self.period * Self.times) / 1e3, binMilliseconds: 1)
        scenario.flow("returning", from: 0, to: 1, workload, rate: "off")
        scenario.flow("borrower", from: 0, to: 1, workload, rate: "\(Int(Self.link * 1.1))bit", firstMAC: 1)
        // These flows tell the switch where the guests are.
        scenario.flow("back", from: 1, to: 0, workload, rate: "off")
        scenario.flow("back1", from: 1, to: 0, workload, rate: "off", firstMAC: 1)
        scenario.line("steps:")
        for turn in 0..<Self.times {
            let start = Self.first + turn * Self.period
            scenario.line("  - {at: \(start)ms, flows: [returning], rate: \(Int(Self.floors[0] * 1.1))bit}")
            scenario.line("  - {at: \(start + Self.stay)ms, flows: [returning], rate: off}")
        }
        return scenario
    }
}
