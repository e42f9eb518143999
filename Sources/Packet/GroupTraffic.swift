/// What a frame to a group address is to a bridge that knows which ports want which groups.
///
/// Sources: RFC 4541, 2.1 and 3; the Linux bridge, net/bridge/br_multicast.c, `br_multicast_rcv`.
@frozen
public struct GroupTraffic: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// For every port: not IP, to addresses that nobody joins (224.0.0.0/24, ff02::1), or something that cannot be read.
        case everybody
        /// For the members of a group.
        case data
        /// A router asks who is a member (IGMP, MLD): for every port.
        case query
        /// A host says what it is a member of, or no more: for routers.
        case report
        /// A multicast router says that it is there (PIM hello, RFC 4286): for every port.
        case router
    }

    public var kind: Kind
    public var isIPv6 = false
    /// The group's address, first octet most significant; an IPv4 group's is mapped (::ffff:a.b.c.d).
    public var high: UInt64 = 0
    public var low: UInt64 = 0

    @_noLocks @inlinable @inline(__always)
    init(_ kind: Kind, isIPv6: Bool = false) {
        self.kind = kind
        self.isIPv6 = isIPv6
    }

    /// The high half of a mapped IPv4 address is 0; this stands above its low half.
    @inlinable @inline(__always) public static var mappedPrefix: UInt64 { @_noLocks get { 0xffff_0000_0000 } }

    /// - Parameters:
    ///   - bytes: the frame's first octet.
    ///   - limit: bytes that may be read there.
    ///   - record: what `parse` found out about it.
    @_noLocks
    public static func read(_ bytes: UnsafeRawPointer, limit: Int, _ record: UnsafePointer<FrameRecord>) -> GroupTraffic {
        let flags = record.pointee.flags, start = Int(record.pointee.l3Offset)
        if flags.has(.ipv4), limit >= start &+ HeaderSize.ipv4 { return readIPv4(bytes, start, limit, record) }
        if flags.has(.ipv6), limit >= start &+ HeaderSize.ipv6 { return readIPv6(bytes, start, limit, record) }
        return GroupTraffic(.everybody)
    }

    @_noLocks
    private static func readIPv4(_ bytes: UnsafeRawPointer, _ start: Int, _ limit: Int, _ record: UnsafePointer<FrameRecord>) -> GroupTraffic {
        let destination = bytes.bigEndian32(start &+ 16)
        guard destination &>> 28 == 0xe else { return GroupTraffic(.everybody) }
        switch record.pointee.ipProtocol {
        case IPProtocol.igmp:
            guard let type = firstOctet(bytes, limit, record) else { break }
            switch type {
            case 0x11: return GroupTraffic(.query)
            // Reports of IGMPv1, v2 and v3, and leaves of v2.
            case 0x12, 0x16, 0x22, 0x17: return GroupTraffic(.report)
            // Multicast router advertisement.
            case 0x30: return GroupTraffic(.router)
            default: return GroupTraffic(.everybody)
            }
        case IPProtocol.pim:
            if destination == 0xe000_000d, isHello(bytes, limit, record) { return GroupTraffic(.router) }
        default: break
        }
        if destination &>> 8 == 0xe0_0000 { return GroupTraffic(.everybody) }
        var data = GroupTraffic(.data)
        data.low = mappedPrefix | UInt64(destination)
        return data
    }

    @_noLocks
    private static func readIPv6(_ bytes: UnsafeRawPointer, _ start: Int, _ limit: Int, _ record: UnsafePointer<FrameRecord>) -> GroupTraffic {
        let high = bytes.bigEndian64(start &+ 24), low = bytes.bigEndian64(start &+ 32)
        guard high &>> 56 == 0xff else { return GroupTraffic(.everybody, isIPv6: true) }
        switch record.pointee.ipProtocol {
        case IPProtocol.icmpv6:
            guard let type = firstOctet(bytes, limit, record) else { break }
            switch type {
            case 130: return GroupTraffic(.query, isIPv6: true)
            // Reports of MLDv1 and v2, and "done" of v1.
            case 131, 132, 143: return GroupTraffic(.report, isIPv6: true)
            case 151: return GroupTraffic(.router, isIPv6: true)
            default: break
            }
        case IPProtocol.pim:
            if high == 0xff02 &<< 48, low == 0x0d, isHello(bytes, limit, record) { return GroupTraffic(.router, isIPv6: true) }
        default: break
        }
        // All nodes.
        if high == 0xff02 &<< 48, low == 1 { return GroupTraffic(.everybody, isIPv6: true) }
        var data = GroupTraffic(.data, isIPv6: true)
        (data.high, data.low) = (high, low)
        return data
    }

    /// Of what the IP datagram carries; nil: it is not there, or not in this fragment.
    @_noLocks @inline(__always)
    private static func firstOctet(_ bytes: UnsafeRawPointer, _ limit: Int, _ record: UnsafePointer<FrameRecord>) -> UInt8? {
        let place = Int(record.pointee.l4Offset)
        guard place > Int(record.pointee.l3Offset), limit > place, !record.pointee.flags.has(.fragment) else { return nil }
        return bytes.load(fromByteOffset: place, as: UInt8.self)
    }

    /// PIM, version 2, type 0 (RFC 7761, 4.9.2).
    @_noLocks @inline(__always)
    private static func isHello(_ bytes: UnsafeRawPointer, _ limit: Int, _ record: UnsafePointer<FrameRecord>) -> Bool { firstOctet(bytes, limit, record) == 0x20 }
}
