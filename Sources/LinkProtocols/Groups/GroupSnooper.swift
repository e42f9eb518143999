import Packet

/// Finds out which multicast groups hosts behind each port of a bridge listen to, by snooping IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810) as RFC 4541
/// and the kernel's bridge (net/bridge/br_multicast.c) do, and implements the bridge's own querier.
///
/// Frames and times go in; verdicts and queries come out. It has no clock and does no input or output. Times are in nanoseconds of any clock that never goes
/// back. Each bridge has its own; each VLAN has its own memberships, routers and queriers. Frames are forwarded by VLAN and group, whatever their source.
///
/// How forwarding uses it: while `hasQuerier(vlan:family:)` is false, all groups go to all ports. Otherwise a group goes to the ports of its `membership` and
/// to `routerPorts`; a group without members goes to `routerPorts` alone; and groups that are never registered (`GroupAddress.isNeverRegistered`) go to all
/// ports. None of this changes as long as `version` stays the same.
///
/// Memory is bounded: there are at most `SnoopingSettings.groupLimit` times the number of ports memberships, each with at most `sourceLimit` sources. The cost
/// of a record does not depend on the number of memberships.
public struct GroupSnooper: Sendable {
    public internal(set) var settings: SnoopingSettings
    /// The source address of the bridge's queries. Frames that arrive from it are the bridge's own.
    public let mac: MACAddress
    public internal(set) var counters = SnoopingCounters()
    /// Grows whenever `membership`, `routerPorts` or `hasQuerier` change.
    public internal(set) var version: UInt64 = 0

    var ports: [UInt16: PortSnooping] = [:]
    var vlans: [UInt16: Set<UInt16>] = [:]
    /// The memberships by group and port; every group in here has at least one port.
    var groups: [GroupKey: [UInt16: Membership]] = [:]
    /// Number of memberships of each port.
    package internal(set) var groupCounts: [UInt16: Int] = [:]
    /// Two for each VLAN: IPv4 and IPv6.
    var domains: [DomainKey: Domain] = [:]
    var timers = TimerQueue()

    public init(settings: SnoopingSettings, mac: MACAddress) {
        self.settings = settings
        self.mac = mac
    }

    /// Processes a whole Ethernet frame with up to two tags that came in by `port` and belongs to `vlan`. If it leads to queries, they are due at once: see
    /// `nextDeadline`.
    public mutating func receive(_ frame: [UInt8], port: UInt16, vlan: UInt16, now: UInt64) -> Verdict {
        let verdict: Verdict
        do throws(Refusal) {
            guard let snooping = ports[port], vlans[vlan]?.contains(port) == true else { throw .ignored(.unknownPort) }
            guard !isOwn(frame) else { throw .ignored(.own) }
            switch try readMessage(frame) {
            case .query(let query):
                receive(query, port: port, vlan: vlan, now: now)
                verdict = .query
            case .report(let version, let records):
                verdict = try receive(records, version: version, from: port, snooping, vlan: vlan, now: now)
            case .leave(let group):
                guard !group.isNeverRegistered else { throw .ignored(.reservedGroup) }
                apply(.init(kind: .toInclude, group: group, sources: []), version: nil, from: port, snooping, vlan: vlan, now: now)
                verdict = .leave
            case .router(let family):
                markRouter(port, DomainKey(vlan: vlan, family: family), now: now)
                verdict = .router
            }
        } catch {
            switch error {
            case .ignored(let reason): verdict = .ignored(reason)
            case .malformed(let reason): verdict = .malformed(reason)
            }
        }
        count(verdict)
        if timers.isLarge { timers.replaceAll(with: timers.entries.filter { isCurrent($0) }) }
        return verdict
    }

    /// Has the time advance to `now`: what is due by then ends. Returns the queries that are due.
    public mutating func advance(to now: UInt64) -> [Outgoing] {
        var outgoing: [Outgoing] = []
        while let entry = timers.first {
            let current = isCurrent(entry)
            guard entry.deadline <= now || !current else { break }
            timers.removeFirst()
            guard current else { continue }
            switch entry.owner {
            case .membership(let key, let port): membershipIsDue(key, port: port, now: now, &outgoing)
            case .router(let key, let port): routerIsDue(key, port: port, now: now)
            case .startup(let key, let port): startupIsDue(key, port: port, now: now, &outgoing)
            case .domain(let key): domainIsDue(key, now: now, &outgoing)
            }
        }
        counters.queriesSent += UInt64(outgoing.count)
        return outgoing
    }

    /// When `advance(to:)` must be called next; nil if nothing will ever be due. It may be earlier than necessary (a membership may have been renewed), but
    /// never later.
    public var nextDeadline: UInt64? { timers.first?.deadline }

    /// Number of entries in the timer queue, stale ones included.
    package var timerCount: Int { timers.entries.count }

    private func isOwn(_ frame: [UInt8]) -> Bool {
        guard frame.count >= HeaderSize.ethernet else { return false }
        return Octets(frame).mac(6) == mac
    }

    private func isCurrent(_ entry: TimerQueue.Entry) -> Bool {
        let slot =
            switch entry.owner {
            case .membership(let key, let port): groups[key]?[port]?.slot
            case .router(let key, let port): domains[key]?.routers[port]?.slot
            case .startup(let key, let port): domains[key]?.startups[port]?.slot
            case .domain(let key): domains[key]?.slot
            }
        return slot?.token == entry.token
    }

    private mutating func count(_ verdict: Verdict) {
        switch verdict {
        case .report, .refused: counters.reports += 1
        case .leave: counters.leaves += 1
        case .query: counters.queries += 1
        case .router: counters.routerSigns += 1
        case .ignored(let reason): counters.ignored[reason, default: 0] += 1
        case .malformed(let reason): counters.malformed[reason, default: 0] += 1
        }
    }
}
