import Packet

/// IP version. It determines the protocol (IGMP or MLD); each has its own queriers and routers.
public enum GroupFamily: UInt8, Hashable, CaseIterable, Sendable, CustomStringConvertible {
    case ipv4, ipv6

    public var description: String { self == .ipv4 ? "ipv4" : "ipv6" }
}

/// An address in 16 bytes: an IPv6 address, or an IPv4 address mapped to IPv6 (::ffff:a.b.c.d, RFC 4291, 2.5.5.2). It is used for groups, and for the sources
/// and queriers that messages name.
public struct GroupAddress: Hashable, Comparable, Sendable {
    /// The first eight bytes on the wire.
    public var high: UInt64
    /// The last eight bytes on the wire.
    public var low: UInt64

    @inlinable public init(high: UInt64, low: UInt64) {
        self.high = high
        self.low = low
    }

    /// Creates an IPv4 address, whose first byte is the most significant.
    @inlinable public init(ipv4: UInt32) { self.init(high: 0, low: 0xffff_0000_0000 | UInt64(ipv4)) }

    /// The IPv4 address; nil for an IPv6 one.
    @inlinable public var ipv4: UInt32? { high == 0 && low >> 32 == 0xffff ? UInt32(truncatingIfNeeded: low) : nil }

    @inlinable public var family: GroupFamily { ipv4 == nil ? .ipv6 : .ipv4 }

    /// Whether this is 0.0.0.0 or ::, which in a query stands for all groups.
    public var isUnspecified: Bool { ipv4 == 0 || high == 0 && low == 0 }

    /// Whether this is in 224.0.0.0/4 or ff00::/8.
    public var isMulticast: Bool { ipv4.map { $0 >> 28 == 0xe } ?? (high >> 56 == 0xff) }

    /// Whether this is in fe80::/10.
    public var isLinkLocalUnicast: Bool { high >> 54 == 0x3fa }

    /// Whether the group is always forwarded to all ports, so that no memberships are kept for it.
    public var isNeverRegistered: Bool { GroupTraffic.isNeverJoined(high: high, low: low) }

    /// The destination MAC address of frames to this group (RFC 1112, 6.4, and RFC 2464, 7).
    public var groupMAC: UInt64 { ipv4.map { 0x0100_5e00_0000 | UInt64($0 & 0x7f_ffff) } ?? (0x3333_0000_0000 | low & 0xffff_ffff) }

    public static func < (a: GroupAddress, b: GroupAddress) -> Bool { a.high != b.high ? a.high < b.high : a.low < b.low }
}

extension GroupAddress: CustomStringConvertible {
    /// The usual notation, such as "239.1.1.1" or "ff02::1:3" (RFC 5952).
    public var description: String {
        if let ipv4 { return (0..<4).map { String(ipv4 >> UInt32(24 - 8 * $0) & 0xff) }.joined(separator: ".") }
        let words = (0..<8).map { UInt16(truncatingIfNeeded: ($0 < 4 ? high : low) >> UInt64(48 - 16 * ($0 % 4))) }
        // The longest run of at least two zero words is abbreviated; of several equally long ones, the first.
        var run = 0..<0
        var start = 0
        while start < 8 {
            var end = start
            while end < 8, words[end] == 0 { end += 1 }
            if end - start > max(run.count, 1) { run = start..<end }
            start = end + 1
        }
        let text = { (part: Range<Int>) in part.map { String(words[$0], radix: 16) }.joined(separator: ":") }
        return run.isEmpty ? text(0..<8) : text(0..<run.lowerBound) + "::" + text(run.upperBound..<8)
    }
}
