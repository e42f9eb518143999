import Foundation
import Measuring

/// What a ceiling delivers against what was configured, over 1 s and 10 ms, for rates from 1 mbit to the link. More is offered than allowed.
struct Conformance {
    var peers: [any Peer]
    static let rates = [1e6, 3e6, 10e6, 30e6, 100e6, 300e6, 1e9, 3e9, 5e9]
    /// The kernel's bridge moves no more large frames than this on one CPU.
    static let mostForKernel = 500e6

    private func workload(_ bytes: Int) -> Workload {
        var workload = Workload()
        workload.size = .bytes(bytes)
        workload.shapes = [.init(ceiling: 1e9)]
        return workload
    }

    /// Small frames where few large ones would fit into a second: one frame more or less must not count for 0.05 %.
    private func frame(_ rate: Double) -> Int { rate < 30e6 ? 60 : 1_514 }

    /// Errors of one rate in per cent: half of the windows are better than the first, all (1 s) or 99 % (10 ms) better than the second.
    private struct Errors {
        var second: (median: Double, worst: Double)
        /// nil where a frame is more than 1 % of 10 ms.
        var short: (median: Double, p99: Double)?
    }

    func run(_ bench: Bench, _ name: String) {
        let quantities = [
            ("over 1 s, median window", 0.1), ("over 1 s, worst window", 0.1), ("over 10 ms, median window", 1.0), ("over 10 ms, p99 of windows", 1),
        ]
        var figures = quantities.map { Figure(name, "error \($0.0)", unit: "%", higherIsBetter: false, targets: [.init(against: nil, $0.1)]) }
        var curves: [String: [(Double, Double)]] = [:]
        bench.turns(name, peers, rounds: bench.quick ? 1 : bench.rounds) { peer, round in
            var all: [Errors] = []
            for bytes in [60, 1_514] {
                try peer.whileRunning(workload(bytes), bench) { running in
                    for rate in try rates(peer, bench, running) where frame(rate) == bytes {
                        let errors = try measure(bench, running, rate, bytes)
                        all.append(errors)
                        tell(bench, peer, rate, errors)
                        if round == 0 { curves[peer.name, default: []].append((rate, errors.second.median)) }
                    }
                }
            }
            let values = [all.map(\.second.median), all.map(\.second.worst), all.compactMap(\.short?.median), all.compactMap(\.short?.p99)]
            for (index, value) in values.enumerated() { figures[index].add(peer.name, value.max()) }
        } failed: { peer in
            for index in figures.indices { figures[index].add(peer.name, nil) }
        }
        for index in figures.indices {
            figures[index].notes = ["the rate with the greatest error counts" + (index < 2 ? "" : "; rates at which a frame is less than 1 % of 10 ms")]
            bench.add(figures[index])
        }
        let series = peers.compactMap { peer in curves[peer.name].map { rows in LineChart.Series(peer.name, x: rows.map(\.0), y: rows.map(\.1)) } }
        bench.results.curves.append(
            Curve(name, "Error of the delivered rate over 1 s, median window", x: "configured bit/s", y: "%", logarithmic: true, series: series))
    }

    private func tell(_ bench: Bench, _ peer: any Peer, _ rate: Double, _ errors: Errors) {
        func percent(_ value: Double) -> String { Table.fixed(value, 3) + " %" }
        let short = errors.short.map { "; over 10 ms \(percent($0.median)), p99 \(percent($0.p99))" } ?? ""
        bench.say("  \(peer.name), \(Table.amount(rate, "bit/s")): over 1 s \(percent(errors.second.median)), at worst \(percent(errors.second.worst))\(short)")
    }

    /// The list's, and for the project 80 % of all that large frames get through: the link.
    private func rates(_ peer: any Peer, _ bench: Bench, _ running: Running) throws -> [Double] {
        let list = bench.quick ? [1e6, 30e6, 1e9] : Self.rates
        guard peer is SluicePeer else { return list.filter { $0 <= Self.mostForKernel } }
        guard !bench.quick else { return list }
        try running.setCeiling?(400e9)
        let scenario = scenario(running, 0.7, 1_514, "max")
        let (bytes, milliseconds) = try GeneratorRun.play(bench, running, scenario, seconds: 1, bins: true).windows("there")
        let steady = bytes.dropFirst(20).prefix(50)
        let link = Double(steady.reduce(UInt64(0)) { $0 + UInt64($1) }) * 8 / (Double(steady.count) * milliseconds / 1e3) * 0.8
        return list.filter { $0 < link } + [(link / 1e6).rounded() * 1e6]
    }

    private func scenario(_ running: Running, _ seconds: Double, _ bytes: Int, _ rate: String) -> ScenarioText {
        var scenario = ScenarioText(ports: running.ports, duration: seconds)
        scenario.flow("there", from: 0, to: 1, workload(bytes), rate: rate)
        // Tells the switch where the other end is.
        scenario.flow("back", from: 1, to: 0, workload(bytes), rate: "off")
        return scenario
    }

    private func measure(_ bench: Bench, _ running: Running, _ rate: Double, _ bytes: Int) throws -> Errors {
        guard let setCeiling = running.setCeiling else { throw Fault("this switch has no rates to set") }
        try setCeiling(rate)
        let warmUp = 0.5, seconds = warmUp + max(1.5, bench.seconds)
        let scenario = scenario(running, seconds, bytes, "\(Int(rate * 1.25))bit")
        let (all, milliseconds) = try GeneratorRun.play(bench, running, scenario, seconds: seconds, bins: true).windows("there")
        let first = Int(warmUp * 1e3 / milliseconds), end = min(all.count, Int(seconds * 1e3 / milliseconds))
        guard first < end else { throw Fault("the generator's report ends after \(all.count) windows") }
        let windows = RateWindows(bytes: Array(all[first..<end]), milliseconds: milliseconds)
        func errors(_ span: Double) -> [Double] { windows.errors(against: rate, spanMilliseconds: span).map { $0.magnitude * 100 } }
        let long = errors(1_000)
        guard let median = Spread.quantile(long, 0.5), let worst = long.max() else { throw Fault("no window of 1 s was measured") }
        let isFine = Double(bytes) * 8 / (rate * 0.01) < 0.01
        let short = errors(10)
        guard isFine, let half = Spread.quantile(short, 0.5), let most = Spread.quantile(short, 0.99) else {
            return Errors(second: (median, worst), short: nil)
        }
        return Errors(second: (median, worst), short: (half, most))
    }
}
