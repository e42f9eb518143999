extension Methods {
    /// The name is a physical port's, here and in the next.
    public static let lldpShow = Method<NameParams, [LLDPStatus]>("lldp.show", .shows)
    public static let dcbShow = Method<NameParams, [DCBStatus]>("dcb.show", .shows)
}

/// What a physical port and its neighbours tell each other by LLDP. A neighbour's keys are those of `lldpcli -f json0 show neighbors` where it has them.
public struct LLDPStatus: Codable, Equatable, Sendable {
    public var port = ""
    /// `off`, `rx`, `tx` or `on`
    public var mode = ""
    /// Whether the port's link is up.
    public var up = false
    public var neighbors: [Neighbor] = []
    /// Whether more neighbours were heard than are kept.
    public var tooManyNeighbors = false
    public var counters = Counters()
    public init() {}

    /// What a neighbour tells.
    public struct Neighbor: Codable, Equatable, Sendable {
        /// A number that no other neighbour of the port has had.
        public var rid: UInt64 = 0
        /// The source address of its frames.
        public var mac = ""
        /// Seconds since it was first heard, and until it is forgotten unless it is heard again.
        public var age: Double = 0
        public var timeLeft: Double = 0
        public var chassis = Chassis()
        public var port = Port()
        /// TLVs of organisations, and of reserved types, whose oui is nil.
        public var otherTLVs: [Other] = []
        public init() {}

        enum CodingKeys: String, CodingKey {
            case rid, mac, age, timeLeft, chassis, port
            case otherTLVs = "unknown-tlvs"
        }
    }

    public struct Chassis: Codable, Equatable, Sendable {
        public var id = Identifier()
        public var name: String?
        public var description: String?
        public var managementAddresses: [String] = []
        public var capabilities: [Capability] = []
        public init() {}

        enum CodingKeys: String, CodingKey {
            case id, name
            case description = "descr"
            case managementAddresses = "mgmt-ip"
            case capabilities = "capability"
        }
    }

    public struct Port: Codable, Equatable, Sendable {
        public var id = Identifier()
        public var description: String?
        /// Seconds for which what it tells is valid.
        public var timeToLive = 0
        public init() {}

        enum CodingKeys: String, CodingKey {
            case id
            case description = "descr"
            case timeToLive = "ttl"
        }
    }

    /// An identifier, and its kind: `mac`, `ifname`, `ifalias`, `ip`, `local` or `unhandled`.
    public struct Identifier: Codable, Equatable, Sendable {
        public var type = ""
        public var value = ""
        public init(type: String = "", value: String = "") { self.type = type; self.value = value }
    }

    public struct Capability: Codable, Equatable, Sendable {
        public var type: String
        public var enabled: Bool
        public init(type: String, enabled: Bool) { self.type = type; self.enabled = enabled }
    }

    /// A TLV whose contents LLDP does not define. Octets are written in hexadecimal, with commas between them.
    public struct Other: Codable, Equatable, Sendable {
        /// 127 for organisations' TLVs.
        public var type = 0
        public var oui: String?
        public var subtype: Int?
        public var value = ""
        public init() {}
    }

    /// What the agent has counted (IEEE 802.1AB, 9.2, where these are called statsFramesOutTotal and so on).
    public struct Counters: Codable, Equatable, Sendable {
        public var framesOut: UInt64 = 0
        public var framesIn: UInt64 = 0
        public var framesDiscarded: UInt64 = 0
        public var framesInErrors: UInt64 = 0
        public var tlvsDiscarded: UInt64 = 0
        public var tlvsUnrecognized: UInt64 = 0
        public var ageouts: UInt64 = 0
        /// Frames out of which TLVs were left because they were too long together.
        public var lengthErrors: UInt64 = 0
        /// Neighbours that came, and that went for any reason.
        public var neighborsInserted: UInt64 = 0
        public var neighborsDeleted: UInt64 = 0
        public init() {}
    }
}

/// What a physical port negotiates by DCBX. Of each feature there is what the operator wants (`administrative`), what is in use (`operational`) and what the
/// peer tells (`remote`); nil: nothing.
public struct DCBStatus: Codable, Equatable, Sendable {
    public var port = ""
    /// The address of the one neighbour that speaks DCBX; nil: there is none.
    public var peer: String?
    /// Why there is no peer although there are neighbours that speak DCBX or what preceded it, as a sentence; nil: that is not so.
    public var problem: String?
    /// How many TLVs are wrong in what the peer tells now.
    public var errors = 0
    public var ets = ETS()
    public var pfc = PFC()
    public var app = App()
    /// The buffers of the priorities that must lose nothing.
    public var buffers: [Buffer] = []
    /// The priorities that frames of each protocol leave the port with; nil: they leave without.
    public var priorities: [Priority]?
    public init() {}

    public struct ETS: Codable, Equatable, Sendable {
        public var administrative: Sharing?
        public var operational: Sharing?
        public var remote: Sharing?
        /// What the peer is told to do, and what it tells this switch to do.
        public var recommended: Sharing?
        public var remoteRecommended: Sharing?
        /// What each traffic class has sent since the port was opened, floors included; nil: the rate is not shared.
        public var sent: [Amount]?
        /// Who shares the rate: the switch's own queues (`sw`) or the NIC (`hw`); nil: it is not shared.
        public var by: String?
        public init() {}
    }

    public struct Sharing: Codable, Equatable, Sendable {
        /// Whether the side takes over what is recommended to it; nil: this is a recommendation.
        public var willing: Bool?
        /// The traffic class of each priority.
        public var prioTc: [Int] = []
        /// The percentage of each traffic class.
        public var tcBw: [Int] = []
        /// `strict`, `cbs`, `ets` or `vendor`, of each traffic class.
        public var tcTsa: [String] = []
        public init() {}
    }

    public struct PFC: Codable, Equatable, Sendable {
        public var administrative: Lossless?
        public var operational: Lossless?
        public var remote: Lossless?
        /// What the peer has asked to pause; nil: that is not followed.
        public var received: Pauses?
        /// What the peer was asked to pause; nil: it is not asked.
        public var sent: Requests?
        /// Who follows pauses and asks for them: the switch itself (`sw`) or the NIC (`hw`); nil: nobody.
        public var by: String?
        public init() {}
    }

    /// Pauses that the peer was asked for. Lists have an item for each priority.
    public struct Requests: Codable, Equatable, Sendable {
        public var frames: UInt64 = 0
        /// How often a priority was asked to pause, and for how many nanoseconds.
        public var pauses: [UInt64] = []
        public var pausedNanoseconds: [UInt64] = []
        /// The priorities that the peer is asked to pause now.
        public var pausing: [Int] = []
        /// How often a queue stood still for so long that the peer was not asked to stop for it until it moved again.
        public var givenUp: UInt64 = 0
        public init() {}
    }

    /// How much of lossless priorities may wait for one receiver, in bytes.
    public struct Buffer: Codable, Equatable, Sendable {
        public var priority = 0
        public var size = 0
        /// What may arrive after the peer was asked to stop.
        public var headroom = 0
        /// The lengths of a queue at which the peer is asked to stop, and to go on.
        public var xoff = 0
        public var xon = 0
        public init() {}
    }

    public struct Amount: Codable, Equatable, Sendable {
        public var frames: UInt64
        public var bytes: UInt64
        public init(frames: UInt64, bytes: UInt64) { self.frames = frames; self.bytes = bytes }
    }

    /// The peer's pauses. Lists have an item for each priority.
    public struct Pauses: Codable, Equatable, Sendable {
        /// Frames that were followed, and frames that were about no priority that may be paused.
        public var frames: UInt64 = 0
        public var ignored: UInt64 = 0
        /// How often a priority was asked to pause, and for how many nanoseconds it was paused.
        public var pauses: [UInt64] = []
        public var pausedNanoseconds: [UInt64] = []
        /// How often it was paused for too long, which ended its pause, and which priorities' pauses are ignored for that reason now.
        public var storms: [UInt64] = []
        public var storming: [Int] = []
        /// Why the peer's pauses do not arrive, as a sentence; nil: they do.
        public var problem: String?
        public init() {}
    }

    public struct Lossless: Codable, Equatable, Sendable {
        public var willing = false
        /// The most priorities that the side can have paused at once.
        public var capability = 0
        public var prioPfc: [Int] = []
        public init() {}
    }

    public struct App: Codable, Equatable, Sendable {
        /// Whether the peer's entries are used.
        public var willing = false
        public var administrative: [Entry] = []
        public var operational: [Entry] = []
        public var remote: [Entry] = []
        public init() {}
    }

    public struct Entry: Codable, Equatable, Sendable {
        /// `ethtype`, `stream-port`, `dgram-port`, `port` or `dscp`
        public var selector: String
        public var id: Int
        public var priority: Int
        public init(selector: String, id: Int, priority: Int) { self.selector = selector; self.id = id; self.priority = priority }
    }

    public struct Priority: Codable, Equatable, Sendable {
        public var `protocol`: String
        public var pcp: Int
        public init(protocol name: String, pcp: Int) { self.protocol = name; self.pcp = pcp }
    }
}
