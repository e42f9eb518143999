import Foundation
import Measuring

/// Throughput at the shaper's rate, with circulating frames. Before each slice of Sluice, the link is set to a share of what testpmd moved in the preceding
/// slice. Every class is limited and borrows most of what it sends. There are more frames than the link passes, so they wait in the queues of the classes.
struct ShapedThroughput {
    var workload: Workload
    /// The rate of the link as a share of what testpmd moves.
    var link: Double
    var targets: [Figure.Target] = []
    /// The number of frames on their way in each direction: enough for nearly every class to have waiting frames at times, but so few that the cache lines of
    /// their buffers stay in a second-level cache together with the rest, as the 256 of the other switch do. With 4 096 they do not, and frames cost twice as
    /// many cycles to receive and send.
    static let window = 1_024

    func run(_ bench: Bench, _ name: String) throws {
        let own = SluicePeer(), other = TestpmdPeer()
        var result = Figure(name, "delivered of a link of \(Table.fixed(link, 2)) x testpmd-io", unit: "frames/s", targets: targets)
        var conformance = Figure(name, "delivered, share of the link's rate", unit: "%")
        let beside = try other.start(workload, bench)
        defer { beside.stop() }
        let first = try Circulation.play(bench, workload, [(other, beside)], slices: 5)
        guard let nominal = Spread(first.rates(other.name))?.median else { throw Fault("there is no rate of \(other.name) to set the link by") }
        let link = ShapedLink(share: link, nominal: nominal * link)
        var shaped = workload
        shaped.link = link.nominal * workload.meanBytes * 8
        try own.whileRunning(shaped, bench) { running in
            let sluice = "\(bench.programs)/sluice --socket \(running.control ?? "")"
            // The root's bucket holds 10 ms of its rate. It is full after the other switch's slice and is used up before anything counts.
            let command = "\(link.command(bytes: workload.meanBytes)); exec \(sluice) bridge set br0 rate ${bits}bit >/dev/null"
            let report = try Circulation.play(
                bench, shaped, [(own, running), (other, beside)], slices: Circulation.slices(bench), windows: [own.name: Self.window],
                options: ["--before", "\(own.name)=\(command)", "--warm-up", "60ms"])
            for member in report.switches {
                for slice in member.slices {
                    result.add(member.name, slice.rate, disturbed: slice.disturbed)
                    if let told = slice.told { conformance.add(member.name, slice.rate / link.rate(told) * 100) }
                }
            }
            let lost = report.lost(own.name)
            result.notes = (lost > 0 ? ["\(own.name) lost \(lost) frames"] : []) + [report.limit]
            let classes = try shell("\(bench.programs)/sluice", "--socket", running.control ?? "", "class", "show", "-j")
            do { conformance.notes = [try ClassUse(json: Data(classes.utf8)).sentence] } catch { throw Fault("the classes' counters cannot be read: \(error)") }
        }
        bench.add(result, conformance)
    }
}
