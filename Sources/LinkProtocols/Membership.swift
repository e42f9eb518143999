/// That hosts behind one port listen to one group: the state of RFC 3376, 6.2 to 6.4, and RFC 3810, 7.2 to 7.4, for the port.
///
/// Forwarding goes by the group, so that a source's list matters for two things: to be shown, and whether anything of the membership is
/// left. Source timers are therefore read when the membership is looked at; only the membership itself has a timer. And where the
/// RFCs ask for sources by name, the group is asked for.
struct Membership: Sendable {
    struct Source: Sendable {
        var address: GroupAddress
        /// Until when it is wanted; 0: it is in an EXCLUDE list.
        var until: UInt64
    }

    /// The times a record is applied with.
    struct Times {
        var now: UInt64
        /// Until when what is reported now lasts.
        var reported: UInt64
        /// Until when what is left now lasts; nil: another querier will ask.
        var lowered: UInt64?
    }

    let since: UInt64
    /// Until when some host listens to all sources (the group timer); nil: filter mode INCLUDE.
    var excludeUntil: UInt64?
    var sources: [Source] = []
    /// Until when a wanted source for which there was no room lasts.
    var unlistedUntil: UInt64 = 0
    /// An EXCLUDE list had more sources than there was room for.
    var excludesUnlisted = false
    /// Until when a host of version 1 (IGMP or MLD) or of IGMP version 2 is thought to be there.
    var version1Until: UInt64 = 0
    var version2Until: UInt64 = 0
    /// How many more times the group is to be asked for, and when next.
    var asksLeft = 0
    var nextAsk: UInt64 = 0
    var slot = TimerSlot()

    init(since: UInt64) { self.since = since }

    /// When nothing of it is left.
    var end: UInt64 { sources.reduce(max(excludeUntil ?? 0, unlistedUntil)) { max($0, $1.until) } }

    /// When to look at it next.
    var deadline: UInt64 { asksLeft > 0 ? min(end, nextAsk) : end }

    /// The oldest version of hosts: the Group Compatibility Mode of RFC 3376, 7.3.2, and RFC 3810, 8.3.2.
    func hostVersion(_ family: GroupFamily, now: UInt64) -> Int {
        if version1Until > now { return 1 }
        return family == .ipv6 || version2Until > now ? 2 : 3
    }

    /// Ends what is over.
    mutating func settle(now: UInt64) {
        if let excludeUntil, excludeUntil <= now {
            self.excludeUntil = nil
            excludesUnlisted = false
        }
        guard excludeUntil == nil else { return }
        sources.removeAll { $0.until <= now }
    }

    /// Remembers that a host of an older version reported.
    mutating func note(hostVersion: Int, until: UInt64) {
        if hostVersion == 1 { version1Until = until } else { version2Until = until }
    }

    /// Whether hosts of older versions are there which cannot take part in what the record says, so that it must have no effect.
    func mustIgnore(_ kind: Message.Record.Kind, isLeave: Bool, family: GroupFamily, now: UInt64) -> Bool {
        let version = hostVersion(family, now: now)
        let current = family == .ipv4 ? 3 : 2
        // Hosts of IGMPv1 do not answer the query of a group that a leave leads to.
        return kind == .block && version < current || family == .ipv4 && version == 1 && (isLeave || kind == .toInclude)
    }

    /// Applies a record after `settle(now:)` and says whether hosts should be asked for the group, since one of them left.
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

    /// Of another querier's query: what it asks for ends at `lowered` unless it is reported (RFC 3376, 6.6.1).
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

    /// What was wanted by name stays so while it is in the list; what else is in it is not wanted.
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

    /// Whether any of them lasted longer.
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
