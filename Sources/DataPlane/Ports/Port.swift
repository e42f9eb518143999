import Configuration
import DPDKShim

/// A port as the control thread holds it: its settings, what it is made of, and the state the poll loops share.
final class Port {
    var settings: PortSettings
    let index: PortIndex
    /// What carries its frames.
    let link: any PortLink
    /// What poll loops share of it, whatever its link is.
    let state: UnsafeMutablePointer<PortState>
    /// Its link when it was looked at last.
    var sight = LinkSight()
    /// Its interface was called otherwise when it was looked at last.
    var wasRenamed = false
    /// `Runtime.now` until which nothing passes by it (`followBPDUs`); nil: it is not shut.
    var shutUntil: UInt64?
    /// What the pacer was last told.
    var appliedPace: PaceSettings?

    init(settings: PortSettings, index: PortIndex, link: any PortLink) {
        self.settings = settings
        self.index = index
        self.link = link
        state = .onOwnLines(1)
        state.initialize(to: PortState())
        link.state.pointee.port = state
    }

    /// With what another port had, which is of no use any more.
    init(settings: PortSettings, index: PortIndex, inPlaceOf old: Port) {
        self.settings = settings
        self.index = index
        link = old.link
        state = old.state
        wasRenamed = old.wasRenamed
    }

    /// Closes its link and releases everything. No poll loop uses the port any more, and none will.
    func close() {
        link.close()
        state.deinitialize(count: 1)
        state.deallocate()
    }

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
    var sightNow: LinkSight {
        LinkSight(isUp: shutUntil == nil && link.state.pointee.connection.load(ordering: .acquiring) >= 0, connections: link.state.pointee.connections.load(ordering: .relaxed))
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
