/// A guest as the data plane has to serve it; every port has at least one.
public struct EffectiveGuest: Equatable, Sendable {
    public var settings: GuestSettings
    /// Serves every address of its port that belongs to no other guest of that port, and frames flooded to the port; but in VLANs that a guest without
    /// addresses has, that one does. Exactly one guest of each port is it.
    public var isCatchAll: Bool
    /// True: not written by the operator, made because the port has no guest for such addresses.
    public var isImplicit: Bool
}

extension Model {
    /// All guests in the order of ports, then of `guests`, the catch-all last within its port.
    ///
    /// The catch-all of a port is its guest without addresses and VLAN; or its only guest, unless that has a VLAN; or, made here, `PORT` where the port
    /// has no guests and `PORT:others` where all it has have addresses or VLANs.
    public var effectiveGuests: [EffectiveGuest] {
        let byPort = Dictionary(grouping: guests, by: \.port)
        return ports.flatMap { Self.effectiveGuests(of: $0.name, byPort[$0.name] ?? []) }
    }

    /// - Parameter own: the port's guests in the order of `guests`.
    static func effectiveGuests(of port: String, _ own: [GuestSettings]) -> [EffectiveGuest] {
        if own.count == 1, own[0].vlan == nil { return [EffectiveGuest(settings: own[0], isCatchAll: true, isImplicit: false)] }
        var result = own.filter { !$0.servesAll }.map { EffectiveGuest(settings: $0, isCatchAll: false, isImplicit: false) }
        if let rest = own.first(where: \.servesAll) {
            result.append(EffectiveGuest(settings: rest, isCatchAll: true, isImplicit: false))
        } else {
            let name = own.isEmpty ? port : port + ":others"
            result.append(EffectiveGuest(settings: GuestSettings(name: name, port: port), isCatchAll: true, isImplicit: true))
        }
        return result
    }
}

extension GuestSettings {
    /// Every address of its port that no other guest has.
    var servesAll: Bool { macs.isEmpty && vlan == nil }
}

extension PortSettings {
    public var isPhysical: Bool {
        if case .physical = kind { true } else { false }
    }

    /// Bytes of the largest frame: the MTU, the Ethernet header and two VLAN tags.
    public var largestFrame: Int { options.mtu + 22 }
    /// Of a port with the usual MTU.
    static var usualLargestFrame: Int { 1_522 }
}
