/// What bridges that follow groups have found out: as `bridge -d mdb show`.
public struct MDBReply: Codable, Equatable, Sendable {
    public var entries: [MDBEntry] = []
    /// Ports with multicast routers behind them.
    public var routers: [Router] = []
    /// Who asks hosts for the groups they are in, for each VLAN and family.
    public var queriers: [Querier] = []
    public init() {}

    public struct Router: Codable, Equatable, Sendable {
        public var bridge = ""
        public var vlan: Int?
        /// `ipv4` or `ipv6`
        public var family = ""
        public var port = ""
        /// Seconds until it is forgotten; nil: it is configured.
        public var timeLeft: Double?
        public init() {}
    }

    public struct Querier: Codable, Equatable, Sendable {
        public var bridge = ""
        public var vlan: Int?
        /// `ipv4` or `ipv6`
        public var family = ""
        /// The bridge itself asks.
        public var own = false
        /// Another who asks, and the port it is behind.
        public var other: String?
        public var port: String?
        /// Seconds until the other is thought gone.
        public var timeLeft: Double?
        /// Frames for groups go to members and routers only. Before there is a querier, and hosts have had the time to answer it, they go to every port.
        public var settled = false
        public init() {}
    }
}

/// A group that was joined behind a port.
public struct MDBEntry: Codable, Equatable, Sendable {
    public var bridge = ""
    public var port = ""
    public var vlan: Int?
    public var group = ""
    /// `include` or `exclude`: whether hosts want the sources that are named, or all but those (RFC 3376, 6.2.1). Frames are forwarded from all.
    public var filterMode = "exclude"
    public var sources: [String] = []
    /// IGMP 1 to 3, MLD 1 to 2: the oldest that a host behind the port speaks.
    public var version = 0
    /// Seconds since it was joined, and until it is left unless a host says that it is still wanted.
    public var age: Double = 0
    public var timeLeft: Double = 0
    public init() {}
}
