import Packet

/// The data unit that LLDP agents send: who they are, for how long that is valid, and what they tell about themselves (IEEE 802.1AB-2016, clause 8).
public struct LLDPDU: Equatable, Sendable {
    /// Names a chassis or a port. What the octets are depends on the subtype (tables 8-2 and 8-3).
    public struct Identifier: Hashable, Sendable {
        public var subtype: UInt8
        /// 1 to 255 octets.
        public var octets: [UInt8]

        public init(subtype: UInt8, octets: [UInt8]) {
            self.subtype = subtype
            self.octets = octets
        }

        var value: [UInt8] { [subtype] + octets }
    }

    /// What an agent's information is stored under: "MSAP identifier", the chassis and the port together.
    public struct Source: Hashable, Sendable {
        public var chassis: Identifier
        public var port: Identifier

        public init(chassis: Identifier, port: Identifier) {
            self.chassis = chassis
            self.port = port
        }
    }

    public var source: Source
    /// Seconds for which the information is valid; 0: the sender withdraws all that it told.
    public var timeToLive: UInt16
    /// The optional TLVs in the order in which they were sent.
    public var tlvs: [TLV]

    public init(source: Source, timeToLive: UInt16, tlvs: [TLV]) {
        self.source = source
        self.timeToLive = timeToLive
        self.tlvs = tlvs
    }

    /// The group address "nearest bridge", which no bridge forwards (table 7-1). DCBX uses no other.
    public static let nearestBridge = MACAddress(value: 0x0180_c200_000e)

    /// The most octets of an LLDPDU, which is what one frame of IEEE 802.3 carries.
    static let longest = 1_500

    /// The most optional TLVs that are kept of a received LLDPDU, so that one with very many empty ones does not take much memory.
    package static let mostTLVs = 128
}

extension LLDPDU {
    /// The Ethernet frame: untagged, without FCS, and at least 60 octets long. TLVs that would make it longer than a frame may be are left out.
    /// - Returns: the frame, and the number of TLVs that were left out.
    package func frame(from mac: MACAddress) -> (octets: [UInt8], leftOut: Int) {
        var octets: [UInt8] = []
        octets.append(Self.nearestBridge.value, bytes: 6)
        octets.append(mac.value, bytes: 6)
        octets.append(EtherType.lldp, bytes: 2)
        let mandatory = [
            TLV(TLV.chassisID, source.chassis.value), TLV(TLV.portID, source.port.value),
            TLV(TLV.timeToLive, [UInt8(timeToLive >> 8), UInt8(timeToLive & 0xff)]),
        ]
        for tlv in mandatory { octets += tlv.octets }
        var leftOut = 0
        for tlv in tlvs {
            // Two octets are for the end.
            let fits = tlv.value.count <= TLV.longest && octets.count + 2 + tlv.value.count + 2 <= HeaderSize.ethernet + Self.longest
            if fits { octets += tlv.octets } else { leftOut += 1 }
        }
        octets += TLV(TLV.end, []).octets
        // The minimum frame size of IEEE 802.3, without FCS.
        while octets.count < 60 { octets.append(0) }
        return (octets, leftOut)
    }
}
