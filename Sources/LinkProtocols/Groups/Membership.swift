/// The membership of hosts behind one port in one group: for that port the state of RFC 3376, 6.2 to 6.4, and RFC 3810, 7.2 to 7.4.
///
/// Frames are forwarded by group, so the lists of sources matter for two things only: to be shown, and to decide whether anything of the membership remains.
/// Source timers are therefore evaluated when the membership is looked at; only the membership as a whole has a timer. And where the RFCs query specific
/// sources, the bridge queries the group.
struct Membership: Sendable {
    struct Source: Sendable {
        var address: GroupAddress
        /// Time until which the source is wanted; 0 if it is in an EXCLUDE list.
        var until: UInt64
    }

    /// The times with which a record is applied.
    struct Times {
        var now: UInt64
        /// Time at which memberships that are reported now expire.
        var reported: UInt64
        /// Time at which memberships that a host leaves now expire; nil if that is for another querier to decide by asking.
        var lowered: UInt64?
    }

    let since: UInt64
    /// The group timer: until when some host listens to all sources; nil in filter mode INCLUDE.
    var excludeUntil: UInt64?
    var sources: [Source] = []
    /// Time until which a wanted source is wanted that did not fit into `sources`.
    var unlistedUntil: UInt64 = 0
    /// Whether an EXCLUDE list had more sources than fitted.
    var excludesUnlisted = false
    /// Time until which a host of version 1 (IGMP or MLD), and one of IGMP version 2, is assumed to be present.
    var version1Until: UInt64 = 0
    var version2Until: UInt64 = 0
    /// How many more queries for the group are to be sent, and when the next one is due.
    var asksLeft = 0
    var nextAsk: UInt64 = 0
    var slot = TimerSlot()

    init(since: UInt64) { self.since = since }

    /// Time at which nothing of the membership remains.
    var end: UInt64 { sources.reduce(max(excludeUntil ?? 0, unlistedUntil)) { max($0, $1.until) } }

    /// Time at which the membership has to be looked at next.
    var deadline: UInt64 { asksLeft > 0 ? min(end, nextAsk) : end }

    /// The oldest version that hosts speak: the Group Compatibility Mode of RFC 3376, 7.3.2, and the Multicast Address Compatibility Mode of RFC 3810, 8.3.2.
    func hostVersion(_ family: GroupFamily, now: UInt64) -> Int {
        if version1Until > now { return 1 }
        return family == .ipv6 || version2Until > now ? 2 : 3
    }

    /// Removes what has expired.
    mutating func expire(now: UInt64) {
        if let excludeUntil, excludeUntil <= now {
            self.excludeUntil = nil
            excludesUnlisted = false
        }
        guard excludeUntil == nil else { return }
        sources.removeAll { $0.until <= now }
    }

    /// Remembers until when a host of an older version, which has just reported, is assumed to be present.
    mutating func note(hostVersion: Int, until: UInt64) {
        if hostVersion == 1 { version1Until = until } else { version2Until = until }
    }

    /// Whether a record must be ignored because hosts of older versions are present, which could not object to it.
    func mustIgnore(_ kind: Message.Record.Kind, isLeave: Bool, family: GroupFamily, now: UInt64) -> Bool {
        let version = hostVersion(family, now: now)
        let current = family == .ipv4 ? 3 : 2
        // Hosts of IGMPv1 do not answer the group-specific query that a leave triggers.
        return kind == .block && version < current || family == .ipv4 && version == 1 && (isLeave || kind == .toInclude)
    }

    /// Applies a record; `expire(now:)` must have been called. Returns whether the group should be queried because a host left.
    mutating func apply(_ kind: Message.Record.Kind, _ list: [GroupAddress], _ times: Times, limit: Int) -> Bool {
        switch kind {
        case .isInclude where list.isEmpty: return leave(times)
        case .toInclude where list.isEmpty: return leave(times)
        case .isInclude, .allow:
            want(list, until: times.reported, limit: limit)
            if excludeUntil == nil { asksLeft = 0 }
            return false
        case .toInclude:
            want(list, until: times.reported, limit: limit)
            guard let until = excludeUntil else {
                asksLeft = 0
                return false
            }
            guard let lowered = times.lowered else { return false }
            excludeUntil = min(until, lowered)
            return true
        case .isExclude, .toExclude:
            exclude(list, until: times.reported, limit: limit)
            return false
        case .block:
            return block(list, times, limit: limit)
        }
    }

    /// Applies another querier's query: what it asks for expires at `lowered` unless it is reported again (RFC 3376, 6.6.1).
    mutating func lower(_ list: [GroupAddress], to lowered: UInt64) {
        if list.isEmpty {
            excludeUntil = excludeUntil.map { min($0, lowered) }
        } else {
            lowerSources(list, to: lowered)
        }
    }

    private mutating func leave(_ times: Times) -> Bool {
        guard let lowered = times.lowered else { return false }
        excludeUntil = excludeUntil.map { min($0, lowered) }
        unlistedUntil = min(unlistedUntil, lowered)
        for index in sources.indices { sources[index].until = min(sources[index].until, lowered) }
        return true
    }

    private mutating func want(_ list: [GroupAddress], until: UInt64, limit: Int) {
        for address in list {
            if let index = sources.firstIndex(where: { $0.address == address }) {
                sources[index].until = until
            } else if sources.count < limit {
                sources.append(Source(address: address, until: until))
            } else {
                unlistedUntil = until
            }
        }
    }

    /// Enters filter mode EXCLUDE with this list. Sources of it that were wanted remain so until their time is over; the others are unwanted.
    private mutating func exclude(_ list: [GroupAddress], until: UInt64, limit: Int) {
        var kept: [Source] = []
        for address in list where kept.count < limit && !kept.contains(where: { $0.address == address }) {
            kept.append(sources.first { $0.address == address } ?? Source(address: address, until: 0))
        }
        excludesUnlisted = list.count > limit
        sources = kept
        unlistedUntil = 0
        excludeUntil = until
        asksLeft = 0
    }

    private mutating func block(_ list: [GroupAddress], _ times: Times, limit: Int) -> Bool {
        guard excludeUntil == nil else {
            for address in list where sources.count < limit && !sources.contains(where: { $0.address == address }) {
                sources.append(Source(address: address, until: 0))
            }
            return false
        }
        guard let lowered = times.lowered else { return false }
        return lowerSources(list, to: lowered)
    }

    /// Has the listed sources expire at `lowered` at the latest. Returns whether any of them would have lasted longer.
    @discardableResult
    private mutating func lowerSources(_ list: [GroupAddress], to lowered: UInt64) -> Bool {
        var any = false
        for address in list {
            guard let index = sources.firstIndex(where: { $0.address == address }), sources[index].until > lowered else { continue }
            sources[index].until = lowered
            any = true
        }
        return any
    }
}
