import Configuration
import Packet

/// An `<interface type='vhostuser'>` of a domain (conf/domain_conf.c). Optional values are nil where the XML does not say them.
public struct LibvirtInterface: Equatable, Sendable {
    /// The side of the vhost-user socket that QEMU takes.
    public enum Mode: String, Equatable, Sendable {
        /// Sluice creates the socket, and QEMU connects to it.
        case client
        /// QEMU creates the socket, and Sluice connects to it.
        case server
    }

    /// The MAC address, by which interfaces are told apart. libvirt gives one to every interface.
    public var mac: MACAddress
    public var socket: String
    public var mode: Mode
    /// The name of the interface, from `<target dev=...>`.
    public var target: String?
    public var model: String?
    /// The number of queue pairs.
    public var queues: Int?
    public var mtu: Int?
    /// From `<link state=...>`. QEMU itself takes the link down for the guest, so that Sluice does nothing about it.
    public var isLinkUp = true
    public var isIsolated: Bool?
    public var bandwidth: LibvirtBandwidth?
    public var vlan: LibvirtVLAN?
    public var virtualPort: LibvirtVirtualPort?
    /// The network that the interface inherits from. libvirt does not let vhostuser interfaces name one, so it usually comes from Sluice's metadata.
    public var network: String?
    public var portGroup: String?
    public var alias: String?
    /// The line of the document in which the element begins.
    public var line: Int

    /// How messages name the interface.
    var path: String { "interface \(mac)" }

    init?(_ element: XMLTree, number: Int, _ problems: inout ProblemList) {
        var path = "interface[\(number)]"
        let before = problems.count
        var sound = true
        func refuse(_ sentence: String, _ line: Int? = nil) {
            problems.add(Problem(path, sentence, line: line ?? element.line))
            sound = false
        }
        func integer(_ name: String, _ attribute: String) -> Int? {
            guard let inner = element.first(name), let text = inner.attributes[attribute] else { return nil }
            if let value = Int(text) { return value }
            refuse("<\(name) \(attribute)='\(text)'> is no number: write digits", inner.line)
            return nil
        }
        let address = element.first("mac")?.attributes["address"]
        if let address, let mac = MACAddress(address) {
            self.mac = mac
            path = "interface \(mac)"
        } else {
            mac = MACAddress(value: 0)
            refuse(
                address.map { "'\($0)' is not a MAC address: write six octets, such as 52:54:00:12:34:56" }
                    ?? "it has no <mac address='...'/>: libvirt gives it one when the domain is defined, pass what virsh dumpxml prints then")
        }
        let source = element.first("source")
        socket = source?.attributes["path"] ?? ""
        if let type = source?.attributes["type"], type != "unix" {
            refuse("<source type='\(type)'> is no socket of vhost-user's: write type='unix'", source?.line)
        }
        if socket.isEmpty { refuse("it has no socket: write <source type='unix' path='/run/sluice/vm1.sock' mode='server'/>", source?.line) }
        let side = source?.attributes["mode"]
        if let mode = side.flatMap(Mode.init) {
            self.mode = mode
        } else {
            mode = .server
            refuse(
                side.map { "mode='\($0)' is neither server nor client: with server QEMU makes the socket, with client Sluice does" }
                    ?? "<source> has no mode: write mode='server' where QEMU makes the socket, mode='client' where Sluice does", source?.line)
        }
        target = element.first("target")?.attributes["dev"]
        model = element.first("model")?.attributes["type"]
        alias = element.first("alias")?.attributes["name"]
        line = element.line
        queues = nil
        mtu = nil
        isLinkUp = element.first("link")?.attributes["state"] != "down"
        isIsolated = element.first("port")?.attributes["isolated"].map { $0 == "yes" }
        virtualPort = element.first("virtualport").map(LibvirtVirtualPort.init)
        network = source?.attributes["network"]
        portGroup = source?.attributes["portgroup"]
        queues = integer("driver", "queues")
        mtu = integer("mtu", "size")
        let instead =
            "libvirt refuses it for interfaces of type vhostuser, write it in the domain's metadata:"
            + " <interface mac='\(mac)'><inbound floor='100mbit'/></interface>"
        if let found = element.first("bandwidth") { bandwidth = LibvirtBandwidth(found, path, floorInstead: instead, &problems) }
        if let found = element.first("vlan") { vlan = LibvirtVLAN(found, path, &problems) }
        if !sound || problems.count > before { return nil }
    }

    /// Takes from the network and its port group what the interface does not say itself, as libvirt does (network/bridge_driver.c). A `<bandwidth>` or `<vlan>`
    /// is inherited as a whole. The network's own bandwidth is not inherited, because it is the bandwidth of all its interfaces together.
    mutating func inherit(from network: LibvirtNetwork, _ problems: inout ProblemList, _ notes: inout ProblemList) {
        let group = network.portGroup(portGroup)
        if let portGroup, group == nil {
            notes.add(Problem(path, "network \(network.name) has no port group \(portGroup): it takes nothing from one", line: line))
        }
        if bandwidth == nil { bandwidth = group?.settings.bandwidth }
        if vlan == nil { vlan = group?.settings.vlan ?? network.settings.vlan }
        if mtu == nil { mtu = network.mtu }
        if isIsolated == nil { isIsolated = network.isIsolated }
        for other in [group?.settings.virtualPort, network.settings.virtualPort] {
            guard let other else { continue }
            guard let merged = (virtualPort ?? LibvirtVirtualPort()).merged(other) else {
                problems.add(Problem(path, "its <virtualport> and that of network \(network.name) say different things: take one away", line: line))
                return
            }
            virtualPort = merged
        }
    }
}
