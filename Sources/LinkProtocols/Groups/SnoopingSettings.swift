/// How a bridge snoops IGMP and MLD. Times are in nanoseconds; the defaults are those of the kernel (br_multicast_ctx_init in net/bridge/br_multicast.c), which
/// follow RFC 3376, 8, and RFC 3810, 9.
public struct SnoopingSettings: Equatable, Sendable {
    /// Whether the bridge itself sends queries.
    public enum Querier: String, Equatable, Sendable, CaseIterable {
        /// Never. Unless there is another querier, the bridge cannot know who listens, and `hasQuerier` remains false.
        case off
        /// Always, even while another querier with a lower address is heard. This is for networks in which a guest may win the querier election and then fall
        /// silent. Both then send queries, which costs one query every 125 s and does no harm.
        case on
        /// As long as no querier with a lower address is heard (RFC 2236, 3; RFC 2710, 4). This is the kernel's mcast_querier 1.
        case auto
    }

    public var querier = Querier.off
    /// The source address of IGMP queries; nil stands for 0.0.0.0, which loses every election. MLD queries are sent from the link-local address derived from
    /// the bridge's MAC address.
    public var querierAddress: UInt32?
    /// Version of the IGMP queries that the bridge sends: 2 or 3. Reports of all versions are understood in any case (mcast_igmp_version).
    public var igmpVersion = 3
    /// Version of the MLD queries that the bridge sends: 1 or 2 (mcast_mld_version).
    public var mldVersion = 2
    /// Maximum number of pairs of VLAN and group that have members (mcast_hash_max). Beyond it the kernel stops snooping; here further groups are refused and
    /// counted.
    public var groupLimit = 4096
    /// Maximum number of groups behind one port, where a group counts once in each VLAN; nil if only `groupLimit` applies (mcast_max_groups).
    public var portGroupLimit: Int?
    /// How many sources of each membership are kept. Forwarding does not depend on them.
    public var sourceLimit = 32
    /// The Robustness Variable (RFC 3376, 8.1): how many times messages that may get lost are repeated. It also is the number of startup queries.
    public var robustness = 2
    /// Interval between general queries (mcast_query_interval).
    public var queryInterval: UInt64 = 125_000_000_000
    /// Interval between the startup queries, of which there are `robustness` (mcast_startup_query_interval).
    public var startupQueryInterval: UInt64 = 31_250_000_000
    /// Time within which hosts have to answer a general query (mcast_query_response_interval).
    public var queryResponseInterval: UInt64 = 10_000_000_000
    /// Time within which hosts have to answer a group-specific query, and the interval between such queries (mcast_last_member_interval).
    public var lastMemberInterval: UInt64 = 1_000_000_000
    /// Number of group-specific queries that are sent after a leave before the port loses the group (mcast_last_member_count).
    public var lastMemberCount = 2
    /// How long a membership lasts after a report, and for how long a host of an older version is assumed to be present after its report
    /// (mcast_membership_interval).
    public var membershipInterval: UInt64 = 260_000_000_000
    /// For how long another querier is assumed to be present after its query, and a router after it was last heard (mcast_querier_interval).
    public var otherQuerierInterval: UInt64 = 255_000_000_000

    public init() {}

    /// The Last Member Query Time (RFC 3376, 8.10): how long after a leave the port loses the group if no host answers.
    var lastMemberTime: UInt64 { lastMemberInterval.timesSaturating(lastMemberCount) }
}

/// How a port of the bridge takes part in snooping.
public struct PortSnooping: Equatable, Sendable {
    /// Whether the port counts as having a router behind it; such ports receive all groups.
    public enum Router: String, Equatable, Sendable, CaseIterable {
        /// Only while a querier or router is heard through it (the kernel's multicast_router 1).
        case auto
        /// Never, whatever is heard through it (the kernel's multicast_router 0).
        case never
        /// Always (the kernel's multicast_router 2).
        case always
    }

    /// Whether a leave removes the port from the group at once, without a query. This is right if there is only one host behind the port (mcast_fast_leave).
    public var fastLeave = false
    public var router = Router.auto
    /// The port's own limit in place of `SnoopingSettings.portGroupLimit`; nil if that applies.
    public var groupLimit: Int?

    public init(fastLeave: Bool = false, router: Router = .auto, groupLimit: Int? = nil) {
        self.fastLeave = fastLeave
        self.router = router
        self.groupLimit = groupLimit
    }
}

extension UInt64 {
    /// The sum, or `UInt64.max` if it is too large.
    func plusSaturating(_ interval: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(interval)
        return overflow ? .max : sum
    }

    /// The product, or `UInt64.max` if it is too large; a negative count counts as 0.
    func timesSaturating(_ count: Int) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: UInt64(Swift.max(count, 0)))
        return overflow ? .max : product
    }
}
