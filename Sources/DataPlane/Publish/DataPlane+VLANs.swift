import Bridge
import Configuration
import Packet

/// What loops are told about VLANs.
extension DataPlane {
    /// What a port lets in, and with which tags frames leave by it; nil: its bridge has no VLANs.
    func vlans(of port: Port) -> UnsafeMutablePointer<PortVLANs>? {
        guard let bridge = bridges[port.settings.bridge], bridge.sets != nil else { return nil }
        let membership = PortMembership(port.settings.vlan)
        let table = UnsafeMutablePointer<PortVLANs>.allocate(capacity: 1)
        let own = vlanGuests[port.settings.name] ?? [:]
        table.initialize(to: PortVLANs(
            members: membership.members, untagged: membership.untagged, native: membership.native, takesAll: membership.takesAll,
            services: model.serviceVLANs(of: port.settings.bridge), losesTypes: port.link.driver == "net_af_packet", guests: own, otherwise: catchAllGuests[port.settings.name] ?? 0))
        return table
    }

    /// For each port and VLAN, the guest that owns all addresses there that belong to no other guest.
    var vlanGuests: [String: [Int: GuestIndex]] {
        var result: [String: [Int: GuestIndex]] = [:]
        for guest in effectiveGuests where guest.settings.macs.isEmpty {
            if let vlan = guest.settings.vlan { result[guest.settings.port, default: [:]][vlan] = guestIndices[guest.settings.name] }
        }
        return result
    }

    /// Builds the lists of ports to which frames are flooded anew for bridges whose VLANs have changed.
    func makeFloodSets() {
        let tagged = model.bridgesWithVLANs
        for name in bridges.keys {
            var members: [PortIndex: VLANSet] = [:]
            if tagged.contains(name) {
                for port in connectedPorts where port.settings.bridge == name { members[port.index] = PortMembership(port.settings.vlan).members }
            }
            let hasSets = tagged.contains(name)
            guard bridges[name]!.setMembers != members || (bridges[name]!.sets != nil) != hasSets else { continue }
            if let old = bridges[name]!.sets { retiredSets.append(old) }
            bridges[name]!.sets = hasSets ? FloodSets(members.map { (port: $0.key, vlans: $0.value) }) : nil
            bridges[name]!.setMembers = members
        }
    }

    /// Forgets what was learned in VLANs that ports are no longer in, and in VLANs that have become, or are no longer, service VLANs, as their tags differ on
    /// all ports. It is called once the loops know of the change.
    /// - Parameter old: the model before the change.
    func forgetVLANs(since old: Model) {
        let before = old.bridgesWithVLANs, after = model.bridgesWithVLANs
        let was = Dictionary(old.ports.map { ($0.name, $0) }) { first, _ in first }
        for name in bridges.keys where before.contains(name) != after.contains(name) { bridges[name]!.fdb.flushLearned() }
        for name in bridges.keys where before.contains(name) && after.contains(name) {
            let services = old.serviceVLANs(of: name), now = model.serviceVLANs(of: name)
            if services == now { continue }
            bridges[name]!.fdb.flushLearned { mac, _ in
                let vlan = Int(PortVLANs.vlan(of: mac))
                return services.contains(vlan) != now.contains(vlan)
            }
        }
        for port in ports.values where after.contains(port.settings.bridge) {
            guard let settings = was[port.settings.name], settings.vlan != port.settings.vlan else { continue }
            bridges[port.settings.bridge]?.fdb.flush(port: port.index)
        }
    }
}
