/// A group in a VLAN. Bridges without VLANs have all in VLAN 0.
public struct GroupKey: Hashable, Sendable {
    public var vlan: UInt16
    public var group: GroupAddress

    public init(vlan: UInt16, group: GroupAddress) {
        self.vlan = vlan
        self.group = group
    }
}

/// A group and who hears it, for forwarding.
public struct GroupPorts: Equatable, Sendable {
    public var vlan: UInt16
    public var group: GroupAddress
    /// Ascending; never empty. Ports with routers hear the group besides these.
    public var ports: [UInt16]

    public init(vlan: UInt16, group: GroupAddress, ports: [UInt16]) {
        self.vlan = vlan
        self.group = group
        self.ports = ports
    }
}

/// A membership, to be shown: that hosts behind one port listen to a group. Times left are nanoseconds.
public struct MembershipEntry: Equatable, Sendable {
    public struct Source: Equatable, Sendable {
        public var address: GroupAddress
        /// How long it is still wanted; nil: it is not (a source of an `exclude` list).
        public var timeLeft: UInt64?

        public init(address: GroupAddress, timeLeft: UInt64?) {
            self.address = address
            self.timeLeft = timeLeft
        }
    }

    public var vlan: UInt16
    public var group: GroupAddress
    public var port: UInt16
    /// Until the port loses the group unless a host reports.
    public var timeLeft: UInt64
    /// Since when the port has had it.
    public var age: UInt64
    /// EXCLUDE (all sources but those not wanted) or INCLUDE (only those wanted), as RFC 3376, 6.2.1.
    public var excludes: Bool
    public var sources: [Source]
    /// Hosts named more sources than are kept.
    public var sourcesLeftOut: Bool
    /// The oldest version of the protocol that hosts behind the port speak: IGMP 1 to 3 or MLD 1 to 2.
    public var hostVersion: Int
    /// A host left; the bridge is asking whether another one is there.
    public var isAsking: Bool
    /// The port loses the group at once when a host leaves.
    public var fastLeave: Bool
}

/// A port with a router behind it, to be shown.
public struct RouterEntry: Equatable, Sendable {
    public var vlan: UInt16
    public var family: GroupFamily
    public var port: UInt16
    /// Nanoseconds until it is forgotten unless it gives a sign; nil: the configuration says so.
    public var timeLeft: UInt64?

    public init(vlan: UInt16, family: GroupFamily, port: UInt16, timeLeft: UInt64?) {
        self.vlan = vlan
        self.family = family
        self.port = port
        self.timeLeft = timeLeft
    }
}

/// Who asks in a VLAN, to be shown.
public struct QuerierEntry: Equatable, Sendable {
    public struct Other: Equatable, Sendable {
        public var address: GroupAddress
        public var port: UInt16
        /// The version of its queries: IGMP 1 to 3 or MLD 1 to 2.
        public var version: Int
        /// Nanoseconds until it is thought gone unless it asks again.
        public var timeLeft: UInt64
    }

    public var vlan: UInt16
    public var family: GroupFamily
    /// The bridge sends queries here.
    public var isOwn: Bool
    /// The source address of the bridge's own queries.
    public var ownAddress: GroupAddress
    /// Nanoseconds until the bridge's next general query.
    public var nextQuery: UInt64?
    public var other: Other?
    /// There is a querier, and hosts have had the time to answer it: memberships can be relied upon.
    public var isSettled: Bool
}
