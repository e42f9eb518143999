import Foundation
import Measuring

/// Latency from the generator's sending to its receiving call, at 10, 50 and 90 % of each switch's own NDR, which is searched for first.
struct Latency {
    var workload: Workload
    var peers: [any Peer]
    static let shares = [0.1, 0.5, 0.9]

    func run(_ bench: Bench, _ name: String) {
        var loads: [String: Double] = [:]
        var results: [String: Figure] = [:]
        var order: [String] = []
        var curves: [Double: [String: LineChart.Series]] = [:]
        func add(_ quantity: String, _ peer: String, _ value: Double?, _ targets: [Figure.Target] = []) {
            if results[quantity] == nil {
                results[quantity] = Figure(name, quantity, unit: "us", higherIsBetter: false, targets: targets)
                order.append(quantity)
            }
            results[quantity]?.add(peer, value)
        }
        let shares = bench.quick ? [0.5] : Self.shares
        bench.turns(name, peers) { peer, round in
            try peer.whileRunning(workload, bench) { running in
                if loads[peer.name] == nil {
                    let generator = try GeneratorSession(bench, running, workload)
                    let search = try LossSearch.search(generator, seconds: min(0.5, bench.seconds))
                    try generator.close()
                    // A machine that never leaves a trial alone has no NDR; its PDR serves.
                    let ndr = search.result(0), pdr = search.result(0.005)
                    if ndr == 0 { bench.say("  \(peer.name): no load without loss; the shares are of its PDR") }
                    guard max(ndr, pdr) > 0 else { throw Fault("no load was found at which \(peer.name) loses at most 0.5 %") }
                    loads[peer.name] = Double(ndr > 0 ? ndr : pdr)
                }
                for share in shares {
                    var scenario = ScenarioText(ports: running.ports, duration: bench.seconds)
                    let load = (loads[peer.name] ?? 0) * share
                    _ = scenario.bothWays(workload) { "\(max(1, Int(load / Double($0))))pps" }
                    let percent = Int(share * 100)
                    let file = "\(bench.output)/\(name)-\(peer.name)-\(percent).hgrm"
                    let report = try GeneratorRun.play(bench, running, scenario, seconds: bench.seconds, histogram: file)
                    guard let latency = report.latency else { throw Fault("nothing arrived from \(peer.name) at \(Int(load)) frames/s") }
                    let targets = percent == 50 ? [Figure.Target(against: nil, 20), .init(against: "ovs-dpdk", 1)] : []
                    add("p50 at \(percent) % of NDR", peer.name, latency.p50)
                    add("p90 at \(percent) % of NDR", peer.name, latency.p90)
                    add("p99 at \(percent) % of NDR", peer.name, latency.p99, targets)
                    if round == 0 { curves[share, default: [:]][peer.name] = Self.curve(peer.name, file) }
                }
            }
        }
        for quantity in order { if let result = results[quantity] { bench.add(result) } }
        let load = Figure(name, "load that 100 % stands for", unit: "frames/s")
        bench.add(peers.reduce(into: load) { result, peer in loads[peer.name].map { result.add(peer.name, $0) } })
        for share in shares {
            let series = peers.compactMap { curves[share]?[$0.name] }
            if series.isEmpty { continue }
            bench.results.curves.append(
                Curve(name, "Latency at \(Int(share * 100)) % of NDR", x: "1 / (1 - percentile)", y: "us", logarithmic: true, series: series))
        }
    }

    /// The lines of a percentile distribution up to 99.99 %, beyond which a picture shows one frame's luck.
    static func curve(_ name: String, _ file: String) -> LineChart.Series {
        let text = (try? String(contentsOfFile: file, encoding: .utf8)) ?? ""
        let rows = text.split(separator: "\n").compactMap { line -> (Double, Double)? in
            let columns = line.split(separator: " ").compactMap { Double($0) }
            return columns.count == 4 && columns[3] <= 10_000 ? (columns[3], columns[0]) : nil
        }
        return .init(name, x: rows.map(\.0), y: rows.map(\.1))
    }
}
