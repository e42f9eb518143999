/// How a bridge that snoops IGMP and MLD, and so knows which ports want which groups, has to treat a frame to a group address.
///
/// Sources: RFC 4541, 2.1 and 3; the Linux bridge, net/bridge/br_multicast.c, `br_multicast_rcv`.
@frozen
public struct GroupTraffic: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// For every port: the frame is not IP, cannot be read, or is to addresses that hosts receive without joining (224.0.0.0/24, ff02::1).
        case everybody
        /// Data for the members of a group.
        case data
        /// A router's query for members (IGMP or MLD), which goes to every port.
        case query
        /// A host's report that it joins or leaves groups, which goes to the ports of routers.
        case report
        /// The announcement of a multicast router (PIM hello, or the advertisements of RFC 4286), which goes to every port.
        case router
    }

    public var kind: Kind
    public var isIPv6 = false
    /// The group's address as two halves, whose first octet is the most significant; an IPv4 group's address is mapped (::ffff:a.b.c.d). Only `data` has one.
    public var high: UInt64 = 0
    public var low: UInt64 = 0

    @_noLocks @inlinable @inline(__always)
    init(_ kind: Kind, isIPv6: Bool = false) {
        self.kind = kind
        self.isIPv6 = isIPv6
    }

    /// Upper 32 bits of the low half of a mapped IPv4 address, whose high half is 0.
    @inlinable @inline(__always) public static var mappedPrefix: UInt64 { @_noLocks get { 0xffff_0000_0000 } }

    /// Classifies a frame to a group address.
    ///
    /// - Parameters:
    ///   - bytes: the frame's first octet.
    ///   - limit: number of bytes that may be read at `bytes`.
    ///   - record: what `parse` found out about the frame.
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
        // ff02::1 is the group of all nodes.
        if high == 0xff02 &<< 48, low == 1 { return GroupTraffic(.everybody, isIPv6: true) }
        var data = GroupTraffic(.data, isIPv6: true)
        (data.high, data.low) = (high, low)
        return data
    }

    /// First octet of the IP datagram's payload; nil if it cannot be read or the frame is a fragment.
    @_noLocks @inline(__always)
    private static func firstOctet(_ bytes: UnsafeRawPointer, _ limit: Int, _ record: UnsafePointer<FrameRecord>) -> UInt8? {
        let place = Int(record.pointee.l4Offset)
        guard place > Int(record.pointee.l3Offset), limit > place, !record.pointee.flags.has(.fragment) else { return nil }
        return bytes.load(fromByteOffset: place, as: UInt8.self)
    }

    /// Whether this is a PIM hello: version 2, type 0 (RFC 7761, 4.9.2).
    @_noLocks @inline(__always)
    private static func isHello(_ bytes: UnsafeRawPointer, _ limit: Int, _ record: UnsafePointer<FrameRecord>) -> Bool { firstOctet(bytes, limit, record) == 0x20 }
}
