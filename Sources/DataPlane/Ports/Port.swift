import Configuration
import DPDKShim

/// A port as the control thread holds it: its settings, what it is made of, and the state the poll loops share.
final class Port {
    var settings: PortSettings
    let index: PortIndex
    let backend: any PortBackend
    /// Its link when it was looked at last.
    var link = LinkSight()
    /// Its interface was called otherwise when it was looked at last.
    var wasRenamed = false
    /// `Runtime.now` until which nothing passes by it (`followBPDUs`); nil: it is not shut.
    var shutUntil: UInt64?
    /// What the pacer was last told.
    var appliedPace: PaceSettings?

    init(settings: PortSettings, index: PortIndex, backend: any PortBackend) {
        self.settings = settings
        self.index = index
        self.backend = backend
    }

    var state: UnsafeMutablePointer<PortState> { backend.state }
    var isPhysical: Bool { if case .physical = settings.kind { true } else { false } }
    /// The tree of what leaves by it: its own, or its bridge's.
    var treeName: String { isPhysical ? settings.name : settings.bridge }
    /// Longest untagged frame.
    var maxFrame: UInt32 { UInt32(settings.mtu + 14) }
}

/// What the control thread sees of a port's link.
struct LinkSight: Equatable {
    var isUp = false
    /// Times a guest connected.
    var connections: UInt64 = 0
}

extension Port {
    /// Its link now.
    var linkNow: LinkSight {
        LinkSight(isUp: shutUntil == nil && state.pointee.connection.load(ordering: .acquiring) >= 0, connections: state.pointee.connections.load(ordering: .relaxed))
    }
}

/// What a port kind has to give the data plane. A new kind is one file that conforms to this.
protocol PortBackend: AnyObject {
    var state: UnsafeMutablePointer<PortState> { get }
    /// Queue pairs that are polled.
    var queues: Int { get }
    /// The driver's name, for people.
    var driver: String { get }
    /// What the port is connected to: a socket, an interface, a device string.
    var device: String { get }
    /// NUMA node of its memory or device, -1 unknown.
    var numaNode: Int { get }
    /// Its frames wake a poll loop that sleeps; otherwise the loop naps, and looks.
    var wakes: Bool { get }
    /// "up", "down", or what is waited for.
    var condition: String { get }
    /// What is not as its user would expect though the port works; a sentence each.
    var warnings: [String] { get }
    /// What its link could not receive since it was opened. Asks the kernel and the driver.
    func readLosses() -> LinkLosses
    /// What it served is gone for good: only opening it anew can help.
    var isGone: Bool { get }
    /// What it serves is called otherwise than in its settings; `condition` says how.
    var isRenamed: Bool { get }
    /// Whether `new` differs from its settings in what it serves is called, and that is called so already: the way is `.inPlace` then.
    func adopts(_ new: PortSettings) -> Bool
    /// How the port would become what `new` asks for. Nothing is touched to find out.
    /// - Throws: a sentence for what is known beforehand not to work.
    func way(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) -> PortChange.Way
    /// Becomes it, where the way is `.inPlace`. What is refused has changed nothing.
    func change(from old: PortSettings, to new: PortSettings) throws(DataPlaneError)
    /// Looks at the link again; called every 50 ms.
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

/// Opens what a port's settings name.
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
    /// - Throws: a sentence if the port is to use the socket at which the daemon serves its clients.
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
