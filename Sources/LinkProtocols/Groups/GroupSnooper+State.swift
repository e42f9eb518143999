/// What the snooper knows, for forwarding and for display.
extension GroupSnooper {
    /// All groups that have members, in no particular order.
    public var membership: [GroupPorts] { groups.map { GroupPorts(vlan: $0.vlan, group: $0.group, ports: $1.keys.sorted()) } }

    /// The ports that listen to a group, ascending.
    public func ports(of group: GroupAddress, vlan: UInt16) -> [UInt16] { groups[GroupKey(vlan: vlan, group: group)]?.keys.sorted() ?? [] }

    /// The ports of a VLAN with routers behind them, ascending.
    public func routerPorts(vlan: UInt16, family: GroupFamily) -> [UInt16] { routers(DomainKey(vlan: vlan, family: family), now: 0).map(\.port) }

    /// Whether memberships can be relied upon: there is a querier, and hosts have had the time to answer it (the kernel's br_multicast_querier_exists).
    public func hasQuerier(vlan: UInt16, family: GroupFamily) -> Bool { domains[DomainKey(vlan: vlan, family: family)]?.isSettled ?? false }

    /// All memberships, sorted by VLAN, group and port.
    public func memberships(now: UInt64) -> [MembershipEntry] {
        let keys = groups.keys.sorted { ($0.vlan, $0.group) < ($1.vlan, $1.group) }
        return keys.flatMap { key in
            let members = groups[key, default: [:]].sorted { $0.key < $1.key }
            return members.map { entry($0.value, key, port: $0.key, now: now) }
        }
    }

    /// All ports with routers, sorted by VLAN, family and port.
    public func routers(now: UInt64) -> [RouterEntry] { domainKeys.flatMap { routers($0, now: now) } }

    /// The queriers of all VLANs, sorted by VLAN and family.
    public func queriers(now: UInt64) -> [QuerierEntry] {
        domainKeys.map { key in
            let domain = domains[key, default: Domain()]
            return QuerierEntry(
                vlan: key.vlan, family: key.family, isOwn: domain.isOwn, ownAddress: queries.ownAddress(key.family),
                nextQuery: domain.nextQuery.map { left($0, now) },
                other: domain.other.map { .init(address: $0.address, port: $0.port, version: $0.version, timeLeft: left($0.until, now)) },
                isSettled: domain.isSettled)
        }
    }

    private var domainKeys: [DomainKey] { domains.keys.sorted { ($0.vlan, $0.family.rawValue) < ($1.vlan, $1.family.rawValue) } }

    private func left(_ deadline: UInt64, _ now: UInt64) -> UInt64 { deadline > now ? deadline - now : 0 }

    private func routers(_ key: DomainKey, now: UInt64) -> [RouterEntry] {
        let always = (vlans[key.vlan] ?? []).filter { ports[$0]?.router == .always }
        let fixed = always.map { RouterEntry(vlan: key.vlan, family: key.family, port: $0, timeLeft: nil) }
        let heard = (domains[key]?.routers ?? [:]).map {
            RouterEntry(vlan: key.vlan, family: key.family, port: $0.key, timeLeft: left($0.value.until, now))
        }
        return (fixed + heard).sorted { $0.port < $1.port }
    }

    private func entry(_ kept: Membership, _ key: GroupKey, port: UInt16, now: UInt64) -> MembershipEntry {
        var membership = kept
        membership.expire(now: now)
        return MembershipEntry(
            vlan: key.vlan, group: key.group, port: port, timeLeft: left(kept.end, now), age: left(now, membership.since),
            excludes: membership.excludeUntil != nil,
            sources: membership.sources.map { .init(address: $0.address, timeLeft: $0.until > now ? left($0.until, now) : nil) },
            sourcesLeftOut: membership.unlistedUntil > now || membership.excludesUnlisted,
            hostVersion: membership.hostVersion(key.group.family, now: now), isAsking: membership.asksLeft > 0,
            fastLeave: ports[port]?.fastLeave ?? false)
    }
}
