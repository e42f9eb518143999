/// A guest as the data plane serves it. Every port has at least one.
public struct EffectiveGuest: Equatable, Sendable {
    public var settings: GuestSettings
    /// Whether this guest gets all frames of its port that belong to no other guest: those of addresses that no other guest of the port has, and those flooded
    /// to the port. In a VLAN that another guest without addresses claims, that guest takes this part. Exactly one guest of each port is the catch-all.
    public var isCatchAll: Bool
    /// Whether the guest was made by the model, because the operator wrote no guest for the remaining addresses of the port.
    public var isImplicit: Bool
}

extension Model {
    /// All guests in the order of ports, then of `guests`; the catch-all is the last one of its port.
    ///
    /// The catch-all of a port is its only guest, unless that guest has a VLAN; otherwise its guest without addresses and VLAN. Where there is no such guest,
    /// the model makes one: it is called `PORT` if the port has no guests, and `PORT:others` if all its guests have addresses or VLANs.
    public var effectiveGuests: [EffectiveGuest] {
        let byPort = Dictionary(grouping: guests, by: \.port)
        return ports.flatMap { Self.effectiveGuests(of: $0.name, byPort[$0.name] ?? []) }
    }

    /// - Parameter own: the guests of the port, in the order of `guests`.
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
    /// Whether the guest has every address of its port that no other guest has.
    var servesAll: Bool { macs.isEmpty && vlan == nil }
}

extension PortSettings {
    public var isPhysical: Bool {
        if case .physical = kind { true } else { false }
    }

    /// Bytes of the largest frame that the port carries: its MTU, an Ethernet header and two VLAN tags.
    public var largestFrame: Int { options.mtu + 22 }
    /// Bytes of the largest frame of a port with the default MTU of 1500.
    static var usualLargestFrame: Int { 1_522 }
}
