import Foundation
import Measuring

/// Measures NDR and PDR: the greatest loads at which no frame is lost, and at which at most 0.5 % are.
struct LossSearch {
    var workload: Workload
    var peers: [any Peer]
    static let tolerances = [("NDR", 0.0), ("PDR", 0.005)]

    func run(_ bench: Bench, _ name: String) {
        var results = Self.tolerances.map { Figure(name, $0.0, unit: "frames/s") }
        bench.turns(name, peers, rounds: min(bench.rounds, 3)) { peer, _ in
            let search = try peer.whileRunning(workload, bench) { running in
                let generator = try GeneratorSession(bench, running, workload)
                let search = try Self.search(generator, seconds: min(0.5, bench.seconds))
                try generator.close()
                return search
            }
            for (index, tolerance) in Self.tolerances.enumerated() { results[index].add(peer.name, Double(search.result(tolerance.1))) }
        } failed: { peer in
            for index in results.indices { results[index].add(peer.name, nil) }
        }
        for result in results { bench.add(result) }
    }

    /// The search is bounded by what a flood gets through, and by the number of trials.
    static func search(_ generator: GeneratorSession, goals: [Double] = tolerances.map { $0.1 }, seconds: Double) throws -> RateSearch {
        let most = try generator.flood(seconds).frames
        var search = RateSearch(goals: goals, most: Int(most))
        while let load = search.next { search.record(load: load, loss: try generator.loss(at: load, seconds)) }
        return search
    }
}
