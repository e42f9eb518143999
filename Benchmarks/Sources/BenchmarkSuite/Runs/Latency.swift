import Foundation
import Measuring

/// Measures latency from the generator's sending to its receiving call, at 10, 50 and 90 % of each switch's own NDR, as CSIT does, and at one load for all
/// switches: half of the least NDR. In addition to the figures of all frames, there are those of frames that no stall of the generator's thread delayed, and of
/// frames that no stall of the switch delayed either, if the switch reports stalls; and what the bare machine takes from threads that only spin.
struct Latency {
    var workload: Workload
    var peers: [any Peer]
    /// The benchmark whose NDR is used if it ran before this one.
    var search: String
    static let shares = [0.1, 0.5, 0.9]

    func run(_ bench: Bench, _ name: String) {
        // There are several searches, because the machine may have been in another state during a single one.
        var found: [String: [Double]] = [:]
        bench.turns(name, peers, rounds: min(bench.rounds, 3)) { peer, _ in found[peer.name, default: []].append(try startingLoad(peer, bench)) }
        let loads = found.compactMapValues { Spread($0)?.median }
        var table = FigureTable(name, unit: "us"), shares = FigureTable(name, unit: "%")
        var curves: [String: [LineChart.Series]] = [:]
        let common = (loads.values.min() ?? 0) / 2
        let able = peers.filter { loads[$0.name] != nil }
        // All switches are up and one at a time runs, so that rounds follow each other closely, and a slow period of the machine affects all of them.
        var up: [String: Running] = [:]
        defer { for running in up.values { running.stop() } }
        bench.turns(name, able, rounds: 1) { peer, _ in
            let running = try peer.start(workload, bench)
            up[peer.name] = running
            running.hold()
        }
        let half = "50 % of its NDR"
        var steps = (bench.quick ? [0.5] : Self.shares).map { share in
            ("\(Int(share * 100)) % of its NDR", { (peer: String) in share * (loads[peer] ?? 0) })
        }
        steps.append(("the same load", { _ in common }))
        // One load is measured after the other, so that what is compared was measured within a second or two.
        for (what, load) in steps {
            bench.turns(name, able.filter { up[$0.name] != nil }) { peer, round in
                guard let running = up[peer.name] else { return }
                if what == half {
                    let bare = try BareMachine.hiccups(bench)
                    shares.add("time a bare spinning thread loses in gaps of 20 us and more, the generator's CPU", peer.name, bare.generator * 100)
                    shares.add("likewise, the switch's CPU", peer.name, bare.switch * 100)
                }
                running.resume()
                defer { running.hold() }
                let load = load(peer.name)
                let file = "\(bench.output)/\(name)-\(peer.name)-\(what.filter { $0.isLetter || $0.isNumber }).hgrm"
                var scenario = ScenarioText(ports: running.ports, duration: bench.seconds)
                _ = scenario.bothWays(workload) { "\(max(1, Int(load / Double($0))))pps" }
                let waited = running.secondsWaited(on: bench.switchCPUs(1))
                let report = try GeneratorRun.play(bench, running, scenario, seconds: bench.seconds, histogram: file, asksSwitch: true)
                guard let latency = report.latency else { throw Fault("nothing arrived from \(peer.name) at \(Int(load)) frames/s") }
                if round == 0 { curves[what, default: []].append(Self.curve(peer.name, file)) }
                let targets = what == half ? [Figure.Target(against: nil, 20), .init(against: "ovs-dpdk", 1)] : []
                table.add("p50 at \(what)", peer.name, latency.p50)
                table.add("p99 at \(what)", peer.name, latency.p99, targets)
                table.add("p99.9 at \(what)", peer.name, latency.p999)
                let stalls = report.stalls
                table.add("p99 at \(what), frames undisturbed by stalls of the generator", peer.name, stalls.undisturbed?.latency.p99, targets)
                table.add("p50 at \(what), frames undisturbed by stalls of the generator", peer.name, stalls.undisturbed?.latency.p50)
                shares.add("frames that stalls of the generator disturbed at \(what)", peer.name, (stalls.undisturbed?.disturbedShare ?? 1) * 100)
                let others = running.secondsWaited(on: bench.switchCPUs(1)) - waited
                shares.add("time other threads ran instead of the switch's poll loop at \(what)", peer.name, others / bench.seconds * 100)
                guard let own = stalls.switch else {
                    if let reason = stalls.switchUnknown { bench.say("  \(peer.name): \(reason)") }
                    return
                }
                table.add("p99 at \(what), frames undisturbed by stalls of either", peer.name, stalls.undisturbedByEither?.latency.p99, targets.filter { $0.against == nil })
                shares.add("time the switch was stalled at \(what)", peer.name, own.share * 100)
            } failed: { peer in
                // A failed peer is left out of the other loads as well.
                up.removeValue(forKey: peer.name)?.stop()
            }
        }
        for figure in table.figures + shares.figures { bench.add(figure) }
        var rates = Figure(name, "its NDR", unit: "frames/s")
        for peer in able { rates.add(peer.name, loads[peer.name]) }
        bench.add(rates)
        for (what, series) in curves.sorted(by: { $0.key < $1.key }) {
            bench.results.curves.append(
                Curve(name, "Latency at \(what)", x: "1 / (1 - percentile)", y: "us", logarithmic: true, series: series))
        }
    }

    /// The NDR of a switch: the median that the search found, if it was part of this run; otherwise, a search is made.
    private func startingLoad(_ peer: any Peer, _ bench: Bench) throws -> Double {
        let known = bench.results.figures.first { $0.benchmark == search && $0.quantity == "NDR" }?.spread(peer.name)?.median
        if let known, known > 0 { return known }
        let found = try peer.whileRunning(workload, bench) { running in
            let generator = try GeneratorSession(bench, running, workload)
            let found = try LossSearch.search(generator, seconds: min(0.5, bench.seconds))
            try generator.close()
            return found
        }
        // If the machine disturbs every trial, there is no NDR, and the PDR is used.
        let ndr = found.result(0), pdr = found.result(0.005)
        if ndr == 0 { bench.say("  \(peer.name): no load without loss; its PDR stands for its NDR") }
        guard max(ndr, pdr) > 0 else { throw Fault("no load was found at which \(peer.name) loses at most 0.5 %") }
        return Double(ndr > 0 ? ndr : pdr)
    }

    /// The lines of a percentile distribution up to 99.99 %; beyond that, single frames decide.
    static func curve(_ name: String, _ file: String) -> LineChart.Series {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        let rows = text.split(separator: "\n").compactMap { line -> (Double, Double)? in
            let columns = line.split(separator: " ").compactMap { Double($0) }
            return columns.count == 4 && columns[3] <= 10_000 ? (columns[3], columns[0]) : nil
        }
        return .init(name, x: rows.map(\.0), y: rows.map(\.1))
    }
}

/// The figures of one benchmark, which are added as they are measured and keep that order.
struct FigureTable {
    private let benchmark: String
    private let unit: String
    private(set) var figures: [Figure] = []

    init(_ benchmark: String, unit: String) {
        self.benchmark = benchmark
        self.unit = unit
    }

    /// Adds a value of a figure for which lower values are better.
    mutating func add(_ quantity: String, _ peer: String, _ value: Double?, _ targets: [Figure.Target] = []) {
        if !figures.contains(where: { $0.quantity == quantity }) {
            figures.append(Figure(benchmark, quantity, unit: unit, higherIsBetter: false, targets: targets))
        }
        guard let index = figures.firstIndex(where: { $0.quantity == quantity }) else { return }
        figures[index].add(peer, value)
    }
}
