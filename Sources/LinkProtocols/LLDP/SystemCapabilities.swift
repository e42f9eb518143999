/// What a system can do, and does (IEEE 802.1AB-2016, 8.5.8).
public struct SystemCapabilities: Equatable, Sendable {
    /// A bit for each capability.
    public var present: UInt16
    /// A bit for each capability in use; it is present as well.
    public var enabled: UInt16

    public init(present: UInt16, enabled: UInt16) {
        self.present = present
        self.enabled = enabled
    }

    public static let bridge: UInt16 = 0x0004

    /// The names of the bits from the lowest on (table 8-4), as lldpctl writes them.
    private static let names = ["Other", "Repeater", "Bridge", "Wlan", "Router", "Tel", "Docsis", "Station", "C-VLAN", "S-VLAN", "TPMR"]

    /// The capabilities by name, and whether each is in use. Reserved bits have none.
    public var named: [(name: String, isEnabled: Bool)] {
        Self.names.enumerated().filter { present & 1 << $0.offset != 0 }.map { ($0.element, enabled & 1 << $0.offset != 0) }
    }

    init?(_ tlv: TLV) {
        guard tlv.value.count == 4 else { return nil }
        let octets = Octets(tlv.value)
        self.init(present: octets.bigEndian16(0), enabled: octets.bigEndian16(2))
        // A capability in use that is not there is an error (8.5.8.3).
        if enabled & ~present != 0 { return nil }
    }

    var tlv: TLV {
        var value: [UInt8] = []
        value.append(present, bytes: 2)
        value.append(enabled, bytes: 2)
        return TLV(TLV.systemCapabilities, value)
    }
}
