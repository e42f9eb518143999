import Foundation
import Measuring

/// What a daemon that may sleep costs when nothing happens, and how soon it wakes up.
struct Idle {
    static let adaptive = SluicePeer(name: "sluice-adaptive", daemon: ["polling: adaptive"])
    /// The mode is given explicitly, whatever the default is.
    static let polling = SluicePeer(name: "sluice-polling", daemon: ["polling: polling"])

    /// Idle CPUs are kept from deep idle states; this shows what waking from those costs.
    static let awake = SluicePeer(name: "sluice-adaptive-0us", daemon: ["polling: adaptive", "wake-latency: 0us"])

    /// Why this cannot be measured; nil if it can.
    static func refusal(_ bench: Bench) throws -> String? {
        try adaptive.refusal(Workload(), bench).map { "this sluiced has no adaptive polling: \($0.split(separator: "\n").first ?? "")" }
    }

    /// Measures the CPU time of an idle daemon as a share of one CPU, and the latency of single frames that come after it went to sleep, together with the time
    /// that it takes at the same time to wake a thread by an eventfd without a switch.
    static func run(_ bench: Bench, _ name: String) throws {
        if let refusal = try refusal(bench) { return bench.skip(name, refusal) }
        var workload = Workload()
        workload.ports = 8
        var share = Figure(name, "CPU of an idle daemon with 8 ports", unit: "%", higherIsBetter: false, targets: [.init(against: nil, 2)])
        var wake = Figure(name, "p99 of frames 20 ms apart", unit: "us", higherIsBetter: false, targets: [.init(against: nil, 100)])
        var median = Figure(name, "p50 of frames 20 ms apart", unit: "us", higherIsBetter: false)
        bench.turns(name, [adaptive, awake, polling]) { peer, _ in
            var bareWake: [(String, Double, Double)] = []
            try peer.whileRunning(workload, bench) { running in
                let generator = try GeneratorSession(bench, running, workload)
                // The daemon backs off gradually.
                usleep(500_000)
                let before = running.processes.reduce(0) { $0 + $1.secondsOfCPU }
                let start = ContinuousClock.now
                usleep(UInt32(max(1, bench.seconds) * 1e6))
                let used = running.processes.reduce(0) { $0 + $1.secondsOfCPU } - before
                share.add(peer.name, used / ((ContinuousClock.now - start) / .seconds(1)) * 100)
                try generator.close()
                let seconds = max(5, bench.seconds)
                if peer.name != polling.name {
                    let bare = try BareMachine.wakes(bench, seconds: seconds)
                    let name = "bare-eventfd" + (peer.name == awake.name ? "-0us" : "")
                    bareWake.append((name, bare.p50, bare.p99))
                }
                var scenario = ScenarioText(ports: running.ports, duration: seconds)
                scenario.flow("one", from: 0, to: 1, workload, rate: "50pps")
                scenario.flow("back", from: 1, to: 0, workload, rate: "off")
                guard let latency = try GeneratorRun.play(bench, running, scenario, seconds: seconds).latency else {
                    throw Fault("nothing arrived from \(peer.name)")
                }
                wake.add(peer.name, latency.p99)
                median.add(peer.name, latency.p50)
                for (name, p50, p99) in bareWake {
                    median.add(name, p50)
                    wake.add(name, p99)
                }
            }
        } failed: { peer in
            share.add(peer.name, nil)
            wake.add(peer.name, nil)
            median.add(peer.name, nil)
        }
        bench.add(share, wake, median)
    }

    /// Compares the throughput of a daemon that may sleep with that of one that never does.
    static func throughput(_ bench: Bench, _ name: String) throws {
        if let refusal = try refusal(bench) { return bench.skip(name, refusal) }
        Throughput(workload: Workload(), peers: [adaptive, polling], targets: [.init(against: "sluice-polling", 0.98)]).run(bench, name)
    }
}
