import Configuration
import DCB
import Filters
import Glibc
import LinkProtocols
import Packet
import Scheduler

/// Physical ports that speak LLDP and DCBX, and taps that speak LLDP: frames that loops punt go to the ports' state machines, and what these find out goes back to
/// the loops.
extension DataPlane {
    /// Gives a port's state machines an LLDP frame.
    func hear(_ frame: PuntedFrame, _ now: Nanoseconds) { discovery.links[frame.port]?.receive(frame.bytes, now: now) }

    /// Brings the state machines up to the ports' settings and links.
    func followDiscovery() {
        let now = runtime.now, speaking = connectedPorts.filter(\.hasAgent)
        if discovery.chassis == nil { discovery.chassis = speaking.compactMap { $0.link.mac }.min() ?? speaking.map(\.address).min() }
        let indices = Set(speaking.map(\.index))
        withdrawDiscovery { !indices.contains($0) }
        discovery.links = discovery.links.filter { indices.contains($0.key) }
        for port in speaking {
            guard let chassis = discovery.chassis else { continue }
            // PFC and ETS are in use whether or not the device has an address, as memory between two processes has none.
            let mac = port.address
            let status = LLDPAdminStatus(port.settings.lldpInUse), dcbx = DCBXSettings(port.settings.dcbInUse)
            let local = local(of: port, chassis)
            var link = discovery.links[port.index] ?? LinkDiscovery(LLDPSettings(), status: status, dcbx: dcbx, mac: mac, local: local)
            link.set(LLDPSettings(), status: status, dcbx: dcbx, now: now)
            link.set(local, mac: mac, now: now)
            link.set(isUp: port.sightNow.isUp, now: now)
            discovery.links[port.index] = link
        }
    }

    /// Advances the state machines to the present time: neighbours age, frames are sent, and priorities that have changed are published.
    func advanceDiscovery() {
        let now = runtime.now
        if let due = discovery.nextDeadline, due <= now { sendDue(now) }
        if discovery.isDue(now) {
            exchange { snapshot(for: $0, leavingOut: []) }
            followSharing()
        }
        for item in discovery.sentences(now) {
            if let port = connectedPorts.first(where: { $0.index == item.port }) { notices.append("port \(port.settings.name): \(item.text)") }
        }
        watchPauses()
    }

    /// Has the neighbours of ports that are going told that nothing of what they were told is valid any more. The ports' links must still be open.
    func withdrawDiscovery(_ isGoing: (PortIndex) -> Bool) {
        let now = runtime.now, going = discovery.links.keys.filter(isGoing)
        if going.isEmpty { return }
        for port in going { discovery.links[port]!.set(LLDPSettings(), status: .disabled, dcbx: DCBXSettings(), now: now) }
        sendDue(now)
    }

    /// Advances all state machines, and has a loop send their frames.
    private func sendDue(_ now: Nanoseconds) {
        var injections: [UnsafeMutablePointer<Injection>] = []
        for port in discovery.links.keys.sorted() {
            for frame in discovery.links[port]!.advance(to: now) { injections.append(inject(frame, by: port)) }
        }
        finish(injections)
    }

    /// What a port tells of itself.
    private func local(of port: Port, _ chassis: MACAddress) -> LLDPLocal {
        let octets = (0..<6).map { UInt8(chassis.value >> UInt64(40 - 8 * $0) & 0xff) }
        var local = LLDPLocal(source: .init(chassis: .init(subtype: 4, octets: octets), port: .init(subtype: 5, octets: Array(port.settings.name.utf8))))
        local.portDescription = port.settings.kind.interfaceName
        let host = HostNames.current
        (local.systemName, local.systemDescription) = (host.node, "Sluice, \(Self.dpdkVersion), \(host.system)")
        local.capabilities = SystemCapabilities(present: SystemCapabilities.bridge, enabled: SystemCapabilities.bridge)
        // The families' numbers are IANA's: 1 for IPv4, 2 for IPv6.
        local.managementAddresses = port.settings.managementAddresses.map { ManagementAddress(.init(family: $0.isIPv4 ? 1 : 2, octets: $0.bytes)) }
        return local
    }

    /// Makes a loop send a frame of a port's own link by it.
    private func inject(_ frame: [UInt8], by port: PortIndex) -> UnsafeMutablePointer<Injection> {
        let injection = UnsafeMutablePointer<Injection>.allocate(capacity: 1)
        injection.initialize(to: Injection(ofLink: frame, port: port))
        send(.inject(injection), to: 0)
        return injection
    }

    /// The priorities that frames leave a port with: those of the protocol table, but for what the port's application priorities say.
    func tagger(_ applications: [ApplicationPriority]) -> PriorityTagger {
        let tagger = PriorityTagger.create()
        tagger.set(row: ProtocolTable.defaultRow, pcp: applications.standardPriority ?? 0)
        for item in model.protocolTable {
            if let row = protocolNumbers[item.name] { tagger.set(row: UInt8(row), pcp: applications.priority(of: item.matches) ?? UInt8(item.pcp)) }
        }
        return tagger
    }
}

/// The names of the host and of its system, as uname(2) has them.
private struct HostNames {
    var node: String
    /// Such as `Linux 6.1.0-18-amd64`.
    var system: String

    static var current: HostNames {
        var names = utsname()
        uname(&names)
        func text<Octets>(_ octets: Octets) -> String { withUnsafeBytes(of: octets) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) } }
        return HostNames(node: text(names.nodename), system: "\(text(names.sysname)) \(text(names.release))")
    }
}

extension LLDPAdminStatus {
    init(_ mode: LLDPMode) {
        self = switch mode {
        case .off: .disabled
        case .rx: .receives
        case .tx: .transmits
        case .on: .both
        }
    }
}

extension DCBXSettings {
    init(_ settings: DCBSettings) {
        self.init()
        if let ets = settings.ets, let parameters = ETSParameters(ets.sharing) {
            self.parameters.ets = ETSFeature(isWilling: ets.willing, parameters: parameters)
            self.parameters.recommendation = ets.recommended.flatMap { ETSParameters($0) }
        }
        if let pfc = settings.pfc {
            self.parameters.pfc = PFCFeature(isWilling: pfc.willing, enabled: pfc.priorities.reduce(0) { $0 | 1 << UInt8($1) })
        }
        if let app = settings.app {
            takesApplications = app.willing
            func entries(_ list: [AppPriority], _ selector: ApplicationPriority.Selector) -> [ApplicationPriority] {
                list.map { ApplicationPriority(selector, UInt16($0.identifier), priority: UInt8($0.priority)) }
            }
            let standard = app.standard.map { [ApplicationPriority(.etherType, 0, priority: UInt8($0))] } ?? []
            self.parameters.applications = standard + entries(app.etherTypes, .etherType) + entries(app.streamPorts, .stream)
                + entries(app.datagramPorts, .datagram) + entries(app.ports, .anyPort) + entries(app.dscps, .dscp)
        }
    }
}

extension ETSParameters {
    /// Nil for settings that break a rule of the configuration.
    init?(_ sharing: ETSSharing) {
        func filled<Item>(_ list: [Item], _ rest: Item) -> [Item] { (0..<8).map { $0 < list.count ? list[$0] : rest } }
        self.init(
            classes: filled(sharing.classes, 0).map { UInt8($0) }, bandwidths: filled(sharing.bandwidths, 0).map { UInt8($0) },
            algorithms: filled(sharing.algorithms, .strict).map { $0 == .ets ? .ets : .strict })
    }
}

extension DataPlane {
    /// What one port and its neighbours tell each other.
    public struct DiscoveryReport: Sendable {
        public var port: String
        public var mode: LLDPMode
        public var link: LinkDiscovery
        /// Whether frames leave by the port with priorities.
        public var tags: Bool
        /// The priority that frames of each protocol leave with, in the order of the protocol table; the last is that of frames of no known protocol.
        public var priorities: [(name: String, pcp: Int)]
        /// What the switch at the other end has asked to pause, and what traffic classes have sent; nil: the port does neither.
        public var pauses: PauseReport?
        /// The present time, on the clock of the times in `link`.
        public var now: UInt64
    }

    /// The physical ports that are open, and the taps that speak LLDP, by name.
    public func discoveryReports() -> [DiscoveryReport] {
        ports.values.sorted { $0.settings.name < $1.settings.name }.compactMap { port in
            guard let link = discovery.links[port.index] else { return nil }
            let applications = discovery.published[port.index]?.applications ?? []
            var priorities: [(name: String, pcp: Int)] = []
            for item in model.protocolTable { priorities.append((item.name, applications.priority(of: item.matches).map(Int.init) ?? item.pcp)) }
            priorities.append(("default", Int(applications.standardPriority ?? 0)))
            return DiscoveryReport(
                port: port.settings.name, mode: port.settings.lldpInUse, link: link, tags: port.settings.dcb, priorities: priorities, pauses: pauseReport(of: port),
                now: runtime.now)
        }
    }
}
