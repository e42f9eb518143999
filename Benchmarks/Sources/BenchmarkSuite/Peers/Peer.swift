import Foundation
import Measuring

/// A switch that can be measured.
protocol Peer: Sendable {
    /// The name in tables and files.
    var name: String { get }
    /// Whether all its ports are vhost-user sockets of processes that can be stopped, so that frames can circulate through it in turn with other switches.
    var circulates: Bool { get }
    /// Starts the switch on the CPUs that `Bench` has for switches, and returns when it is ready to forward.
    func start(_ workload: Workload, _ bench: Bench) throws -> Running
}

/// A switch that is running.
final class Running {
    /// For each port, the device that the generator opens.
    var ports: [GeneratorPort] = []
    /// The command through which the generator is started.
    var prefix: [String] = []
    /// The processes of the switch; none if the kernel forwards.
    var processes: [ChildProcess] = []
    /// Limits the first shaped guest to a rate in bit/s; nil if the switch cannot do that.
    var setCeiling: ((Double) throws -> Void)?
    /// The control socket if the switch is a sluiced; nil otherwise.
    var control: String?
    private var endings: [() -> Void] = []

    /// Registers what to do when the switch is stopped; the last registered is done first.
    func atEnd(_ ending: @escaping () -> Void) { endings.append(ending) }

    /// Stops the processes where they are, so that others have their CPUs, until `resume` is called.
    func hold() { for process in processes { process.send(SIGSTOP) } }
    func resume() { for process in processes { process.send(SIGCONT) } }

    /// The seconds for which threads that are bound to one of these CPUs (the poll loops) were ready to run while others ran.
    func secondsWaited(on cpus: [Int]) -> Double { processes.reduce(0) { $0 + $1.secondsWithoutCPU(boundTo: cpus) } }

    func stop() {
        // A stopped process would not receive the request to end.
        resume()
        for process in processes.reversed() { process.stop() }
        processes = []
        for ending in endings.reversed() { ending() }
        endings = []
    }

    deinit { stop() }
}

extension Peer {
    var circulates: Bool { true }

    /// Starts the switch, executes `body`, and stops the switch in any case.
    func whileRunning<Value>(_ workload: Workload, _ bench: Bench, _ body: (Running) throws -> Value) throws -> Value {
        let running = try start(workload, bench)
        defer { running.stop() }
        return try body(running)
    }
}
