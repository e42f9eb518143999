import Bridge
import Configuration
import Packet

extension DataPlane {
    /// Makes the forwarding databases hold an entry for every configured address, and no other static one.
    func bindAddresses(_ old: Model) {
        var wanted: [String: [MACAddress: Binding]] = [:]
        for guest in model.effectiveGuests {
            guard let port = ports[guest.settings.port], let index = guestIndices[guest.settings.name] else { continue }
            for mac in guest.settings.macs { wanted[port.settings.bridge, default: [:]][mac] = Binding(port: port.index, guest: index) }
        }
        let catchAll = Dictionary(model.effectiveGuests.filter(\.isCatchAll).map { ($0.settings.port, $0.settings.name) }) { first, _ in first }
        for bridge in model.bridges {
            for entry in bridge.staticEntries {
                // An address that a guest has stays the guest's; here it could only be on the same port.
                guard let port = ports[entry.port], wanted[bridge.name]?[entry.mac] == nil else { continue }
                let guest = catchAll[entry.port].flatMap { guestIndices[$0] } ?? 0
                wanted[bridge.name, default: [:]][entry.mac] = Binding(port: port.index, guest: guest)
            }
        }
        let guestsMoved = old.effectiveGuests.map(Whereabouts.init) != model.effectiveGuests.map(Whereabouts.init)
        unboundAddresses = []
        for (name, bridge) in bridges {
            var wanted = wanted[name] ?? [:]
            for (mac, binding) in bridge.bound where wanted[mac] != binding { bridge.fdb.removeStatic(mac: mac.value) }
            for (mac, binding) in wanted where bridge.bound[mac] != binding {
                if !bridge.fdb.addStatic(mac: mac.value, port: binding.port, guest: binding.guest) {
                    unboundAddresses.append((name, mac))
                    wanted[mac] = nil
                }
            }
            bridges[name]!.bound = wanted
            // What was learned names the guest it was learned for; after guests came or went it is learned anew.
            if guestsMoved { for port in ports.values where port.settings.bridge == name { bridge.fdb.flush(port: port.index) } }
        }
    }

    private struct Whereabouts: Equatable {
        var name: String, port: String, isCatchAll: Bool
        init(_ guest: EffectiveGuest) {
            name = guest.settings.name
            port = guest.settings.port
            isCatchAll = guest.isCatchAll
        }
    }
}
