/// EtherType values, named as in the IEEE registry.
public enum EtherType {
    @inlinable @inline(__always) public static var ipv4: UInt16 { @_noLocks get { 0x0800 } }
    @inlinable @inline(__always) public static var arp: UInt16 { @_noLocks get { 0x0806 } }
    @inlinable @inline(__always) public static var rarp: UInt16 { @_noLocks get { 0x8035 } }
    /// TPID of C-tags (IEEE 802.1Q, table 9-1).
    @inlinable @inline(__always) public static var vlan: UInt16 { @_noLocks get { 0x8100 } }
    @inlinable @inline(__always) public static var ipv6: UInt16 { @_noLocks get { 0x86dd } }
    /// MAC Control: pause and priority flow control (IEEE 802.3, annex 31A).
    @inlinable @inline(__always) public static var macControl: UInt16 { @_noLocks get { 0x8808 } }
    /// TPID of S-tags (IEEE 802.1Q, table 9-1).
    @inlinable @inline(__always) public static var serviceVLAN: UInt16 { @_noLocks get { 0x88a8 } }
    @inlinable @inline(__always) public static var lldp: UInt16 { @_noLocks get { 0x88cc } }
    @inlinable @inline(__always) public static var fcoe: UInt16 { @_noLocks get { 0x8906 } }
    /// FCoE Initialization Protocol.
    @inlinable @inline(__always) public static var fip: UInt16 { @_noLocks get { 0x8914 } }
    @inlinable @inline(__always) public static var roce: UInt16 { @_noLocks get { 0x8915 } }
    /// TPID of the outer tag in older double-tagging equipment.
    @inlinable @inline(__always) public static var oldServiceVLAN: UInt16 { @_noLocks get { 0x9100 } }
}

/// IANA protocol numbers, which IPv4's protocol field and IPv6's next header share.
public enum IPProtocol {
    @inlinable @inline(__always) public static var hopByHop: UInt8 { @_noLocks get { 0 } }
    @inlinable @inline(__always) public static var icmp: UInt8 { @_noLocks get { 1 } }
    @inlinable @inline(__always) public static var igmp: UInt8 { @_noLocks get { 2 } }
    @inlinable @inline(__always) public static var tcp: UInt8 { @_noLocks get { 6 } }
    @inlinable @inline(__always) public static var udp: UInt8 { @_noLocks get { 17 } }
    @inlinable @inline(__always) public static var routing: UInt8 { @_noLocks get { 43 } }
    @inlinable @inline(__always) public static var fragment: UInt8 { @_noLocks get { 44 } }
    @inlinable @inline(__always) public static var authentication: UInt8 { @_noLocks get { 51 } }
    @inlinable @inline(__always) public static var icmpv6: UInt8 { @_noLocks get { 58 } }
    @inlinable @inline(__always) public static var noNextHeader: UInt8 { @_noLocks get { 59 } }
    @inlinable @inline(__always) public static var destinationOptions: UInt8 { @_noLocks get { 60 } }
    @inlinable @inline(__always) public static var pim: UInt8 { @_noLocks get { 103 } }
}

/// Header sizes in bytes, without options.
public enum HeaderSize {
    @inlinable @inline(__always) public static var ethernet: Int { @_noLocks get { 14 } }
    @inlinable @inline(__always) public static var vlanTag: Int { @_noLocks get { 4 } }
    @inlinable @inline(__always) public static var ipv4: Int { @_noLocks get { 20 } }
    @inlinable @inline(__always) public static var ipv6: Int { @_noLocks get { 40 } }
    @inlinable @inline(__always) public static var tcp: Int { @_noLocks get { 20 } }
    @inlinable @inline(__always) public static var udp: Int { @_noLocks get { 8 } }
}

/// Reads big-endian numbers at any alignment. The caller has to check that the bytes are readable. There is a function for each size, because a generic one
/// cannot be proven free of locks in unoptimised builds.
extension UnsafeRawPointer {
    @_noLocks @inlinable @inline(__always)
    public func bigEndian16(_ offset: Int) -> UInt16 { UInt16(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt16.self)) }

    @_noLocks @inlinable @inline(__always)
    public func bigEndian32(_ offset: Int) -> UInt32 { UInt32(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt32.self)) }

    @_noLocks @inlinable @inline(__always)
    public func bigEndian64(_ offset: Int) -> UInt64 { UInt64(bigEndian: loadUnaligned(fromByteOffset: offset, as: UInt64.self)) }
}
