import Filters
import Packet

@dynamicMemberLookup
public struct PortSettings: Equatable, Sendable {
    public var name: String
    public var bridge: String
    public var kind: PortKind
    public var options = PortOptions()
    public static let mtus = 68...9_000
    public init(name: String, bridge: String, kind: PortKind) { self.name = name; self.bridge = bridge; self.kind = kind }

    @inlinable public subscript<Value>(dynamicMember path: WritableKeyPath<PortOptions, Value>) -> Value {
        get { options[keyPath: path] }
        set { options[keyPath: path] = newValue }
    }
}

public enum PortKind: Equatable, Sendable {
    /// A QEMU guest. `queues` is the most queue pairs the guest may use.
    case vhost(socket: String, mode: VhostMode, queues: Int)
    /// A host interface; `netns` is the network namespace it is moved to, `mac` the host side's address.
    case tap(interface: String, netns: String?, mac: MACAddress?)
    /// A PCI address, a DPDK device string, or a kernel interface's name. `queues` nil: as many as a kernel interface has, otherwise one.
    case physical(device: String, queues: Int?)
}

public enum VhostMode: String, Equatable, Sendable, CaseIterable {
    /// QEMU listens, Sluice connects and reconnects: the daemon can restart without the guest noticing.
    case client
    /// Sluice listens.
    case server
}

/// What any port has besides its name, its place and its kind. All of it changes in place.
public struct PortOptions: Equatable, Sendable {
    /// Largest layer 3 packet, 68 to 9000 bytes; a frame may have 14 bytes more, and 4 for each of up to two tags.
    public var mtu: Int = 1500
    /// CPUs that poll this port's queues; empty: placed automatically.
    public var cpus: [Int] = []
    /// Physical ports: root of the outbound tree, bit/s; nil: unlimited, and then no outbound floor can be guaranteed.
    public var rate: UInt64?
    /// As `BridgeSettings.overhead`, for the outbound tree.
    public var overhead: Int = 0
    /// As `BridgeSettings.rest`, for the outbound tree.
    public var rest = RestSettings()
    /// Physical ports: push priority tags on the way out.
    public var dcb = true
    /// Only frames whose source is a configured MAC of one of the port's guests may enter.
    public var spoofCheck = false
    /// nil: frames pass with the tags they have; or, where another port of the bridge names a VLAN, VLAN 1, as an access port.
    public var vlan: PortVLAN?
    public var filter = PortFilters()
    /// IP addresses that frames may come in from; empty: any.
    public var addresses: [IPPrefix] = []
    /// No answers of DHCP servers, or router advertisements, may come in.
    public var dhcpGuard = false
    public var raGuard = false
    /// Lossless limit on what is read from the port.
    public var pace: PaceSettings?
    public var rules = PortRules()
    public init() {}
}

extension Field<PortDraft> {
    static var options: [Field] {
        [
            .integer("mtu", \.mtu, PortSettings.mtus, standard: 1_500, help: "largest layer 3 packet in bytes"),
            .cpus(\.cpus, help: "CPUs that poll its queues; by default placed by themselves"),
            .rate("rate", \.rate, help: "what the link carries, and what outbound floors are guaranteed from")
                .of(.physical, elsewhere: "the root of the inbound tree is the bridge's rate"),
            .overhead(\.overhead).of(.physical),
            .rest(\.rest).of(.physical, elsewhere: "the inbound tree's is the bridge's"),
            .flag("dcb", \.dcb, standard: true, help: "frames leave with the priority of their protocol, in a tag").of(.physical),
            .flag("spoof-check", \.spoofCheck, standard: false, help: "only the macs of its guests may send"),
            .vlan,
            .nested("filter", \.filter, Field<PortFilters>.directions, help: "filters, by name"),
            .list("addresses", \.addresses, of: .prefix, example: "[10.0.0.5, 2001:db8::5]", help: "IP addresses and networks that it may send from; by default any"),
            .flag("dhcp-guard", \.dhcpGuard, standard: false, help: "nothing may come in that DHCP servers send"),
            .flag("ra-guard", \.raGuard, standard: false, help: "no router advertisements may come in"),
            .map("pace", \.pace, PaceSettings.kind, help: "how fast it is read, which loses nothing"),
        ] + rules + snooping
    }
}

/// A token bucket (and a second one for the peak) at which a port's receive queues are polled.
public struct PaceSettings: Equatable, Sendable {
    /// bit/s
    public var average: UInt64
    /// bit/s; nil: bursts leave at the guest's own speed.
    public var peak: UInt64?
    /// Bytes; nil: 10 ms of `average`, at least 64 KiB.
    public var burst: UInt64?
    public init(average: UInt64, peak: UInt64? = nil, burst: UInt64? = nil) { self.average = average; self.peak = peak; self.burst = burst }
}

extension PaceSettings {
    fileprivate typealias Draft = (average: UInt64?, peak: UInt64?, burst: UInt64?)

    fileprivate static var kind: MapKind<PaceSettings, Draft> {
        let fields: [Field<Draft>] = [
            .rate("average", \.average, help: "how fast it is read over time").required,
            .rate("peak", \.peak, help: "how fast bursts are read; by default as they come"),
            .burst("burst", \.burst, help: "what is read at once; by default 10 ms of the average, 64kib at least"),
        ]
        return MapKind(
            noun: "pace", empty: (nil, nil, nil), fields: fields,
            value: { draft in draft.average.map { PaceSettings(average: $0, peak: draft.peak, burst: draft.burst) } },
            draft: { ($0.average, $0.peak, $0.burst) }, missing: "pace needs an average, such as 1gbit")
    }
}
