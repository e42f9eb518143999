/// One element of an LLDPDU: a type, and an information string of up to 511 octets (IEEE 802.1AB-2016, 8.4).
public struct TLV: Hashable, Sendable {
    /// 0 to 127.
    public var type: UInt8
    /// The information string.
    public var value: [UInt8]

    public init(_ type: UInt8, _ value: [UInt8]) {
        self.type = type
        self.value = value
    }

    /// An organizationally specific TLV (8.6): three octets of OUI, a subtype, and what that organisation defines.
    public init(_ kind: Organizational, _ value: [UInt8]) {
        self.init(Self.organizational, [UInt8(kind.oui >> 16 & 0xff), UInt8(kind.oui >> 8 & 0xff), UInt8(kind.oui & 0xff), kind.subtype] + value)
    }

    // The types of table 8-1; 9 to 126 are reserved.
    static let end: UInt8 = 0
    static let chassisID: UInt8 = 1
    static let portID: UInt8 = 2
    static let timeToLive: UInt8 = 3
    static let portDescription: UInt8 = 4
    static let systemName: UInt8 = 5
    static let systemDescription: UInt8 = 6
    static let systemCapabilities: UInt8 = 7
    static let managementAddress: UInt8 = 8
    static let organizational: UInt8 = 127

    /// The most octets of an information string, whose length has nine bits.
    static let longest = 511

    /// Whose TLV it is, and which.
    public struct Organizational: Hashable, Sendable {
        /// The organizationally unique identifier, 24 bits; the first octet on the wire is the most significant.
        public var oui: UInt32
        public var subtype: UInt8

        public init(oui: UInt32, subtype: UInt8) {
            self.oui = oui
            self.subtype = subtype
        }
    }

    /// Whose TLV it is; nil if it is not organizationally specific.
    public var organization: Organizational? {
        guard type == Self.organizational, value.count >= 4 else { return nil }
        return Organizational(oui: UInt32(value[0]) << 16 | UInt32(value[1]) << 8 | UInt32(value[2]), subtype: value[3])
    }

    /// The octets of the TLV, its header included.
    package var octets: [UInt8] { [type << 1 | UInt8(value.count >> 8 & 1), UInt8(value.count & 0xff)] + value }
}
