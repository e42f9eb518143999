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

    func run(_ bench: Bench, _ name: String) {
        var second = Figure(name, "greatest error of any rate over 1 s", unit: "%", higherIsBetter: false, targets: [.init(against: nil, 0.1)])
        var short = Figure(name, "p99 error of any rate over 10 ms", unit: "%", higherIsBetter: false, targets: [.init(against: nil, 1)])
        var curves: [String: [(Double, Double)]] = [:]
        var worst = ""
        bench.turns(name, peers, rounds: min(bench.rounds, 3)) { peer, round in
            var seconds: [Double] = [], shorts: [Double] = []
            for bytes in [60, 1_514] {
                try peer.whileRunning(workload(bytes), bench) { running in
                    for rate in try rates(peer, bench, running) where frame(rate) == bytes {
                        let (long, p99) = try measure(bench, running, rate, bytes)
                        let fine = p99.map { ", p99 over 10 ms \(Table.fixed($0, 3)) %" } ?? ""
                        bench.say("  \(peer.name), \(Table.amount(rate, "bit/s")): over 1 s \(Table.fixed(long, 3)) %\(fine)")
                        seconds.append(long)
                        p99.map { shorts.append($0) }
                        if round == 0 { curves[peer.name, default: []].append((rate, long)) }
                        if peer is SluicePeer, long == seconds.max() { worst = "the greatest at \(Table.amount(rate, "bit/s"))" }
                    }
                }
            }
            second.add(peer.name, seconds.max())
            short.add(peer.name, shorts.max())
        } failed: {
            second.add($0.name, nil)
            short.add($0.name, nil)
        }
        second.notes = ["rates \(Table.amount(Self.rates[0], "bit/s")) to the link's; \(worst)"]
        short.notes = ["rates at which a frame is less than 1 % of 10 ms"]
        bench.add(second, short)
        let series = peers.compactMap { peer in curves[peer.name].map { rows in LineChart.Series(peer.name, x: rows.map(\.0), y: rows.map(\.1)) } }
        bench.results.curves.append(
            Curve(name, "Greatest error of delivered rate over 1 s", x: "configured bit/s", y: "%", logarithmic: true, series: series))
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

    private func measure(_ bench: Bench, _ running: Running, _ rate: Double, _ bytes: Int) throws -> (second: Double, short: Double?) {
        guard let setCeiling = running.setCeiling else { throw Fault("this switch has no rates to set") }
        try setCeiling(rate)
        let warmUp = 0.5, seconds = warmUp + max(1.5, bench.seconds)
        let scenario = scenario(running, seconds, bytes, "\(Int(rate * 1.25))bit")
        let (all, milliseconds) = try GeneratorRun.play(bench, running, scenario, seconds: seconds, bins: true).windows("there")
        let first = Int(warmUp * 1e3 / milliseconds), end = min(all.count, Int(seconds * 1e3 / milliseconds))
        guard first < end else { throw Fault("the generator's report ends after \(all.count) windows") }
        let windows = RateWindows(bytes: Array(all[first..<end]), milliseconds: milliseconds)
        guard let long = windows.errors(against: rate, spanMilliseconds: 1_000).map(\.magnitude).max() else { throw Fault("no window of 1 s was measured") }
        let isFine = Double(bytes) * 8 / (rate * 0.01) < 0.01
        let short = isFine ? Spread.quantile(windows.errors(against: rate, spanMilliseconds: 10).map(\.magnitude), 0.99) : nil
        return (long * 100, short.map { $0 * 100 })
    }
}
