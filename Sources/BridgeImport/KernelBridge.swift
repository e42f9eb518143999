import Packet

/// What the kernel knows of a bridge and of everything that is attached to it, as far as it concerns a virtual switch. Names and values are the kernel's own.
public struct KernelBridge: Equatable, Sendable {
    public var name: String
    public var index: Int
    public var mac: MACAddress?
    public var mtu = 1_500
    /// Hundredths of a second, as the kernel gives it (USER_HZ); IFLA_BR_AGEING_TIME.
    public var ageing: UInt32 = 30_000
    /// IFLA_BR_STP_STATE: 0 is off, 1 the kernel's own, 2 that of a daemon such as mstpd.
    public var spanningTree: UInt32 = 0
    public var vlanFiltering = false
    /// IFLA_BR_VLAN_PROTOCOL: 0x8100 or 0x88a8.
    public var vlanProtocol: UInt16 = 0x8100
    /// IFLA_BR_GROUP_FWD_MASK: which of 01:80:c2:00:00:0X are forwarded, a bit for each X.
    public var groupForwardMask: UInt16 = 0
    public var multicastSnooping = true
    public var multicastQuerier = false
    /// IFLA_BR_MCAST_QUERY_USE_IFADDR: whether queries come from the bridge's own address.
    public var queriesFromOwnAddress = false
    public var multicastGroups: UInt32 = 4_096
    /// IFLA_BR_MCAST_ROUTER: 0 never, 1 auto, 2 always.
    public var multicastRouter: UInt8 = 1
    /// IFLA_BR_NF_CALL_IPTABLES, IP6TABLES and ARPTABLES: which tables of netfilter look at bridged frames.
    public var netfilter: [String] = []
    /// IFLA_BR_FDB_MAX_LEARNED; 0: no limit.
    public var mostLearned: UInt32 = 0
    /// The VLANs that the bridge's own interface is in.
    public var vlans: [KernelVLAN] = []
    public var ports: [KernelPort] = []
    public var entries: [KernelFDBEntry] = []
    /// Groups that were joined by hand, as `bridge mdb show` words them.
    public var staticGroups: [String] = []
    /// The host's own use of the bridge.
    public var host = KernelHost()
    /// The bridge's own queueing, through which frames pass that the host itself sends or routes.
    public var traffic = TrafficControl()

    public init(name: String, index: Int) { self.name = name; self.index = index }
}

/// What the host itself has on a bridge.
public struct KernelHost: Equatable, Sendable {
    /// Addresses as `ip addr add` takes them, such as `192.0.2.5/24`.
    public var addresses: [String] = []
    /// Routes over the bridge as `ip route add` takes them, without the kernel's own ones.
    public var routes: [String] = []
    /// Interfaces on top of the bridge, such as `br0.10`.
    public var above: [String] = []
    public init() {}

    public var isEmpty: Bool { addresses.isEmpty && routes.isEmpty && above.isEmpty }
}

/// An interface that is a port of a bridge.
public struct KernelPort: Equatable, Sendable {
    public var name: String
    public var index: Int
    /// The kernel's kind of virtual interface (`tun`, `veth`, `bond`, ...); nil for a physical one.
    public var kind: String?
    public var mac: MACAddress?
    public var mtu = 1_500
    public var isUp = true
    /// Mbit/s as ethtool reports it; nil: the interface does not tell.
    public var speed: UInt64?
    public var hairpin = false
    public var isolated = false
    public var learning = true
    public var flood = true
    public var multicastFlood = true
    public var broadcastFlood = true
    public var locked = false
    public var bpduGuard = false
    public var fastLeave = false
    /// IFLA_BRPORT_MULTICAST_ROUTER: 0 never, 1 auto, 2 always, 3 temporarily.
    public var multicastRouter: UInt8 = 1
    /// What else differs from the default, in bridge(8)'s words, such as `proxy_arp on`.
    public var others: [String] = []
    public var vlans: [KernelVLAN] = []
    public var traffic = TrafficControl()
    /// Settings of the interface itself that are DCB's.
    public var dcb: KernelDCB?
    /// The program that holds the tap interface open, such as `qemu-system-x86`; nil: it is no tap, or nobody does.
    public var holder: String?

    public init(name: String, index: Int, kind: String? = nil) { self.name = name; self.index = index; self.kind = kind }
}

/// A VLAN of a port (struct bridge_vlan_info).
public struct KernelVLAN: Hashable, Sendable {
    public var id: Int
    /// The VLAN of frames that come in without a tag.
    public var isPVID: Bool
    /// Its frames leave without a tag.
    public var isUntagged: Bool
    public init(_ id: Int, pvid: Bool = false, untagged: Bool = false) { self.id = id; isPVID = pvid; isUntagged = untagged }
}

/// An entry of a bridge's forwarding database.
public struct KernelFDBEntry: Hashable, Sendable {
    public enum State: Hashable, Sendable {
        /// `permanent`: an address of the host's.
        case local
        /// `static`: neither aged nor moved.
        case fixed
        /// Learned, or put there by a control plane (`isExternal`).
        case learned
    }

    public var mac: MACAddress
    /// The name of the port, or of the bridge itself.
    public var port: String
    public var vlan: Int?
    public var state: State
    public var isSticky = false
    public var isExternal = false
    public init(_ mac: MACAddress, port: String, vlan: Int? = nil, _ state: State) { self.mac = mac; self.port = port; self.vlan = vlan; self.state = state }
}

/// DCB settings of an interface (802.1Qaz), as lldpad or dcb(8) set them.
public struct KernelDCB: Equatable, Sendable {
    /// An entry of the application priority table.
    public struct Application: Hashable, Sendable {
        /// 1 EtherType, 2 TCP or SCTP, 3 UDP or DCCP, 4 any of these, 5 DSCP.
        public var selector: UInt8
        public var id: UInt16
        public var priority: UInt8
        public init(selector: UInt8, id: UInt16, priority: UInt8) { self.selector = selector; self.id = id; self.priority = priority }
    }

    public var applications: [Application] = []
    /// ETS in words, if traffic classes differ; nil: all priorities are in one strict class.
    public var ets: String?
    /// The priorities that priority flow control is on for.
    public var pfc: [Int] = []
    public init() {}
}
