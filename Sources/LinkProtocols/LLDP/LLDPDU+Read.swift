import Packet

extension LLDPDU {
    /// Why a frame is not an LLDPDU, or is one that must be discarded as a whole (rxProcessFrame, IEEE 802.1AB-2016, 9.2).
    public enum Fault: String, Error, Hashable, Sendable, CaseIterable {
        /// The frame is not to the address "nearest bridge", not LLDP, or ends within its headers.
        case notForAgent
        /// The first TLV is not a chassis ID of 1 to 255 octets.
        case chassisID
        /// The second TLV is not a port ID of 1 to 255 octets.
        case portID
        /// The third TLV is not a time to live.
        case timeToLive
        /// A second chassis ID, port ID or time to live.
        case duplicate
        /// The end of the LLDPDU has an information string.
        case end
    }

    /// A received LLDPDU, and what its receiver has to count.
    package struct Reading {
        package var pdu: LLDPDU
        /// The source address of the frame.
        package var sender: MACAddress
        /// TLVs that were left out because they are wrong, or exceed what is kept.
        package var discardedTLVs: UInt64 = 0
        /// TLVs of reserved types, and of organisations whose meaning this agent does not know. They are kept.
        package var unrecognizedTLVs: UInt64 = 0
        /// Whether a TLV is wrong.
        package var isInError = false
    }

    /// Reads a whole Ethernet frame with up to two tags. No octet in it is trusted.
    /// - Parameter isKnown: whether the agent knows the meaning of an organizationally specific TLV.
    package static func read(_ frame: [UInt8], isKnown: (TLV.Organizational) -> Bool) throws(Fault) -> Reading {
        let octets = Octets(frame)
        guard let (type, payload) = octets.ethernetPayload, type == EtherType.lldp, octets.mac(0) == nearestBridge else { throw .notForAgent }
        var rest = payload.first(min(payload.count, longest)).unsafelyUnwrapped
        let chassis = try mandatory(&rest, TLV.chassisID, 2...256, .chassisID), port = try mandatory(&rest, TLV.portID, 2...256, .portID)
        let time = try mandatory(&rest, TLV.timeToLive, 2...TLV.longest, .timeToLive)
        let source = Source(chassis: Identifier(chassis), port: Identifier(port))
        var reading = Reading(pdu: LLDPDU(source: source, timeToLive: UInt16(time[0]) << 8 | UInt16(time[1]), tlvs: []), sender: octets.mac(6))
        // A withdrawal is valid whatever follows it.
        if reading.pdu.timeToLive == 0 { return reading }
        while rest.count > 0 {
            guard let tlv = rest.takeTLV() else {
                // A TLV that extends beyond the frame: neither it nor what follows can be read.
                reading.discard()
                break
            }
            switch tlv.type {
            case TLV.end:
                guard tlv.value.isEmpty else { throw .end }
                return reading
            case TLV.chassisID, TLV.portID, TLV.timeToLive: throw .duplicate
            default: reading.take(tlv, isKnown)
            }
        }
        return reading
    }

    private static func mandatory(_ rest: inout Octets, _ type: UInt8, _ lengths: ClosedRange<Int>, _ fault: Fault) throws(Fault) -> [UInt8] {
        guard let tlv = rest.takeTLV(), tlv.type == type, lengths.contains(tlv.value.count) else { throw fault }
        return tlv.value
    }
}

extension LLDPDU.Identifier {
    /// - Parameter value: the information string of a chassis ID or port ID, which the caller has checked not to be empty.
    fileprivate init(_ value: [UInt8]) { self.init(subtype: value[0], octets: Array(value[1...])) }
}

extension LLDPDU.Reading {
    fileprivate mutating func discard() {
        discardedTLVs += 1
        isInError = true
    }

    fileprivate mutating func take(_ tlv: TLV, _ isKnown: (TLV.Organizational) -> Bool) {
        guard tlv.isWellFormed, !isRepeated(tlv) else { return discard() }
        if let organization = tlv.organization {
            if !isKnown(organization) { unrecognizedTLVs += 1 }
        } else if tlv.type > TLV.managementAddress {
            unrecognizedTLVs += 1
        }
        guard pdu.tlvs.count < LLDPDU.mostTLVs else {
            discardedTLVs += 1
            return
        }
        pdu.tlvs.append(tlv)
    }

    /// Whether an LLDPDU may have only one such TLV, and already had it (8.5.5 to 8.5.8); the first one counts. A management address may be there once (8.5.9).
    private func isRepeated(_ tlv: TLV) -> Bool {
        switch tlv.type {
        case TLV.portDescription...TLV.systemCapabilities: pdu.tlvs.contains { $0.type == tlv.type }
        case TLV.managementAddress:
            pdu.tlvs.contains { $0.type == tlv.type && ManagementAddress($0)?.address == ManagementAddress(tlv)?.address }
        default: false
        }
    }
}

extension TLV {
    /// Whether the information string has a length and contents that the type allows (8.5.5 to 8.5.9, 8.6).
    fileprivate var isWellFormed: Bool {
        switch type {
        case Self.portDescription...Self.systemDescription: value.count <= 255
        case Self.systemCapabilities: SystemCapabilities(self) != nil
        case Self.managementAddress: ManagementAddress(self) != nil
        case Self.organizational: value.count >= 4
        default: true
        }
    }
}

extension Octets {
    /// Takes the next TLV off; nil if it extends beyond the end.
    fileprivate mutating func takeTLV() -> TLV? {
        guard count >= 2 else { return nil }
        let header = bigEndian16(0), length = Int(header & 0x1ff)
        guard let value = from(2)?.first(length), let next = from(2 + length) else { return nil }
        self = next
        return TLV(UInt8(header >> 9), value.array)
    }
}
