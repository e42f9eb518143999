/// Queries: those of other queriers, the election, and the bridge's own.
extension GroupSnooper {
    var queries: QueryWriter { QueryWriter(mac: mac, settings: settings) }

    mutating func receive(_ query: Message.Query, port: UInt16, vlan: UInt16, now: UInt64) {
        if let group = query.group {
            guard !query.suppressesTimers, !group.isNeverRegistered else { return }
            let lowered = now.plusSaturating(query.responseTime.timesSaturating(settings.lastMemberCount))
            return lower(GroupKey(vlan: vlan, group: group), query.sources, to: lowered, now: now)
        }
        let key = DomainKey(vlan: vlan, family: query.family)
        guard var domain = domains[key] else { return }
        if wins(query.source, domain) {
            domain.other = Domain.Other(
                address: query.source, port: port, version: query.version, until: now.plusSaturating(settings.otherQuerierInterval))
            update(&domain, key, now: now, delay: min(query.responseTime, settings.otherQuerierInterval))
        }
        domains[key] = domain
        // The port is marked even if the querier lost the election, because it may be a router. It is also marked if the querier has no address. This deviates
        // from RFC 4541, 2.1.1, but follows the kernel: a bridge that sends queries without an address must receive the reports of this bridge's hosts, or it
        // would not send their groups this way.
        markRouter(port, key, now: now)
    }

    /// The election (RFC 2236, 3; RFC 2710, 4): whether `source` becomes or remains the elected other querier.
    private func wins(_ source: GroupAddress, _ domain: Domain) -> Bool {
        if let other = domain.other { return !ranksBefore(other.address, source) }
        return settings.querier != .auto || ranksBefore(source, queries.ownAddress(source.family))
    }

    /// Whether `a` wins the election against `b`: the lower address does, but 0.0.0.0 never wins (RFC 4541, 2.1.1).
    private func ranksBefore(_ a: GroupAddress, _ b: GroupAddress) -> Bool {
        if a.ipv4 == 0 { return false }
        return b.ipv4 == 0 || a < b
    }

    /// Adjusts what the bridge itself does to the settings and to the other querier. If there was no querier before, `delay` is the time that hosts have to
    /// answer the one just found.
    mutating func update(_ domain: inout Domain, _ key: DomainKey, now: UInt64, delay: UInt64) {
        if settings.querier == .auto, let other = domain.other, !ranksBefore(other.address, queries.ownAddress(key.family)) { domain.other = nil }
        let isOwn = settings.querier == .on || settings.querier == .auto && domain.other == nil
        if isOwn, domain.nextQuery == nil {
            domain.startupLeft = max(settings.robustness, 1)
            domain.nextQuery = now
        } else if !isOwn {
            domain.nextQuery = nil
            domain.startups = [:]
        }
        if !isOwn && domain.other == nil {
            if domain.isSettled { version += 1 }
            domain.isSettled = false
            domain.settledAt = nil
        } else if domain.settledAt == nil {
            domain.settledAt = now.plusSaturating(delay)
        }
        timers.arm(&domain.slot, at: domain.deadline, for: .domain(key))
    }

    mutating func domainIsDue(_ key: DomainKey, now: UInt64, _ outgoing: inout [Outgoing]) {
        guard var domain = domains[key] else { return }
        domain.slot.wasTaken()
        if let other = domain.other, other.until <= now { domain.other = nil }
        update(&domain, key, now: now, delay: settings.queryResponseInterval)
        if let next = domain.nextQuery, next <= now {
            outgoing.append(Outgoing(frame: queries.query(key.family, group: nil), vlan: key.vlan, port: nil))
            domain.startupLeft = max(domain.startupLeft - 1, 0)
            domain.nextQuery = now.plusSaturating(max(domain.startupLeft > 0 ? settings.startupQueryInterval : settings.queryInterval, 1))
        }
        if let settledAt = domain.settledAt, settledAt <= now, !domain.isSettled {
            domain.isSettled = true
            version += 1
        }
        // `update` may have set the timer to a deadline that has been dealt with since.
        domain.slot.wasTaken()
        timers.arm(&domain.slot, at: domain.deadline, for: .domain(key))
        domains[key] = domain
    }

    /// Begins startup queries through a port that came up, so that its memberships are known before the next query to all ports (the kernel's
    /// br_multicast_enable_port).
    mutating func startQueries(_ key: DomainKey, port: UInt16, now: UInt64) {
        guard var domain = domains[key], let next = domain.nextQuery, next > now else { return }
        var startup = Domain.Startup(left: max(settings.robustness, 1), next: now)
        timers.arm(&startup.slot, at: now, for: .startup(key, port: port))
        domain.startups[port] = startup
        domains[key] = domain
    }

    mutating func startupIsDue(_ key: DomainKey, port: UInt16, now: UInt64, _ outgoing: inout [Outgoing]) {
        guard var startup = domains[key]?.startups[port] else { return }
        startup.slot.wasTaken()
        outgoing.append(Outgoing(frame: queries.query(key.family, group: nil), vlan: key.vlan, port: port))
        startup.left -= 1
        startup.next = now.plusSaturating(max(settings.startupQueryInterval, 1))
        timers.arm(&startup.slot, at: startup.left > 0 ? startup.next : .max, for: .startup(key, port: port))
        domains[key]?.startups[port] = startup.left > 0 ? startup : nil
    }
}
