import DPDKShim
import NUMA
import Synchronization
import VhostSessions
import VhostUser

/// The guest at a port's socket: its rings, as vhost-user starts and stops them for the poll loops. Called on the thread of vhost-user, but where it says
/// otherwise.
final class GuestConnection: VhostDelegate, @unchecked Sendable {
    private struct Facts: @unchecked Sendable {
        /// The queue pairs whose ring from the guest, or towards it, is started.
        var fromGuest: UInt64 = 0
        var towardsGuest: UInt64 = 0
        /// Where rings stand that are beyond the port's queues, and so are not served.
        var unserved: [Int: RingPosition] = [:]
        /// The memory of each ring, made when the ring is first started.
        var memories: [Int: GuestMemory] = [:]
        var hasLostMemory = false
        /// For how many looks no ring has been started.
        var idleLooks = 0
    }

    /// The link's, which the loops share by atomics; its rings are changed here while no loop uses them.
    private let state: UnsafeMutablePointer<LinkState>
    private let port: String
    private let grace: GracePeriod
    private let queues: Int
    /// The number by which this guest's memory is noted.
    private let number: UInt32
    private let facts = Mutex(Facts())

    private static let numbers = Atomic<UInt32>(0)

    init(_ state: UnsafeMutablePointer<LinkState>, port: String, queues: Int, grace: GracePeriod) {
        self.state = state
        self.port = port
        self.queues = min(queues, maxQueuePairs)
        self.grace = grace
        number = Self.numbers.add(1, ordering: .relaxed).newValue
    }

    deinit { facts.withLock { for memory in $0.memories.values { memory.deallocate() } } }

    func connected() {
        facts.withLock { facts in
            facts.hasLostMemory = false
            state.pointee.stoppedReceiveRings.store(0, ordering: .relaxed)
            state.pointee.stoppedTransmitRings.store(0, ordering: .relaxed)
        }
    }

    func disconnected(because reason: String) {
        facts.withLock { facts in
            state.pointee.connection.store(-1, ordering: .sequentiallyConsistent)
            publish(facts)
        }
        grace.lcores.wake()
    }

    func agreed(_ features: VirtioFeatures, _ protocolFeatures: ProtocolFeatures) {
        state.pointee.finishChecksums.store(!features.contains(.guestCsum), ordering: .relaxed)
    }

    func start(_ started: StartedRing) {
        facts.withLock { facts in
            guard started.index / 2 < queues else {
                facts.unserved[started.index] = started.position
                return
            }
            setUp(started, &facts)
            let bit: UInt64 = 1 << UInt64(started.index / 2)
            if started.index % 2 == 0 {
                facts.towardsGuest |= bit
                state.pointee.stoppedTransmitRings.bitwiseAnd(~bit, ordering: .relaxed)
            } else {
                facts.fromGuest |= bit
                state.pointee.stoppedReceiveRings.bitwiseAnd(~bit, ordering: .relaxed)
            }
            publish(facts)
            if state.pointee.connection.load(ordering: .relaxed) < 0 {
                state.pointee.connections.add(1, ordering: .relaxed)
                state.pointee.connection.store(0, ordering: .sequentiallyConsistent)
            }
        }
        grace.lcores.wake()
    }

    func stop(_ rings: [Int]) -> [RingPosition] {
        facts.withLock { facts in
            for ring in rings where ring / 2 < queues {
                let bit: UInt64 = 1 << UInt64(ring / 2)
                if ring % 2 == 0 { facts.towardsGuest &= ~bit } else { facts.fromGuest &= ~bit }
            }
            publish(facts)
            grace.lcores.wake()
            grace.wait()
            return rings.map { ring in
                if let position = facts.unserved.removeValue(forKey: ring) { return position }
                defer { state.pointee.rings[ring].size = 0 }
                return state.pointee.rings[ring].position
            }
        }
    }

    func mapped(_ region: GuestMemoryRegion) { sluice_guest_memory_add(number, region.mapping.baseAddress, region.mapping.count) }
    func willUnmap(_ region: GuestMemoryRegion) { sluice_guest_memory_remove(region.mapping.baseAddress) }
    func mapped(_ log: DirtyLog) { sluice_guest_memory_add(number, log.mapping.baseAddress, log.mapping.count) }
    func willUnmap(_ log: DirtyLog) { sluice_guest_memory_remove(log.mapping.baseAddress) }

    func mtu(_ mtu: Int) {}
    func status(_ status: DeviceStatus) {}

    func announce(_ address: [UInt8]) {
        facts.withLock { facts in
            state.pointee.announcement.store(address.reduce(1) { $0 << 8 | UInt64($1) }, ordering: .releasing)
            publish(facts)
        }
        grace.lcores.wake()
    }

    func log(_ line: String) { StandardError.write("sluiced: port \(port): \(line)\n") }

    // MARK: Any thread

    var hasLostMemory: Bool { facts.withLock { $0.hasLostMemory } }

    /// The NUMA node of the rings' memory; nil: it is not known, or no ring is started.
    var numaNode: Int? {
        facts.withLock { facts in
            let ring = state.pointee.rings[1]
            return facts.fromGuest & 1 != 0 && ring.size != 0 ? NUMA.node(of: ring.descriptors) : nil
        }
    }

    /// Looks at the guest, as is done every 50 ms.
    /// - Returns: whether its memory was found to be gone, so that its connection is to be ended.
    func look() -> Bool {
        facts.withLock { facts in
            // A message may stop all rings and start them again. A guest that has none for longer is not there.
            let isIdle = facts.fromGuest | facts.towardsGuest == 0 && state.pointee.connection.load(ordering: .relaxed) >= 0
            facts.idleLooks = isIdle ? facts.idleLooks + 1 : 0
            if facts.idleLooks >= 2 {
                state.pointee.connection.store(-1, ordering: .sequentiallyConsistent)
                publish(facts)
                grace.lcores.wake()
            }
            guard !facts.hasLostMemory, sluice_guest_memory_lost(number) else { return false }
            facts.hasLostMemory = true
            return true
        }
    }

    // MARK: Rings

    private func setUp(_ started: StartedRing, _ facts: inout Facts) {
        var memory = facts.memories[started.index] ?? GuestMemory()
        memory.replace(by: started.memory.map { GuestRegion(start: $0.guestStart, length: $0.length, host: $0.hostPointer) })
        facts.memories[started.index] = memory
        var ring = GuestRing()
        ring.descriptors = started.descriptors
        ring.driverArea = started.driverArea
        ring.deviceArea = started.deviceArea
        ring.size = started.size
        ring.isPacked = started.isPacked
        ring.hasEventIndex = started.features.contains(.eventIndex)
        ring.isInOrder = started.features.contains(.inOrder)
        ring.isMergeable = started.features.contains(.mergeableReceive)
        ring.hasOffloads = !started.features.isDisjoint(with: [.csum, .gso, .hostTSO4, .hostTSO6, .hostUFO])
        ring.headerLength = started.features.isDisjoint(with: [.mergeableReceive, .version1]) ? 10 : 12
        if started.features.contains(.logAll), let log = started.log { (ring.logBits, ring.logLength) = (log.bits, log.length) }
        ring.call = started.call ?? -1
        ring.kick = started.kick ?? -1
        ring.memory = memory
        ring.position = started.position
        if !started.isPacked {
            // Who was killed while it served the ring may have told the frontend less than the guest.
            let used = started.deviceArea.read16(2)
            ring.position = .split(next: used)
        }
        (state.pointee.rings + started.index).initialize(to: ring)
        // A loop looks for room in a ring when it has frames for it, and waits for none. The other direction's ring is silenced by the loop that polls it.
        if started.index % 2 == 0 { (state.pointee.rings + started.index).silence() }
    }

    /// Tells the poll loops which rings to use.
    private func publish(_ facts: Facts) {
        state.pointee.receiveRings.store(facts.fromGuest & ~state.pointee.stoppedReceiveRings.load(ordering: .relaxed), ordering: .releasing)
        state.pointee.transmitRings.store(facts.towardsGuest & ~state.pointee.stoppedTransmitRings.load(ordering: .relaxed), ordering: .releasing)
        state.pointee.ringChanges.add(1, ordering: .releasing)
    }
}
