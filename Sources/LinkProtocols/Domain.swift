/// A VLAN and a family: what IGMP or MLD of a VLAN has to itself.
struct DomainKey: Hashable, Sendable {
    var vlan: UInt16
    var family: GroupFamily
}

/// The routers of a VLAN and who asks in it.
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

    /// General queries to a port that came up after the VLAN's startup queries.
    struct Startup: Sendable {
        var left: Int
        var next: UInt64
        var slot = TimerSlot()
    }

    /// The elected querier, if it is another one.
    var other: Other?
    /// When the bridge itself asks next; nil: it does not.
    var nextQuery: UInt64?
    var startupLeft = 0
    /// When hosts have had the time to answer the first querier; nil: there is none.
    var settledAt: UInt64?
    var isSettled = false
    var routers: [UInt16: Router] = [:]
    var startups: [UInt16: Startup] = [:]
    var slot = TimerSlot()

    var isOwn: Bool { nextQuery != nil }

    var deadline: UInt64 { min(nextQuery ?? .max, other?.until ?? .max, isSettled ? .max : settledAt ?? .max) }
}
