import Bridge
import Configuration
import Packet

// Configured addresses have one owner each, which loops know from the moment they have its leaves (`AddressOwners`). In the forwarding database an address is
// a static entry while its owner's port is up; until then it is learned from wherever it speaks, as a guest that is to migrate here still does elsewhere.

extension DataPlane {
    /// Makes what the model says about addresses, to be published together with its trees.
    func adoptOwners() {
        let wanted = wantedOwners()
        for (name, bridge) in bridges {
            let owned = wanted[name] ?? [:]
            if owned == bridge.owned { continue }
            bridges[name]!.owned = owned
            makeOwners(of: name)
        }
    }

    /// Has the loops know what a bridge's `owned` says, from the next snapshot on.
    func makeOwners(of name: String) {
        guard let bridge = bridges[name] else { return }
        retiredOwners.append(bridge.owners)
        bridges[name]!.owners = .create(bridge.owned.map { (mac: $0.key.value, value: FDBValue(staticPort: $0.value.port, guest: $0.value.guest)) })
    }

    private func wantedOwners() -> [String: [MACAddress: Binding]] {
        var wanted: [String: [MACAddress: Binding]] = [:]
        // A port that is lost keeps what it owns until it is back.
        let bridgeNames = Dictionary(model.ports.map { ($0.name, $0.bridge) }) { first, _ in first }
        for guest in effectiveGuests {
            guard let port = index(of: guest.settings.port), let bridge = bridgeNames[guest.settings.port], let index = guestIndices[guest.settings.name]
            else { continue }
            for mac in guest.settings.macs { wanted[bridge, default: [:]][mac] = Binding(port: port, guest: index) }
        }
        let catchAll = Dictionary(effectiveGuests.filter(\.isCatchAll).map { ($0.settings.port, $0.settings.name) }) { first, _ in first }
        for bridge in model.bridges {
            for entry in bridge.staticEntries {
                // An address that a guest has stays the guest's; here it could only be on the same port.
                guard let port = index(of: entry.port), wanted[bridge.name]?[entry.mac] == nil else { continue }
                let guest = catchAll[entry.port].flatMap { guestIndices[$0] } ?? 0
                wanted[bridge.name, default: [:]][entry.mac] = Binding(port: port, guest: guest)
            }
        }
        return wanted
    }

    /// Makes the forwarding databases hold a static entry for every configured address whose port is up, and no other.
    func bindAddresses() {
        let up = Set(ports.values.filter(\.link.isUp).map(\.index))
        unboundAddresses = []
        for (name, bridge) in bridges {
            var bound = bridge.bound
            for (mac, binding) in bridge.bound where !up.contains(binding.port) || bridge.owned[mac].map({ !up.contains($0.port) }) ?? true {
                bridge.fdb.removeStatic(mac: mac.value)
                bound[mac] = nil
            }
            for (mac, binding) in bridge.owned where up.contains(binding.port) && bound[mac] != binding {
                if bridge.fdb.addStatic(mac: mac.value, port: binding.port, guest: binding.guest) {
                    bound[mac] = binding
                } else {
                    unboundAddresses.append((name, mac))
                }
            }
            bridges[name]!.bound = bound
        }
    }

    /// What was learned names the guest it was learned for. Where a port's guests have changed, addresses behind it get the right one.
    func relabelAddresses() {
        var guests: [PortIndex: LearnedFor] = [:]
        for guest in effectiveGuests {
            guard let port = ports[guest.settings.port], let index = guestIndices[guest.settings.name] else { continue }
            guests[port.index, default: LearnedFor()].all.append(index)
            if guest.isCatchAll { guests[port.index]!.catchAll = index }
        }
        let changed = guests.filter { learnedFor[$0.key].map { [new = $0.value] in $0 != new } ?? false }
        learnedFor = guests
        if !changed.isEmpty { relabel(changed) }
    }

    func relabel(_ changed: [PortIndex: LearnedFor]) {
        for bridge in bridges.values {
            bridge.fdb.relabel { mac, value in
                guard let guests = changed[value.port] else { return value }
                let owner = bridge.owned[MACAddress(value: mac)]
                let guest = owner?.port == value.port ? owner!.guest : guests.catchAll
                return FDBValue(port: value.port, guest: guest, seen: value.seen)
            }
        }
    }

    /// Forgets what was learned behind ports whose guest or link has gone, and binds the addresses of those that came.
    func followLinks() {
        var lost: [Port] = [], changed = false
        for port in ports.values {
            let link = port.linkNow
            if link == port.link { continue }
            // Gone; or gone and come again since it was looked at.
            if port.link.isUp { lost.append(port) }
            port.link = link
            changed = true
        }
        guard changed else { return }
        if !lost.isEmpty {
            // Loops may be learning from the last burst.
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

    /// Forgets learned addresses: those behind `port`, or all of `bridge`, or all.
    /// - Returns: how many they were.
    public func flushAddresses(bridge: String? = nil, port: String? = nil) -> Int {
        if let port {
            guard let port = ports[port], bridge == nil || bridge == port.settings.bridge else { return 0 }
            return bridges[port.settings.bridge]?.fdb.flush(port: port.index) ?? 0
        }
        return bridges.reduce(0) { bridge == nil || bridge == $1.key ? $0 + $1.value.fdb.flushLearned() : $0 }
    }
}
