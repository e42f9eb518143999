/// A group in a VLAN. In bridges without VLANs all groups are in VLAN 0.
public struct GroupKey: Hashable, Sendable {
    public var vlan: UInt16
    public var group: GroupAddress

    public init(vlan: UInt16, group: GroupAddress) {
        self.vlan = vlan
        self.group = group
    }
}

/// A group and the ports that listen to it, for forwarding.
public struct GroupPorts: Equatable, Sendable {
    public var vlan: UInt16
    public var group: GroupAddress
    /// The ports with members in ascending order; never empty. Ports with routers receive the group as well but are not in here.
    public var ports: [UInt16]

    public init(vlan: UInt16, group: GroupAddress, ports: [UInt16]) {
        self.vlan = vlan
        self.group = group
        self.ports = ports
    }
}

/// A membership (hosts behind one port listen to a group), in the form in which it is shown. Remaining times are in nanoseconds.
public struct MembershipEntry: Equatable, Sendable {
    public struct Source: Equatable, Sendable {
        public var address: GroupAddress
        /// For how long the source is still wanted; nil if it is not wanted (it is in an EXCLUDE list).
        public var timeLeft: UInt64?

        public init(address: GroupAddress, timeLeft: UInt64?) {
            self.address = address
            self.timeLeft = timeLeft
        }
    }

    public var vlan: UInt16
    public var group: GroupAddress
    public var port: UInt16
    /// Time until the port loses the group unless a host reports.
    public var timeLeft: UInt64
    /// For how long the port has had the group.
    public var age: UInt64
    /// Filter mode (RFC 3376, 6.2.1): true for EXCLUDE (all sources but the unwanted ones), false for INCLUDE (only the wanted ones).
    public var excludes: Bool
    public var sources: [Source]
    /// Whether hosts named more sources than are kept.
    public var sourcesLeftOut: Bool
    /// The oldest protocol version that hosts behind the port speak: IGMP 1 to 3 or MLD 1 to 2.
    public var hostVersion: Int
    /// Whether a host left and the bridge is asking whether other members remain.
    public var isAsking: Bool
    /// Whether the port loses the group as soon as a host leaves.
    public var fastLeave: Bool
}

/// A port with a router behind it, in the form in which it is shown.
public struct RouterEntry: Equatable, Sendable {
    public var vlan: UInt16
    public var family: GroupFamily
    public var port: UInt16
    /// Nanoseconds until the router is forgotten unless it is heard again; nil if the port is configured as a router port.
    public var timeLeft: UInt64?

    public init(vlan: UInt16, family: GroupFamily, port: UInt16, timeLeft: UInt64?) {
        self.vlan = vlan
        self.family = family
        self.port = port
        self.timeLeft = timeLeft
    }
}

/// The queriers of a VLAN, in the form in which they are shown.
public struct QuerierEntry: Equatable, Sendable {
    public struct Other: Equatable, Sendable {
        public var address: GroupAddress
        public var port: UInt16
        /// Version of its queries: IGMP 1 to 3 or MLD 1 to 2.
        public var version: Int
        /// Nanoseconds until the querier counts as gone unless it sends another query.
        public var timeLeft: UInt64
    }

    public var vlan: UInt16
    public var family: GroupFamily
    /// Whether the bridge itself sends queries in this VLAN.
    public var isOwn: Bool
    /// The source address of the bridge's own queries.
    public var ownAddress: GroupAddress
    /// Nanoseconds until the bridge's next general query; nil if it sends none.
    public var nextQuery: UInt64?
    /// The elected querier, if it is not the bridge.
    public var other: Other?
    /// Whether memberships can be relied upon: there is a querier, and hosts have had the time to answer it.
    public var isSettled: Bool
}
