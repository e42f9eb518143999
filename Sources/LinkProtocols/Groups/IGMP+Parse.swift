import Packet

/// The types of IGMP messages (RFC 2236, 2.1; RFC 3376, 4; RFC 4286, 3.1).
enum IGMP {
    static let ipProtocol: UInt8 = 2
    static let query: UInt8 = 0x11
    static let reportV1: UInt8 = 0x12
    static let reportV2: UInt8 = 0x16
    static let leave: UInt8 = 0x17
    static let reportV3: UInt8 = 0x22
    static let routerAdvertisement: UInt8 = 0x30
    static let allHosts = GroupAddress(ipv4: 0xe000_0001)
    /// Unit of response times: a tenth of a second, in nanoseconds.
    static let tick: UInt64 = 100_000_000
}

/// Parses an IPv4 packet with the checks of ip_mc_check_igmp (net/ipv4/igmp.c), and checks that the TTL is 1.
func readIPv4(_ packet: Octets) throws(Refusal) -> Message {
    guard packet.count >= HeaderSize.ipv4 else { throw .malformed(.truncated) }
    let headerSize = Int(packet.byte(0) & 0x0f) * 4
    let total = Int(packet.bigEndian16(2))
    guard packet.byte(0) >> 4 == 4, headerSize >= HeaderSize.ipv4, total >= headerSize else { throw .malformed(.header) }
    let ipProtocol = packet.byte(9)
    guard ipProtocol == IGMP.ipProtocol || ipProtocol == PIM.ipProtocol else { throw .ignored(.otherProtocol) }
    guard let datagram = packet.first(total), let header = datagram.first(headerSize), let message = datagram.from(headerSize) else {
        throw .malformed(.truncated)
    }
    guard foldedChecksum(header.wordSum) == 0 else { throw .malformed(.ipChecksum) }
    guard packet.bigEndian16(6) & 0x3fff == 0 else { throw .ignored(.fragment) }
    guard packet.byte(8) == 1 else { throw .ignored(.hopLimit) }
    guard ipProtocol == IGMP.ipProtocol else {
        // The destination must be the group of all PIM routers (RFC 7761, 4.3.1).
        guard packet.bigEndian32(16) == 0xe000_000d else { throw .ignored(.otherProtocol) }
        return try readPIM(message, .ipv4, pseudoHeader: 0)
    }
    return try readIGMP(message, source: packet.address(.ipv4, 12), destination: packet.address(.ipv4, 16))
}

private func readIGMP(_ message: Octets, source: GroupAddress, destination: GroupAddress) throws(Refusal) -> Message {
    guard message.count >= 8 else { throw .malformed(.length) }
    guard foldedChecksum(message.wordSum) == 0 else { throw .malformed(.checksum) }
    let group = message.address(.ipv4, 4)
    switch message.byte(0) {
    case IGMP.query:
        return .query(try readQuery(message, source: source, destination: destination))
    case IGMP.reportV1, IGMP.reportV2:
        guard group.isMulticast else { throw .malformed(.group) }
        return .report(version: message.byte(0) == IGMP.reportV1 ? 1 : 2, [.init(kind: .isExclude, group: group, sources: [])])
    case IGMP.leave:
        guard group.isMulticast else { throw .malformed(.group) }
        return .leave(group)
    case IGMP.reportV3:
        guard let records = message.from(8) else { throw .malformed(.length) }
        return .report(version: 3, try readRecords(records, .ipv4, count: Int(message.bigEndian16(6))))
    case IGMP.routerAdvertisement:
        // The destination must be the group of all snoopers (RFC 4286, 3.1).
        guard destination.ipv4 == 0xe000_006a else { throw .ignored(.otherProtocol) }
        return .router(.ipv4)
    default:
        throw .ignored(.unknownType)
    }
}

/// Parses a query. Its length tells the version (RFC 3376, 7.1); a query of 8 bytes with a response time of 0 is of version 1 and always general.
private func readQuery(_ message: Octets, source: GroupAddress, destination: GroupAddress) throws(Refusal) -> Message.Query {
    let address = message.address(.ipv4, 4)
    let code = message.byte(1)
    var query = Message.Query(
        family: .ipv4, version: 2, source: source, group: address.isUnspecified ? nil : address, sources: [],
        responseTime: UInt64(code) * IGMP.tick, suppressesTimers: false)
    if message.count == 8 {
        if code == 0 {
            query.version = 1
            query.group = nil
            query.responseTime = 100 * IGMP.tick
        }
    } else {
        guard message.count >= 12, let list = message.from(12) else { throw .malformed(.length) }
        let count = Int(message.bigEndian16(10))
        guard list.count >= count * 4 else { throw .malformed(.record) }
        query.version = 3
        query.sources = readSources(list, .ipv4, count: count)
        query.responseTime = max(floatCode8(code), 1) * IGMP.tick
        query.suppressesTimers = message.byte(8) & 0x08 != 0
    }
    if let group = query.group {
        guard group.isMulticast else { throw .malformed(.group) }
    } else {
        guard query.sources.isEmpty else { throw .malformed(.record) }
        guard destination == IGMP.allHosts else { throw .malformed(.group) }
    }
    return query
}
