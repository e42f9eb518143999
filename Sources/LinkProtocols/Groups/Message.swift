import Packet

/// A parsed message, as the snooper needs it.
enum Message {
    case query(Query)
    /// The records of an IGMPv3 or MLDv2 report, or the record that an older report is equivalent to (RFC 3376, 7.3.2; RFC 3810, 8.3.2).
    case report(version: Int, [Record])
    case leave(GroupAddress)
    /// A PIM hello or a multicast router advertisement.
    case router(GroupFamily)

    struct Query {
        var family: GroupFamily
        var version: Int
        var source: GroupAddress
        /// The group that is queried; nil in a general query.
        var group: GroupAddress?
        var sources: [GroupAddress]
        /// Maximum time in nanoseconds that hosts may take to answer.
        var responseTime: UInt64
        /// The S flag: routers that hear the query must not shorten their timers (RFC 3376, 4.1.5).
        var suppressesTimers: Bool
    }

    struct Record {
        /// The values of RFC 3376, 4.2.12, and RFC 3810, 5.2.12.
        enum Kind: UInt8 { case isInclude = 1, isExclude, toInclude, toExclude, allow, block }

        var kind: Kind
        var group: GroupAddress
        var sources: [GroupAddress]
    }
}

/// Why a frame has no effect.
enum Refusal: Error, Equatable {
    case ignored(Verdict.Ignored)
    case malformed(Verdict.Malformed)
}

/// Parses a whole Ethernet frame with up to two tags. It throws before anything of the frame could take effect.
func readMessage(_ frame: [UInt8]) throws(Refusal) -> Message {
    let octets = Octets(frame)
    guard octets.count >= HeaderSize.ethernet else { throw .malformed(.truncated) }
    guard octets.byte(0) & 1 == 1, octets.bigEndian16(0) != 0xffff || octets.bigEndian32(2) != 0xffff_ffff else { throw .ignored(.notMulticast) }
    guard let (type, packet) = octets.ethernetPayload else { throw .malformed(.truncated) }
    switch type {
    case EtherType.ipv4: return try readIPv4(packet)
    case EtherType.ipv6: return try readIPv6(packet)
    default: throw .ignored(.otherProtocol)
    }
}

/// PIM's IP protocol number, and the first octet of its hello: version 2, type 0 (RFC 7761, 4.9).
enum PIM {
    static let ipProtocol: UInt8 = 103
    static let hello: UInt8 = 0x20
}

/// Parses a PIM message (RFC 7761, 4.9). `pseudoHeader` is the sum of the IPv6 pseudo-header; 0 for IPv4.
func readPIM(_ message: Octets, _ family: GroupFamily, pseudoHeader: UInt64) throws(Refusal) -> Message {
    guard message.count >= 4 else { throw .malformed(.length) }
    guard message.byte(0) == PIM.hello else { throw .ignored(.otherProtocol) }
    guard foldedChecksum(message.wordSum + pseudoHeader) == 0 else { throw .malformed(.checksum) }
    return .router(family)
}

/// The source list of a query or record; the caller has checked that `list` is long enough.
func readSources(_ list: Octets, _ family: GroupFamily, count: Int) -> [GroupAddress] {
    let size = family == .ipv4 ? 4 : 16
    return (0..<count).map { list.address(family, $0 * size) }
}

/// The records of an IGMPv3 report (RFC 3376, 4.2) or MLDv2 report (RFC 3810, 5.2); `octets` begins behind the report's first eight bytes. Records of unknown
/// types are skipped (RFC 3376, 4.2.12), as are auxiliary data and whatever follows the last record (4.2.10, 4.2.11).
func readRecords(_ octets: Octets, _ family: GroupFamily, count: Int) throws(Refusal) -> [Message.Record] {
    let size = family == .ipv4 ? 4 : 16
    var records: [Message.Record] = []
    var rest = octets
    for _ in 0..<count {
        guard let list = rest.from(4 + size) else { throw .malformed(.record) }
        let sources = Int(rest.bigEndian16(2))
        guard let next = list.from(sources * size + Int(rest.byte(1)) * 4) else { throw .malformed(.record) }
        let group = rest.address(family, 4)
        guard group.family == family, group.isMulticast else { throw .malformed(.group) }
        if let kind = Message.Record.Kind(rawValue: rest.byte(0)) {
            records.append(.init(kind: kind, group: group, sources: readSources(list, family, count: sources)))
        }
        rest = next
    }
    return records
}

/// Decodes the 8-bit code for times in IGMPv3, and for the querier's interval in both protocols: values below 128 stand for themselves, others have a mantissa
/// of four bits and an exponent of three (RFC 3376, 4.1.1 and 4.1.7).
package func floatCode8(_ code: UInt8) -> UInt64 {
    code < 128 ? UInt64(code) : UInt64(code & 0x0f | 0x10) << UInt64(code >> 4 & 7 + 3)
}

/// Decodes the 16-bit code of MLDv2: values below 32768 stand for themselves, others have a mantissa of twelve bits and an exponent of three (RFC 3810, 5.1.3).
package func floatCode16(_ code: UInt16) -> UInt64 {
    code < 32768 ? UInt64(code) : UInt64(code & 0x0fff | 0x1000) << UInt64(code >> 12 & 7 + 3)
}
