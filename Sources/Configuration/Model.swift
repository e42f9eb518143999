import Filters
import Packet

/// Everything an operator can configure: one declarative document. The running state is always one `Model`;
/// a change is a second one, and what has to be done is their difference.
public struct Model: Equatable, Sendable {
    public var daemon = DaemonSettings()
    public var bridges: [BridgeSettings] = []
    public var ports: [PortSettings] = []
    public var groups: [GroupSettings] = []
    public var guests: [GuestSettings] = []
    /// The operator's own rows and changes to the built-in ones; the built-in rows are `ProtocolSettings.builtIn`.
    public var protocols: [ProtocolSettings] = []
    public var filters: [FilterSettings] = []
    public var mirrors: [MirrorSettings] = []

    public init() {}
}

/// The daemon itself. `polling`, `cores`, `wakeLatency` and `balance` change at run time; the rest is fixed while the daemon lives, and a change takes effect at its
/// next start.
public struct DaemonSettings: Equatable, Sendable {
    /// CPUs that run poll loops; empty: every CPU the daemon may use but the first, or that one if it is the only one.
    public var cpus: [Int] = []
    /// Frame buffers of each NUMA node in use.
    public var buffers: Int = 65_536
    /// Bytes of data one frame buffer holds; longer frames span several.
    public var bufferSize: Int = 2_048
    /// DPDK counts a buffer's bytes, its 128 of headroom included, in 16 bits.
    static let bufferSizes = 512...63 << 10
    /// False: ordinary memory instead of hugepages (slower; for trials on machines without them).
    public var hugepages = true
    /// Hugepage memory to take, in bytes; 0: what the buffers need.
    public var memory: UInt64 = 0
    /// What poll loops do when there is nothing to do. Adaptive: an idle switch costs next to nothing, and a loop with traffic never sleeps.
    public var polling = PollingMode.adaptive
    /// Longest time that CPUs may take to leave an idle state, microseconds; nil: as long as the kernel finds right. For loops that sleep: a shorter time
    /// wakes them sooner and costs power on every CPU, down to 0, which keeps idle CPUs turning in the kernel.
    public var wakeLatency: UInt64?
    /// Queues move from busy poll loops to idle ones by themselves. Off: a move costs the queue a pause and its new core cold caches, so it is
    /// for who has several poll loops and load that shifts.
    public var balance = false
    /// Cores with a mode of their own.
    public var cores: [CoreSettings] = []
    public init() {}
}

/// An 802.1D bridge: a set of ports among which frames are forwarded by MAC address.
public struct BridgeSettings: Equatable, Sendable {
    public var name: String
    /// Seconds after which a learned address that was not seen again is forgotten (802.1D: 300).
    public var ageing: Int = 300
    /// Most addresses the forwarding database holds.
    public var fdbSize: Int = 65_536
    /// Root of the inbound tree (traffic towards guests and taps), bit/s; nil: unlimited, and then no inbound floor can be
    /// guaranteed.
    public var rate: UInt64?
    /// Bytes added to each frame's length when it is charged (24: preamble, FCS and gap, as on the wire).
    public var overhead: Int = 0
    /// What the classes without a floor have of `rate`.
    public var rest = RestSettings()
    public var snooping = SnoopingSettings()
    public var staticEntries: [StaticEntry] = []
    public init(name: String) { self.name = name }
}

/// A forwarding entry that neither ages nor moves.
public struct StaticEntry: Hashable, Sendable {
    public var mac: MACAddress
    public var port: String
    /// nil: the port's VLAN of frames without a tag, where the bridge has VLANs.
    public var vlan: Int?
    public init(mac: MACAddress, port: String, vlan: Int? = nil) { self.mac = mac; self.port = port; self.vlan = vlan }
}

public struct PortSettings: Equatable, Sendable {
    public var name: String
    public var bridge: String
    public var kind: PortKind
    /// Largest layer 3 packet, 68 to 9000 bytes; a frame may have 14 bytes more, and 4 for each of up to two tags.
    public var mtu: Int = 1500
    public static let mtus = 68...9_000
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
    public var rules = PortRules()
    /// Lossless limit on what is read from the port.
    public var pace: PaceSettings?
    public init(name: String, bridge: String, kind: PortKind) { self.name = name; self.bridge = bridge; self.kind = kind }
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

/// Parameters of a traffic class; nil means the default told at each.
public struct ClassSettings: Equatable, Sendable {
    /// Guaranteed rate, bit/s (HTB's `rate`); nil: none, the class lives on what others do not use.
    public var floor: UInt64?
    /// bit/s (HTB's `ceil`); nil: the parent's.
    public var ceiling: UInt64?
    /// Bytes the class may send at once within its floor; nil: 10 ms of the floor, at least 2 largest frames.
    public var burst: UInt64?
    /// Bytes it may send at once within its ceiling; nil: 10 ms of the ceiling, at least 2 largest frames.
    public var ceilingBurst: UInt64?
    /// bit/s, a third bucket of one frame's depth; nil: none.
    public var peak: UInt64?
    /// Packets per second; nil: none.
    public var floorPackets: UInt64?
    public var ceilingPackets: UInt64?
    /// 0 (first) to 7: order among borrowers; nil: 3.
    public var priority: Int?
    /// Bytes a turn among borrowers of equal priority; nil: in proportion to the floor.
    public var quantum: Int?
    /// Most frames in a leaf's queue; nil: 1000.
    public var limit: Int?
    /// Most bytes in a leaf's queue; nil: no limit of its own.
    public var limitBytes: Int?
    /// Most microseconds that a leaf's queue may last at the rate it can count on; nil: 50 ms. See `QueueLimits`.
    public var limitDelay: UInt64?
    /// What a leaf drops; nil: `tail`.
    public var queue: QueueDiscipline?
    /// CoDel's target and interval in microseconds; nil: 5 ms, and 20 targets.
    public var codelTarget: UInt64?
    public var codelInterval: UInt64?
    public init() {}
}

/// The class `rest` of a tree that has a rate: guests and groups without a floor stand below it and share it equally.
public struct RestSettings: Equatable, Sendable {
    /// bit/s; nil: what the floors beside it leave of the tree's rate.
    public var floor: UInt64?
    /// bit/s; nil: the tree's rate.
    public var ceiling: UInt64?
    /// Of the classes in it that have none of their own; nil: 3.
    public var priority: Int?
    public init() {}
}

public enum QueueDiscipline: String, Equatable, Sendable, CaseIterable {
    /// Frames for which a full queue has no room.
    case tail
    /// Those as well, and frames of a queue whose delay stays above a target (RFC 8289).
    case codel
    /// As `codel`, with a queue for each flow (RFC 8290): flows that begin or send little go first, the others take turns.
    case fqCodel = "fq-codel"

    var hasCoDel: Bool { self != .tail }
}

/// A class above guests, such as a tenant: its guests share its floor and ceiling.
public struct GroupSettings: Equatable, Sendable {
    public var name: String
    public var bridge: String
    /// The group above; nil: the root.
    public var parent: String?
    public var inbound = ClassSettings()
    public var outbound = ClassSettings()
    public init(name: String, bridge: String) { self.name = name; self.bridge = bridge }
}

/// Whose traffic it is: the MAC addresses of one guest behind one port. A port without guests is a guest of its own name.
public struct GuestSettings: Equatable, Sendable {
    public var name: String
    public var port: String
    /// Empty: every address of the port, or of its VLAN there, that no other guest has (at most one such guest a port, and one a VLAN).
    public var macs: [MACAddress] = []
    /// nil: all VLANs of the port.
    public var vlan: Int?
    public var group: String?
    /// Towards the guest: a class in the bridge's tree.
    public var inbound = ClassSettings()
    /// From the guest: a class in the tree of every physical port of the bridge.
    public var outbound = ClassSettings()
    /// Leaves of the guest's own, by protocol name; other protocols share the guest's default leaf.
    public var protocols: [String: ProtocolClasses] = [:]
    public init(name: String, port: String) { self.name = name; self.port = port }
}

public struct ProtocolClasses: Equatable, Sendable {
    public var inbound = ClassSettings()
    public var outbound = ClassSettings()
    public init() {}
}

/// One row of the protocol table: how it is known and the priority it leaves with.
public struct ProtocolSettings: Equatable, Sendable {
    public var name: String
    public var matches: [ProtocolMatch]
    /// Priority code point, 0 to 7, that frames leave physical ports with.
    public var pcp: Int
    public init(name: String, matches: [ProtocolMatch], pcp: Int) { self.name = name; self.matches = matches; self.pcp = pcp }
}

/// How a protocol is known.
public typealias ProtocolMatch = ProtocolTable.Match
