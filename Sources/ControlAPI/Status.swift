/// What the `show` methods answer. Counters start at 0 when the daemon does, and never run backwards.

/// The daemon as a whole.
public struct StatusReply: Codable, Equatable, Sendable {
    public var version = ""
    public var pid: Int32 = 0
    public var uptimeSeconds: UInt64 = 0
    public var socket = ""
    /// The configuration file given at the start; nil: none was given.
    public var configFile: String?
    /// The number of things in which what runs differs from that file as it was last loaded or saved; nil: there is no file.
    public var drift: Int?
    /// Whether the file was edited since then.
    public var configEdited: Bool?
    /// Why the file cannot be used as it is now, as a sentence; nil: it can, or nobody has tried since it was edited.
    public var configFlaw: String?
    /// The seconds after which a configuration is undone that waits to be confirmed; nil: none waits.
    public var unconfirmedSeconds: UInt64?
    public var bridges = 0
    public var ports = 0
    public var portsUp = 0
    /// Ports that should be open but are not: for each a sentence that says why.
    public var portsFailed: [String] = []
    /// Why the state file does not hold what runs, as a sentence; nil: it does.
    public var unsaved: String?
    /// The number of parts in use: what hooks own.
    public var parts = 0
    /// Parts that are kept but not in use, each with the reason.
    public var partsUnfit: [String] = []
    public var guests = 0
    public var classes = 0
    public var cores = 0
    public var hugepages = true
    public var buffers = 0
    public var buffersInUse = 0
    /// The number of changes applied since the start.
    public var changes: UInt64 = 0
    /// The number of queues that balancing has moved from one core to another since the start.
    public var queueMoves: UInt64 = 0
    public init() {}
}

/// A number of frames, and their bytes without FCS.
public struct Traffic: Codable, Equatable, Sendable {
    public var frames: UInt64
    public var bytes: UInt64
    public init(frames: UInt64 = 0, bytes: UInt64 = 0) { self.frames = frames; self.bytes = bytes }
}

/// Whether a port carries frames.
public enum PortState: String, Codable, Sendable, CaseIterable {
    case up
    case down
    /// A vhost port to which no guest is connected.
    case waiting
    /// The port could not be opened, or its interface is gone. It is tried again regularly, at every change and by `port.reset`.
    case failed
}

/// A port, its settings and counters.
public typealias PortStatus = Counted<PortFacts>

/// What is told of a port besides the counters that are shown by name: `unlearned` (frames whose source address was not learned, because `fdb-limit` or the room
/// in the bridge's database was used up), `punted` and `injected` (frames for the switch itself that came in by the port, such as IGMP, MLD and LLDP, and
/// frames of the switch's own that it sent by the port, such as queries), `txFull` (turns of a poll loop in which the port's transmit ring was full, so that its
/// leaves had to wait), `pacedNanoseconds` (how long `pace` held back the reading of the port), `pollTimeNanoseconds` (the same of its share of poll time, summed
/// over its queues), `held` (how often it was not read on because a lossless class had no room).
public struct PortFacts: StatusFacts {
    public var name = ""
    /// `vhost`, `tap` or `physical`
    public var kind = ""
    public var bridge = ""
    public var state = PortState.down
    /// Why the port is not up, as a sentence; nil if it is.
    public var reason: String?
    /// What is not as one would expect although the port works: a sentence for each.
    public var warnings: [String] = []
    public var mtu = 1500
    /// Queue pairs in use now, and the queues that the port has. A guest may use more pairs than its port has queues.
    public var queues = 0
    public var queuesMax = 0
    /// The driver, such as `vhost`, `virtio_user` or `net_af_packet`.
    public var driver = ""
    /// The vhost socket, the tap interface or the physical device.
    public var device = ""
    /// vhost ports: `client` or `server`.
    public var mode: String?
    public var mac: String?
    /// The port's VLANs; nil: its bridge has none.
    public var vlans: [VLANRange]?
    /// The names of the port's filters; nil: none.
    public var inboundFilter: String?
    public var outboundFilter: String?
    /// The IP addresses that frames may come in from; nil: any.
    public var addresses: [String]?
    /// The guards in force: `dhcp`, `ra`; nil: none.
    public var guards: [String]?
    /// The port's rules that differ from the default, by the keys that set them, such as `isolated` or `storm-broadcast`.
    public var rules: [String: String] = [:]
    /// Addresses learned behind the port now.
    public var learnedAddresses = 0
    public var numaNode: Int?
    /// How a NIC with several receive queues was told to deliver frames on the loops of their guests; nil: there is nothing to choose.
    public var steering: SteeringStatus?
    /// The names of the port's guests, including one that was made for addresses without a guest.
    public var guests: [String] = []
    /// Frames read from the port, including those that its link could not receive (`missed`, `receive_error`), whose bytes are not known.
    public var rx = Traffic()
    /// Frames written to the port.
    public var tx = Traffic()
    /// What was read and written over the last second; nil: that is not known yet.
    public var rxRate: Rate?
    public var txRate: Rate?
    /// Frames dropped, by reason. Only reasons that occurred are listed.
    public var drops: [String: UInt64] = [:]
    public init() {}
}

/// How the frames for guests' addresses are spread over a NIC's receive queues.
public struct SteeringStatus: Codable, Equatable, Sendable {
    /// The addresses of guests that one poll loop serves, and that loop polls one of the queues.
    public var addresses: Int
    /// How many of these the NIC itself delivers by such a queue.
    public var rules: Int
    /// Why these are not all, as a sentence; nil: they are.
    public var reason: String?
    public init(addresses: Int, rules: Int, reason: String? = nil) { self.addresses = addresses; self.rules = rules; self.reason = reason }
}

/// Consecutive VLANs of a port with the same flags, as `bridge -j vlan show` prints them.
public struct VLANRange: Codable, Equatable, Sendable {
    public var vlan: Int
    /// The last VLAN of the range; nil: the range is a single VLAN.
    public var vlanEnd: Int?
    /// `PVID`: the VLAN of frames without a tag; `Egress Untagged`: its frames leave without a tag; `Service`: its tags are of type 0x88a8.
    public var flags: [String]?
    public init(vlan: Int, vlanEnd: Int? = nil, flags: [String]? = nil) { self.vlan = vlan; self.vlanEnd = vlanEnd; self.flags = flags }
}

/// A bridge and the counters of all its ports.
public typealias BridgeStatus = Counted<BridgeFacts>

/// What is told of a bridge besides the counters that are shown by name: `flooded` (frames that went to several ports), `learned` (addresses), `moved`
/// (addresses that moved from one port to another).
public struct BridgeFacts: StatusFacts {
    public var name = ""
    public var ports: [String] = []
    /// Seconds after which a learned address is forgotten.
    public var ageing = 300
    public var fdbEntries = 0
    public var fdbSize = 0
    /// Rate of the bridge's inbound tree in bit/s; nil: unlimited.
    public var rate: UInt64?
    /// Frames forwarded to one port.
    public var forwarded: UInt64 = 0
    public var drops: [String: UInt64] = [:]
    public init() {}
}

/// A group: a class above guests.
public struct GroupStatus: Codable, Equatable, Sendable {
    public var name = ""
    public var bridge = ""
    /// The group above; nil: there is none.
    public var parent: String?
    /// The guests directly in the group.
    public var guests: [String] = []
    /// Floors and ceilings in bit/s; nil: none.
    public var inboundFloor: UInt64?
    public var inboundCeiling: UInt64?
    public var outboundFloor: UInt64?
    public var outboundCeiling: UInt64?
    /// Traffic of the group's guests and of those in the groups below.
    public var inbound = Traffic()
    public var outbound = Traffic()
    public init() {}
}

/// A guest and what was sent to and from it.
public struct GuestStatus: Codable, Equatable, Sendable {
    public var name = ""
    public var port = ""
    public var bridge = ""
    public var macs: [String] = []
    /// The VLAN that the guest's addresses are in; nil: all VLANs of its port.
    public var vlan: Int?
    public var group: String?
    /// Whether the guest was made because the port has none for some of its addresses.
    public var implicit = false
    public var protocols: [String] = []
    /// Options that differ from the default and have no field of their own here, by the keys that set them; `vlan` is among them as well.
    public var options: [String: String] = [:]
    /// Traffic towards the guest and from it, over all its classes.
    public var inbound = Traffic()
    public var outbound = Traffic()
    /// The same over the last second; nil: that is not known yet.
    public var inboundRate: Rate?
    public var outboundRate: Rate?
    /// Cycles that the poll loops spent on receiving these frames, counted as for a class (`ClassStatus.cycles`).
    public var inboundCycles: UInt64 = 0
    public var outboundCycles: UInt64 = 0
    /// How long its frames waited, over all its classes; nil: that is not counted.
    public var inboundDelay: DelayStatus?
    public var outboundDelay: DelayStatus?
    public init() {}
}

/// An address in a bridge's forwarding database, or one that is configured and not in it.
public struct FDBEntry: Codable, Equatable, Sendable {
    public var bridge = ""
    public var mac = ""
    public var vlan: Int?
    public var port = ""
    public var guest: String?
    public var `static` = false
    /// False: the entry is configured, but not in force as long as nobody is connected to the port. nil for learned entries.
    public var bound: Bool?
    /// Seconds since a frame from the address was last seen; nil for static entries.
    public var age: UInt64?
    public init() {}
}

/// The answer to `fdb.flush`.
public struct FlushReply: Codable, Equatable, Sendable {
    /// The number of learned addresses that were forgotten.
    public var flushed: Int
    public init(flushed: Int) { self.flushed = flushed }
}

/// A class of a tree, with its settings and counters.
public struct ClassStatus: Codable, Equatable, Sendable {
    public var tree = ""
    /// `inbound` or `outbound`
    public var direction = ""
    /// The class's id; 1 is the root.
    public var id: UInt16 = 0
    /// The parent's id; nil for the root.
    public var parent: UInt16?
    /// The class's path; empty for the root.
    public var path = ""
    public var leaf = false
    public var guest: String?
    public var `protocol`: String?
    /// Inbound leaves: the port to which they deliver.
    public var port: String?

    // The settings, with defaults filled in; nil: none.
    /// Rates in bit/s.
    public var floor: UInt64?
    public var ceiling: UInt64?
    public var peak: UInt64?
    /// Bytes that may be sent at once within the floor, and within the ceiling.
    public var burst: UInt64 = 0
    public var ceilingBurst: UInt64 = 0
    /// Rates in packets per second.
    public var floorPackets: UInt64?
    public var ceilingPackets: UInt64?
    public var priority = 3
    public var quantum: UInt32 = 0
    public var limit = 0
    public var limitBytes: Int?
    /// Leaves: how long the full queue may take to drain at the rate that the class can count on, and the bytes that this amounts to; nil: that rate is not
    /// known.
    public var limitDelayMicroseconds: UInt64?
    public var limitDelayBytes: Int?
    /// Leaves with CoDel: its target and interval; nil: the queue drops at its tail.
    public var codelTargetMicroseconds: UInt64?
    public var codelIntervalMicroseconds: UInt64?
    /// Leaves that mark frames: whether CoDel does so, and above which bytes and microseconds; nil: it has no such threshold.
    public var ecn: Bool?
    public var ecnThresholdBytes: Int?
    public var ecnDelayMicroseconds: UInt64?
    /// Leaves with fq-codel: the flows that have frames waiting, or had a moment ago, in all poll loops; first those that have only begun, then the others.
    public var newFlows: Int?
    public var oldFlows: Int?
    /// What the operator should know about the class, as a sentence.
    public var note: String?

    // The counters, in tc's terms.
    public var sent = Traffic()
    public var dropped = Traffic()
    /// Frames dropped, by reason. Only reasons that occurred are listed.
    public var drops: [String: UInt64] = [:]
    /// Frames that left with a mark of congestion (ECN) because of the class's queue.
    public var marked: UInt64 = 0
    /// Cycles that the poll loops spent on receiving the class's frames, until they were sent on at once or queued. Frames that are flooded do not count. One turn
    /// of 32 is measured, and counts as all of them.
    public var cycles: UInt64 = 0
    /// How often the class had frames and had to wait for tokens.
    public var overlimits: UInt64 = 0
    /// How often it waited, by reason. Only reasons that occurred are listed.
    public var holds: [String: UInt64] = [:]
    /// The classes whose ceilings it waited for where `holds` says `ancestor_ceiling`, the nearest first. Only leaves wait for ancestors.
    public var heldBy: [AncestorWaits] = []
    /// Frames sent on this class's own tokens, either frames of its own or of a class below it.
    public var lends: UInt64 = 0
    /// Frames sent on an ancestor's tokens.
    public var borrows: UInt64 = 0
    /// Bytes sent on an ancestor's tokens.
    public var borrowedBytes: UInt64 = 0
    /// The classes on whose tokens these bytes were sent, the nearest first.
    public var borrowedFrom: [AncestorLoan] = []
    /// Frames that are waiting now.
    public var backlog = Traffic()
    /// The levels of the floor's and the ceiling's token bucket, in bytes; negative: tokens are owed.
    public var tokens: Int64 = 0
    public var ctokens: Int64 = 0
    /// The rate over the last `rateSeconds`, in bit/s and in packets per second.
    public var rate: UInt64 = 0
    public var rateSeconds: Double = 0
    public var packetRate: UInt64 = 0
    /// How long frames of the class, or of the leaves below it, waited; nil: that is not counted.
    public var delay: DelayStatus?
    public init() {}

    /// How often a class waited for the ceiling of a class above it.
    public struct AncestorWaits: Codable, Equatable, Sendable {
        public var id: UInt16
        /// The path of the class above; for the root, the tree's name.
        public var `class`: String
        public var waits: UInt64
        public init(id: UInt16, class: String, waits: UInt64) { self.id = id; self.class = `class`; self.waits = waits }
    }

    /// What a class borrowed from a class above it.
    public struct AncestorLoan: Codable, Equatable, Sendable {
        public var id: UInt16
        /// The path of the class above; for the root, the tree's name.
        public var `class`: String
        public var bytes: UInt64
        public init(id: UInt16, class: String, bytes: UInt64) { self.id = id; self.class = `class`; self.bytes = bytes }
    }
}

/// A row of the protocol table, and how many frames it has matched.
public struct ProtocolStatus: Codable, Equatable, Sendable {
    public var name = ""
    /// The matches as they are written under `match`.
    public var matches: [String] = []
    public var pcp = 0
    public var builtIn = false
    /// Frames that were identified as this protocol's.
    public var seen = Traffic()
    public init() {}
}

/// The daemon's totals. On a switch at rest, `received + copied + injected == delivered + queued + the sum of dropped`.
public struct StatsReply: Codable, Equatable, Sendable {
    /// Frames read from all ports.
    public var received = Traffic()
    /// Copies made by flooding, beyond the first one of each frame.
    public var copied = Traffic()
    /// Frames that the switch itself made, such as queries for the members of groups.
    public var injected = Traffic()
    /// Frames written to ports.
    public var delivered = Traffic()
    /// Frames that are in leaves or on their way now.
    public var queued = Traffic()
    /// Frames dropped, by reason.
    public var dropped: [String: UInt64] = [:]
    public init() {}

    /// Frames that none of these counters account for: 0 on a switch at rest.
    public var missing: Int64 {
        let there = received.frames &+ copied.frames &+ injected.frames
        let told = dropped.values.reduce(delivered.frames &+ queued.frames, &+)
        return Int64(bitPattern: there &- told)
    }
}

/// A filter and how many frames it has decided about.
public struct FilterStatus: Codable, Equatable, Sendable {
    /// One rule of the filter.
    public struct Rule: Codable, Equatable, Sendable {
        /// `allow` or `deny`.
        public var action = ""
        public var expression = ""
        /// Frames that the rule decided about, over all ports.
        public var hits: UInt64 = 0
        public init(action: String, expression: String, hits: UInt64) { self.action = action; self.expression = expression; self.hits = hits }
    }

    public var name = ""
    /// The rules, in the order in which they are tried.
    public var rules: [Rule] = []
    /// What happens to frames that no rule matches (`allow` or `deny`), and how many such frames there were.
    public var `default` = ""
    public var defaultHits: UInt64 = 0
    /// Ports that use the filter for frames that leave by them (`inbound`, towards their guests), and for frames that come in by them (`outbound`).
    public var inbound: [String] = []
    public var outbound: [String] = []
    public init() {}
}
