import Packet

/// What a received LLDPDU says, for display. Texts come from elsewhere: control characters in them are replaced.
extension LLDPDU {
    public var portDescription: String? { text(TLV.portDescription) }
    public var systemName: String? { text(TLV.systemName) }
    public var systemDescription: String? { text(TLV.systemDescription) }
    public var capabilities: SystemCapabilities? { tlvs.first { $0.type == TLV.systemCapabilities }.flatMap(SystemCapabilities.init) }
    public var managementAddresses: [ManagementAddress] { tlvs.filter { $0.type == TLV.managementAddress }.compactMap(ManagementAddress.init) }
    /// The organizationally specific TLVs, with what is behind their subtypes.
    public var organizational: [(kind: TLV.Organizational, value: [UInt8])] {
        tlvs.compactMap { tlv in tlv.organization.map { ($0, Array(tlv.value[4...])) } }
    }
    /// The TLVs of reserved types.
    public var reserved: [TLV] { tlvs.filter { TLV.managementAddress + 1..<TLV.organizational ~= $0.type } }

    private func text(_ type: UInt8) -> String? { tlvs.first { $0.type == type }.map { printable($0.value) } }
}

extension LLDPDU.Source {
    /// The kind of chassis ID, in lldpctl's words, and the ID as text (table 8-2).
    public var chassisText: (type: String, value: String) {
        switch chassis.subtype {
        case 1: ("unhandled", printable(chassis.octets))
        case 2: ("ifalias", printable(chassis.octets))
        case 4: ("mac", macText(chassis.octets))
        case 5: ("ip", addressText(chassis.octets))
        case 6: ("ifname", printable(chassis.octets))
        case 7: ("local", printable(chassis.octets))
        default: ("unhandled", hexadecimal(chassis.octets))
        }
    }

    /// The same for the port ID (table 8-3).
    public var portText: (type: String, value: String) {
        switch port.subtype {
        case 1: ("ifalias", printable(port.octets))
        case 3: ("mac", macText(port.octets))
        case 4: ("ip", addressText(port.octets))
        case 5: ("ifname", printable(port.octets))
        case 7: ("local", printable(port.octets))
        default: ("unhandled", hexadecimal(port.octets))
        }
    }
}

extension ManagementAddress.Address: CustomStringConvertible {
    public var description: String { addressText([family] + octets) }
}

/// An address with its family's number before it, or hexadecimal digits if it is none of a known family.
private func addressText(_ octets: [UInt8]) -> String {
    guard let family = octets.first else { return "" }
    let parsed = Octets(Array(octets[1...]))
    switch (family, parsed.count) {
    case (1, 4): return parsed.address(.ipv4, 0).description
    case (2, 16): return parsed.address(.ipv6, 0).description
    case (6, 6): return macText(parsed.array)
    default: return hexadecimal(parsed.array)
    }
}

private func macText(_ octets: [UInt8]) -> String { octets.count == 6 ? Octets(octets).mac(0).description : hexadecimal(octets) }

/// Octets as two hexadecimal digits each, with commas between them, as lldpctl writes those of unknown TLVs.
public func hexadecimal(_ octets: [UInt8]) -> String {
    octets.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: ",")
}

/// A text from elsewhere, without characters that could do something to a terminal.
private func printable(_ octets: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    for scalar in String(decoding: octets, as: UTF8.self).unicodeScalars {
        switch scalar.properties.generalCategory {
        case .control, .format, .surrogate, .privateUse, .unassigned, .lineSeparator, .paragraphSeparator:
            text.append(scalar == "\n" || scalar == "\t" ? " " : "\u{fffd}")
        default: text.append(scalar)
        }
    }
    return String(text)
}
