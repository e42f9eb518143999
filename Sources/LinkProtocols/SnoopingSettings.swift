/// How a bridge snoops IGMP and MLD. Times are nanoseconds; the defaults are the kernel's (br_multicast_ctx_init in
/// net/bridge/br_multicast.c), which are those of RFC 3376, 8, and RFC 3810, 9.
public struct SnoopingSettings: Equatable, Sendable {
    /// Whether the bridge itself asks who listens.
    public enum Querier: String, Equatable, Sendable, CaseIterable {
        /// Never. Without another querier the bridge cannot know who listens, and `hasQuerier` stays false.
        case off
        /// Always, also while another querier with a lower address is heard. This is for networks whose elected querier may be a guest
        /// that wins the election and then falls silent. Both ask then, which costs a query each 125 s and harms nothing.
        case on
        /// While no querier with a lower address is heard (RFC 2236, 3; RFC 2710, 4). This is what the kernel's mcast_querier 1 does.
        case auto
    }

    public var querier = Querier.off
    /// The source address of IGMP queries; nil: 0.0.0.0, which loses each election. MLD queries come from the link-local address
    /// made of the bridge's MAC address.
    public var querierAddress: UInt32?
    /// The format of IGMP queries: 2 or 3. Reports of all versions are understood in any case (mcast_igmp_version).
    public var igmpVersion = 3
    /// The format of MLD queries: 1 or 2 (mcast_mld_version).
    public var mldVersion = 2
    /// How many pairs of a VLAN and a group may be known at once (mcast_hash_max). The kernel ends snooping beyond; here further
    /// groups are refused and counted.
    public var groupLimit = 4096
    /// How many groups, counted in each VLAN, may be known behind one port; nil: no limit but `groupLimit` (mcast_max_groups).
    public var portGroupLimit: Int?
    /// How many sources of a membership are kept by name. What is forwarded does not depend on them.
    public var sourceLimit = 32
    /// How many times what may get lost is said: the Robustness Variable (RFC 3376, 8.1), and how many startup queries there are.
    public var robustness = 2
    /// Between general queries (mcast_query_interval).
    public var queryInterval: UInt64 = 125_000_000_000
    /// Between the first general queries, as many as `robustness` (mcast_startup_query_interval).
    public var startupQueryInterval: UInt64 = 31_250_000_000
    /// Within what time hosts answer a general query (mcast_query_response_interval).
    public var queryResponseInterval: UInt64 = 10_000_000_000
    /// Within what time hosts answer a query of one group, and between these (mcast_last_member_interval).
    public var lastMemberInterval: UInt64 = 1_000_000_000
    /// How many times a group is asked for before a port that a host left by loses it (mcast_last_member_count).
    public var lastMemberCount = 2
    /// How long a membership lasts after a report, and how long a host of an older version is thought to be there (mcast_membership_interval).
    public var membershipInterval: UInt64 = 260_000_000_000
    /// How long another querier is thought to be there after its query, and a router after its sign (mcast_querier_interval).
    public var otherQuerierInterval: UInt64 = 255_000_000_000

    public init() {}

    /// How long after a leave the port loses the group if nobody answers: the Last Member Query Time (RFC 3376, 8.10).
    var lastMemberTime: UInt64 { lastMemberInterval.timesSaturating(lastMemberCount) }
}

/// How a port of the bridge takes part.
public struct PortSnooping: Equatable, Sendable {
    /// Which ports count as having a router behind them, who hears all groups.
    public enum Router: String, Equatable, Sendable, CaseIterable {
        /// Those a querier or a router was heard by (the kernel's multicast_router 1).
        case auto
        /// Not this one, whatever is heard by it (0).
        case never
        /// This one (2).
        case always
    }

    /// A leave takes the port out of the group at once: right where one host is behind the port (mcast_fast_leave).
    public var fastLeave = false
    public var router = Router.auto
    /// Instead of `SnoopingSettings.portGroupLimit`; nil: that one.
    public var groupLimit: Int?

    public init(fastLeave: Bool = false, router: Router = .auto, groupLimit: Int? = nil) {
        self.fastLeave = fastLeave
        self.router = router
        self.groupLimit = groupLimit
    }
}

extension UInt64 {
    /// A time that much later, or the last there is.
    func plusSaturating(_ interval: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(interval)
        return overflow ? .max : sum
    }

    /// This often, 0 for negative counts, or the longest time there is.
    func timesSaturating(_ count: Int) -> UInt64 {
        let (product, overflow) = multipliedReportingOverflow(by: UInt64(Swift.max(count, 0)))
        return overflow ? .max : product
    }
}
