extension Methods {
    public static let mdbShow = Method<FDBParams, MDBReply>("mdb.show", .shows)
}

/// What bridges with snooping have learned about groups; comparable to `bridge -d mdb show`.
public struct MDBReply: Codable, Equatable, Sendable {
    public var entries: [MDBEntry] = []
    /// The ports that have multicast routers behind them.
    public var routers: [Router] = []
    /// The queriers, which ask hosts for the groups they have joined, for each VLAN and address family.
    public var queriers: [Querier] = []
    public init() {}

    /// A port behind which there is a multicast router.
    public struct Router: Codable, Equatable, Sendable {
        public var bridge = ""
        public var vlan: Int?
        /// `ipv4` or `ipv6`
        public var family = ""
        public var port = ""
        /// Seconds until the router is forgotten; nil: it is configured.
        public var timeLeft: Double?
        public init() {}
    }

    /// The queriers of one VLAN and address family.
    public struct Querier: Codable, Equatable, Sendable {
        public var bridge = ""
        public var vlan: Int?
        /// `ipv4` or `ipv6`
        public var family = ""
        /// Whether the bridge itself is the querier.
        public var own = false
        /// The address of another querier, and the port that it is behind.
        public var other: String?
        public var port: String?
        /// Seconds until the other querier is considered gone.
        public var timeLeft: Double?
        /// Whether frames to groups go to members and routers only. As long as there is no querier, or hosts have not had the time to answer it, such frames go
        /// to every port.
        public var settled = false
        public init() {}
    }
}

/// The membership of one port in one group.
public struct MDBEntry: Codable, Equatable, Sendable {
    public var bridge = ""
    public var port = ""
    public var vlan: Int?
    public var group = ""
    /// `include` or `exclude`: whether hosts want only the named sources, or all but those (RFC 3376, 6.2.1). Frames are forwarded from all sources in either
    /// case.
    public var filterMode = "exclude"
    public var sources: [String] = []
    /// The oldest protocol version that a host behind the port speaks: IGMP 1 to 3, or MLD 1 to 2.
    public var version = 0
    /// Seconds since the group was joined, and seconds until it is left unless a host reports that it still wants it.
    public var age: Double = 0
    public var timeLeft: Double = 0
    public init() {}
}
