import Configuration
import DPDKShim
import Glibc
import Synchronization
import VhostSessions
import VhostUser

/// A guest's vhost-user socket. The thread of vhost-user connects, reconnects and negotiates; this keeps the port's state up to date.
final class VhostLink: PortLink {
    let state: UnsafeMutablePointer<LinkState>
    let queues: Int
    let device: String
    private let name: String
    private let mode: VhostMode
    private let guest: GuestConnection
    private let sessions: VhostSessions
    private let session: VhostSessions.PortID

    init(_ settings: PortSettings, socket: String, mode: VhostMode, queues: Int, _ runtime: Runtime) throws(DataPlaneError) {
        let name = settings.name, access = settings.access
        self.name = name
        self.queues = queues
        self.mode = mode
        device = socket
        if mode == .server { try SocketFile.removeStale(socket, port: name) }
        if let obstacle = SocketFile.obstacle(socket) { throw DataPlaneError("port \(name): \(obstacle)") }
        let applied = try AppliedAccess(access, port: name)
        state = .allocate(capacity: 1)
        state.initialize(to: LinkState(mechanism: .vhost))
        guest = GuestConnection(state, port: name, socket: socket, grace: runtime.grace)
        sessions = runtime.vhost
        var options = PortOptions(path: socket, mode: mode == .server ? .server : .client)
        options.requiresSealedMemory = settings.requireSealed
        options.offer.queuePairs = maxQueuePairs
        options.offer.features = Self.features(settings)
        if mode == .server, access != SocketAccess() { options.prepare = { try applied.apply(to: $0, port: name) } }
        do {
            session = try sessions.add(options, guest)
        } catch {
            state.deinitialize(count: 1)
            state.deallocate()
            // What `prepare` says names the port itself.
            throw DataPlaneError(error.description.hasPrefix("port \(name): ") ? error.description : "port \(name): \(error)")
        }
    }

    var driver: String { "vhost-user" }
    var numaNode: Int { guest.numaNode ?? -1 }
    var wakes: Bool { true }
    static let waiting = "waiting for the guest"

    var condition: String {
        if let quarantine = guest.quarantine { return quarantine + "; sluice port reset \(name) ends this at once" }
        if guest.hasLostMemory {
            return "the process at its socket has shortened the guest's memory; the port is served again when it connects anew"
        }
        // Something may have taken the place of QEMU's socket. Once it is gone, the port connects again.
        guard state.pointee.connection.load(ordering: .acquiring) >= 0 else {
            return guest.refusal ?? SocketFile.obstacle(device) ?? Self.waiting
        }
        let from = stopped(state.pointee.stoppedReceiveRings.load(ordering: .relaxed), "from the guest", 1)
        let towards = stopped(state.pointee.stoppedTransmitRings.load(ordering: .relaxed), "towards the guest", 0)
        let all = from + towards
        return all.isEmpty ? "up" : "stopped \(all.joined(separator: ", ")); resetting the guest's network device (or the guest) starts it again"
    }

    var warnings: [String] { guest.warnings }

    /// A phrase for each stopped ring.
    /// - Parameter place: 1 for rings from the guest, 0 for those towards it.
    private func stopped(_ pairs: UInt64, _ direction: String, _ place: Int) -> [String] {
        (0..<maxQueuePairs).filter { pairs >> UInt64($0) & 1 != 0 }.map { pair in
            "\(direction): queue \(pair), as the guest's driver \(state.pointee.rings[2 * pair + place].fault.reason)"
        }
    }

    func refresh() {
        if guest.look() { sessions.disconnect(session, because: "the process at its socket has shortened the guest's memory", isFault: true) }
    }

    func readLosses() -> LinkLosses { guest.losses }

    func endQuarantine() -> Bool {
        guard guest.endQuarantine() else { return false }
        sessions.resume(session)
        return true
    }

    func way(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) -> PortChange.Way {
        _ = try AppliedAccess(new.access, port: new.name)
        guard old.kind != new.kind else { return .inPlace }
        guard case .vhost(device, let newMode, _) = new.kind else { return .beside }
        if let obstacle = SocketFile.obstacle(device) { throw DataPlaneError("port \(new.name): \(obstacle)") }
        if newMode == .server {
            // If this port is the one that listens already, its own socket is no obstacle.
            if mode != .server { try SocketFile.check(device, port: new.name) }
            let folder = device.prefix(upTo: device.lastIndex(of: "/") ?? device.startIndex)
            if access(folder.isEmpty ? "/" : String(folder), W_OK | X_OK) != 0 {
                throw DataPlaneError("port \(new.name): no socket can be made in \(folder): \(DataPlaneError.errorText(errno))")
            }
        }
        return .anew
    }

    /// What is offered to the guest. One that has agreed on segmentation takes no switch in place of this one that does not offer it.
    private static func features(_ settings: PortSettings) -> VirtioFeatures {
        settings.offload ? VirtioFeatures.standard.union(.hostSegmentation) : .standard
    }

    /// Gives the socket its new owner and mode, and guests the rule for their memory. A ring has no MTU.
    func change(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) {
        if mode == .server, old.access != new.access { try AppliedAccess(new.access, port: new.name).apply(to: device, port: new.name) }
        if old.offload != new.offload { sessions.offer(session, Self.features(new)) }
        if old.requireSealed != new.requireSealed { sessions.requireSealedMemory(session, new.requireSealed) }
    }

    func close(_ reason: CloseReason) {
        // A guest that still runs may come back, to this port or to another at the socket.
        let keeps = reason == .ended || reason == .reopened || guest.hasRings
        // A guest that is connected is disconnected by this call: its rings are stopped and its memory is unmapped when it returns.
        sessions.remove(session)
        guest.closeJournals(keeps: keeps)
        state.deinitialize(count: 1)
        state.deallocate()
    }
}
