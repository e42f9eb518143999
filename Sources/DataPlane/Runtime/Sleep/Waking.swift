import Configuration
import DPDKShim
import Synchronization

extension UnsafeMutableBufferPointer<Lcore> {
    /// Makes every loop that sleeps begin a turn. Whoever changes what a loop looks at calls this after the change. It costs a system call for each loop; a
    /// loop that is awake notices the change before it next sleeps.
    func wake() {
        for index in indices { sluice_event_signal((baseAddress! + index).pointee.sleeper.event) }
    }
}

extension DataPlane {
    /// Sets each loop's polling mode to what the settings say.
    func setModes(_ settings: DaemonSettings) {
        for index in runtime.lcores.indices {
            let lcore = runtime.lcores.baseAddress! + index
            lcore.pointee.sleeper.mode.store(settings.polling(ofCPU: lcore.pointee.cpu).number, ordering: .relaxed)
        }
        runtime.lcores.wake()
    }

    /// - Throws: a sentence if the settings name a CPU that has no poll loop, or if all CPUs that a port names have none.
    static func check(
        _ settings: DaemonSettings, _ ports: [PortSettings], _ lcores: UnsafeMutableBufferPointer<Lcore>
    ) throws(DataPlaneError) {
        let cpus = lcores.indices.map { lcores[cpu: $0] }
        let there = "they run on \(cpus.map(String.init).joined(separator: ", "))"
        if let missing = settings.cores.first(where: { !cpus.contains($0.cpu) }) {
            throw DataPlaneError("no poll loop runs on CPU \(missing.cpu): \(there)")
        }
        if let port = ports.first(where: { !$0.cpus.isEmpty && !$0.cpus.contains(where: cpus.contains) }) {
            throw DataPlaneError("port \(port.name): no poll loop runs on CPU \(port.cpus.map(String.init).joined(separator: ", ")): \(there)")
        }
    }
}
