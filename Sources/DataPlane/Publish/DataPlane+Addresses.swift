import Bridge
import Configuration
import Packet

// Each configured address has one owner, which loops know from the moment they have the owner's leaves (`AddressOwners`). In the forwarding database, the
// address is a static entry only while its owner's port is up. Until then it is learned wherever it is seen, as a guest that is to migrate here still sends
// from elsewhere.

extension DataPlane {
    /// Works out the owners of addresses from the model. They are published together with the model's trees.
    func adoptOwners() {
        let wanted = wantedOwners()
        for (name, bridge) in bridges {
            let owned = wanted[name] ?? [:]
            if owned == bridge.owned { continue }
            bridges[name]!.owned = owned
            makeOwners(of: name)
        }
    }

    /// Makes the loops' table of what a bridge's `owned` says; they get it with the next snapshot.
    func makeOwners(of name: String) {
        guard let bridge = bridges[name] else { return }
        retiredOwners.append(bridge.owners)
        bridges[name]!.owners = .create(bridge.owned.map { (mac: $0.key.key, value: FDBValue(staticPort: $0.value.port, guest: $0.value.guest)) })
    }

    private func wantedOwners() -> [String: [Station: Binding]] {
        var wanted: [String: [Station: Binding]] = [:]
        // A port that is lost keeps its addresses until it is back.
        let bridgeNames = Dictionary(model.ports.map { ($0.name, $0.bridge) }) { first, _ in first }
        for guest in effectiveGuests {
            guard let port = index(of: guest.settings.port), let bridge = bridgeNames[guest.settings.port], let index = guestIndices[guest.settings.name]
            else { continue }
            for mac in guest.settings.macs { wanted[bridge, default: [:]][Station(mac, vlan: guest.settings.vlan)] = Binding(port: port, guest: index) }
        }
        let catchAll = Dictionary(effectiveGuests.filter(\.isCatchAll).map { ($0.settings.port, $0.settings.name) }) { first, _ in first }
        let tagged = model.bridgesWithVLANs, vlanGuests = vlanGuests
        let settings = Dictionary(model.ports.map { ($0.name, $0) }) { first, _ in first }
        for bridge in model.bridges {
            for entry in bridge.staticEntries {
                // An address that belongs to a guest stays the guest's; a static entry for it could only be on the same port.
                let native = tagged.contains(bridge.name) ? settings[entry.port].flatMap { PortMembership($0.vlan).native } : nil
                let station = Station(entry.mac, vlan: entry.vlan ?? native)
                guard let port = index(of: entry.port), wanted[bridge.name]?[station] == nil, wanted[bridge.name]?[Station(entry.mac)]?.port != port else { continue }
                let guest = vlanGuests[entry.port]?[Int(station.vlan)] ?? catchAll[entry.port].flatMap { guestIndices[$0] } ?? 0
                wanted[bridge.name, default: [:]][station] = Binding(port: port, guest: guest)
            }
        }
        return wanted
    }

    /// Makes each forwarding database hold a static entry for every configured address whose port is up, and no others.
    func bindAddresses() {
        let up = Set(ports.values.filter(\.sight.isUp).map(\.index))
        unboundAddresses = []
        for (name, bridge) in bridges {
            let wanted = entries(of: bridge, named: name)
            var bound = bridge.bound
            for (station, binding) in bridge.bound where !up.contains(binding.port) || wanted[station].map({ !up.contains($0.port) }) ?? true {
                bridge.fdb.removeStatic(mac: station.key)
                bound[station] = nil
            }
            for (station, binding) in wanted where up.contains(binding.port) && bound[station] != binding {
                if bridge.fdb.addStatic(mac: station.key, port: binding.port, guest: binding.guest) {
                    bound[station] = binding
                } else {
                    unboundAddresses.append((name, station.mac, station.vlan == 0 ? nil : Int(station.vlan)))
                }
            }
            bridges[name]!.bound = bound
        }
    }

    /// The static entries that a bridge's database is to have while their ports are up. An address that is meant in all VLANs of its port gets an entry in the
    /// VLAN of frames without a tag; in the others it is learned like any address, but only from its owner's port.
    private func entries(of bridge: BridgeState, named name: String) -> [Station: Binding] {
        guard model.bridgesWithVLANs.contains(name) else { return bridge.owned }
        let natives = Dictionary(uniqueKeysWithValues: ports.values.map { ($0.index, PortMembership($0.settings.vlan).native) })
        var result: [Station: Binding] = [:]
        for (station, binding) in bridge.owned where station.vlan == 0 {
            if let native = natives[binding.port] ?? nil { result[Station(station.mac, vlan: native)] = binding }
        }
        for (station, binding) in bridge.owned where station.vlan != 0 { result[station] = binding }
        return result
    }

    /// A learned entry names the guest that it was learned for. Where the guests of a port have changed, this gives the entries behind it the right guest.
    func relabelAddresses() {
        var guests: [PortIndex: LearnedFor] = [:]
        for guest in effectiveGuests {
            guard let port = ports[guest.settings.port], let index = guestIndices[guest.settings.name] else { continue }
            guests[port.index, default: LearnedFor()].all.append(index)
            if guest.isCatchAll { guests[port.index]!.catchAll = index }
            if let vlan = guest.settings.vlan, guest.settings.macs.isEmpty { guests[port.index]!.byVLAN[UInt16(vlan)] = index }
        }
        let changed = guests.filter { learnedFor[$0.key].map { [new = $0.value] in $0 != new } ?? false }
        learnedFor = guests
        if !changed.isEmpty { relabel(changed) }
    }

    func relabel(_ changed: [PortIndex: LearnedFor]) {
        for bridge in bridges.values {
            bridge.fdb.relabel { mac, value in
                guard let guests = changed[value.port] else { return value }
                let station = Station(key: mac)
                let owner = bridge.owned[station] ?? bridge.owned[Station(station.mac)]
                let guest = owner?.port == value.port ? owner!.guest : guests.guest(of: station.vlan)
                return FDBValue(port: value.port, guest: guest, seen: value.seen)
            }
        }
    }

    /// Forgets what was learned behind ports whose guest or link has gone, and binds the addresses of ports that have come up.
    func followLinks() {
        var lost: [Port] = [], changed = false
        for port in ports.values {
            let link = port.sightNow
            if link == port.sight { continue }
            // The link was lost: it is down, or it went down and came up again since it was last looked at.
            if port.sight.isUp { lost.append(port) }
            port.sight = link
            changed = true
        }
        guard changed else { return }
        followGroupPorts()
        followDiscovery()
        if !lost.isEmpty {
            // Loops may still be learning addresses from their last burst.
            runtime.grace.wait()
            for port in lost { forget(behind: port) }
        }
        bindAddresses()
    }

    private func forget(behind port: Port) {
        let name = port.settings.bridge
        guard let bridge = bridges[name] else { return }
        bridge.fdb.flush(port: port.index, statics: true)
        bridges[name]!.bound = bridge.bound.filter { $0.value.port != port.index }
    }

    /// Forgets learned addresses: those behind `port`, those of `bridge`, or all of them; in each case of one VLAN, or of all.
    /// - Returns: how many addresses were forgotten.
    public func flushAddresses(bridge: String? = nil, port: String? = nil, vlan: Int? = nil) -> Int {
        let vlan = vlan.map { UInt16($0) }
        if let port {
            guard let port = ports[port], bridge == nil || bridge == port.settings.bridge else { return 0 }
            return bridges[port.settings.bridge]?.fdb.flushLearned { key, value in
                value.port == port.index && (vlan.map { PortVLANs.vlan(of: key) == $0 } ?? true)
            } ?? 0
        }
        return bridges.reduce(0) { sum, entry in
            guard bridge == nil || bridge == entry.key else { return sum }
            return sum + entry.value.fdb.flushLearned { key, _ in vlan.map { PortVLANs.vlan(of: key) == $0 } ?? true }
        }
    }
}
