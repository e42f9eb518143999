import Foundation
import Measuring

/// Compares what a ceiling delivers with what was configured, over 1 s and over 10 ms, for rates from 1 Mbit/s up to the link's rate. More is offered than the
/// ceiling allows.
struct Conformance {
    var peers: [any Peer]
    static let rates = [1e6, 3e6, 10e6, 30e6, 100e6, 300e6, 1e9, 3e9, 5e9]
    /// The kernel's bridge cannot move more large frames than this on one CPU, in bit/s.
    static let mostForKernel = 500e6
    /// The offered load, as a share of the rate.
    static let offered = 1.25
    /// If switch or generator lost its CPU for more than this share of a measurement, the measurement is repeated.
    static let mostDisturbed = 0.02

    private func workload(_ bytes: Int) -> Workload {
        var workload = Workload()
        workload.size = .bytes(bytes)
        workload.shapes = [.init(ceiling: 1e9)]
        return workload
    }

    /// Low rates use small frames, of which many fit into a second, so that one frame more or less does not count for 0.05 %.
    private func frame(_ rate: Double) -> Int { rate < 30e6 ? 60 : 1_514 }

    /// The results of one round of one switch.
    private struct Round {
        var errors: [(rate: Double, errors: RateErrors)] = []
        var link = LinkRate()
        /// The number of measurements that were repeated.
        var repeated = 0
    }

    func run(_ bench: Bench, _ name: String) {
        let quantities = [
            ("over 1 s, median window", 0.1), ("over 1 s, worst window", 0.1), ("over 10 ms, median window", 1.0), ("over 10 ms, p99 of windows", 1),
        ]
        var figures = quantities.map { Figure(name, "error \($0.0)", unit: "%", higherIsBetter: false, targets: [.init(against: nil, $0.1)]) }
        var curves: [String: [(Double, Double)]] = [:], links: [Double] = [], measured = 0, repeats = 0
        bench.turns(name, peers, rounds: bench.quick ? 1 : bench.rounds) { peer, number in
            let round = try measure(bench, peer)
            let all = round.errors.map(\.errors)
            let values = [all.map(\.second.median), all.map(\.second.worst), all.compactMap(\.short?.median), all.compactMap(\.short?.p99)]
            for (index, value) in values.enumerated() { figures[index].add(peer.name, value.max()) }
            if number == 0 { curves[peer.name] = round.errors.map { ($0.rate, $0.errors.second.median) } }
            if let link = round.link.rate { links.append(link) }
            (measured, repeats) = (measured + all.count, repeats + round.repeated)
        } failed: { peer in
            for index in figures.indices { figures[index].add(peer.name, nil) }
        }
        let again = "\(repeats) of \(measured) measurements were made again, up to twice, since switch or generator had lost its CPU; their worst windows count"
        let fastest = links.isEmpty ? [] : [
            "the greatest rate is the link's, \(LinkRate.share) of the least of several slices without limits: "
                + links.map { Table.amount($0, "bit/s") }.joined(separator: ", ")
        ]
        for index in figures.indices {
            figures[index].notes = index > 0 ? [] : [again] + fastest
            figures[index].notes += ["the rate with the greatest error counts" + (index < 2 ? "" : "; rates at which a frame is less than 1 % of 10 ms")]
            bench.add(figures[index])
        }
        let series = peers.compactMap { peer in curves[peer.name].map { rows in LineChart.Series(peer.name, x: rows.map(\.0), y: rows.map(\.1)) } }
        bench.results.curves.append(
            Curve(name, "Error of the delivered rate over 1 s, median window", x: "configured bit/s", y: "%", logarithmic: true, series: series))
    }

    /// Measures all rates: first those with small frames, then those with large ones, and for Sluice finally the rate of the link.
    private func measure(_ bench: Bench, _ peer: any Peer) throws -> Round {
        let list = bench.quick ? [1e6, 30e6, 1e9] : Self.rates
        let hasLink = peer is SluicePeer && !bench.quick, most = peer is SluicePeer ? .infinity : Self.mostForKernel
        var round = Round()
        for bytes in [60, 1_514] {
            try peer.whileRunning(workload(bytes), bench) { running in
                for rate in list where frame(rate) == bytes {
                    if hasLink, bytes == 1_514 { round.link.add(try capacity(bench, running)) }
                    if rate < round.link.rate ?? most { try measure(bench, peer, running, rate, &round) }
                }
                if bytes == 1_514, let link = round.link.rate { try measure(bench, peer, running, link, &round) }
            }
        }
        return round
    }

    /// The bit/s of large frames that get through if nothing limits them.
    private func capacity(_ bench: Bench, _ running: Running) throws -> Double {
        try running.setCeiling?(400e9)
        let warmUp = 0.2, seconds = 0.5
        let report = try GeneratorRun.play(bench, running, scenario(running, warmUp + seconds, 1_514, "max"), seconds: warmUp + seconds, bins: true)
        let (bytes, milliseconds) = try report.windows("there")
        let steady = bytes.dropFirst(Int(warmUp * 1e3 / milliseconds)).prefix(Int(seconds * 1e3 / milliseconds))
        guard !steady.isEmpty else { throw Fault("the generator's report ends after \(bytes.count) windows") }
        return Double(steady.reduce(UInt64(0)) { $0 + UInt64($1) }) * 8 / (Double(steady.count) * milliseconds / 1e3)
    }

    private func scenario(_ running: Running, _ seconds: Double, _ bytes: Int, _ rate: String) -> ScenarioText {
        var scenario = ScenarioText(ports: running.ports, duration: seconds)
        scenario.flow("there", from: 0, to: 1, workload(bytes), rate: rate)
        // This flow tells the switch where the other end is.
        scenario.flow("back", from: 1, to: 0, workload(bytes), rate: "off")
        return scenario
    }

    private func measure(_ bench: Bench, _ peer: any Peer, _ running: Running, _ rate: Double, _ round: inout Round) throws {
        guard let setCeiling = running.setCeiling else { throw Fault("this switch has no rates to set") }
        try setCeiling(rate)
        var all: [RateErrors] = []
        let best = try LeastDisturbed(most: Self.mostDisturbed) {
            let (errors, disturbed) = try once(bench, running, rate)
            all.append(errors)
            return (errors, disturbed)
        }
        var errors = best.value
        for other in all { errors.keepWorst(of: other) }
        round.errors.append((rate, errors))
        if best.repeats > 0 { round.repeated += 1 }
        func percent(_ value: Double) -> String { Table.fixed(value, 3) + " %" }
        let short = errors.short.map { "; over 10 ms \(percent($0.median)), p99 \(percent($0.p99))" } ?? ""
        let again = best.repeats > 0 ? "; measured \(best.repeats + 1) times" : ""
        bench.say("  \(peer.name), \(Table.amount(rate, "bit/s")): over 1 s \(percent(errors.second.median)), at worst \(percent(errors.second.worst))\(short)\(again)")
    }

    /// Measures once. Also returns the share of the time in which the generator lost its CPU, or the switch did, if the switch can tell; otherwise 0.
    private func once(_ bench: Bench, _ running: Running, _ rate: Double) throws -> (RateErrors, Double) {
        let warmUp = 0.5, seconds = warmUp + max(1.5, bench.seconds), bytes = frame(rate)
        let scenario = scenario(running, seconds, bytes, "\(Int(rate * Self.offered))bit")
        let report = try GeneratorRun.play(bench, running, scenario, seconds: seconds, bins: true, asksSwitch: true)
        let (all, milliseconds) = try report.windows("there")
        let first = Int(warmUp * 1e3 / milliseconds), end = min(all.count, Int(seconds * 1e3 / milliseconds))
        guard first < end else { throw Fault("the generator's report ends after \(all.count) windows") }
        guard let errors = RateErrors(RateWindows(bytes: Array(all[first..<end]), milliseconds: milliseconds), against: rate, frameBytes: bytes) else {
            throw Fault("no window of 1 s was measured")
        }
        return (errors, report.stalls.switch.map { max($0.share, report.stalls.generator.share) } ?? 0)
    }
}
