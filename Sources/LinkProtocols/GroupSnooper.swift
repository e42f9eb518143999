import Packet

/// Who listens to which multicast group behind which port of a bridge, told from IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810)
/// as RFC 4541 and the kernel's bridge (net/bridge/br_multicast.c) do it, and the bridge's own querier.
///
/// Frames and times go in, decisions and queries come out: it has no clock and does no input or output. Times are nanoseconds of any
/// clock that never goes back. It is for one bridge; each VLAN has its own memberships, routers and queriers. What is forwarded is a
/// matter of VLAN and group, whatever the source.
///
/// How forwarding uses it: while `hasQuerier(vlan:family:)` is false, all groups go to all ports. Otherwise a group goes to its
/// `membership` and to `routerPorts`, one that nobody is a member of goes to `routerPorts` alone, and groups that are never registered
/// (`GroupAddress.isNeverRegistered`) go to all ports. All of this stays as it is while `version` does.
///
/// Memory is bounded by `SnoopingSettings.groupLimit` times the ports of the bridge; each membership by `sourceLimit`. A record costs the
/// same however many memberships there are.
public struct GroupSnooper: Sendable {
    public internal(set) var settings: SnoopingSettings
    /// The source of the bridge's queries. Frames from it are the bridge's own.
    public let mac: MACAddress
    public internal(set) var counters = SnoopingCounters()
    /// Grows whenever `membership`, `routerPorts` or `hasQuerier` change.
    public internal(set) var version: UInt64 = 0

    var ports: [UInt16: PortSnooping] = [:]
    var vlans: [UInt16: Set<UInt16>] = [:]
    /// By group and port; no group is without ports.
    var groups: [GroupKey: [UInt16: Membership]] = [:]
    /// How many of these each port has.
    package internal(set) var groupCounts: [UInt16: Int] = [:]
    /// Two for each VLAN.
    var domains: [DomainKey: Domain] = [:]
    var timers = TimerQueue()

    public init(settings: SnoopingSettings, mac: MACAddress, now: UInt64) {
        self.settings = settings
        self.mac = mac
    }

    /// Takes a whole Ethernet frame with up to two tags that came in by `port` and belongs to `vlan`. Queries that it leads to are due at
    /// once: see `nextDeadline`.
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
        if timers.isLarge { timers.keep(timers.entries.filter { isCurrent($0) }) }
        return verdict
    }

    /// Lets time pass: what is due up to `now` ends, and the queries due are returned.
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

    /// When to call `advance(to:)` next; nil: nothing is due ever. It may be early (a membership may have been renewed meanwhile), never late.
    public var nextDeadline: UInt64? { timers.first?.deadline }

    /// Entries of the timers' queue, stale ones included.
    package var timerCount: Int { timers.entries.count }

    private func isOwn(_ frame: [UInt8]) -> Bool {
        guard frame.count >= HeaderSize.ethernet else { return false }
        let octets = Octets(frame)
        return UInt64(octets.bigEndian16(6)) << 32 | UInt64(octets.bigEndian32(8)) == mac.value
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
