import Packet

/// The types of MLD messages (RFC 2710, 3.1; RFC 3810, 5; RFC 4286, 3.1).
enum MLD {
    static let query: UInt8 = 130
    static let reportV1: UInt8 = 131
    static let done: UInt8 = 132
    static let reportV2: UInt8 = 143
    static let routerAdvertisement: UInt8 = 151
    static let unspecified = GroupAddress(high: 0, low: 0)
    static let allNodes = GroupAddress(high: 0xff02 << 48, low: 1)
    /// Unit of response times: a millisecond, in nanoseconds.
    static let tick: UInt64 = 1_000_000
}

/// Parses an IPv6 packet with the checks of ipv6_mc_check_mld (net/ipv6/mcast_snoop.c), and checks that the hop limit is 1.
///
/// As in the kernel, an MLD message must directly follow a single hop-by-hop header, which carries its router alert (RFC 2710, 3). Any other packet is not
/// taken for MLD.
func readIPv6(_ packet: Octets) throws(Refusal) -> Message {
    guard packet.count >= HeaderSize.ipv6 else { throw .malformed(.truncated) }
    guard packet.byte(0) >> 4 == 6 else { throw .malformed(.header) }
    let source = packet.address(.ipv6, 8), destination = packet.address(.ipv6, 24)
    let next = packet.byte(6)
    // The destination is the group of all PIM routers (RFC 7761, 4.3.1).
    let isPIM = next == PIM.ipProtocol && destination == GroupAddress(high: 0xff02 << 48, low: 0xd)
    guard isPIM || next == IPProtocol.hopByHop else { throw .ignored(.otherProtocol) }
    let length = Int(packet.bigEndian16(4))
    guard let payload = packet.from(HeaderSize.ipv6)?.first(length) else { throw .malformed(.truncated) }
    if isPIM {
        guard packet.byte(7) == 1 else { throw .ignored(.hopLimit) }
        guard source.isLinkLocalUnicast else { throw .ignored(.source) }
        let sum = pseudoHeaderSum(source: source, destination: destination, length: payload.count, next: next)
        return try readPIM(payload, .ipv6, pseudoHeader: sum)
    }
    guard payload.count >= 8 else { throw .malformed(.truncated) }
    guard payload.byte(0) == IPProtocol.icmpv6 else { throw .ignored(.otherProtocol) }
    guard let message = payload.from((Int(payload.byte(1)) + 1) * 8), message.count >= 8 else { throw .malformed(.truncated) }
    guard isOurs(message.byte(0)) else { throw .ignored(.otherProtocol) }
    guard packet.byte(7) == 1 else { throw .ignored(.hopLimit) }
    let sum = pseudoHeaderSum(source: source, destination: destination, length: message.count, next: IPProtocol.icmpv6)
    guard foldedChecksum(message.wordSum + sum) == 0 else { throw .malformed(.checksum) }
    return try readMLD(message, source: source, destination: destination)
}

private func isOurs(_ type: UInt8) -> Bool { MLD.query...MLD.done ~= type || type == MLD.reportV2 || type == MLD.routerAdvertisement }

private func readMLD(_ message: Octets, source: GroupAddress, destination: GroupAddress) throws(Refusal) -> Message {
    let type = message.byte(0)
    // Hosts that have no address yet report from :: (RFC 3590, 4), which snoopers should accept.
    let mayBeUnspecified = type == MLD.reportV1 || type == MLD.done || type == MLD.reportV2
    guard source.isLinkLocalUnicast || mayBeUnspecified && source == MLD.unspecified else { throw .ignored(.source) }
    switch type {
    case MLD.query:
        return .query(try readQuery(message, source: source, destination: destination))
    case MLD.reportV1, MLD.done:
        guard message.count >= 24 else { throw .malformed(.length) }
        let group = message.address(.ipv6, 8)
        guard group.family == .ipv6, group.isMulticast else { throw .malformed(.group) }
        return type == MLD.done ? .leave(group) : .report(version: 1, [.init(kind: .isExclude, group: group, sources: [])])
    case MLD.reportV2:
        guard let records = message.from(8) else { throw .malformed(.length) }
        return .report(version: 2, try readRecords(records, .ipv6, count: Int(message.bigEndian16(6))))
    default:
        // The destination must be the group of all snoopers (RFC 4286, 3.1).
        guard destination == GroupAddress(high: 0xff02 << 48, low: 0x6a) else { throw .ignored(.otherProtocol) }
        return .router(.ipv6)
    }
}

/// Parses a query; its length tells the version (RFC 3810, 8.1).
private func readQuery(_ message: Octets, source: GroupAddress, destination: GroupAddress) throws(Refusal) -> Message.Query {
    guard message.count >= 24 else { throw .malformed(.length) }
    let address = message.address(.ipv6, 8)
    let code = message.bigEndian16(4)
    var query = Message.Query(
        family: .ipv6, version: 1, source: source, group: address == MLD.unspecified ? nil : address, sources: [],
        responseTime: UInt64(code) * MLD.tick, suppressesTimers: false)
    if message.count != 24 {
        guard message.count >= 28, let list = message.from(28) else { throw .malformed(.length) }
        let count = Int(message.bigEndian16(26))
        guard list.count >= count * 16 else { throw .malformed(.record) }
        query.version = 2
        query.sources = readSources(list, .ipv6, count: count)
        query.responseTime = floatCode16(code) * MLD.tick
        query.suppressesTimers = message.byte(24) & 0x08 != 0
    }
    query.responseTime = max(query.responseTime, MLD.tick)
    if let group = query.group {
        guard group.family == .ipv6, group.isMulticast else { throw .malformed(.group) }
    } else {
        guard query.sources.isEmpty else { throw .malformed(.record) }
        guard destination == MLD.allNodes else { throw .malformed(.group) }
    }
    return query
}
