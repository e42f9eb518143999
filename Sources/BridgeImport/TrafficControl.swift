import Packet

/// The queueing disciplines, classes and filters of an interface, as tc(8) shows them.
public struct TrafficControl: Equatable, Sendable {
    public var qdiscs: [QueueingDiscipline] = []
    public var classes: [TrafficClass] = []
    public var filters: [TrafficFilter] = []
    public init() {}

    public var root: QueueingDiscipline? { qdiscs.first { $0.parent == .root } }
}

/// The handle of a queueing discipline or class, as tc writes it: `1:10`.
public struct TrafficHandle: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var value: UInt32
    public init(_ value: UInt32) { self.value = value }
    public init(_ major: UInt16, _ minor: UInt16) { value = UInt32(major) << 16 | UInt32(minor) }

    public static let root = TrafficHandle(0xffff_ffff)
    /// Where frames that come in are classified: the parent of both `ingress` and `clsact`.
    public static let ingress = TrafficHandle(0xffff_fff1)
    public static let clsactIngress = TrafficHandle(0xffff_fff2)
    public static let clsactEgress = TrafficHandle(0xffff_fff3)
    /// What filters of frames that come in are attached to: `clsact`, or `ingress` with its handle.
    static let ingresses: [TrafficHandle] = [.clsactIngress, .ingress, TrafficHandle(0xffff, 0)]

    public var major: UInt16 { UInt16(value >> 16) }
    public var minor: UInt16 { UInt16(truncatingIfNeeded: value) }
    /// The handle of the discipline that a class belongs to.
    public var discipline: TrafficHandle { TrafficHandle(major, 0) }
    public static func < (a: Self, b: Self) -> Bool { a.value < b.value }

    public var description: String {
        if self == .root { return "root" }
        return String(major, radix: 16) + ":" + (minor == 0 ? "" : String(minor, radix: 16))
    }
}

public struct QueueingDiscipline: Equatable, Sendable {
    public enum Kind: Equatable, Sendable {
        /// `standard` is the minor number of the class of frames that no filter knows; 0: they are sent past all classes.
        case htb(standard: UInt32, r2q: UInt32)
        /// Rates in bytes a second, sizes in bytes.
        case tbf(rate: UInt64, burst: UInt64, peak: UInt64, limit: UInt64)
        case prio(bands: Int, map: [UInt8])
        case ets(bands: Int, strict: Int)
        case ingress, clsact
        /// `limit` is in packets.
        case fifo(limit: UInt32)
        /// Times in microseconds; `flows`: FQ-CoDel.
        case codel(flows: Bool, target: UInt64, interval: UInt64, limit: UInt32)
        case other
    }

    public var kind: Kind
    /// The kernel's name of the kind.
    public var name: String
    public var handle: TrafficHandle
    public var parent: TrafficHandle
    public init(_ kind: Kind, name: String, handle: TrafficHandle, parent: TrafficHandle = .root) {
        self.kind = kind
        self.name = name
        self.handle = handle
        self.parent = parent
    }
}

/// A class of HTB, or a band of `ets` or `prio`.
public struct TrafficClass: Equatable, Sendable {
    /// HTB's parameters, in bytes and bytes a second.
    public struct HTB: Equatable, Sendable {
        public var rate: UInt64
        public var ceiling: UInt64
        /// The sizes that tc may have been given; the kernel keeps the time that they take at the rate, in units of 64 ns.
        public var burst: ClosedRange<UInt64>
        public var ceilingBurst: ClosedRange<UInt64>
        public var priority: UInt32
        public var quantum: UInt32
        public var overhead: UInt16
        public var mpu: UInt16

        public init(
            rate: UInt64, ceiling: UInt64? = nil, burst: ClosedRange<UInt64> = 1_600...1_600, ceilingBurst: ClosedRange<UInt64> = 1_600...1_600,
            priority: UInt32 = 0, quantum: UInt32 = 0, overhead: UInt16 = 0, mpu: UInt16 = 0
        ) {
            self.rate = rate
            self.ceiling = ceiling ?? rate
            self.burst = burst
            self.ceilingBurst = ceilingBurst
            self.priority = priority
            self.quantum = quantum
            self.overhead = overhead
            self.mpu = mpu
        }
    }

    public var name: String
    public var id: TrafficHandle
    public var parent: TrafficHandle
    public var htb: HTB?
    public init(_ id: TrafficHandle, parent: TrafficHandle, name: String = "htb", htb: HTB?) {
        self.id = id
        self.parent = parent
        self.name = name
        self.htb = htb
    }
}

public struct TrafficFilter: Equatable, Sendable {
    public var name: String
    /// The discipline or class that the filter is attached to.
    public var parent: TrafficHandle
    public var preference: UInt16
    public var `protocol`: UInt16
    /// The class that matching frames go to; nil: the filter does not say (it only acts).
    public var target: TrafficHandle?
    /// What a frame has to have, all of it; nothing: every frame matches.
    public var matches: [TrafficMatch]
    public var actions: [TrafficAction]

    public init(
        _ name: String, parent: TrafficHandle, preference: UInt16 = 1, protocol: UInt16 = EtherTypes.all, target: TrafficHandle? = nil,
        matches: [TrafficMatch] = [], actions: [TrafficAction] = []
    ) {
        self.name = name
        self.parent = parent
        self.preference = preference
        self.protocol = `protocol`
        self.target = target
        self.matches = matches
        self.actions = actions
    }
}

public enum EtherTypes {
    /// ETH_P_ALL: a filter that sees every frame.
    public static let all: UInt16 = 3
    static let ipv4: UInt16 = 0x0800
    static let ipv6: UInt16 = 0x86dd
    static let vlan: UInt16 = 0x8100
}

/// One thing that a filter asks of a frame.
public enum TrafficMatch: Hashable, Sendable {
    case source(MACAddress)
    case destination(MACAddress)
    case etherType(UInt16)
    /// 6 for TCP, 17 for UDP.
    case ipProtocol(UInt8)
    case destinationPort(UInt16)
    case sourcePort(UInt16)
    case dscp(UInt8)
    /// netfilter's mark.
    case mark(UInt32)
    /// Anything else, in tc's words.
    case other(String)
}

public enum TrafficAction: Equatable, Sendable {
    case police(Policer)
    /// An action of another kind, by its name, such as `mirred`.
    case other(String)
}

/// A policer: what exceeds the rate is dropped (`drops`) or treated otherwise. Rates in bytes a second, sizes in bytes.
public struct Policer: Equatable, Sendable {
    public var rate: UInt64
    public var burst: ClosedRange<UInt64>
    public var peak: UInt64
    public var drops: Bool
    public init(rate: UInt64, burst: ClosedRange<UInt64>, peak: UInt64 = 0, drops: Bool = true) {
        self.rate = rate
        self.burst = burst
        self.peak = peak
        self.drops = drops
    }
}
