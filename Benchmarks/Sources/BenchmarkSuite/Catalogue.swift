import Foundation
import Measuring

/// A benchmark, which can be run alone.
struct Benchmark {
    /// The name, in the style of CSIT: frame size with FCS, number of cores, kind of ports, and task.
    var name: String
    var title: String
    /// Whether it is part of `--quick`.
    var quick = false
    /// The number of CPUs that it needs, including that of the generator.
    var cpus = 2
    var run: (Bench, String) throws -> Void
}

enum Catalogue {
    private static let limits: [any Peer] = [SluicePeer(), TestpmdPeer()]
    private static let bridges: [any Peer] = [SluicePeer(), TestpmdPeer(), OpenvSwitchPeer()]
    private static let everyone: [any Peer] = [SluicePeer(), TestpmdPeer(), OpenvSwitchPeer(), KernelPeer()]

    private static func workload(_ change: (inout Workload) -> Void) -> Workload {
        var workload = Workload()
        change(&workload)
        return workload
    }

    static var all: [Benchmark] { throughput + scale + rates + rest }

    private static var throughput: [Benchmark] {
        [
            mrr("64b-1c-vhost-l2", "one flow each way", everyone, [("testpmd-io", 1.5), ("ovs-dpdk", 2), ("kernel-htb", 50)], quick: true),
            mrr("64b-1c-vhost-l2-16kflows", "16 384 flows each way", bridges, [("testpmd-io", 1.3), ("ovs-dpdk", 1.8)], quick: true) { $0.subflows = 16_384 },
            mrr(
                "64b-1c-vhost-l2-500macs-500kflows", "500 guests a port, 1 000 flows between each pair", bridges,
                [("testpmd-io", 1.15), ("ovs-dpdk", 1.8)]
            ) {
                $0.guestsPerPort = 500
                $0.macsPerPort = 500
                $0.subflows = 1_000
            },
            mrr(
                "64b-1c-vhost-l2-500macs-500kflows-200vlans", "the same in 200 VLANs on two trunks", [SluicePeer(), SluicePeer.plain, OpenvSwitchPeer()],
                [("sluice-plain", 0.9), ("ovs-dpdk", 1.8)]
            ) {
                $0.guestsPerPort = 500
                $0.macsPerPort = 500
                $0.subflows = 1_000
                $0.vlans = 200
            },
            mrr("64b-1c-vhost-l2-10rules", "one flow each way past ten rules of a filter", [SluicePeer(), SluicePeer.plain, OpenvSwitchPeer()], []) {
                $0.hasRules = true
            },
            mrr("64b-1c-vhost-l2-16kflows-10rules", "16 384 flows each way past ten rules", [SluicePeer(), SluicePeer.plain, OpenvSwitchPeer()], []) {
                $0.subflows = 16_384
                $0.hasRules = true
            },
            mrr("64b-1c-vhost-l2-8cls", "2 guests with 8 classes, inner ones included, traffic in all leaves", bridges, []) { manyClasses(&$0, 1) },
            mrr("64b-1c-vhost-l2-1kmacs-3kcls", "1 000 guests with 3 000 classes behind two ports", bridges, [("testpmd-io", 0.85)]) { manyClasses(&$0, 500) },
            shaped("64b-1c-vhost-l2-1kmacs-3kcls-shaped", 0.9, [.init(against: "testpmd-io", 0.75)], quick: true),
            shaped("64b-1c-vhost-l2-1kmacs-3kcls-shaped-half", 0.5),
            mrr("imix-1c-vhost-l2", "7 : 4 : 1 of 64, 594 and 1518 bytes", bridges, [], quick: true) { $0.size = .imix },
            mrr("1518b-1c-vhost-l2", "one flow each way", everyone, [("testpmd-io", 1.6)]) { $0.size = .bytes(1_514) },
            mrr("9000b-1c-vhost-l2", "one flow each way", bridges, [("testpmd-io", 1.7)]) {
                $0.size = .bytes(8_996)
                $0.mtu = 9_000
            },
            mrr("64k-1c-vhost-l2", "TCP segments of 64 KiB that guests leave to be cut, whole", bridges, [("testpmd-io", 1.7)]) {
                // Open vSwitch makes segments as long as its port's MTU allows, whatever the guest says: this is the same.
                $0.size = .bytes(54 + 44 * 1_460)
                $0.segment = 1_460
            },
        ]
    }

    private static func shaped(_ name: String, _ link: Double, _ targets: [Figure.Target] = [], quick: Bool = false) -> Benchmark {
        Benchmark(name: name, title: "every class limited and borrowing, a link of \(Table.fixed(link, 1)) of what testpmd moves", quick: quick) {
            try ShapedThroughput(workload: workload { manyClasses(&$0, 500) }, link: link, targets: targets).run($0, $1)
        }
    }

    private static func manyClasses(_ workload: inout Workload, _ guests: Int) {
        workload.guestsPerPort = guests
        workload.macsPerPort = guests
        workload.allClasses = true
    }

    private static var scale: [Benchmark] {
        [8, 32].map { ports in mrr("64b-1c-\(ports)vhost-l2", "\(ports) ports in pairs", bridges, []) { $0.ports = ports } }
            + [
                mrr("64b-1c-64vhost-l2-32up", "64 ports, of which 32 are connected (one generator plays no more)", bridges, []) {
                    $0.ports = 32
                    $0.idlePorts = 32
                },
                mrr("64b-1c-vhost-l2-10kmacs", "10 000 addresses behind two ports", bridges, []) { $0.macsPerPort = 5_000 },
                mrr("64b-1c-vhost-l2-65kcls", "16 382 guests with 65 528 classes, inner ones included, behind two ports", limits, []) { manyClasses(&$0, 8_191) },
                mrr("64b-2c-4vhost-l2", "two switching cores, 4 ports", bridges, [], cpus: 3) {
                    $0.ports = 4
                    $0.cores = 2
                },
                Benchmark(name: "scaling-Nc-rings", title: "scaling over lcores, rings in memory, no generator", run: Outside.rings),
            ]
    }

    private static var rates: [Benchmark] {
        [("64b", Workload.FrameSize.bytes(60)), ("1518b", .bytes(1_514)), ("imix", .imix)].map { name, size in
            Benchmark(name: "\(name)-1c-vhost-l2-ndrpdr", title: "NDR and PDR by binary search", quick: false) {
                LossSearch(workload: workload { $0.size = size }, peers: bridges).run($0, $1)
            }
        } + [
            Benchmark(name: "64b-1c-vhost-l2-latency", title: "latency at 10, 50 and 90 % of NDR, and at one load for all", quick: true) {
                Latency(workload: Workload(), peers: bridges + [Idle.polling], search: "64b-1c-vhost-l2-ndrpdr").run($0, $1)
            },
            Benchmark(name: "1c-vhost-l2-conformance", title: "delivered against configured rate, 10 rates", quick: true) {
                Conformance(peers: [SluicePeer(), KernelPeer()]).run($0, $1)
            },
            Benchmark(name: "1518b-1c-vhost-l2-recovery", title: "time until an idle class has its floor back", quick: true) {
                Recovery(peers: [SluicePeer(), KernelPeer()]).run($0, $1)
            },
        ]
    }

    private static var rest: [Benchmark] {
        [
            Benchmark(name: "64b-1c-vhost-l2-adaptive", title: "throughput of adaptive polling", run: Idle.throughput),
            Benchmark(name: "1c-8vhost-idle", title: "CPU of an idle daemon and its first frame", run: Idle.run),
            Benchmark(name: "1c-10kcls-control", title: "changes and looks among 10 000 classes", quick: true, run: ControlScale.run),
            Benchmark(name: "1c-16kcls-metrics", title: "metrics of 16 000 classes", run: ControlScale.metrics),
            Benchmark(name: "64b-scheduler", title: "the scheduler alone beside librte_sched", run: Outside.scheduler),
            Benchmark(name: "generator-check", title: "the generator's counts against dpdk-testpmd's", quick: true, run: GeneratorCheck.run),
        ]
    }

    private static func mrr(
        _ name: String, _ title: String, _ peers: [any Peer], _ targets: [(String, Double)], quick: Bool = false, cpus: Int = 2,
        _ change: @escaping (inout Workload) -> Void = { _ in }
    ) -> Benchmark {
        Benchmark(name: name, title: title, quick: quick, cpus: cpus) {
            Throughput(workload: workload(change), peers: peers, targets: targets.map { .init(against: $0.0, $0.1) }).run($0, $1)
        }
    }

    /// The benchmarks with these names, in the catalogue's order. A name may contain `*`.
    static func select(_ names: [String], quick: Bool) throws -> [Benchmark] {
        guard !names.isEmpty else { return all.filter { !quick || $0.quick } }
        for name in names where !all.contains(where: { matches($0.name, name) }) {
            throw Fault("no benchmark is called \(name); there are \(all.map(\.name).joined(separator: ", "))")
        }
        return all.filter { benchmark in names.contains { matches(benchmark.name, $0) } }
    }

    private static func matches(_ name: String, _ pattern: String) -> Bool { fnmatch(pattern, name, 0) == 0 }
}
