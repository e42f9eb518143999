/// What the `show` methods answer. Counters start at 0 when the daemon does, and never run backwards.

public struct StatusReply: Codable, Equatable, Sendable {
    public var version = ""
    public var pid: Int32 = 0
    public var uptimeSeconds: UInt64 = 0
    public var socket = ""
    /// nil: none was given.
    public var configFile: String?
    public var bridges = 0
    public var ports = 0
    public var portsUp = 0
    /// Why ports are not open that should be, a sentence each.
    public var portsFailed: [String] = []
    /// Why the state file does not tell what runs, a sentence; nil: it does.
    public var unsaved: String?
    public var guests = 0
    public var classes = 0
    public var cores = 0
    public var hugepages = true
    public var buffers = 0
    public var buffersInUse = 0
    /// Changes applied since the start.
    public var changes: UInt64 = 0
    /// Queues that balancing moved from one core to another since the start.
    public var queueMoves: UInt64 = 0
    public init() {}
}

/// Frames and their bytes, without FCS.
public struct Traffic: Codable, Equatable, Sendable {
    public var frames: UInt64
    public var bytes: UInt64
    public init(frames: UInt64 = 0, bytes: UInt64 = 0) { self.frames = frames; self.bytes = bytes }
}

public enum PortState: String, Codable, Sendable {
    case up
    case down
    /// vhost: no guest is connected.
    case waiting
    /// It could not be opened, or its interface is gone. Tried again by itself, by every change and by `port.reset`.
    case failed
}

public struct PortStatus: Codable, Equatable, Sendable {
    public var name = ""
    /// `vhost`, `tap` or `physical`
    public var kind = ""
    public var bridge = ""
    public var state = PortState.down
    /// Why it is not up, as a sentence; nil if it is.
    public var reason: String?
    /// What is not as one would expect though the port works; a sentence each.
    public var warnings: [String] = []
    public var mtu = 1500
    /// Queue pairs in use now, and the most there may be.
    public var queues = 0
    public var queuesMax = 0
    /// Such as `vhost`, `virtio_user`, `net_af_packet`.
    public var driver = ""
    /// The socket, the interface or the device.
    public var device = ""
    /// vhost: `client` or `server`.
    public var mode: String?
    public var mac: String?
    /// Its VLANs; nil: its bridge has none.
    public var vlans: [VLANRange]?
    /// Names of filters; nil: none.
    public var inboundFilter: String?
    public var outboundFilter: String?
    /// Those that frames may come in from; nil: any.
    public var addresses: [String]?
    /// `dhcp`, `ra`; nil: none.
    public var guards: [String]?
    /// Of what it lets through, what is not the default, by the keys that set it: `isolated`, `storm-broadcast`.
    public var rules: [String: String] = [:]
    /// Addresses learned behind it now, and frames whose source was not learned, as there were as many as `fdb-limit` says or the bridge has room for.
    public var learnedAddresses = 0
    public var unlearned: UInt64 = 0
    /// Frames for the switch itself that came in (IGMP, MLD, LLDP), and frames of its own that were sent (queries).
    public var punted: UInt64 = 0
    public var injected: UInt64 = 0
    public var numaNode: Int?
    /// Names, implicit ones included.
    public var guests: [String] = []
    /// Read from the port, and frames that its link could not receive (`missed`, `receive_error`), whose bytes nobody knows.
    public var rx = Traffic()
    /// Written to the port.
    public var tx = Traffic()
    /// Frames dropped, by reason; only reasons that occurred.
    public var drops: [String: UInt64] = [:]
    /// Turns in which the port's own ring was full and its leaves waited.
    public var txFull: UInt64 = 0
    /// Nanoseconds reading was held back by `pace`.
    public var pacedNanoseconds: UInt64 = 0
    public init() {}
}

/// VLANs of a port that follow one another and are alike, as `bridge -j vlan show` has them.
public struct VLANRange: Codable, Equatable, Sendable {
    public var vlan: Int
    /// nil: one VLAN.
    public var vlanEnd: Int?
    /// `PVID`: that of frames without a tag; `Egress Untagged`: its frames leave without one; `Service`: its tags have the type 0x88a8.
    public var flags: [String]?
    public init(vlan: Int, vlanEnd: Int? = nil, flags: [String]? = nil) { self.vlan = vlan; self.vlanEnd = vlanEnd; self.flags = flags }
}

public struct BridgeStatus: Codable, Equatable, Sendable {
    public var name = ""
    public var ports: [String] = []
    /// Seconds.
    public var ageing = 300
    public var fdbEntries = 0
    public var fdbSize = 0
    /// bit/s; nil: unlimited.
    public var rate: UInt64?
    /// Frames forwarded to one port, and to several.
    public var forwarded: UInt64 = 0
    public var flooded: UInt64 = 0
    public var learned: UInt64 = 0
    /// Addresses that moved from one port to another.
    public var moved: UInt64 = 0
    public var drops: [String: UInt64] = [:]
    public init() {}
}

/// A class above guests.
public struct GroupStatus: Codable, Equatable, Sendable {
    public var name = ""
    public var bridge = ""
    /// The group above; nil: none.
    public var parent: String?
    /// Directly in it.
    public var guests: [String] = []
    /// bit/s; nil: none.
    public var inboundFloor: UInt64?
    public var inboundCeiling: UInt64?
    public var outboundFloor: UInt64?
    public var outboundCeiling: UInt64?
    /// Of its guests and those of the groups below.
    public var inbound = Traffic()
    public var outbound = Traffic()
    public init() {}
}

public struct GuestStatus: Codable, Equatable, Sendable {
    public var name = ""
    public var port = ""
    public var bridge = ""
    public var macs: [String] = []
    /// nil: all of its port.
    public var vlan: Int?
    public var group: String?
    /// Made because the port has no guest of its own for such addresses.
    public var implicit = false
    public var protocols: [String] = []
    /// Of what has no place of its own here, what is not the default, by the keys that set it; `vlan` is among it.
    public var options: [String: String] = [:]
    /// Towards the guest and from it, over all its classes.
    public var inbound = Traffic()
    public var outbound = Traffic()
    public init() {}
}

public struct FDBEntry: Codable, Equatable, Sendable {
    public var bridge = ""
    public var mac = ""
    public var vlan: Int?
    public var port = ""
    public var guest: String?
    public var `static` = false
    /// False: configured, and not in force as long as nobody is connected to the port.
    public var bound: Bool?
    /// Seconds since it was last seen; nil for static entries.
    public var age: UInt64?
    public init() {}
}

public struct FlushReply: Codable, Equatable, Sendable {
    /// Learned addresses that were forgotten.
    public var flushed: Int
    public init(flushed: Int) { self.flushed = flushed }
}

public struct ClassStatus: Codable, Equatable, Sendable {
    public var tree = ""
    /// `inbound` or `outbound`
    public var direction = ""
    /// 1 is the root.
    public var id: UInt16 = 0
    /// nil for the root.
    public var parent: UInt16?
    /// Empty for the root.
    public var path = ""
    public var leaf = false
    public var guest: String?
    public var `protocol`: String?
    /// Inbound leaves.
    public var port: String?

    // Settings, defaults filled in; nil: none.
    /// bit/s
    public var floor: UInt64?
    public var ceiling: UInt64?
    public var peak: UInt64?
    /// Bytes
    public var burst: UInt64 = 0
    public var ceilingBurst: UInt64 = 0
    /// Packets per second
    public var floorPackets: UInt64?
    public var ceilingPackets: UInt64?
    public var priority = 3
    public var quantum: UInt32 = 0
    public var limit = 0
    public var limitBytes: Int?
    /// Leaves: how long the queue may last at the rate that the class can count on, and the bytes that this comes to; nil: no such rate is known.
    public var limitDelayMicroseconds: UInt64?
    public var limitDelayBytes: Int?
    /// CoDel's target and interval; nil: tail drop.
    public var codelTargetMicroseconds: UInt64?
    public var codelIntervalMicroseconds: UInt64?
    /// Leaves with fq-codel: flows that have frames, or had a moment ago, of all poll loops: those that began a short while ago, and the others.
    public var newFlows: Int?
    public var oldFlows: Int?
    /// What the operator should know of it, as a sentence.
    public var note: String?

    // Counters, in tc's words.
    public var sent = Traffic()
    public var dropped = Traffic()
    /// Frames dropped, by reason; only reasons that occurred.
    public var drops: [String: UInt64] = [:]
    /// Times the class had frames and had to wait for tokens.
    public var overlimits: UInt64 = 0
    /// Why it waited, by reason; only reasons that occurred.
    public var holds: [String: UInt64] = [:]
    /// Whose ceilings they were where `holds` says `ancestor_ceiling`, nearest first. Leaves alone wait for ancestors.
    public var heldBy: [AncestorWaits] = []
    /// Frames sent on this class's own tokens, for itself or for a class below it.
    public var lends: UInt64 = 0
    /// Frames sent on an ancestor's tokens.
    public var borrows: UInt64 = 0
    /// Bytes sent on an ancestor's tokens.
    public var borrowedBytes: UInt64 = 0
    /// On whose tokens, nearest first.
    public var borrowedFrom: [AncestorLoan] = []
    /// Waiting now.
    public var backlog = Traffic()
    /// Credit left, in bytes; negative: owed.
    public var tokens: Int64 = 0
    public var ctokens: Int64 = 0
    /// Over the last seconds, bit/s and packets per second.
    public var rate: UInt64 = 0
    public var rateSeconds: Double = 0
    public var packetRate: UInt64 = 0
    public init() {}

    /// Times a class waited for the ceiling of one above it.
    public struct AncestorWaits: Codable, Equatable, Sendable {
        public var id: UInt16
        /// Its path; the tree's name for the root.
        public var `class`: String
        public var waits: UInt64
        public init(id: UInt16, class: String, waits: UInt64) { self.id = id; self.class = `class`; self.waits = waits }
    }

    /// What a class borrowed from one above it.
    public struct AncestorLoan: Codable, Equatable, Sendable {
        public var id: UInt16
        /// Its path; the tree's name for the root.
        public var `class`: String
        public var bytes: UInt64
        public init(id: UInt16, class: String, bytes: UInt64) { self.id = id; self.class = `class`; self.bytes = bytes }
    }
}

public struct ProtocolStatus: Codable, Equatable, Sendable {
    public var name = ""
    /// As they are written in `match`.
    public var matches: [String] = []
    public var pcp = 0
    public var builtIn = false
    /// Frames identified as this protocol's.
    public var seen = Traffic()
    public init() {}
}

public struct QueueAssignment: Codable, Equatable, Sendable {
    public var port: String
    public var queue: Int
    /// Of a core, over the last second.
    public var loadPercent: Double
    public init(port: String, queue: Int, loadPercent: Double = 0) { self.port = port; self.queue = queue; self.loadPercent = loadPercent }
}

/// A queue that is to go, or went, from one core to another.
public struct MoveStatus: Codable, Equatable, Sendable {
    public var port = ""
    /// More than one: the queues of a paced port, which stay together.
    public var queues: [Int] = []
    /// CPUs.
    public var from = 0
    public var to = 0
    /// Of a core, over the last second.
    public var loadPercent: Double = 0
    /// False: planned only, or given up because its old core holds frames that may not leave yet.
    public var done = false
    public init() {}
}

public struct CoreStatus: Codable, Equatable, Sendable {
    public var cpu = 0
    public var numaNode: Int?
    /// Receive queues it polls.
    public var queues: [QueueAssignment] = []
    /// What it does when there is nothing to do: `polling`, `adaptive` or `interrupt`.
    public var polling = ""
    /// Share of the time in turns with frames, and asleep, over the last second.
    public var busyPercent: Double = 0
    public var asleepPercent: Double = 0
    public var framesPerSecond: UInt64 = 0
    public var frames: UInt64 = 0
    /// Turns of the poll loop, and those that found nothing.
    public var turns: UInt64 = 0
    public var idleTurns: UInt64 = 0
    /// Of busy turns, over the last second.
    public var cyclesPerFrame: Double = 0
    /// Times it slept, and what ended that: `traffic` (a kick or an interrupt), `control` (a change), `time` (a class was due, or a look
    /// at ports that cannot wake it).
    public var sleeps: UInt64 = 0
    public var wakeups: [String: UInt64] = [:]
    /// Where stages were measured: the cycles each took, in the order of the frames' way, and the frames received meanwhile. They only grow:
    /// the difference between two replies tells of the time between them.
    public var stages: [StageStatus] = []
    public var measuredFrames: UInt64 = 0
    /// When it did not run though it had the right to.
    public var stalls = StallStatus()
    /// Ports it polls whose frames cannot wake it: their drivers have no receive interrupts. While it sleeps it looks at them every 0.5 ms.
    public var lookedAt: [String] = []
    public init() {}
}

/// One stage of a poll loop's turn.
public struct StageStatus: Codable, Equatable, Sendable {
    /// `poll`, `admit`, `bridge`, `classify`, `schedule`, `send`
    public var name: String
    public var cycles: UInt64
    public init(name: String, cycles: UInt64) { self.name = name; self.cycles = cycles }
}

/// The daemon's totals. `received + copied + injected == delivered + queued + the sum of dropped`.
public struct StatsReply: Codable, Equatable, Sendable {
    /// Frames read from all ports.
    public var received = Traffic()
    /// Frames made by flooding: copies beyond the first.
    public var copied = Traffic()
    /// Frames of the switch's own, such as queries for members of groups.
    public var injected = Traffic()
    /// Frames written to ports.
    public var delivered = Traffic()
    /// Frames in leaves and on their way now.
    public var queued = Traffic()
    /// Frames dropped, by reason.
    public var dropped: [String: UInt64] = [:]
    public init() {}

    /// Frames that are not accounted for: 0 on a switch at rest.
    public var missing: Int64 {
        let there = received.frames &+ copied.frames &+ injected.frames
        let told = dropped.values.reduce(delivered.frames &+ queued.frames, &+)
        return Int64(bitPattern: there &- told)
    }
}

extension CoreStatus {
    /// `last`, with the stages' cycles and the measured frames of the time between it and `first` alone.
    public static func stages(from first: CoreStatus, to last: CoreStatus) -> CoreStatus {
        var status = last
        status.measuredFrames &-= first.measuredFrames
        let before = Dictionary(first.stages.map { ($0.name, $0.cycles) }) { first, _ in first }
        status.stages = last.stages.map { StageStatus(name: $0.name, cycles: $0.cycles &- (before[$0.name] ?? 0)) }
        return status
    }
}

public struct FilterStatus: Codable, Equatable, Sendable {
    public struct Rule: Codable, Equatable, Sendable {
        /// `allow` or `deny`.
        public var action = ""
        public var expression = ""
        /// Frames that it decided about, at all ports together.
        public var hits: UInt64 = 0
        public init(action: String, expression: String, hits: UInt64) { self.action = action; self.expression = expression; self.hits = hits }
    }

    public var name = ""
    /// In the order in which frames are compared with them.
    public var rules: [Rule] = []
    /// What becomes of frames that no rule matches: `allow` or `deny`; and how many they were.
    public var `default` = ""
    public var defaultHits: UInt64 = 0
    /// Ports that it is for what leaves by (towards their guests), and for what comes in by (from them).
    public var inbound: [String] = []
    public var outbound: [String] = []
    public init() {}
}
