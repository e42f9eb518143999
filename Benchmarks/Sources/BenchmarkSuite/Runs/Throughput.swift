import Foundation
import Measuring

/// MRR (CSIT's maximum receive rate): the frames delivered per second at all ports together by a switch that always has frames to pass.
///
/// Switches whose ports are vhost-user sockets are all running at the same time, and frames circulate through one after the other in slices of time; a round is
/// a slice. If one generator does not have enough ports for that, each switch runs by itself in turn, and a round is the median of its slices. A switch without
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
            // One generator does not have enough ports for all of them at the same time.
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
