import Foundation
import Measuring

/// A switch that can be measured.
protocol Peer: Sendable {
    /// As tables and files name it.
    var name: String { get }
    /// Whether all its ports are vhost-user sockets of processes that can be stopped, so that frames circulate through it in turn with others.
    var circulates: Bool { get }
    /// Starts it, ready to forward, on the CPUs that `Bench` has for switches.
    func start(_ workload: Workload, _ bench: Bench) throws -> Running
}

/// A switch that forwards.
final class Running {
    /// What the generator opens, by port.
    var ports: [GeneratorPort] = []
    /// What the generator is started through.
    var prefix: [String] = []
    /// Its processes; none where the kernel forwards.
    var processes: [ChildProcess] = []
    /// Limits the first shaped guest to a rate (bit/s), where the switch can.
    var setCeiling: ((Double) throws -> Void)?
    /// The socket on which a sluiced answers; nil: it is another switch.
    var control: String?
    private var endings: [() -> Void] = []

    /// Does something when it is stopped; the last first.
    func atEnd(_ ending: @escaping () -> Void) { endings.append(ending) }

    /// Its processes stop where they are, and leave their CPUs to others, until it resumes.
    func hold() { for process in processes { process.send(SIGSTOP) } }
    func resume() { for process in processes { process.send(SIGCONT) } }

    /// Seconds that threads bound to one of these CPUs, poll loops that is, were ready to run and others ran instead.
    func secondsWaited(on cpus: [Int]) -> Double { processes.reduce(0) { $0 + $1.secondsWithoutCPU(boundTo: cpus) } }

    func stop() {
        // What is stopped does not hear that it is to end.
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

    /// Starts it, does something, and stops it in any case.
    func whileRunning<Value>(_ workload: Workload, _ bench: Bench, _ body: (Running) throws -> Value) throws -> Value {
        let running = try start(workload, bench)
        defer { running.stop() }
        return try body(running)
    }
}
