/// Configuration: the settings, ports and VLANs of the bridge.
extension GroupSnooper {
    /// Changes the settings. What is known is kept, and deadlines that are already set do not change.
    public mutating func set(_ settings: SnoopingSettings, now: UInt64) {
        self.settings = settings
        for key in sortedDomains { update(key, now: now) }
    }

    /// Adds a port that is up, or changes how it takes part. Nil says that the port is gone or down: what was learned through it is forgotten, including a
    /// querier that was heard there.
    public mutating func set(port: UInt16, _ snooping: PortSnooping?, now: UInt64) {
        let before = ports[port]
        guard before != snooping else { return }
        ports[port] = snooping
        let member = vlans.keys.sorted().filter { vlans[$0]?.contains(port) == true }
        guard let snooping else {
            forget(port, in: member, now: now)
            if before?.router == .always { version += 1 }
            return
        }
        if snooping.router != .auto { for key in keys(of: member) { forgetRouter(key, port: port) } }
        if (before?.router == .always) != (snooping.router == .always) { version += 1 }
        if before == nil { for key in keys(of: member) { startQueries(key, port: port, now: now) } }
    }

    /// Sets the VLANs and the ports in each; a bridge without VLANs has VLAN 0 with all of its ports. What is known about other VLANs, or about ports that are
    /// no longer in one, is forgotten. Before the first call there are no VLANs.
    public mutating func set(vlans: [UInt16: Set<UInt16>], now: UInt64) {
        let before = self.vlans
        guard before != vlans else { return }
        self.vlans = vlans
        // Ports that are configured as router ports are so in each of their VLANs, so the change may affect `routerPorts`.
        version += 1
        for vlan in before.keys.sorted() {
            for port in before[vlan, default: []].subtracting(vlans[vlan] ?? []).sorted() { forget(port, in: [vlan], now: now) }
            if vlans[vlan] == nil { for key in keys(of: [vlan]) { domains[key] = nil } }
        }
        for vlan in vlans.keys.sorted() {
            for key in keys(of: [vlan]) {
                if domains[key] == nil {
                    domains[key] = Domain()
                    update(key, now: now)
                } else {
                    for port in vlans[vlan, default: []].subtracting(before[vlan] ?? []).sorted() where ports[port] != nil {
                        startQueries(key, port: port, now: now)
                    }
                }
            }
        }
    }

    private var sortedDomains: [DomainKey] { keys(of: vlans.keys.sorted()) }

    private func keys(of vlans: [UInt16]) -> [DomainKey] { vlans.flatMap { vlan in GroupFamily.allCases.map { DomainKey(vlan: vlan, family: $0) } } }

    private mutating func update(_ key: DomainKey, now: UInt64) {
        guard var domain = domains[key] else { return }
        update(&domain, key, now: now, delay: settings.queryResponseInterval)
        domains[key] = domain
    }

    private mutating func forget(_ port: UInt16, in vlans: [UInt16], now: UInt64) {
        let left = Set(vlans)
        for key in groups.keys where left.contains(key.vlan) { remove(key, port: port) }
        for key in keys(of: vlans) {
            forgetRouter(key, port: port)
            domains[key]?.startups[port] = nil
            if domains[key]?.other?.port == port {
                domains[key]?.other = nil
                update(key, now: now)
            }
        }
    }
}
