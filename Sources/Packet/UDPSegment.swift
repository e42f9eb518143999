/// The headers of a UDP datagram that is cut out of a longer one (UDP segmentation offload): what Linux does in `__udp_gso_segment` (net/ipv4/udp_offload.c).
public enum UDPSegment {
    /// Changes a copy of the longer datagram's headers to those of a part of it.
    ///
    /// - Parameters:
    ///   - bytes: the frame, of which all headers can be read and written.
    ///   - l3: the offset of the IPv4 or IPv6 header in bytes.
    ///   - l4: the offset of the UDP header. An IPv6 header has nothing between it and that.
    ///   - number: which part it is, from 0.
    ///   - length: the number of bytes of data in the part.
    ///
    /// The checksum's field then has the sum of the pseudo-header, over which the checksum of the rest is still to be made.
    @_noLocks
    public static func write(at bytes: UnsafeMutableRawPointer, l3: Int, l4: Int, isIPv6: Bool, number: Int, length: Int) {
        let udp = bytes + l4, whole = 8 &+ length
        let sum = SegmentHeaders.write(at: bytes, l3: l3, l4: l4, l4Length: whole, transport: 17, isIPv6: isIPv6, number: number)
        (udp + 4).storeBytes(of: UInt16(truncatingIfNeeded: whole).bigEndian, as: UInt16.self)
        (udp + 6).storeBytes(of: sum.bigEndian, as: UInt16.self)
    }
}
