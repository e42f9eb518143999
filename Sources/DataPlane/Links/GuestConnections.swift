import DPDKShim
import Synchronization

/// What librte_vhost's threads tell about the guests at our sockets. Its callbacks carry no context, so a port is found by the path of its socket. A call
/// counts only if it is about the connection that is served, as several clients may be connected to a server's socket at the same time.
enum GuestConnections {
    static var callbacks: sluice_vhost_callbacks {
        sluice_vhost_callbacks(
            connected: guestConnected, added: guestReady, removed: guestGone, ring_changed: ringChanged, changing: guestChanging, changed: guestChanged,
            announce: guestMoved, disconnected: guestDisconnected)
    }

    /// Begins to serve a socket.
    /// - Returns: false if the socket is served already.
    static func open(_ socket: String, _ state: UnsafeMutablePointer<LinkState>, _ grace: GracePeriod, queues: Int) -> Bool {
        connections.withLock { connections in
            if connections[socket] != nil { return false }
            connections[socket] = GuestConnection(state: state, grace: grace, queues: queues)
            return true
        }
    }

    static func close(_ socket: String) { connections.withLock { $0.removeValue(forKey: socket) }?.end() }

    static func hasLostMemory(_ socket: String) -> Bool { connections.withLock { $0[socket] }?.hasLostMemory ?? false }

    /// Takes a guest out of service whose memory is no longer there. Its connection stays until the guest closes it, as librte_vhost has no call that ends a
    /// connection.
    static func giveUpWithoutMemory(_ socket: String) { connections.withLock { $0[socket] }?.giveUpWithoutMemory() }
}

/// The guest that is served at a port's socket.
/// Its state is shared with the loops by atomics, and otherwise changed with the lock held.
private final class GuestConnection: @unchecked Sendable {
    private struct Facts: @unchecked Sendable {
        /// The connection, by librte_vhost's number; -1: there is none.
        var vid: CInt = -1
        var hasLostMemory = false
        /// Whether the guest's driver is ready. librte_vhost says so when all that a device needs is there.
        var isReady = false
        /// Whether a message is changing what loops use.
        var isChanging = false
        /// The queue pairs whose ring from the guest, or towards it, is enabled.
        var fromGuest: UInt64 = 0
        var towardsGuest: UInt64 = 0
        var memory = GuestMemory()
    }

    let state: UnsafeMutablePointer<LinkState>
    private let grace: GracePeriod
    private let queues: Int
    private let facts = Mutex(Facts())

    init(state: UnsafeMutablePointer<LinkState>, grace: GracePeriod, queues: Int) {
        self.state = state
        self.grace = grace
        self.queues = min(queues, maxQueuePairs)
    }

    var vid: CInt { facts.withLock { $0.vid } }
    var hasLostMemory: Bool { facts.withLock { $0.hasLostMemory } }

    func wake() { grace.lcores.wake() }

    func end() { facts.withLock { $0.memory.deallocate() } }

    /// Begins to serve a connection.
    func begin(_ vid: CInt) {
        facts.withLock { facts in
            facts.vid = vid
            facts.hasLostMemory = false
            (facts.isReady, facts.isChanging) = (false, false)
            (facts.fromGuest, facts.towardsGuest) = (0, 0)
            state.pointee.stoppedReceiveRings.store(0, ordering: .relaxed)
            state.pointee.stoppedTransmitRings.store(0, ordering: .relaxed)
            for ring in 0..<2 * maxQueuePairs { state.pointee.rings[ring].size = 0 }
            publish(facts)
        }
    }

    /// The connection is closed.
    func forget(_ vid: CInt) {
        facts.withLock { facts in
            guard facts.vid == vid else { return }
            facts.vid = -1
            facts.hasLostMemory = false
        }
    }

    func giveUpWithoutMemory() {
        let isLost = facts.withLock { facts in
            guard facts.vid >= 0, !facts.hasLostMemory, sluice_guest_memory_lost(facts.vid) else { return false }
            facts.hasLostMemory = true
            state.pointee.connection.store(-1, ordering: .sequentiallyConsistent)
            publish(facts)
            return true
        }
        if isLost { grace.lcores.wake() }
    }

    /// The guest's driver is ready.
    func become(ready vid: CInt) -> Bool {
        facts.withLock { facts in
            guard facts.vid == vid, !facts.hasLostMemory else { return false }
            facts.isReady = true
            setUp(&facts)
            state.pointee.connections.add(1, ordering: .relaxed)
            publish(facts)
            state.pointee.connection.store(vid, ordering: .sequentiallyConsistent)
            return true
        }
    }

    /// Makes the poll loops stop using the guest, and waits until they have: its memory may be unmapped when this returns.
    func leave(_ vid: CInt) {
        facts.withLock { facts in
            guard facts.vid == vid else { return }
            facts.isReady = false
            state.pointee.connection.store(-1, ordering: .sequentiallyConsistent)
            publish(facts)
            grace.lcores.wake()
            grace.wait()
        }
    }

    /// Makes the poll loops stop using the guest's rings, while frames for it wait.
    func beginChange(_ vid: CInt) {
        facts.withLock { facts in
            guard facts.vid == vid, facts.isReady else { return }
            facts.isChanging = true
            publish(facts)
            grace.lcores.wake()
            grace.wait()
            // librte_vhost answers with these when it is asked where a ring stands.
            for ring in 0..<2 * queues where state.pointee.rings[ring].size != 0 {
                let position = state.pointee.rings[ring].position
                rte_vhost_set_vring_base(vid, UInt16(ring), position.next, position.used)
                state.pointee.rings[ring].size = 0
            }
        }
    }

    func endChange(_ vid: CInt) {
        facts.withLock { facts in
            guard facts.vid == vid, facts.isChanging else { return }
            facts.isChanging = false
            if facts.isReady { setUp(&facts) }
            publish(facts)
        }
        grace.lcores.wake()
    }

    /// Whether a ring is enabled has changed.
    func change(_ vid: CInt, ring: Int, enabled: Bool) {
        facts.withLock { facts in
            guard facts.vid == vid, ring / 2 < queues else { return }
            let bit: UInt64 = 1 << UInt64(ring / 2)
            let enabled = enabled ? bit : 0
            if ring % 2 == 0 {
                facts.towardsGuest = facts.towardsGuest & ~bit | enabled
                state.pointee.stoppedTransmitRings.bitwiseAnd(~bit, ordering: .relaxed)
            } else {
                facts.fromGuest = facts.fromGuest & ~bit | enabled
                state.pointee.stoppedReceiveRings.bitwiseAnd(~bit, ordering: .relaxed)
            }
            // The ring may be in use, if it was enabled before.
            publish(facts, without: ring)
            grace.lcores.wake()
            grace.wait()
            if facts.isReady, !facts.isChanging { setUp(ring, facts) }
            publish(facts)
        }
        grace.lcores.wake()
    }

    func announce(_ vid: CInt, _ mac: UInt64) {
        facts.withLock { facts in
            guard facts.vid == vid else { return }
            state.pointee.announcement.store(1 << 48 | mac, ordering: .releasing)
            publish(facts)
        }
        grace.lcores.wake()
    }

    /// Tells the poll loops which rings to use.
    private func publish(_ facts: Facts, without ring: Int? = nil) {
        let serves = facts.isReady && !facts.isChanging && !facts.hasLostMemory
        var (from, towards): (UInt64, UInt64) = (0, 0)
        for pair in 0..<queues where serves {
            let bit: UInt64 = 1 << UInt64(pair)
            if state.pointee.rings[2 * pair].size != 0, ring != 2 * pair { towards |= bit & facts.towardsGuest }
            if state.pointee.rings[2 * pair + 1].size != 0, ring != 2 * pair + 1 { from |= bit & facts.fromGuest }
        }
        state.pointee.receiveRings.store(from & ~state.pointee.stoppedReceiveRings.load(ordering: .relaxed), ordering: .releasing)
        state.pointee.transmitRings.store(towards & ~state.pointee.stoppedTransmitRings.load(ordering: .relaxed), ordering: .releasing)
        state.pointee.ringChanges.add(1, ordering: .releasing)
    }

    /// Sets all rings up as librte_vhost has them. No loop uses any.
    private func setUp(_ facts: inout Facts) {
        var regions = [sluice_guest_region](repeating: sluice_guest_region(), count: GuestMemory.mostRegions)
        let count = sluice_guest_regions(facts.vid, &regions, UInt32(regions.count))
        facts.memory.replace(by: regions.prefix(Int(count)).map { GuestRegion(start: $0.start, length: $0.length, host: $0.host) })
        var features: UInt64 = 0
        rte_vhost_get_negotiated_features(facts.vid, &features)
        state.pointee.finishChecksums.store(!VirtioFeatures(rawValue: features).contains(.guestChecksum), ordering: .relaxed)
        for ring in 0..<2 * queues { setUp(ring, facts) }
    }

    private func setUp(_ number: Int, _ facts: Facts) {
        let ring = state.pointee.rings + number
        if ring.pointee.size != 0 { ring.pointee.fault = .none }
        if ring.pointee.size != 0 && ring.pointee.connection == facts.vid { return }
        ring.pointee = GuestRing()
        var vring = rte_vhost_vring()
        var bits: UInt64 = 0
        var base: (next: UInt16, used: UInt16) = (0, 0)
        guard rte_vhost_get_vhost_vring(facts.vid, UInt16(number), &vring) == 0, rte_vhost_get_negotiated_features(facts.vid, &bits) == 0,
            rte_vhost_get_vring_base(facts.vid, UInt16(number), &base.next, &base.used) == 0,
            let descriptors = sluice_ring_part(&vring, 0), let driver = sluice_ring_part(&vring, 1), let device = sluice_ring_part(&vring, 2)
        else { return }
        let features = VirtioFeatures(rawValue: bits)
        ring.pointee.descriptors = descriptors
        ring.pointee.driverArea = driver
        ring.pointee.deviceArea = device
        ring.pointee.isPacked = features.contains(.packedRing)
        ring.pointee.hasEventIndex = features.contains(.eventIndex)
        ring.pointee.isMergeable = features.contains(.mergeableBuffers)
        ring.pointee.headerLength = features.isDisjoint(with: [.mergeableBuffers, .version1]) ? 10 : 12
        ring.pointee.isLogged = features.contains(.logAll)
        ring.pointee.call = vring.callfd
        ring.pointee.kick = vring.kickfd
        ring.pointee.number = UInt16(number)
        ring.pointee.connection = facts.vid
        ring.pointee.memory = facts.memory
        ring.pointee.position = base
        ring.pointee.size = vring.size
        // A loop looks for room in a ring when it has frames for it, and waits for none. The other direction's ring is silenced by the loop that polls it.
        if number % 2 == 0 { ring.silence() }
    }
}

/// The features of virtio (1.2, sections 5.1.3 and 6) and of vhost-user that matter to rings.
struct VirtioFeatures: OptionSet {
    let rawValue: UInt64

    static let guestChecksum = VirtioFeatures(rawValue: 1 << 1)
    static let mergeableBuffers = VirtioFeatures(rawValue: 1 << 15)
    /// Writes to guest memory are logged for a migration (VHOST_F_LOG_ALL).
    static let logAll = VirtioFeatures(rawValue: 1 << 26)
    static let eventIndex = VirtioFeatures(rawValue: 1 << 29)
    static let version1 = VirtioFeatures(rawValue: 1 << 32)
    static let packedRing = VirtioFeatures(rawValue: 1 << 34)
}

/// The served connections, by the path of their socket.
private let connections = Mutex<[String: GuestConnection]>([:])

private func socket(_ vid: CInt) -> String? {
    var name = [CChar](repeating: 0, count: 256)
    guard rte_vhost_get_ifname(vid, &name, name.count) == 0 else { return nil }
    return name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
}

/// The port at whose socket this connection is; whether it is the one that is served, the port's guest says.
private func guest(_ vid: CInt) -> GuestConnection? {
    guard let path = socket(vid) else { return nil }
    return connections.withLock { $0[path] }
}

// The functions below are called on librte_vhost's threads.

/// A negative result closes the connection.
@c private func guestConnected(_ vid: CInt) -> CInt {
    guard let path = socket(vid), let guest = guest(vid) else { return -1 }
    let before = guest.vid
    if before >= 0 {
        // Only one guest is served at a time, so whoever connects beside it is sent away, whatever it wants. But the end of the earlier connection may be
        // handled only after this call, so the kernel is asked whether it is still open.
        guard PeerSockets.live(at: path) < 2 else { return -1 }
        guest.leave(before)
    }
    guest.begin(vid)
    return 0
}

@c private func guestDisconnected(_ vid: CInt) { guest(vid)?.forget(vid) }
@c private func guestReady(_ vid: CInt) -> CInt {
    guard let guest = guest(vid), guest.become(ready: vid) else { return -1 }
    guest.wake()
    return 0
}
@c private func guestGone(_ vid: CInt) { guest(vid)?.leave(vid) }
@c private func ringChanged(_ vid: CInt, _ ring: UInt16, _ enabled: CInt) -> CInt {
    guard let guest = guest(vid) else { return -1 }
    guest.change(vid, ring: Int(ring), enabled: enabled != 0)
    return 0
}
@c private func guestChanging(_ vid: CInt) { guest(vid)?.beginChange(vid) }
@c private func guestChanged(_ vid: CInt) { guest(vid)?.endChange(vid) }
@c private func guestMoved(_ vid: CInt, _ mac: UInt64) { guest(vid)?.announce(vid, mac) }
