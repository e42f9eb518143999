import Filters
import Packet

/// A port: where frames come in from a guest, an interface of this host or a NIC, and leave to it. Its options can be read and written as if they were its own
/// properties.
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

/// What any port has besides its name, its bridge and its kind. All of it can change while the port is open.
public struct PortOptions: Equatable, Sendable {
    /// Size of the largest layer 3 packet in bytes, 68 to 9000. A frame may have 14 bytes more for the Ethernet header, and 4 for each of up to two tags.
    public var mtu: Int = 1500
    /// CPUs whose poll loops serve this port's queues; empty: the daemon places them.
    public var cpus: [Int] = []
    /// Physical ports only: the rate of the root of the outbound tree in bit/s; nil: the tree is unlimited, and then no outbound floor can be guaranteed.
    public var rate: UInt64?
    /// As `BridgeSettings.overhead`, for the port's outbound tree.
    public var overhead: Int = 0
    /// As `BridgeSettings.rest`, for the port's outbound tree.
    public var rest = RestSettings()
    /// Physical ports only: frames leave with the priority of their protocol, in a tag.
    public var dcb = true
    /// Physical ports only: what is negotiated by DCBX.
    public var dcbx = DCBSettings()
    /// Physical ports and taps only: what the port's LLDP agent does; nil: `PortSettings.lldpInUse`.
    public var lldp: LLDPMode?
    /// Physical ports and taps only: addresses of this host that LLDP tells for its management.
    public var managementAddresses: [IPPrefix] = []
    /// Only frames whose source address is a configured MAC address of one of the port's guests may enter.
    public var spoofCheck = false
    /// The port's VLANs. nil: frames pass with the tags that they have; but if another port of the bridge names a VLAN, this one is an access port of VLAN 1.
    public var vlan: PortVLAN?
    public var filter = PortFilters()
    /// IP addresses from which frames may come in by the port; empty: any.
    public var addresses: [IPPrefix] = []
    /// Whether frames that only DHCP servers send (`dhcpGuard`), or router advertisements (`raGuard`), are refused when they come in by the port.
    public var dhcpGuard = false
    public var raGuard = false
    /// Ports of guests only: whether Fibre Channel's frames may come in only from addresses that were granted to the port (FIP snooping).
    public var fipSnooping = false
    /// A limit on how fast frames are read from the port, which loses none of them; nil: no limit.
    public var pace: PaceSettings?
    public var rules = PortRules()
    /// Which mark of a frame that comes in by the port says its priority.
    public var trust = TrustMode.none
    /// The priorities of DSCPs that differ from the usual ones.
    public var dscpPriorities: [AppPriority] = []
    /// Tap ports only: the interface stays when the daemon ends, with its addresses and routes, and is taken up again when it starts.
    public var persistent = false
    /// Vhost ports only: the guest may leave TCP and UDP segmentation to the switch.
    public var offload = true
    /// Vhost ports only: memory that the guest's process could shorten is refused.
    public var requireSealed = false
    /// Vhost ports of mode `server` only.
    public var access = SocketAccess()
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
            .dcb,
            .flag("persistent", \.persistent, standard: false, help: "the interface outlives the daemon, with its addresses").of(.tap),
            .flag("offload", \.offload, standard: true, help: "the guest may leave TCP and UDP segmentation to the switch, from its next start on").of(.vhost),
            .flag("require-sealed", \.requireSealed, standard: false, help: "memory is refused that the guest's process could shorten").of(.vhost),
            .flag("spoof-check", \.spoofCheck, standard: false, help: "only the macs of its guests may send"),
            .vlan,
            .nested("filter", \.filter, Field<PortFilters>.directions, help: "filters, by name"),
            .list("addresses", \.addresses, of: .prefix, example: "[10.0.0.5, 2001:db8::5]", help: "IP addresses and networks that it may send from; by default any"),
            .flag("dhcp-guard", \.dhcpGuard, standard: false, help: "nothing may come in that DHCP servers send"),
            .flag("ra-guard", \.raGuard, standard: false, help: "no router advertisements may come in"),
            .flag("fip-snooping", \.fipSnooping, standard: false, help: "FCoE frames may come in only from addresses that FIP granted to it")
                .of(.vhost, .tap, elsewhere: "what physical ports say of logins is believed"),
            .map("pace", \.pace, PaceSettings.kind, help: "how fast it is read, which loses nothing"),
        ] + trust + rules + snooping + discovery + access
    }
}

/// The token bucket, with a second one for the peak, by which the polling of a port's receive queues is paced.
public struct PaceSettings: Equatable, Sendable {
    /// The rate over time, in bit/s.
    public var average: UInt64
    /// The rate of a burst, in bit/s; nil: a burst is read as fast as it comes.
    public var peak: UInt64?
    /// The size of a burst in bytes; nil: what `average` amounts to in 10 ms, but at least 64 KiB.
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
