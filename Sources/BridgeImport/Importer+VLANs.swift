import Configuration
import Packet

extension Importer {
    mutating func importVLANs() {
        guard bridge.vlanFiltering else { return }
        if bridge.vlanProtocol == 0x88a8 {
            lose(
                bridge.name, "the bridge's VLANs have tags of type 0x88a8; in Sluice such are the service VLANs of single ports",
                quote: "vlan_protocol 802.1ad")
        }
        var all: [(name: String, port: String, vlans: [KernelVLAN])] = bridge.ports.compactMap { port in ports[port.name].map { (port.name, $0, port.vlans) } }
        if let host = ports[bridge.name] {
            // Behind the host's tap stand all ports that stay with the kernel's bridge; the tap takes the place of what leads to the wire.
            let wire = taps == .ports ? nil : bridge.ports.first { isMoved($0) }
            all.append((bridge.name, host, wire?.vlans ?? bridge.vlans))
        }
        let used = Set(all.flatMap { $0.vlans.map(\.id) })
        for item in all {
            guard let index = model.ports.firstIndex(where: { $0.name == item.port }) else { continue }
            model.ports[index].vlan = vlan(of: item.name, item.vlans, used)
        }
    }

    private mutating func vlan(of name: String, _ vlans: [KernelVLAN], _ used: Set<Int>) -> PortVLAN? {
        let pvid = vlans.first(where: \.isPVID), untagged = vlans.filter(\.isUntagged)
        func words(_ vlan: KernelVLAN) -> String { "vlan \(vlan.id)\(vlan.isPVID ? " PVID" : "")\(vlan.isUntagged ? " Egress Untagged" : "")" }
        if vlans.isEmpty {
            // Not even VLAN 1, in which Sluice puts a port that says nothing.
            guard let free = VLANSet.identifiers.reversed().first(where: { !used.contains($0) }) else {
                lose(name, "the port is in no VLAN, and none is free that it could be in alone")
                return nil
            }
            decide(name, "the port is in no VLAN and passes nothing: it is alone in VLAN \(free), which no other port has", quote: "\(name): no VLANs")
            return .access(free)
        }
        for vlan in untagged where !vlan.isPVID {
            lose(name, "frames leave without a tag in the port's native VLAN only: those of VLAN \(vlan.id) leave with one", quote: words(vlan))
        }
        if let pvid, !pvid.isUntagged {
            lose(
                name,
                "frames that come in without a tag belong to VLAN \(pvid.id), whose frames leave with a tag:"
                    + " Sluice would let them leave without one, so they are not let in",
                quote: words(pvid))
        }
        let native = pvid.flatMap { $0.isUntagged ? $0.id : nil }
        let tagged = VLANSet(vlans.lazy.map(\.id).filter { $0 != native })
        if tagged.isEmpty, let native { return .access(native) }
        return .trunk(tagged, native: native)
    }

    mutating func importEntries() {
        var seen: Set<StaticEntry> = []
        for entry in bridge.entries {
            guard entry.state != .learned || entry.isExternal else { continue }
            if entry.state == .local, !isOfHost(entry) { continue }
            if entry.mac.isMulticast || entry.mac.isZero { continue }
            let state = entry.state == .local ? "permanent" : entry.state == .fixed ? "static" : "extern_learn"
            let words = "\(entry.mac) dev \(entry.port)\(entry.vlan.map { " vlan \($0)" } ?? "") master \(bridge.name) \(state)"
            if entry.state == .learned {
                lose(entry.port, "entries of a control plane's are learned like others", quote: words)
                continue
            }
            // A local entry's frames go to the host, whatever port it names. Ports that stay with the kernel's bridge are behind the host's tap.
            let device = entry.state == .local ? bridge.name : entry.port
            guard let port = ports[device] ?? (taps == .behindHost ? ports[bridge.name] : nil) else {
                lose(entry.port, "the entry is for a port that is not there", quote: words)
                continue
            }
            if entry.isSticky { decide(entry.port, "a sticky entry becomes a static one", quote: words + " sticky") }
            var vlan = bridge.vlanFiltering ? entry.vlan : nil
            if bridge.vlanFiltering, let settings = model.ports.first(where: { $0.name == port }) {
                let membership = PortMembership(settings.vlan)
                // An entry without a VLAN is one for untagged frames of a port, which has to have a VLAN for them.
                if vlan == nil, membership.native == nil { continue }
                if let id = vlan, !membership.members.contains(id) {
                    lose(entry.port, "the entry is for a VLAN that the port is not in", quote: words)
                    continue
                }
                if vlan == nil { vlan = membership.native }
            }
            let made = StaticEntry(mac: entry.mac, port: port, vlan: vlan)
            if let owner = owners[entry.mac], model.guests[owner].port != port {
                lose(entry.port, "the address is guest \(model.guests[owner].name)'s, on another port", quote: words)
                continue
            }
            if seen.insert(StaticEntry(mac: entry.mac, port: "", vlan: vlan)).inserted { settings.staticEntries.append(made) }
        }
        let needed = settings.staticEntries.count + owners.count
        if needed > settings.fdbSize { settings.fdbSize = min(2 * needed, 16_777_216) }
        checkLocked()
    }

    /// `locked` needs to know somebody who may send.
    private mutating func checkLocked() {
        for index in model.ports.indices where model.ports[index].rules.locked {
            let name = model.ports[index].name
            if settings.staticEntries.contains(where: { $0.port == name }) || model.guests.contains(where: { $0.port == name && !$0.macs.isEmpty }) { continue }
            model.ports[index].rules.locked = false
            lose(name, "the port is locked, and no address is known that may send there: write macs for its guest, and locked: true", quote: "locked on")
        }
    }
}
