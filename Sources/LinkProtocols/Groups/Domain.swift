/// A VLAN and a family. Queriers and routers are separate for IGMP and for MLD in each VLAN.
struct DomainKey: Hashable, Sendable {
    var vlan: UInt16
    var family: GroupFamily
}

/// The routers and queriers of a VLAN for one family.
struct Domain: Sendable {
    struct Other: Sendable {
        var address: GroupAddress
        var port: UInt16
        var version: Int
        var until: UInt64
    }

    struct Router: Sendable {
        var until: UInt64
        var slot = TimerSlot()
    }

    /// The general queries still to be sent to a port that came up after the VLAN's startup queries.
    struct Startup: Sendable {
        var left: Int
        var next: UInt64
        var slot = TimerSlot()
    }

    /// The elected querier; nil if it is the bridge or there is none.
    var other: Other?
    /// When the bridge's own next general query is due; nil if it sends none.
    var nextQuery: UInt64?
    var startupLeft = 0
    /// When hosts have had the time to answer the first querier; nil if there is no querier.
    var settledAt: UInt64?
    var isSettled = false
    var routers: [UInt16: Router] = [:]
    var startups: [UInt16: Startup] = [:]
    var slot = TimerSlot()

    var isOwn: Bool { nextQuery != nil }

    var deadline: UInt64 { min(nextQuery ?? .max, other?.until ?? .max, isSettled ? .max : settledAt ?? .max) }
}
