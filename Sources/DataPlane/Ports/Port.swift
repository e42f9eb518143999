import Configuration
import DCB
import DPDKShim
import Packet

/// A port as the control thread holds it: its settings, what it is made of, and the state the poll loops share.
final class Port {
    var settings: PortSettings
    let index: PortIndex
    /// The link that carries the port's frames.
    let link: any PortLink
    /// The source of what the switch itself sends by the port if the port's device has no address.
    private lazy var derivedAddress = MACAddress.stable(port: settings.name)
    /// What poll loops share of the port, whatever link it has.
    let state: UnsafeMutablePointer<PortState>
    /// The link as it was when it was last looked at.
    var sight = LinkSight()
    /// Whether the interface had another name than in the settings when it was last looked at.
    var wasRenamed = false
    /// The time, as a value of `Runtime.now`, until which the port is shut (`followBPDUs`); nil: it is not shut.
    var shutUntil: UInt64?
    /// The pace that the pacer was last told.
    var appliedPace: PaceSettings?
    /// Whether the driver gives pause frames to the switch; nil: it was not asked yet.
    var pauseFrames: PauseFrames?
    /// The pauses as they were when they were last looked at.
    var pauseReport = PauseReceiver()
    /// `PauseRequests.givenUp`, as it was then.
    var givenUpQueues: UInt64 = 0

    init(settings: PortSettings, index: PortIndex, link: any PortLink) {
        self.settings = settings
        self.index = index
        self.link = link
        state = .onOwnLines(1)
        state.initialize(to: PortState())
        link.state.pointee.port = state
    }

    /// Creates a port that takes over the open link and the state of another, which must not be used or closed any more.
    init(settings: PortSettings, index: PortIndex, inPlaceOf old: Port) {
        self.settings = settings
        self.index = index
        link = old.link
        state = old.state
        wasRenamed = old.wasRenamed
        (pauseFrames, pauseReport, givenUpQueues) = (old.pauseFrames, old.pauseReport, old.givenUpQueues)
    }

    /// Closes the link and releases everything. No poll loop uses the port any more, and none will.
    func close(_ reason: CloseReason) {
        link.close(reason)
        state.deinitialize(count: 1)
        state.deallocate()
    }

    /// The source address of what the switch itself sends by the port, such as LLDP and pause frames: the device's own, or one that stays the same.
    var address: MACAddress { link.mac ?? derivedAddress }
    var isPhysical: Bool { if case .physical = settings.kind { true } else { false } }
    /// Whether the switch speaks LLDP on it. On physical ports it always does, as DCBX's settings are in use there even if nothing is told.
    var hasAgent: Bool { isPhysical || settings.lldpInUse != .off }
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
    /// The link as it is now.
    var sightNow: LinkSight {
        LinkSight(isUp: shutUntil == nil && link.state.pointee.connection.load(ordering: .acquiring) >= 0, connections: link.state.pointee.connections.load(ordering: .relaxed))
    }
}

extension PortSettings {
    /// Makes sure that the port stays away from the daemon's control socket.
    /// - Throws: a sentence if the port is to use the socket on which the daemon serves its clients.
    func leave(_ controlSocket: String?) throws(DataPlaneError) {
        guard let socket = kind.socket, let controlSocket, SocketFile.isSame(socket, controlSocket) else { return }
        throw DataPlaneError("port \(name): \(socket) is this daemon's own control socket: choose another path")
    }
}
