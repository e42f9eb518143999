import DPDKShim
import Glibc

/// An Ethernet device of DPDK's, from probing to removal: what tap and physical ports are made of.
final class EthernetDevice {
    let state: UnsafeMutablePointer<PortState>
    let queues: Int
    let number: UInt16
    let driver: String
    let numaNode: Int
    private let lcores: UnsafeMutableBufferPointer<Lcore>

    /// What the error's number does not say. DPDK's AF_PACKET driver numbers its sockets' fanout group by process id and interface index, so that two neighbours may meet.
    private static func hint(_ devargs: String) -> String {
        if PhysicalPort.isPCIAddress(devargs) { return "; `dpdk-devbind.py --status` lists PCI devices and what drives them" }
        let reason = "; the daemon's log has the driver's reason"
        guard devargs.hasPrefix("net_af_packet") else { return reason }
        return reason + ". Where that is PACKET_FANOUT, another program's process id and interface make the same number: start either again"
    }

    /// - Parameters:
    ///   - devargs: a device string or PCI address.
    ///   - queues: queue pairs wanted; the device may have fewer.
    ///   - transmitQueues: wanted; the device may have fewer, and lcores then share them.
    ///   - equalQueues: the driver wants as many transmit as receive queues.
    /// - Throws: a sentence that begins with `port`'s name.
    init(port: String, devargs: String, queues: Int, mtu: Int, transmitQueues: Int, equalQueues: Bool, _ runtime: Runtime) throws(DataPlaneError) {
        var number: UInt16 = 0
        let probed = sluice_device_probe(devargs, &number)
        guard probed == 0 else {
            throw DataPlaneError("port \(port): device \"\(devargs)\" could not be opened: \(DataPlaneError.errorText(probed))\(Self.hint(devargs))")
        }
        var setup = sluice_device_setup()
        setup.receive_queues = UInt16(queues)
        setup.transmit_queues = UInt16(transmitQueues)
        setup.mtu = UInt16(mtu)
        setup.equal_queues = equalQueues
        let started = sluice_device_start(number, runtime.pool, &setup)
        guard started == 0 else {
            let step = setup.failed_step.map { String(cString: $0) } ?? ""
            sluice_device_remove(number)
            throw DataPlaneError("port \(port): device \"\(devargs)\" could not be started: \(DataPlaneError.errorText(started)) (\(step))")
        }
        self.number = number
        lcores = runtime.lcores
        self.queues = Int(setup.receive_queues)
        driver = String(cString: sluice_device_driver(number))
        numaNode = Int(setup.numa_node)
        state = .allocate(capacity: 1)
        state.initialize(to: PortState(mechanism: .device, device: number))
        state.pointee.finishChecksums.store(!setup.checksum, ordering: .relaxed)
        state.pointee.receiveRings.store(Self.mask(self.queues), ordering: .relaxed)
        state.pointee.transmitRings.store(Self.mask(Int(setup.transmit_queues)), ordering: .relaxed)
        for queue in 0..<min(self.queues, maxQueuePairs) {
            state.pointee.interrupts[queue] = sluice_device_interrupt(number, UInt16(queue), &state.pointee.armsInterrupts)
        }
    }

    /// Frames wake a loop that sleeps; otherwise it looks for them now and then.
    var wakes: Bool { !state.pointee.announcements.fail && (0..<queues).allSatisfy { $0 < maxQueuePairs && state.pointee.interrupts[$0] >= 0 } }

    var isUp: Bool {
        get { state.pointee.connection.load(ordering: .acquiring) >= 0 }
        set {
            // Poll loops read it with every frame: it is written only where it changes.
            if newValue == isUp { return }
            state.pointee.connection.store(newValue ? 0 : -1, ordering: .sequentiallyConsistent)
            // Those that sleep look at what is up alone: a descriptor whose interface is gone is always ready.
            state.pointee.ringChanges.add(1, ordering: .releasing)
            lcores.wake()
        }
    }

    /// Link as the driver tells it, and its speed in Mbit/s (0: unknown).
    var link: (isUp: Bool, megabits: UInt32) {
        var megabits: UInt32 = 0
        let isUp = sluice_device_link(number, &megabits)
        return (isUp, megabits)
    }

    func close() {
        sluice_device_remove(number)
        state.deinitialize(count: 1)
        state.deallocate()
    }

    private static func mask(_ queues: Int) -> UInt64 { queues >= 64 ? .max : 1 << UInt64(queues) - 1 }
}
