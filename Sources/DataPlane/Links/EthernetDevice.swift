import DPDKShim
import Glibc
import Packet

/// One of DPDK's Ethernet devices, or several that form one port, from probing to removal. Tap and physical ports are made of it.
final class EthernetDevice {
    let state: UnsafeMutablePointer<LinkState>
    let queues: Int
    /// DPDK's numbers of the devices.
    private let numbers: [UInt16]
    let driver: String
    let numaNode: Int
    private let lcores: UnsafeMutableBufferPointer<Lcore>
    private let pool: OpaquePointer
    private let sockets: DeviceSockets
    private var marks: [(queue: DeviceQueue, mark: OpaquePointer)] = []
    /// How many frames were dropped because nothing here can do what their sender left to be done.
    private let refused: UnsafeMutablePointer<UInt64>
    /// The losses of each device.
    private var losses: [(missed: GrowingCount, errors: GrowingCount)]
    private var socketMissed: UInt64 = 0
    /// What the NIC itself was told about which queue receives what.
    var queueRules: QueueRules

    /// What to look at when a device cannot be opened, besides the error itself. DPDK's AF_PACKET driver computes the number of its sockets' fanout group from
    /// process id and interface index, so that two programs may get the same number.
    private static func hint(_ devargs: String) -> String {
        if PhysicalLink.isPCIAddress(devargs) { return "; `dpdk-devbind.py --status` lists PCI devices and what drives them" }
        let reason = "; the daemon's log has the driver's reason"
        guard devargs.hasPrefix("net_af_packet") else { return reason }
        return reason + ". Where that is PACKET_FANOUT, another program's process id and interface make the same number: start either again"
    }

    /// Opens the devices.
    /// - Parameters:
    ///   - devargs: device strings or PCI addresses; each device gives its queue pairs to the port.
    ///   - queues: how many queue pairs are wanted of each device; it may have fewer.
    ///   - transmitQueues: how many transmit queues are wanted of each device; if it has fewer, lcores share them.
    ///   - equalQueues: whether each device must have as many transmit as receive queues, as some drivers require and as is needed with several devices.
    ///   - joined: whether TCP segments that the other side has left whole are wanted whole. A device that cannot do so gives them cut.
    ///   - special: the pool of its receive buffers; nil: the pool that all ports share.
    /// - Throws: a sentence that begins with `port`'s name; nothing is open then.
    init(
        port: String, devargs: [String], queues: Int, mtu: Int, transmitQueues: Int, equalQueues: Bool, joined: Bool = false,
        pool special: OpaquePointer? = nil, _ runtime: Runtime
    ) throws(DataPlaneError) {
        let pool = special ?? runtime.pool
        let before = DeviceSockets.all
        var devices: [(number: UInt16, setup: sluice_device_setup)] = []
        for devargs in devargs {
            do {
                var setup = sluice_device_setup()
                setup.receive_queues = UInt16(queues)
                setup.transmit_queues = UInt16(transmitQueues)
                setup.mtu = UInt16(mtu)
                setup.equal_queues = equalQueues
                setup.joined = joined
                devices.append((try Self.start(port, devargs, &setup, pool), setup))
            } catch {
                DeviceSockets(since: before, devices.first?.setup).close(pool) {
                    for device in devices.reversed() { sluice_device_remove(device.number) }
                }
                throw error
            }
        }
        numbers = devices.map(\.number)
        lcores = runtime.lcores
        self.pool = pool
        sockets = DeviceSockets(since: before, devices[0].setup)
        losses = devices.map { _ in (GrowingCount(), GrowingCount()) }
        self.queues = min(devices.reduce(0) { $0 + Int($1.setup.receive_queues) }, maxQueuePairs)
        driver = String(cString: sluice_device_driver(devices[0].number))
        numaNode = Int(devices[0].setup.numa_node)
        queueRules = QueueRules(device: devices.count == 1 ? devices[0].number : nil, driver: driver)
        refused = .allocate(capacity: 1)
        refused.initialize(to: 0)
        state = .allocate(capacity: 1)
        state.initialize(to: LinkState(mechanism: .device))
        state.pointee.finishChecksums.store(!devices.allSatisfy(\.setup.checksum), ordering: .relaxed)
        state.pointee.wantsFlat = !devices.allSatisfy(\.setup.multi_segment)
        if devices.count == 1 {
            state.pointee.segmentation = devices[0].setup.segmentation
            let isOffered = devices[0].setup.segmentation.is_offered
            state.pointee.takesSegmentation.store(Segmentation(tcp4: isOffered, tcp6: isOffered).rawValue, ordering: .relaxed)
        }
        state.pointee.receiveRings.store(Self.mask(self.queues), ordering: .relaxed)
        state.pointee.transmitRings.store(Self.mask(devices.reduce(0) { $0 + Int($1.setup.transmit_queues) }), ordering: .relaxed)
        var place = 0
        for device in devices {
            for queue in 0..<max(device.setup.receive_queues, device.setup.transmit_queues) where place < maxQueuePairs {
                state.pointee.deviceQueues[place] = DeviceQueue(device: device.number, queue: queue)
                if place < self.queues {
                    state.pointee.interrupts[place] = sluice_device_interrupt(device.number, queue, &state.pointee.armsInterrupts)
                }
                place += 1
            }
        }
        guard devices.allSatisfy(\.setup.joined) else { return }
        for queue in (0..<self.queues).map({ state.pointee.deviceQueues[$0] }) {
            guard let mark = sluice_device_take_joined(queue.device, queue.queue, refused) else {
                close()
                throw DataPlaneError("port \(port): there is no memory for what is done with the frames that its device receives")
            }
            marks.append((queue, mark))
        }
    }

    /// Probes and starts one device.
    /// - Parameter setup: what is wanted of the device; afterwards, what it granted.
    /// - Returns: the device's number.
    private static func start(
        _ port: String, _ devargs: String, _ setup: inout sluice_device_setup, _ pool: OpaquePointer
    ) throws(DataPlaneError) -> UInt16 {
        var number: UInt16 = 0
        let probed = sluice_device_probe(devargs, &number)
        guard probed == 0 else {
            throw DataPlaneError("port \(port): device \"\(devargs)\" could not be opened: \(DataPlaneError.errorText(probed))\(hint(devargs))")
        }
        let wanted = setup.mtu
        let started = sluice_device_start(number, pool, &setup)
        guard started == 0 else {
            let step = setup.failed_step.map { String(cString: $0) } ?? ""
            sluice_device_remove(number)
            throw DataPlaneError("port \(port): device \"\(devargs)\" could not be started: \(DataPlaneError.errorText(started)) (\(step))")
        }
        guard setup.mtu >= wanted else {
            sluice_device_remove(number)
            throw DataPlaneError("port \(port): device \"\(devargs)\" carries an mtu of \(setup.mtu) at most: write mtu \(setup.mtu) or less")
        }
        return number
    }

    /// Whether received frames wake a loop that sleeps; if not, the loop polls the device now and then.
    var wakes: Bool { !state.pointee.announcements.fail && (0..<queues).allSatisfy { $0 < maxQueuePairs && state.pointee.interrupts[$0] >= 0 } }

    var isUp: Bool {
        get { state.pointee.connection.load(ordering: .acquiring) >= 0 }
        set {
            // Poll loops read this for every frame, so it is written only when it changes.
            if newValue == isUp { return }
            state.pointee.connection.store(newValue ? 0 : -1, ordering: .sequentiallyConsistent)
            // Loops that sleep wait only for devices that are up, as the descriptor of an interface that is gone is always ready.
            state.pointee.ringChanges.add(1, ordering: .releasing)
            lcores.wake()
        }
    }

    /// The link's state as the driver reports it, and its speed in Mbit/s (0: unknown).
    var link: (isUp: Bool, megabits: UInt32) {
        var megabits: UInt32 = 0
        let isUp = sluice_device_link(numbers[0], &megabits)
        return (isUp, megabits)
    }

    /// Asks the drivers to give pause frames to the switch.
    func askForPauseFrames() -> PauseFrames { numbers.allSatisfy { sluice_device_pass_pauses($0) } ? .arrive : .kept(driver: driver) }

    /// The first device's own address; nil: it has none.
    var mac: MACAddress? {
        var octets = rte_ether_addr()
        guard rte_eth_macaddr_get(numbers[0], &octets) == 0 else { return nil }
        let mac = withUnsafeBytes(of: octets) { MACAddress(value: $0.prefix(6).reduce(0) { $0 << 8 | UInt64($1) }) }
        return mac.isZero || mac.isMulticast ? nil : mac
    }

    /// Makes the device mark received frames whose checksums are unfinished, as one with `joined` does anyway. It is called before any loop is given the port.
    func markUnfinished() {
        for queue in (0..<queues).map({ state.pointee.deviceQueues[$0] }) {
            if let mark = sluice_device_mark_unfinished(queue.device, queue.queue) { marks.append((queue, mark)) }
        }
    }

    /// The frames that the link could not receive since it was opened.
    func readLosses() -> LinkLosses {
        socketMissed &+= sockets.takeMissed()
        var sum = LinkLosses(missed: socketMissed)
        for (place, number) in numbers.enumerated() {
            var missed: UInt64 = 0, errors: UInt64 = 0
            sluice_device_losses(number, &missed, &errors)
            losses[place].missed.note(missed)
            losses[place].errors.note(errors)
            sum += LinkLosses(missed: losses[place].missed.total, errors: losses[place].errors.total)
        }
        sum.errors &+= sluice_load_acquire_64(refused)
        return sum
    }

    /// The largest MTU that the driver says it carries.
    var longestMTU: Int { Int(sluice_device_longest_mtu(numbers[0])) }
    /// Sets the device's MTU.
    /// - Returns: false if the driver cannot do so while the device runs.
    func setMTU(_ mtu: Int) -> Bool { rte_eth_dev_set_mtu(numbers[0], UInt16(mtu)) == 0 }
    /// Makes a driver that states a constant as its longest frame send longer ones.
    /// - Returns: false if that is not possible.
    func liftMTU(to mtu: Int) -> Bool { sluice_device_lift_mtu(numbers[0], UInt16(mtu)) }

    func close() {
        queueRules.follow([:])
        for (queue, mark) in marks { sluice_device_unmark(queue.device, queue.queue, mark) }
        sockets.close(pool) { for number in numbers.reversed() { sluice_device_remove(number) } }
        state.deinitialize(count: 1)
        state.deallocate()
        refused.deallocate()
    }

    private static func mask(_ queues: Int) -> UInt64 { queues >= 64 ? .max : 1 << UInt64(queues) - 1 }
}
