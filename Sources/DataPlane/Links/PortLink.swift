import Configuration

/// A port's link: what carries its frames, and can be opened, changed and closed. A new kind is one file that conforms to this, and one row of `openLink`.
protocol PortLink: AnyObject {
    var state: UnsafeMutablePointer<LinkState> { get }
    /// Queue pairs that are polled.
    var queues: Int { get }
    /// The driver's name, for people.
    var driver: String { get }
    /// What it is connected to: a socket, an interface, a device string.
    var device: String { get }
    /// NUMA node of its memory or device, -1 unknown.
    var numaNode: Int { get }
    /// Its frames wake a poll loop that sleeps; otherwise the loop naps, and looks.
    var wakes: Bool { get }
    /// "up", "down", or what is waited for.
    var condition: String { get }
    /// What is not as its user would expect though the link works; a sentence each.
    var warnings: [String] { get }
    /// What it could not receive since it was opened. Asks the kernel and the driver.
    func readLosses() -> LinkLosses
    /// What it served is gone for good: only opening it anew can help.
    var isGone: Bool { get }
    /// What it serves is called otherwise than in its settings; `condition` says how.
    var isRenamed: Bool { get }
    /// Whether `new` differs from its settings in what it serves is called, and that is called so already: the way is `.inPlace` then.
    func adopts(_ new: PortSettings) -> Bool
    /// How the link would become what `new` asks for. Nothing is touched to find out.
    /// - Throws: a sentence for what is known beforehand not to work.
    func way(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) -> PortChange.Way
    /// Becomes it, where the way is `.inPlace`. What is refused has changed nothing.
    func change(from old: PortSettings, to new: PortSettings) throws(DataPlaneError)
    /// Looks at the link again; called every 50 ms.
    func refresh()
    /// Releases everything. No poll loop uses the link any more, and none will.
    func close()
}

extension PortLink {
    var warnings: [String] { [] }
    func readLosses() -> LinkLosses { LinkLosses() }
    var isGone: Bool { false }
    var isRenamed: Bool { false }
    func adopts(_ new: PortSettings) -> Bool { false }
}

/// Opens the link that a port's settings name.
func openLink(_ settings: PortSettings, _ runtime: Runtime) throws(DataPlaneError) -> any PortLink {
    try settings.leave(runtime.controlSocket)
    return switch settings.kind {
    case .vhost(let socket, let mode, let queues):
        try VhostLink(name: settings.name, socket: socket, mode: mode, queues: queues, grace: runtime.grace)
    case .tap(let interface, let netns, let mac):
        try TapLink(settings, interface: interface, netns: netns, mac: mac, runtime)
    case .physical(let device, let queues):
        try PhysicalLink(settings, device: device, queues: queues, runtime)
    }
}
