import Configuration
import DPDKShim
import Glibc
import Synchronization

/// A guest's vhost-user socket. librte_vhost's threads connect, reconnect and negotiate; this keeps the port's state true.
final class VhostPort: PortBackend {
    let state: UnsafeMutablePointer<PortState>
    let queues: Int
    let device: String
    private let mode: VhostMode

    init(name: String, socket: String, mode: VhostMode, queues: Int, grace: GracePeriod) throws(DataPlaneError) {
        self.queues = queues
        self.mode = mode
        device = socket
        if mode == .server { try Self.clearStaleSocket(socket, port: name) }
        state = .allocate(capacity: 1)
        state.initialize(to: PortState(mechanism: .vhost))
        let pointer = state
        let isNew = guests.withLock { guests in
            if guests[socket] != nil { return false }
            guests[socket] = Guest(state: pointer, grace: grace, queues: queues)
            return true
        }
        var callbacks = sluice_vhost_callbacks(
            connected: guestConnected, added: guestReady, removed: guestGone, ring_changed: ringChanged)
        var step: UnsafePointer<CChar>?
        let result = isNew ? sluice_vhost_open(socket, mode == .client, sluice_virtio_offload_features, &callbacks, &step) : -EADDRINUSE
        guard result == 0 else {
            if isNew { guests.withLock { _ = $0.removeValue(forKey: socket) } }
            state.deinitialize(count: 1)
            state.deallocate()
            throw DataPlaneError("""
                port \(name): socket \(socket) could not be opened: \(DataPlaneError.errorText(result))\
                \(step.map { " (\(String(cString: $0)))" } ?? ""); does its folder exist, and is the path used once only?
                """)
        }
    }

    var driver: String { "librte_vhost" }
    var numaNode: Int {
        let connection = state.pointee.connection.load(ordering: .acquiring)
        return connection < 0 ? -1 : Int(rte_vhost_get_numa_node(connection))
    }
    var wakes: Bool { true }
    var condition: String { state.pointee.connection.load(ordering: .acquiring) >= 0 ? "up" : "waiting for the guest" }
    func refresh() {}

    func close() {
        // A guest that is connected is told goodbye here: `guestGone` runs before this returns.
        sluice_vhost_close(device)
        guests.withLock { _ = $0.removeValue(forKey: device) }
        if mode == .server { unlink(device) }
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// Removes a socket that nobody listens on any more, which a killed daemon leaves behind.
    private static func clearStaleSocket(_ path: String, port: String) throws(DataPlaneError) {
        var info = stat()
        guard stat(path, &info) == 0 else { return }
        guard info.st_mode & S_IFMT == S_IFSOCK else {
            throw DataPlaneError("port \(port): \(path) exists and is not a socket: choose another path, or remove it")
        }
        if isListening(path) {
            throw DataPlaneError("port \(port): another process listens on \(path): choose another path, or end that process (`ss -xlp` names it)")
        }
        unlink(path)
    }

    private static func isListening(_ path: String) -> Bool {
        let descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { return false }
        defer { Glibc.close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return false }
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) == 0 }
        }
    }
}

/// What librte_vhost's callbacks, which carry no context, find by a socket's path.
private struct Guest: @unchecked Sendable {
    let state: UnsafeMutablePointer<PortState>
    let grace: GracePeriod
    let queues: Int
}

private let guests = Mutex<[String: Guest]>([:])

private func guest(_ vid: CInt) -> Guest? {
    var name = [CChar](repeating: 0, count: 256)
    guard rte_vhost_get_ifname(vid, &name, name.count) == 0 else { return nil }
    let path = name.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    return guests.withLock { $0[path] }
}

// Called on librte_vhost's threads.

@c private func guestConnected(_ vid: CInt) -> CInt {
    guard let guest = guest(vid) else { return -1 }
    guest.state.pointee.receiveRings.store(0, ordering: .releasing)
    guest.state.pointee.transmitRings.store(0, ordering: .releasing)
    return 0
}

@c private func guestReady(_ vid: CInt) -> CInt {
    guard let guest = guest(vid) else { return -1 }
    var features: UInt64 = 0
    rte_vhost_get_negotiated_features(vid, &features)
    // VIRTIO_NET_F_GUEST_CSUM, bit 1: the guest finishes checksums of frames it receives.
    guest.state.pointee.finishChecksums.store(features & 1 << 1 == 0, ordering: .relaxed)
    guest.state.pointee.connections.add(1, ordering: .relaxed)
    guest.state.pointee.ringChanges.add(1, ordering: .relaxed)
    guest.state.pointee.connection.store(vid, ordering: .sequentiallyConsistent)
    guest.grace.lcores.wake()
    return 0
}

/// The device's memory is unmapped when this returns, so no poll loop may be in it then.
@c private func guestGone(_ vid: CInt) {
    guard let guest = guest(vid) else { return }
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
