import Filters
import Packet

/// The `type` of a port.
enum PortType: String, CaseIterable {
    case vhost, tap, physical
}

/// A port as its keys are written: flat, and possibly incomplete.
struct PortDraft {
    var name = ""
    var type: PortType?
    var bridge: String?
    var socket: String?
    var mode: VhostMode?
    var queues: Int?
    var interface: String?
    var netns: String?
    var mac: MACAddress?
    var device: String?
    var mtu = 1_500
    var cpus: [Int] = []
    var rate: UInt64?
    var overhead = 0
    var rest = RestSettings()
    var dcb = true
    var spoofCheck = false
    var pace: PaceDraft?
    var vlan: PortVLAN?
    var filter = PortFilters()
    var addresses: [IPPrefix] = []
    var dhcpGuard = false
    var raGuard = false
    var rules = PortRules()

    init() {}

    init(_ port: PortSettings) {
        name = port.name
        bridge = port.bridge
        mtu = port.mtu
        cpus = port.cpus
        rate = port.rate
        overhead = port.overhead
        rest = port.rest
        dcb = port.dcb
        spoofCheck = port.spoofCheck
        vlan = port.vlan
        (filter, addresses, dhcpGuard, raGuard) = (port.filter, port.addresses, port.dhcpGuard, port.raGuard)
        rules = port.rules
        pace = port.pace.map { PaceDraft(average: $0.average, peak: $0.peak, burst: $0.burst) }
        switch port.kind {
        case .vhost(let socket, let mode, let queues): (type, self.socket, self.mode, self.queues) = (.vhost, socket, mode, queues)
        case .tap(let interface, let netns, let mac): (type, self.interface, self.netns, self.mac) = (.tap, interface, netns, mac)
        case .physical(let device, let queues): (type, self.device, self.queues) = (.physical, device, queues)
        }
    }

    /// The port, or what is missing or does not go together.
    func port(at element: Element, _ problems: inout ProblemList) -> PortSettings? {
        let before = problems.count
        guard let type else {
            if problems.problems.contains(where: { $0.path == element.path + ".type" }) { return nil }
            problems.add(element, "a port needs a type: vhost, tap or physical")
            return nil
        }
        let present: [(key: String, isPresent: Bool, types: [PortType])] = [
            ("socket", socket != nil, [.vhost]), ("mode", mode != nil, [.vhost]),
            ("queues", queues != nil, [.vhost, .physical]), ("interface", interface != nil, [.tap]),
            ("netns", netns != nil, [.tap]), ("mac", mac != nil, [.tap]), ("device", device != nil, [.physical]),
            ("rate", rate != nil, [.physical]), ("overhead", overhead != 0, [.physical]), ("rest", rest != RestSettings(), [.physical]), ("dcb", !dcb, [.physical]),
        ]
        for (key, isPresent, types) in present where isPresent && !types.contains(type) {
            let owners = types.map(\.rawValue).joined(separator: " and ")
            let advice =
                switch key {
                case "rate": "; the root of the inbound tree is the bridge's rate"
                case "rest": "; the inbound tree's is the bridge's"
                default: ""
                }
            problems.add(element, "'\(key)' belongs to \(owners) ports, not to a \(type.rawValue) port: leave it out\(advice)")
        }
        let kind: PortKind?
        switch type {
        case .vhost:
            kind = socket.map { .vhost(socket: $0, mode: mode ?? .client, queues: queues ?? 1) }
            if kind == nil { problems.add(element, "a vhost port needs a socket, such as /run/sluice/\(name).sock") }
        case .tap:
            kind = interface.map { .tap(interface: $0, netns: netns, mac: mac) }
            if kind == nil { problems.add(element, "a tap port needs an interface, such as tap0") }
        case .physical:
            kind = device.map { .physical(device: $0, queues: queues) }
            if kind == nil { problems.add(element, "a physical port needs a device: an interface such as eth1, or a PCI address") }
        }
        if bridge == nil { problems.add(element, "a port needs a bridge, such as br0") }
        guard let kind, let bridge, problems.count == before else { return nil }
        var port = PortSettings(name: name, bridge: bridge, kind: kind)
        port.mtu = mtu
        port.cpus = cpus
        port.rate = rate
        port.overhead = overhead
        port.rest = rest
        port.dcb = dcb
        port.spoofCheck = spoofCheck
        port.vlan = vlan
        (port.filter, port.addresses, port.dhcpGuard, port.raGuard) = (filter, addresses, dhcpGuard, raGuard)
        port.rules = rules
        port.pace = pace.flatMap { pace in pace.average.map { PaceSettings(average: $0, peak: pace.peak, burst: pace.burst) } }
        return port
    }
}

struct PaceDraft {
    var average: UInt64?
    var peak: UInt64?
    var burst: UInt64?
}

struct ProtocolDraft {
    var name = ""
    var matches: [ProtocolMatch] = []
    var pcp: Int?

    init() {}

    init(_ row: ProtocolSettings) {
        name = row.name
        matches = row.matches
        pcp = row.pcp
    }

    /// A row without `pcp` has the built-in row's, else 0.
    var row: ProtocolSettings {
        let builtIn = ProtocolSettings.builtIn.first { $0.name == name }
        return ProtocolSettings(name: name, matches: matches, pcp: pcp ?? builtIn?.pcp ?? 0)
    }
}
