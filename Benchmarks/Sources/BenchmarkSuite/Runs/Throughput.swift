import Foundation
import Measuring

/// MRR (CSIT's maximum receive rate): frames delivered per second, all ports together, by a switch that always has frames to pass.
///
/// Switches whose ports are vhost-user sockets are all up at once, and frames circulate through one after the other in slices of time; a round
/// is a slice. The others are flooded, each round by itself.
struct Throughput {
    var workload: Workload
    var peers: [any Peer]
    var targets: [Figure.Target] = []

    func run(_ bench: Bench, _ name: String) {
        var result = Figure(name, "MRR", unit: "frames/s", targets: targets)
        let chosen = bench.chosen(peers)
        var circulating = chosen.filter(\.circulates)
        // One generator plays no more.
        if circulating.count * workload.ports > Circulation.mostPorts { circulating = [] }
        if !circulating.isEmpty { Circulation(workload: workload, peers: circulating).measure(bench, name, into: &result) }
        let flooded = chosen.filter { peer in !circulating.contains { $0.name == peer.name } }
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

/// Throughput at the shaper's rate: the link is set a little below what testpmd moved in the same round, every class is limited and borrows
/// most of what it sends, and more is offered than the link takes.
struct ShapedThroughput {
    var workload: Workload
    var targets: [Figure.Target] = []
    /// The link's rate as a share of testpmd's, and the offered load as a share of the link's.
    static let link = 0.9, offered = 1.1

    func run(_ bench: Bench, _ name: String) {
        var result = Figure(name, "delivered of a link of 0.9 x testpmd-io", unit: "frames/s", targets: targets)
        var share = Figure(name, "delivered, share of the link's rate", unit: "%")
        var limit: Double?
        bench.turns(name, [TestpmdPeer(), SluicePeer()]) { peer, _ in
            var own = workload
            let isLimit = peer is TestpmdPeer
            if isLimit { limit = nil }
            if !isLimit {
                guard let limit else { throw Fault("there is no rate of testpmd-io in this round to set the link by") }
                own.link = limit * workload.meanBytes * 8 * Self.link
            }
            let (rate, disturbed) = try peer.whileRunning(own, bench) { running in
                let generator = try GeneratorSession(bench, running, own)
                let rate = isLimit
                    ? try generator.flood(bench.seconds).frames
                    : try generator.offered((limit ?? 0) * Self.link * Self.offered, bench.seconds).frames
                try generator.close()
                return (rate, generator.disturbed)
            }
            if isLimit { limit = rate } else { share.add(peer.name, rate / ((limit ?? 1) * Self.link) * 100) }
            result.add(peer.name, rate, disturbed: disturbed)
        } failed: { result.add($0.name, nil) }
        // The project's own value stands first, although the other was measured first.
        result.peers.sort { $0.peer == "sluice" && $1.peer != "sluice" }
        bench.add(result, share)
    }
}
