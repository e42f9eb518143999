/// Ports behind which routers were heard (RFC 4541, 2.1.1; the kernel's br_multicast_mark_router).
extension GroupSnooper {
    mutating func markRouter(_ port: UInt16, _ key: DomainKey, now: UInt64) {
        guard ports[port]?.router == .auto, var domain = domains[key] else { return }
        if domain.routers[port] == nil { version += 1 }
        var router = domain.routers[port] ?? Domain.Router(until: now)
        router.until = now.plusSaturating(settings.otherQuerierInterval)
        timers.arm(&router.slot, at: router.until, for: .router(key, port: port))
        domain.routers[port] = router
        domains[key] = domain
    }

    mutating func routerIsDue(_ key: DomainKey, port: UInt16, now: UInt64) {
        guard var router = domains[key]?.routers[port] else { return }
        guard router.until > now else { return forgetRouter(key, port: port) }
        router.slot.wasTaken()
        timers.arm(&router.slot, at: router.until, for: .router(key, port: port))
        domains[key]?.routers[port] = router
    }

    /// Forgets that a router was heard through a port.
    mutating func forgetRouter(_ key: DomainKey, port: UInt16) {
        if domains[key]?.routers.removeValue(forKey: port) != nil { version += 1 }
    }
}
