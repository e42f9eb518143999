import DPDKShim
import Synchronization

/// What librte_vhost's threads tell about the guests at our sockets. Its callbacks carry no context, so a port is found by the path of its socket. A call
/// counts only if it is about the connection that is served, as several clients may be connected to a server's socket at the same time.
enum GuestConnections {
    static var callbacks: sluice_vhost_callbacks {
        sluice_vhost_callbacks(
            connected: guestConnected, added: guestReady, removed: guestGone, ring_changed: ringChanged, moved: ringsMoved, disconnected: guestDisconnected)
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

    static func close(_ socket: String) { connections.withLock { _ = $0.removeValue(forKey: socket) } }

    static func hasLostMemory(_ socket: String) -> Bool { connections.withLock { $0[socket]?.hasLostMemory ?? false } }

    /// Takes a guest out of service whose memory is no longer there. Its connection stays until the guest closes it, as librte_vhost has no call that ends a
    /// connection.
    static func giveUpWithoutMemory(_ socket: String) {
        let lost: GuestConnection? = connections.withLock { connections in
            guard let connection = connections[socket], connection.vid >= 0, !connection.hasLostMemory, sluice_guest_memory_lost(connection.vid) else { return nil }
            connections[socket]!.hasLostMemory = true
            return connection
        }
        guard let lost else { return }
        lost.state.pointee.connection.store(-1, ordering: .sequentiallyConsistent)
        lost.state.pointee.ringChanges.add(1, ordering: .releasing)
        lost.grace.lcores.wake()
    }
}

private struct GuestConnection: @unchecked Sendable {
    let state: UnsafeMutablePointer<LinkState>
    let grace: GracePeriod
    let queues: Int
    /// The connection that is served, by librte_vhost's number; -1: none.
    var vid: CInt = -1
    var hasLostMemory = false
}

/// The served connections, by the path of their socket.
private let connections = Mutex<[String: GuestConnection]>([:])

private func socket(_ vid: CInt) -> String? {
    var name = [CChar](repeating: 0, count: 256)
    guard rte_vhost_get_ifname(vid, &name, name.count) == 0 else { return nil }
    return name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
}

/// The connection with this number; nil: it is not served.
private func guest(_ vid: CInt) -> GuestConnection? {
    guard let path = socket(vid) else { return nil }
    return connections.withLock { connections in connections[path].flatMap { $0.vid == vid ? $0 : nil } }
}

/// Sets up the checks of both rings of a queue pair according to which of them are enabled.
private func setChecks(_ guest: GuestConnection, _ vid: CInt, pair: Int) {
    for (ring, enabled) in [(2 * pair, guest.state.pointee.transmitRings.load(ordering: .relaxed)), (2 * pair + 1, guest.state.pointee.receiveRings.load(ordering: .relaxed))] {
        sluice_ring_set(guest.state.pointee.rings + ring, vid, UInt16(ring), enabled >> UInt64(pair) & 1 != 0)
    }
}

// The functions below are called on librte_vhost's threads.

/// A negative result closes the connection.
@c private func guestConnected(_ vid: CInt) -> CInt {
    guard let path = socket(vid), let before = connections.withLock({ $0[path] }) else { return -1 }
    if before.vid >= 0 {
        // Only one guest is served at a time, so whoever connects beside it is sent away, whatever it wants. But the end of the earlier connection may be
        // handled only after this call, so the kernel is asked whether it is still open.
        guard PeerSockets.live(at: path) < 2 else { return -1 }
        leave(before)
    }
    let served: GuestConnection? = connections.withLock { connections in
        guard connections[path] != nil else { return nil }
        connections[path]!.vid = vid
        connections[path]!.hasLostMemory = false
        return connections[path]
    }
    guard let served else { return -1 }
    let state = served.state
    state.pointee.receiveRings.store(0, ordering: .releasing)
    state.pointee.transmitRings.store(0, ordering: .releasing)
    state.pointee.stoppedReceiveRings.store(0, ordering: .relaxed)
    state.pointee.stoppedTransmitRings.store(0, ordering: .relaxed)
    for pair in 0..<maxQueuePairs { setChecks(served, vid, pair: pair) }
    return 0
}

@c private func guestDisconnected(_ vid: CInt) {
    guard let path = socket(vid) else { return }
    connections.withLock { connections in
        guard connections[path]?.vid == vid else { return }
        connections[path]!.vid = -1
        connections[path]!.hasLostMemory = false
    }
}

@c private func guestReady(_ vid: CInt) -> CInt {
    guard let guest = guest(vid), !guest.hasLostMemory else { return -1 }
    var features: UInt64 = 0
    rte_vhost_get_negotiated_features(vid, &features)
    // VIRTIO_NET_F_GUEST_CSUM, bit 1: the guest itself finishes the checksums of frames that it receives.
    guest.state.pointee.finishChecksums.store(features & 1 << 1 == 0, ordering: .relaxed)
    guest.state.pointee.connections.add(1, ordering: .relaxed)
    guest.state.pointee.ringChanges.add(1, ordering: .relaxed)
    guest.state.pointee.connection.store(vid, ordering: .sequentiallyConsistent)
    guest.grace.lcores.wake()
    return 0
}

/// The device's memory is unmapped when this returns, so no poll loop may use it any more by then.
@c private func guestGone(_ vid: CInt) {
    if let guest = guest(vid) { leave(guest) }
}

/// Makes the poll loops stop using a connection, and waits until they have.
private func leave(_ guest: GuestConnection) {
    guest.state.pointee.connection.store(-1, ordering: .sequentiallyConsistent)
    guest.state.pointee.ringChanges.add(1, ordering: .releasing)
    guest.grace.lcores.wake()
    guest.grace.wait()
}

@c private func ringChanged(_ vid: CInt, _ ring: UInt16, _ enabled: CInt) -> CInt {
    guard let guest = guest(vid) else { return -1 }
    let pair = Int(ring / 2)
    guard pair < guest.queues else { return 0 }
    let bit: UInt64 = 1 << UInt64(pair)
    let towardsGuest = ring % 2 == 0
    // The ring's checks are set up before any loop uses the ring.
    sluice_ring_set(guest.state.pointee.rings + Int(ring), vid, ring, enabled != 0)
    if towardsGuest {
        guest.state.pointee.stoppedTransmitRings.bitwiseAnd(~bit, ordering: .relaxed)
    } else {
        guest.state.pointee.stoppedReceiveRings.bitwiseAnd(~bit, ordering: .relaxed)
    }
    switch (towardsGuest, enabled != 0) {
    case (true, true): guest.state.pointee.transmitRings.bitwiseOr(bit, ordering: .acquiringAndReleasing)
    case (true, false): guest.state.pointee.transmitRings.bitwiseAnd(~bit, ordering: .acquiringAndReleasing)
    case (false, true): guest.state.pointee.receiveRings.bitwiseOr(bit, ordering: .acquiringAndReleasing)
    case (false, false): guest.state.pointee.receiveRings.bitwiseAnd(~bit, ordering: .acquiringAndReleasing)
    }
    guest.state.pointee.ringChanges.add(1, ordering: .releasing)
    guest.grace.lcores.wake()
    return 0
}

/// The guest's memory was mapped anew, or a ring was moved in it.
@c private func ringsMoved(_ vid: CInt) {
    guard let guest = guest(vid) else { return }
    for pair in 0..<min(guest.queues, maxQueuePairs) { setChecks(guest, vid, pair: pair) }
}
