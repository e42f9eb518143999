import Foundation
import Measuring

/// Sluice, with all its stages.
struct SluicePeer: Peer {
    var name = "sluice"
    /// The folder of its programs; nil: that of this run.
    var programs: String?
    /// Lines added to those of the workload for the daemon's section.
    var daemon: [String] = []
    /// Whether its configuration leaves out the VLANs and filters of the workload.
    var isPlain = false
    /// The variant that VLANs and filters are compared with.
    static let plain = SluicePeer(name: "sluice-plain", isPlain: true)

    func start(_ workload: Workload, _ bench: Bench) throws -> Running {
        let running = Running(), workload = own(workload)
        let sockets = (0..<(workload.ports + workload.idlePorts)).map { _ in bench.path("s") }
        let config = try bench.file("sluice.yaml", SluiceText.yaml(workload, sockets: sockets, cpus: bench.switchCPUs(workload.cores)))
        let control = bench.path("c"), programs = programs ?? bench.programs
        let process = try ChildProcess(
            ["\(programs)/sluiced", "--config", config, "--socket", control, "--state", "none"], log: bench.path("sluiced.log"))
        running.processes = [process]
        try process.waitFor("ready", within: 120)
        running.control = control
        running.ports = sockets.prefix(workload.ports).map { GeneratorPort(device: "virtio_user:\($0)") }
        let program = "\(programs)/sluice"
        running.setCeiling = { rate in
            try shell(program, "--socket", control, "class", "set", "p1g0", "dir", "inbound", "ceiling", "\(Int(rate))bit")
        }
        return running
    }

    private func own(_ workload: Workload) -> Workload {
        var workload = workload
        workload.daemon += daemon
        if isPlain {
            workload.filtersVLANs = false
            workload.hasRules = false
        }
        return workload
    }

    /// Why this daemon does not accept the configuration; nil if it does.
    func refusal(_ workload: Workload, _ bench: Bench) throws -> String? {
        let workload = own(workload)
        let text = SluiceText.yaml(workload, sockets: (0..<workload.ports).map { "/tmp/s\($0)" }, cpus: bench.switchCPUs(workload.cores))
        let file = try bench.file("check.yaml", text)
        do {
            try shell("\(bench.programs)/sluice", "check", file)
            return nil
        } catch { return "\(error)" }
    }
}
