import Foundation
import Measuring

/// MRR (CSIT's maximum receive rate): frames delivered per second, all ports together, by a switch that always has frames to pass.
///
/// Switches whose ports are vhost-user sockets are all up at once, and frames circulate through one after the other in slices of time; a round
/// is a slice. Where one generator has not enough ports for that, each is up by itself in turn, and a round is the median of its slices. What has no
/// vhost-user sockets is flooded.
struct Throughput {
    var workload: Workload
    var peers: [any Peer]
    var targets: [Figure.Target] = []

    func run(_ bench: Bench, _ name: String) {
        var result = Figure(name, "MRR", unit: "frames/s", targets: targets)
        let before = peers.contains { $0.name == "sluice" } ? bench.before.map { [SluicePeer(name: "sluice-before", programs: $0)] } ?? [] : []
        let chosen = bench.chosen(peers + before)
        let circulating = chosen.filter(\.circulates), flooded = chosen.filter { !$0.circulates }
        if circulating.count * workload.ports <= Circulation.mostPorts {
            if !circulating.isEmpty { Circulation(workload: workload, peers: circulating).measure(bench, name, into: &result) }
        } else {
            // One generator has not enough ports for all of them at once.
            bench.turns(name, circulating) { peer, _ in
                let slices = try peer.whileRunning(workload, bench) { try Circulation.play(bench, workload, [(peer, $0)], slices: Circulation.slicesPerRound(bench)) }
                result.add(peer.name, Spread(slices.rates(peer.name))?.median, disturbed: slices.disturbed(peer.name))
            } failed: { result.add($0.name, nil) }
        }
        bench.turns(name, flooded) { peer, _ in
            let (rate, disturbed) = try peer.whileRunning(workload, bench) { running in
                let generator = try GeneratorSession(bench, running, workload)
                let rate = try generator.flood(bench.seconds).frames
                try generator.close()
                return (rate, generator.disturbed)
            }
            result.add(peer.name, rate, disturbed: disturbed)
        } failed: { result.add($0.name, nil) }
        bench.add(result)
    }
}
