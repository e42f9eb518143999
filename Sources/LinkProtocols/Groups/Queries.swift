import Packet

/// Writes the queries that the bridge sends (the kernel's br_multicast_alloc_query). A group-specific query is addressed to the group itself (RFC 3376,
/// 4.1.12).
package struct QueryWriter {
    var mac: MACAddress
    var settings: SnoopingSettings

    package init(mac: MACAddress, settings: SnoopingSettings) {
        self.mac = mac
        self.settings = settings
    }

    package func ownAddress(_ family: GroupFamily) -> GroupAddress {
        switch family {
        case .ipv4: return GroupAddress(ipv4: settings.querierAddress ?? 0)
        case .ipv6:
            // The interface identifier is the modified EUI-64 of the MAC address (RFC 4291, appendix A), the prefix fe80::/64.
            let identifier = (mac.value >> 24 ^ 0x02_0000) << 40 | 0xff_fe00_0000 | mac.value & 0xff_ffff
            return GroupAddress(high: 0xfe80 << 48, low: identifier)
        }
    }

    /// The frame of a general query (`group` is nil) or a group-specific one.
    package func query(_ family: GroupFamily, group: GroupAddress?) -> [UInt8] {
        let destination = group ?? (family == .ipv4 ? IGMP.allHosts : MLD.allNodes)
        var frame: [UInt8] = []
        frame.append(destination.groupMAC, bytes: 6)
        frame.append(mac.value, bytes: 6)
        switch family {
        case .ipv4:
            frame.append(EtherType.ipv4, bytes: 2)
            appendIPv4(&frame, destination, igmp(group))
        case .ipv6:
            frame.append(EtherType.ipv6, bytes: 2)
            appendIPv6(&frame, destination, mld(group))
        }
        // The minimum frame size of IEEE 802.3, without FCS.
        while frame.count < 60 { frame.append(0) }
        return frame
    }

    /// How long hosts have to answer, in nanoseconds.
    func responseTime(general: Bool) -> UInt64 { general ? settings.queryResponseInterval : settings.lastMemberInterval }

    /// Appends an IPv4 packet with router alert (RFC 2113), TTL 1 and the precedence "internetwork control" (RFC 3376, 4). As in the kernel it has the DF flag.
    private func appendIPv4(_ frame: inout [UInt8], _ destination: GroupAddress, _ message: [UInt8]) {
        var header: [UInt8] = [0x46, 0xc0]
        header.append(UInt16(24 + message.count), bytes: 2)
        header += [0, 0, 0x40, 0, 1, IGMP.ipProtocol, 0, 0]
        header.append(ownAddress(.ipv4).low & 0xffff_ffff, bytes: 4)
        header.append(destination.low & 0xffff_ffff, bytes: 4)
        header += [0x94, 4, 0, 0]
        header.set(foldedChecksum(Octets(header).wordSum), at: 10)
        frame += header + message
    }

    /// Appends an IPv6 packet with hop limit 1 and a hop-by-hop header that holds padding and a router alert (RFC 2711) with the value 0, for MLD.
    private func appendIPv6(_ frame: inout [UInt8], _ destination: GroupAddress, _ message: [UInt8]) {
        let source = ownAddress(.ipv6)
        var message = message
        let sum = pseudoHeaderSum(source: source, destination: destination, length: message.count, next: IPProtocol.icmpv6)
        message.set(foldedChecksum(Octets(message).wordSum + sum), at: 2)
        frame += [0x60, 0, 0, 0]
        frame.append(UInt16(8 + message.count), bytes: 2)
        frame += [IPProtocol.hopByHop, 1]
        for half in [source.high, source.low, destination.high, destination.low] { frame.append(half, bytes: 8) }
        frame += [IPProtocol.icmpv6, 0, 5, 2, 0, 0, 1, 0] + message
    }

    private func igmp(_ group: GroupAddress?) -> [UInt8] {
        let tenths = responseTime(general: group == nil) / IGMP.tick
        // In version 2 the time must not be 0, because such a query would count as one of version 1.
        let code = settings.igmpVersion >= 3 ? encode8(tenths) : UInt8(min(max(tenths, 1), 255))
        var message: [UInt8] = [IGMP.query, code, 0, 0]
        message.append((group?.low ?? 0) & 0xffff_ffff, bytes: 4)
        if settings.igmpVersion >= 3 { message += tail }
        message.set(foldedChecksum(Octets(message).wordSum), at: 2)
        return message
    }

    /// The MLD message; its checksum is still 0.
    private func mld(_ group: GroupAddress?) -> [UInt8] {
        let milliseconds = responseTime(general: group == nil) / MLD.tick
        var message: [UInt8] = [MLD.query, 0, 0, 0]
        message.append(settings.mldVersion >= 2 ? encode16(milliseconds) : UInt16(min(max(milliseconds, 1), 65535)), bytes: 2)
        message += [0, 0]
        message.append(group?.high ?? 0, bytes: 8)
        message.append(group?.low ?? 0, bytes: 8)
        if settings.mldVersion >= 2 { message += tail }
        return message
    }

    /// The last four octets of IGMPv3 and MLDv2 queries: robustness (0 if it exceeds 7), query interval in seconds, and number of sources, which is 0 (RFC
    /// 3376, 4.1.5 to 4.1.8).
    private var tail: [UInt8] {
        [0...7 ~= settings.robustness ? UInt8(settings.robustness) : 0, encode8(settings.queryInterval / 1_000_000_000), 0, 0]
    }
}

/// Encodes a value for `floatCode8`, rounding down; values beyond the range give the largest code.
package func encode8(_ value: UInt64) -> UInt8 {
    guard value >= 128 else { return UInt8(value) }
    guard value < 0x1f << 10 else { return 0xff }
    let exponent = UInt64(63 - value.leadingZeroBitCount) - 4
    return UInt8(0x80 | (exponent - 3) << 4 | value >> exponent & 0x0f)
}

/// Encodes a value for `floatCode16`, rounding down; values beyond the range give the largest code.
package func encode16(_ value: UInt64) -> UInt16 {
    guard value >= 32768 else { return UInt16(value) }
    guard value < 0x1fff << 10 else { return 0xffff }
    let exponent = UInt64(63 - value.leadingZeroBitCount) - 12
    return UInt16(0x8000 | (exponent - 3) << 12 | value >> exponent & 0x0fff)
}

extension [UInt8] {
    fileprivate mutating func set(_ number: UInt16, at offset: Int) {
        self[offset] = UInt8(number >> 8)
        self[offset + 1] = UInt8(number & 0xff)
    }
}
