import DPDKShim
import Glibc
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
        /// The memory of each ring, made when the ring is first started.
        var memories: [Int: GuestMemory] = [:]
        var hasLostMemory = false
        /// The ring faults that were looked at.
        var seenFaults: UInt64 = 0
        var quarantine = Quarantine()
        /// Why the guest is in quarantine, or was, as a sentence.
        var sentence = ""
        /// Why memory of the connection was refused; nil: none was.
        var refusal: String?
        /// For how many looks no ring has been started.
        var idleLooks = 0
        /// The journals of the packed rings, made when the first of them is started.
        var journals: JournalFile?
        /// The rings that may stand still, with the place of each.
        var doubtful: [Int: RingPlace] = [:]
    }

    /// The link's, which the loops share by atomics; its rings are changed here while no loop uses them.
    private let state: UnsafeMutablePointer<LinkState>
    private let port: String
    private let socket: String
    private let grace: GracePeriod
    /// The number by which this guest's memory is noted.
    private let number: UInt32
    private let facts = Mutex(Facts())

    private static let numbers = Atomic<UInt32>(0)

    init(_ state: UnsafeMutablePointer<LinkState>, port: String, socket: String, grace: GracePeriod) {
        self.state = state
        self.port = port
        self.socket = socket
        self.grace = grace
        number = Self.numbers.add(1, ordering: .relaxed).newValue
    }

    deinit { facts.withLock { for memory in $0.memories.values { memory.deallocate() } } }

    func connected() {
        facts.withLock { facts in
            (facts.hasLostMemory, facts.refusal) = (false, nil)
            state.pointee.stoppedReceiveRings.store(0, ordering: .relaxed)
            state.pointee.stoppedTransmitRings.store(0, ordering: .relaxed)
        }
    }

    func disconnected(because reason: String, isFault: Bool) -> UInt64? {
        let pause = facts.withLock { facts in
            state.pointee.connection.store(-1, ordering: .sequentiallyConsistent)
            publish(facts)
            // A process that shares its memory in a way that is not wanted here does what its settings say.
            return isFault && facts.refusal == nil ? noteFault(reason, &facts) : nil
        }
        grace.lcores.wake()
        return pause
    }

    func agreed(_ features: VirtioFeatures, _ protocolFeatures: ProtocolFeatures) {
        let finishes = features.contains(.guestCsum)
        state.pointee.finishChecksums.store(!finishes, ordering: .relaxed)
        let taken = Segmentation(
            tcp4: finishes && features.contains(.guestTSO4), tcp6: finishes && features.contains(.guestTSO6), udp4: finishes && features.contains(.guestUSO4),
            udp6: finishes && features.contains(.guestUSO6))
        state.pointee.takesSegmentation.store(taken.rawValue, ordering: .relaxed)
    }

    func start(_ started: StartedRing) {
        facts.withLock { facts in
            setUp(started, &facts)
            let bit: UInt64 = 1 << UInt64(started.index / 2)
            if started.index % 2 == 0 {
                facts.towardsGuest |= bit
                state.pointee.stoppedTransmitRings.bitwiseAnd(~bit, ordering: .relaxed)
            } else {
                facts.fromGuest |= bit
                state.pointee.stoppedReceiveRings.bitwiseAnd(~bit, ordering: .relaxed)
            }
            serve(facts)
        }
        grace.lcores.wake()
    }

    func stop(_ rings: [Int]) -> [RingPosition] {
        facts.withLock { facts in
            for ring in rings {
                let bit: UInt64 = 1 << UInt64(ring / 2)
                if ring % 2 == 0 { facts.towardsGuest &= ~bit } else { facts.fromGuest &= ~bit }
            }
            publish(facts)
            grace.lcores.wake()
            grace.wait()
            return rings.map { ring in
                defer { state.pointee.rings[ring].size = 0 }
                return state.pointee.rings[ring].position
            }
        }
    }

    func refusedMemory(because reason: String) { facts.withLock { $0.refusal = reason } }
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

    /// What is to be said about rings that may stand still. A ring that has gone on since does not.
    var warnings: [String] {
        facts.withLock { facts in
            facts.doubtful.keys.sorted().filter { ring in
                let now = state.pointee.rings[ring].nextUsed, place = facts.doubtful[ring]
                return now.index == place?.index && now.wrap == place?.wrap && state.pointee.rings[ring].size != 0
            }.map { "\(Self.doubt($0)); \(Self.remedy)" }
        }
    }

    /// Closes the rings' journals. The guest is not connected.
    /// - Parameter keeps: whether they are kept for the next who serves the guest.
    func closeJournals(keeps: Bool) {
        facts.withLock { facts in
            facts.journals?.close(keeps: keeps)
            facts.journals = nil
        }
    }

    /// Why the guest is in quarantine, and until when; nil: it is not.
    var quarantine: String? { facts.withLock { $0.quarantine.until == nil ? nil : $0.sentence } }

    var losses: LinkLosses { facts.withLock { LinkLosses(faults: $0.quarantine.faults, quarantines: $0.quarantine.times) } }

    /// Ends a quarantine at once.
    /// - Returns: whether there was one.
    func endQuarantine() -> Bool {
        facts.withLock { facts in
            guard facts.quarantine.lift() else { return false }
            serve(facts)
            return true
        }
    }

    /// Whether any ring is started.
    var hasRings: Bool { facts.withLock { $0.fromGuest | $0.towardsGuest != 0 } }

    /// Why the memory of a guest that is not served was refused.
    var refusal: String? { facts.withLock { $0.refusal } }
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
            // Rings that break together are one fault, and so are those of a driver that breaks them faster than this looks.
            let faults = state.pointee.ringFaults.load(ordering: .acquiring)
            if faults != facts.seenFaults {
                facts.seenFaults = faults
                let fault = GuestRing.Fault(rawValue: state.pointee.lastFault.load(ordering: .relaxed)) ?? .none
                _ = noteFault("the guest's driver \(fault.reason)", &facts)
                grace.lcores.wake()
            }
            if facts.quarantine.ends(at: monotonicNow()) {
                serve(facts)
                grace.lcores.wake()
            }
            guard !facts.hasLostMemory, sluice_guest_memory_lost(number) else { return false }
            facts.hasLostMemory = true
            return true
        }
    }

    // MARK: Quarantine

    /// Notes a fault. If it puts the guest into quarantine, no loop uses its rings until that ends.
    /// - Parameter reason: what the guest did, as a sentence without a full stop.
    /// - Returns: how long nobody is to be served, in nanoseconds; nil: the guest is not in quarantine.
    private func noteFault(_ reason: String, _ facts: inout Facts) -> UInt64? {
        guard let pause = facts.quarantine.note(faultAt: monotonicNow()) else { return nil }
        facts.sentence = "in quarantine until \(Self.time(after: pause)): \(reason), the last of \(facts.quarantine.faults) faults"
        state.pointee.connection.store(-1, ordering: .sequentiallyConsistent)
        publish(facts)
        return pause
    }

    /// The time of day after a number of nanoseconds, as ISO 8601 has it.
    private static func time(after nanoseconds: UInt64) -> String {
        var seconds = Glibc.time(nil) + Int((nanoseconds + 999_999_999) / 1_000_000_000)
        var parts = tm()
        gmtime_r(&seconds, &parts)
        return String(unsafeUninitializedCapacity: 32) { strftime($0.baseAddress!, 32, "%Y-%m-%dT%H:%M:%SZ", &parts) }
    }

    // MARK: Rings

    /// Has the loops use the rings that are started, unless the guest is in quarantine.
    private func serve(_ facts: Facts) {
        publish(facts)
        guard facts.quarantine.until == nil, facts.fromGuest | facts.towardsGuest != 0, state.pointee.connection.load(ordering: .relaxed) < 0 else { return }
        state.pointee.connections.add(1, ordering: .relaxed)
        state.pointee.connection.store(0, ordering: .sequentiallyConsistent)
    }

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
        ring.hasOffloads = !started.features.isDisjoint(with: [.csum, .gso, .hostTSO4, .hostTSO6, .hostUFO, .hostUSO])
        let leaves = started.features.contains(.csum), leavesUDP = leaves && started.features.contains(.hostUSO)
        ring.segmentation = Segmentation(
            tcp4: leaves && started.features.contains(.hostTSO4), tcp6: leaves && started.features.contains(.hostTSO6), udp4: leavesUDP, udp6: leavesUDP)
        ring.headerLength = started.features.isDisjoint(with: [.mergeableReceive, .version1]) ? 10 : 12
        if started.features.contains(.logAll), let log = started.log { (ring.logBits, ring.logLength) = (log.bits, log.length) }
        ring.call = started.call ?? -1
        ring.kick = started.kick ?? -1
        ring.memory = memory
        let place = state.pointee.rings + started.index
        place.initialize(to: ring)
        takeUp(place, started, &facts)
        // A loop looks for room in a ring when it has frames for it, and waits for none. The other direction's ring is silenced by the loop that polls it.
        if started.index % 2 == 0 { place.silence() }
        // Who was killed may have returned buffers and not told the guest.
        if ring.call >= 0 { sluice_guest_call(ring.call) }
    }

    /// Finds where a ring goes on.
    private func takeUp(_ ring: UnsafeMutablePointer<GuestRing>, _ started: StartedRing, _ facts: inout Facts) {
        guard started.isPacked else { return ring.takeUpSplit() }
        let journals: JournalFile
        if let open = facts.journals {
            journals = open
        } else {
            journals = JournalFile(socket: socket, rings: 2 * maxQueuePairs)
            facts.journals = journals
        }
        ring.pointee.journal = journals[started.index]
        if let obstacle = journals.takeObstacle() {
            log("how far packed rings have been served cannot be kept (\(obstacle)): should the daemon be killed, the guest's network device would have to be reset")
        }
        facts.doubtful[started.index] = nil
        if ring.takeUp(identity: started.identity, started.position, from: started.positionSource) { return }
        facts.doubtful[started.index] = ring.pointee.nextUsed
        log("\(Self.doubt(started.index)); \(Self.remedy)")
    }

    private static func doubt(_ ring: Int) -> String {
        "the packed ring \(ring % 2 == 0 ? "towards" : "from") the guest, queue \(ring / 2), was served before, and nothing says how far"
    }
    private static let remedy = "if it stands still, resetting the guest's network device (or the guest) starts it again"

    /// Tells the poll loops which rings to use.
    private func publish(_ facts: Facts) {
        let served: UInt64 = facts.quarantine.until == nil ? .max : 0
        state.pointee.receiveRings.store(served & facts.fromGuest & ~state.pointee.stoppedReceiveRings.load(ordering: .relaxed), ordering: .releasing)
        state.pointee.transmitRings.store(served & facts.towardsGuest & ~state.pointee.stoppedTransmitRings.load(ordering: .relaxed), ordering: .releasing)
        state.pointee.ringChanges.add(1, ordering: .releasing)
    }
}
