/// Memberships: how reports and leaves change them, and how they end.
extension GroupSnooper {
    /// Applies the records of a report and returns the verdict on it.
    mutating func receive(
        _ records: [Message.Record], version: Int, from port: UInt16, _ snooping: PortSnooping, vlan: UInt16, now: UInt64
    ) throws(Refusal) -> Verdict {
        var refusal: Verdict.Limit?
        var anyApplied = records.isEmpty
        for record in records where !record.group.isNeverRegistered {
            anyApplied = true
            if let limit = apply(record, version: version, from: port, snooping, vlan: vlan, now: now) {
                counters.refused[limit, default: 0] += 1
                refusal = limit
            }
        }
        guard anyApplied else { throw .ignored(.reservedGroup) }
        return refusal.map { .refused($0) } ?? .report
    }

    /// Applies a record of a report of protocol version `version`, or a leave message if that is nil. Returns the limit that prevented a new membership, if
    /// any.
    @discardableResult
    mutating func apply(
        _ record: Message.Record, version: Int?, from port: UInt16, _ snooping: PortSnooping, vlan: UInt16, now: UInt64
    ) -> Verdict.Limit? {
        let key = GroupKey(vlan: vlan, group: record.group)
        let family = record.group.family
        let isLeave = record.sources.isEmpty && (record.kind == .isInclude || record.kind == .toInclude)
        let known = groups[key]?[port]
        if known == nil {
            // There is no membership to leave, and a host does not join by blocking sources or by allowing none (RFC 3376, 6.4).
            let joins = record.kind == .isExclude || record.kind == .toExclude || record.kind != .block && !record.sources.isEmpty
            guard joins else { return nil }
            if let limit = limit(of: key, port: port, snooping) { return limit }
            groups[key, default: [:]][port] = Membership(since: now)
            groupCounts[port, default: 0] += 1
            self.version += 1
        }
        var membership = known ?? Membership(since: now)
        membership.expire(now: now)
        guard !membership.mustIgnore(record.kind, isLeave: isLeave, family: family, now: now) else { return nil }

        let reported = now.plusSaturating(settings.membershipInterval)
        let current = family == .ipv4 ? 3 : 2
        if let version, version < current { membership.note(hostVersion: version, until: reported) }
        // Older versions have no way to exclude sources, so the list is ignored (RFC 3376, 7.3.2; RFC 3810, 8.3.2).
        let ignoresList = record.kind == .toExclude && membership.hostVersion(family, now: now) < current
        let domain = domains[DomainKey(vlan: vlan, family: family)]
        let isOwn = domain?.isOwn == true
        // Without any querier the kernel lets the group expire as if it had asked; forwarding does not rely on memberships then.
        let isInCharge = isOwn || domain?.other == nil
        let lowered = snooping.fastLeave ? now : isInCharge ? now.plusSaturating(settings.lastMemberTime) : nil
        let times = Membership.Times(now: now, reported: reported, lowered: lowered)
        let shouldAsk = membership.apply(record.kind, ignoresList ? [] : record.sources, times, limit: settings.sourceLimit)
        if shouldAsk, isOwn, !snooping.fastLeave, membership.asksLeft == 0 {
            membership.asksLeft = settings.lastMemberCount
            membership.nextAsk = now
        }
        store(membership, key, port: port, now: now)
        return nil
    }

    /// A group that another router queries lasts only until its hosts have had the time to answer, since that router forgets it then, too (RFC 3376, 6.6.1).
    mutating func lower(_ key: GroupKey, _ sources: [GroupAddress], to lowered: UInt64, now: UInt64) {
        for (port, membership) in groups[key] ?? [:] {
            var membership = membership
            membership.expire(now: now)
            membership.lower(sources, to: lowered)
            store(membership, key, port: port, now: now)
        }
    }

    mutating func membershipIsDue(_ key: GroupKey, port: UInt16, now: UInt64, _ outgoing: inout [Outgoing]) {
        guard var membership = groups[key]?[port] else { return }
        membership.slot.wasTaken()
        membership.expire(now: now)
        if membership.asksLeft > 0, membership.nextAsk <= now, membership.end > now {
            if domains[DomainKey(vlan: key.vlan, family: key.group.family)]?.isOwn == true {
                membership.asksLeft -= 1
                membership.nextAsk = now.plusSaturating(max(settings.lastMemberInterval, 1))
                outgoing.append(Outgoing(frame: queries.query(key.group.family, group: key.group), vlan: key.vlan, port: port))
            } else {
                // Another querier was elected meanwhile, so it is no longer the bridge that asks.
                membership.asksLeft = 0
            }
        }
        store(membership, key, port: port, now: now)
    }

    /// Removes a membership.
    mutating func remove(_ key: GroupKey, port: UInt16) {
        guard groups[key]?.removeValue(forKey: port) != nil else { return }
        if groups[key]?.isEmpty == true { groups[key] = nil }
        groupCounts[port, default: 1] -= 1
        if groupCounts[port] == 0 { groupCounts[port] = nil }
        version += 1
    }

    /// Stores a membership and sets its timer, or removes it if nothing of it remains.
    private mutating func store(_ membership: Membership, _ key: GroupKey, port: UInt16, now: UInt64) {
        guard membership.end > now else { return remove(key, port: port) }
        var membership = membership
        timers.arm(&membership.slot, at: membership.deadline, for: .membership(key, port: port))
        groups[key]?[port] = membership
    }

    /// The limit that one more membership would exceed; nil if none.
    private func limit(of key: GroupKey, port: UInt16, _ snooping: PortSnooping) -> Verdict.Limit? {
        if let limit = snooping.groupLimit ?? settings.portGroupLimit, groupCounts[port, default: 0] >= limit { return .groupsOfPort }
        return groups[key] == nil && groups.count >= settings.groupLimit ? .groupsOfBridge : nil
    }
}
