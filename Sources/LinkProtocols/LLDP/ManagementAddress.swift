/// Where a system can be managed (IEEE 802.1AB-2016, 8.5.9).
public struct ManagementAddress: Equatable, Sendable {
    /// An address and its family.
    public struct Address: Hashable, Sendable {
        /// The family's number in IANA's registry: 1 for IPv4, 2 for IPv6, 6 for a MAC address.
        public var family: UInt8
        /// 1 to 31 octets.
        public var octets: [UInt8]

        public init(family: UInt8, octets: [UInt8]) {
            self.family = family
            self.octets = octets
        }
    }

    public var address: Address
    /// How `interface` counts: 1: unknown, 2: ifIndex, 3: the number of a system port.
    public var interfaceSubtype: UInt8
    public var interface: UInt32

    public init(_ address: Address, interfaceSubtype: UInt8 = 1, interface: UInt32 = 0) {
        self.address = address
        self.interfaceSubtype = interfaceSubtype
        self.interface = interface
    }

    init?(_ tlv: TLV) {
        let octets = Octets(tlv.value)
        guard octets.count >= 9 else { return nil }
        // The length of the address counts its family.
        let length = Int(octets.byte(0))
        guard 2...32 ~= length, octets.count >= 1 + length + 6 else { return nil }
        let identifier = Int(octets.byte(1 + length + 5))
        guard identifier <= 128, octets.count >= 1 + length + 6 + identifier else { return nil }
        address = Address(family: octets.byte(1), octets: Array(tlv.value[2..<1 + length]))
        interfaceSubtype = octets.byte(1 + length)
        interface = octets.bigEndian32(1 + length + 1)
    }

    /// The TLV, without an object identifier.
    var tlv: TLV {
        var value = [UInt8(address.octets.count + 1), address.family] + address.octets + [interfaceSubtype]
        value.append(interface, bytes: 4)
        return TLV(TLV.managementAddress, value + [0])
    }
}
