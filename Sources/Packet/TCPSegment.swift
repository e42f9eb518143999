/// The headers of a TCP segment that is cut out of a longer one (TCP segmentation offload): what Linux does in `tcp_gso_segment` (net/ipv4/tcp_offload.c).
public enum TCPSegment {
    /// Changes a copy of the longer segment's headers to those of a part of it.
    ///
    /// - Parameters:
    ///   - bytes: the frame, of which all headers can be read and written.
    ///   - l3: the offset of the IPv4 or IPv6 header in bytes.
    ///   - l4: the offset of the TCP header. An IPv6 header has nothing between it and that.
    ///   - headers: the length of all headers, so the offset of the data.
    ///   - number: which part it is, from 0.
    ///   - offset: the part's place in the longer segment's data in bytes.
    ///   - length: the number of bytes of data in the part.
    ///   - isLast: whether it is the last part, which alone keeps FIN and PSH. CWR stays with the first.
    ///
    /// The checksum's field then has the sum of the pseudo-header, over which the checksum of the rest is still to be made.
    @_noLocks
    public static func write(
        at bytes: UnsafeMutableRawPointer, l3: Int, l4: Int, headers: Int, isIPv6: Bool, number: Int, offset: Int, length: Int, isLast: Bool
    ) {
        let tcp = bytes + l4
        let sum = SegmentHeaders.write(at: bytes, l3: l3, l4: l4, l4Length: headers &- l4 &+ length, transport: 6, isIPv6: isIPv6, number: number)
        let sequence = UInt32(bigEndian: (tcp + 4).loadUnaligned(as: UInt32.self)) &+ UInt32(truncatingIfNeeded: offset)
        (tcp + 4).storeBytes(of: sequence.bigEndian, as: UInt32.self)
        var flags = (tcp + 13).load(as: UInt8.self)
        if !isLast { flags &= ~(fin | push) }
        if number != 0 { flags &= ~windowReduced }
        (tcp + 13).storeBytes(of: flags, as: UInt8.self)
        (tcp + 16).storeBytes(of: sum.bigEndian, as: UInt16.self)
    }

    private static var fin: UInt8 { @_noLocks get { 0x01 } }
    private static var push: UInt8 { @_noLocks get { 0x08 } }
    /// CWR (RFC 3168, 6.1.2), which answers one mark and so stands in one segment.
    private static var windowReduced: UInt8 { @_noLocks get { 0x80 } }
}
