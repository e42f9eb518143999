import Configuration
import DPDKShim

/// A port as the control thread sees it: its settings, the backend that serves it, and the state that the poll loops share.
final class Port {
    var settings: PortSettings
    let index: PortIndex
    let backend: any PortBackend
    /// The link as it was when it was last looked at.
    var link = LinkSight()
    /// Whether the interface had another name than in the settings when it was last looked at.
    var wasRenamed = false
    /// The time, as a value of `Runtime.now`, until which the port is shut (`followBPDUs`); nil: it is not shut.
    var shutUntil: UInt64?
    /// The pace that the pacer was last told.
    var appliedPace: PaceSettings?

    init(settings: PortSettings, index: PortIndex, backend: any PortBackend) {
        self.settings = settings
        self.index = index
        self.backend = backend
    }

    var state: UnsafeMutablePointer<PortState> { backend.state }
    var isPhysical: Bool { if case .physical = settings.kind { true } else { false } }
    /// The name of the tree that schedules what leaves by the port: its own tree, or that of its bridge.
    var treeName: String { isPhysical ? settings.name : settings.bridge }
    /// Bytes of the longest frame without tags.
    var maxFrame: UInt32 { UInt32(settings.mtu + 14) }
}

/// What the control thread knows about a port's link.
struct LinkSight: Equatable {
    var isUp = false
    /// How many times a guest has connected.
    var connections: UInt64 = 0
}

extension Port {
    /// The link as it is now.
    var linkNow: LinkSight {
        LinkSight(isUp: shutUntil == nil && state.pointee.connection.load(ordering: .acquiring) >= 0, connections: state.pointee.connections.load(ordering: .relaxed))
    }
}

/// What a port kind has to provide to the data plane. A new port kind is one file with a type that conforms to this.
protocol PortBackend: AnyObject {
    var state: UnsafeMutablePointer<PortState> { get }
    /// The number of queue pairs that are polled.
    var queues: Int { get }
    /// The driver's name, for people.
    var driver: String { get }
    /// What the port is connected to: a socket, an interface, a device string.
    var device: String { get }
    /// NUMA node of the guest's memory or of the device; -1: unknown.
    var numaNode: Int { get }
    /// Whether received frames wake a poll loop that sleeps; if not, the loop wakes at intervals and polls the port.
    var wakes: Bool { get }
    /// "up", "down", or a sentence that says what is wrong or waited for.
    var condition: String { get }
    /// What is not as the user would expect although the port works, as sentences.
    var warnings: [String] { get }
    /// Frames that the link could not receive since it was opened. The kernel and the driver are asked.
    func readLosses() -> LinkLosses
    /// Whether what the port serves is gone for good, so that only opening the port anew can help.
    var isGone: Bool { get }
    /// Whether what the port serves has another name than in the settings; `condition` says which.
    var isRenamed: Bool { get }
    /// Whether `new` differs from the port's settings in the name of what it serves, and that already has the new name. Then `way` is `.inPlace`.
    func adopts(_ new: PortSettings) -> Bool
    /// How the port would become what `new` asks for. Nothing is changed to find out.
    /// - Throws: a sentence if it is known beforehand that the change cannot work.
    func way(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) -> PortChange.Way
    /// Makes the change, if its way is `.inPlace`.
    /// - Throws: a sentence; nothing has been changed then.
    func change(from old: PortSettings, to new: PortSettings) throws(DataPlaneError)
    /// Looks at the link again. Called every 50 ms.
    func refresh()
    /// Releases everything. No poll loop uses the port any more, and none will.
    func close()
}

extension PortBackend {
    var warnings: [String] { [] }
    func readLosses() -> LinkLosses { LinkLosses() }
    var isGone: Bool { false }
    var isRenamed: Bool { false }
    func adopts(_ new: PortSettings) -> Bool { false }
}

/// Opens the port that the settings describe.
/// - Throws: a sentence that says why it cannot be opened.
func openPort(_ settings: PortSettings, _ runtime: Runtime) throws(DataPlaneError) -> any PortBackend {
    try settings.leave(runtime.controlSocket)
    return switch settings.kind {
    case .vhost(let socket, let mode, let queues):
        try VhostPort(name: settings.name, socket: socket, mode: mode, queues: queues, grace: runtime.grace)
    case .tap(let interface, let netns, let mac):
        try TapPort(settings, interface: interface, netns: netns, mac: mac, runtime)
    case .physical(let device, let queues):
        try PhysicalPort(settings, device: device, queues: queues, runtime)
    }
}

extension PortSettings {
    /// Makes sure that the port stays away from the daemon's control socket.
    /// - Throws: a sentence if the port is to use the socket on which the daemon serves its clients.
    func leave(_ controlSocket: String?) throws(DataPlaneError) {
        let socket: String? =
            switch kind {
            case .vhost(let socket, _, _): socket
            case .tap: nil
            case .physical(let device, _): DeviceString(device).isMemif ? DeviceString(device).value(of: "socket") : nil
            }
        guard let socket, let controlSocket, SocketFile.isSame(socket, controlSocket) else { return }
        throw DataPlaneError("port \(name): \(socket) is this daemon's own control socket: choose another path")
    }
}
