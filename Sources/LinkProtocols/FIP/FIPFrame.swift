import Packet

/// A frame of the FCoE Initialization Protocol (FIP; FC-BB-6, 7.8), as far as a bridge needs to know it that watches logins.
public struct FIPFrame {
    public enum Operation: UInt8, Sendable {
        /// What only a Fibre Channel forwarder (FCF) says: advertisements, notices of VLANs, answers to logins (`answer`), and that virtual links are gone (`clear`).
        case advertisement, vlanNotice, answer, clear
        /// What a node says to a forwarder: it looks for one, or for VLANs (`solicitation`), logs in or out (`request`), and is still there (`keepAlive`).
        case solicitation, request, keepAlive
        /// What nodes without a forwarder say to each other (VN2VN): one asks whether an address is free (`probe`), or says that it is its own (`claim`: claim
        /// notifications and their answers, answers to probes, and beacons).
        case probe, claim
        case other
    }

    /// What an extended link service asks for, or whether it is accepted.
    public enum Service: UInt8, Sendable { case none, login, logout, accept, reject }

    /// The frame's addresses, as numbers below 2^48.
    public private(set) var destination: UInt64 = 0
    public private(set) var source: UInt64 = 0
    public private(set) var operation = Operation.other
    public private(set) var service = Service.none
    /// The exchange (OX_ID) of a service, and whom it is for (D_ID).
    public private(set) var exchange: UInt16 = 0
    public private(set) var portID: UInt32 = 0
    /// The last MAC address descriptor; 0: there is none.
    public private(set) var address: UInt64 = 0
    /// The addresses of the VN_Ports that the frame is about.
    public private(set) var ports = InlineArray<16, UInt64>(repeating: 0)
    public private(set) var portCount = 0
    /// Whether there are more than that.
    public private(set) var hasMorePorts = false
    /// Whether the forwarder wants no keep-alives (the D bit of FKA_ADV_PERIOD).
    public private(set) var needsNoKeepAlives = false

    /// The address of Fibre Channel that the frame is about: the first that it names, or the one that it comes from; 0: none.
    public var subject: UInt64 {
        @_noLocks get {
            if portCount > 0 { return ports[0] }
            if FIPSnooper.isGrantable(address) { return address }
            return FIPSnooper.isGrantable(source) ? source : 0
        }
    }

    /// Reads a frame; nil if it is too short, or its descriptors do not fit each other.
    ///
    /// - Parameters:
    ///   - count: the number of bytes at `bytes`.
    ///   - offset: where FIP begins, behind the EtherType.
    @_noLocks
    public init?(_ bytes: UnsafeRawPointer, count: Int, at offset: Int) {
        func octet(_ place: Int) -> UInt8 { bytes.load(fromByteOffset: place, as: UInt8.self) }
        func word(_ place: Int) -> UInt16 { UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: place, as: UInt16.self)) }
        func mac(_ place: Int) -> UInt64 {
            UInt64(word(place)) &<< 32 | UInt64(UInt32(bigEndian: bytes.loadUnaligned(fromByteOffset: place &+ 2, as: UInt32.self)))
        }
        // The header: version, operation, subcode, length of the descriptors in words of four octets, flags.
        guard offset >= 14, count >= offset &+ 10, octet(offset) &>> 4 == 1 else { return nil }
        destination = mac(0)
        source = mac(6)
        let end = offset &+ 10 &+ 4 &* Int(word(offset &+ 6))
        if end > count { return nil }
        operation = Self.operation(word(offset &+ 2), octet(offset &+ 5))
        var place = offset &+ 10
        while place < end {
            if place &+ 4 > end { return nil }
            let length = 4 &* Int(octet(place &+ 1))
            if length == 0 || place &+ length > end { return nil }
            switch octet(place) {
            case 2:
                if length < 8 { return nil }
                address = mac(place &+ 2)
            // FLOGI, FDISC and LOGO: the header of a Fibre Channel frame behind two reserved octets, and the service.
            case 7, 8, 9:
                if length < 32 { return nil }
                portID = UInt32(word(place &+ 5)) &<< 8 | UInt32(octet(place &+ 7))
                exchange = word(place &+ 20)
                switch octet(place &+ 28) {
                case 0x04, 0x51: service = .login
                case 0x05: service = .logout
                case 0x02: service = .accept
                case 0x01: service = .reject
                default: break
                }
            case 11:
                if length < 20 { return nil }
                if portCount == 16 {
                    hasMorePorts = true
                } else {
                    ports[portCount] = mac(place &+ 2)
                    portCount &+= 1
                }
            case 12:
                if length < 8 { return nil }
                needsNoKeepAlives = octet(place &+ 3) & 1 != 0
            default: break
            }
            place &+= length
        }
    }

    /// FC-BB-6, table 30.
    @_noLocks
    private static func operation(_ code: UInt16, _ subcode: UInt8) -> Operation {
        switch (code, subcode) {
        case (1, 1), (4, 1): .solicitation
        case (1, 2): .advertisement
        case (2, 1): .request
        case (2, 2): .answer
        case (3, 1): .keepAlive
        case (3, 2): .clear
        case (4, 2): .vlanNotice
        case (5, 1): .probe
        case (5, 2), (5, 3), (5, 4), (5, 5): .claim
        default: .other
        }
    }
}
