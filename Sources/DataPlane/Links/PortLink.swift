import Configuration
import Packet

/// A port's link: what carries its frames, and can be opened, changed and closed. A new kind is one file with a type that conforms to this, and one row of
/// `openLink`.
protocol PortLink: AnyObject {
    var state: UnsafeMutablePointer<LinkState> { get }
    /// The number of queue pairs that are polled.
    var queues: Int { get }
    /// The driver's name, for people.
    var driver: String { get }
    /// What the link is connected to: a socket, an interface, a device string.
    var device: String { get }
    /// NUMA node of the guest's memory or of the device; -1: unknown.
    var numaNode: Int { get }
    /// Whether received frames wake a poll loop that sleeps; if not, the loop wakes at intervals and polls it.
    var wakes: Bool { get }
    /// The device's own MAC address; nil: it has none.
    var mac: MACAddress? { get }
    /// "up", "down", or a sentence that says what is wrong or waited for.
    var condition: String { get }
    /// What is not as the user would expect although the link works, as sentences.
    var warnings: [String] { get }
    /// Frames that the link could not receive since it was opened. The kernel and the driver are asked.
    func readLosses() -> LinkLosses
    /// Whether what the link serves is gone for good, so that only opening it anew can help.
    var isGone: Bool { get }
    /// Whether what the link serves has another name than in the settings; `condition` says which.
    var isRenamed: Bool { get }
    /// Whether `new` differs from the port's settings in the name of what it serves, and that already has the new name. Then `way` is `.inPlace`.
    func adopts(_ new: PortSettings) -> Bool
    /// How the link would become what `new` asks for. Nothing is changed to find out.
    /// - Throws: a sentence if it is known beforehand that the change cannot work.
    func way(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) -> PortChange.Way
    /// Makes the change, if its way is `.inPlace`.
    /// - Throws: a sentence; nothing has been changed then.
    func change(from old: PortSettings, to new: PortSettings) throws(DataPlaneError)
    /// Looks at the link again. Called every 50 ms.
    func refresh()
    /// The link's speed in Mbit/s; 0: unknown.
    var megabits: UInt32 { get }
    /// Ends a quarantine of the port's guest at once.
    /// - Returns: whether there was one.
    func endQuarantine() -> Bool
    /// Asks the driver to give pause frames to the switch instead of following them itself.
    func askForPauseFrames() -> PauseFrames
    /// Releases everything. No poll loop uses the port any more, and none will.
    func close(_ reason: CloseReason)
}

/// Why a link is closed, which decides what becomes of an interface that outlives the daemon.
enum CloseReason {
    /// The port is removed, or something else takes its place.
    case removed
    /// The port is opened again with the same settings.
    case reopened
    /// The port was opened for a change that is not made after all.
    case takenBack
    /// The daemon ends.
    case ended
}

extension PortLink {
    var mac: MACAddress? { nil }
    var warnings: [String] { [] }
    func readLosses() -> LinkLosses { LinkLosses() }
    var isGone: Bool { false }
    var isRenamed: Bool { false }
    func endQuarantine() -> Bool { false }
    func adopts(_ new: PortSettings) -> Bool { false }
    var megabits: UInt32 { 0 }
    func askForPauseFrames() -> PauseFrames { .arrive }
}

/// Opens the port that the settings describe.
/// - Throws: a sentence that says why it cannot be opened.
func openLink(_ settings: PortSettings, _ runtime: Runtime) throws(DataPlaneError) -> any PortLink {
    try settings.leave(runtime.controlSocket)
    return switch settings.kind {
    case .vhost(let socket, let mode, let queues):
        try VhostLink(settings, socket: socket, mode: mode, queues: queues, runtime)
    case .tap(let interface, let netns, let mac):
        try TapLink(settings, interface: interface, netns: netns, mac: mac, runtime)
    case .physical(let device, let queues):
        try PhysicalLink(settings, device: device, queues: queues, runtime)
    }
}
