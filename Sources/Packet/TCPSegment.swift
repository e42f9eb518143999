/// The headers of a TCP segment that is cut out of a longer one (TCP segmentation offload): what Linux does in `inet_gso_segment`, `ipv6_gso_segment` and
/// `tcp_gso_segment` (net/ipv4/tcp_offload.c).
public enum TCPSegment {
    /// Changes a copy of the longer segment's headers to those of a part of it.
    ///
    /// - Parameters:
    ///   - bytes: the frame, of which all headers can be read and written.
    ///   - l3: the offset of the IPv4 or IPv6 header in bytes.
    ///   - l4: the offset of the TCP header. An IPv6 header has nothing between it and that.
    ///   - headers: the length of all headers, so the offset of the data.
    ///   - number: which part it is, from 0. IPv4 identifications count on (RFC 6864 asks only that they differ if the part may be fragmented).
    ///   - offset: the part's place in the longer segment's data in bytes.
    ///   - length: the number of bytes of data in the part.
    ///   - isLast: whether it is the last part, which alone keeps FIN and PSH. CWR stays with the first.
    ///
    /// The checksum's field then has the sum of the pseudo-header, over which the checksum of the rest is still to be made.
    @_noLocks
    public static func write(
        at bytes: UnsafeMutableRawPointer, l3: Int, l4: Int, headers: Int, isIPv6: Bool, number: Int, offset: Int, length: Int, isLast: Bool
    ) {
        let ip = bytes + l3, tcp = bytes + l4
        let l4Length = headers &- l4 &+ length
        var sum = UInt64(6) &+ UInt64(truncatingIfNeeded: l4Length)
        if isIPv6 {
            (ip + 4).storeBytes(of: UInt16(truncatingIfNeeded: l4Length).bigEndian, as: UInt16.self)
            sum = add(ip + 8, words: 16, to: sum)
        } else {
            (ip + 2).storeBytes(of: UInt16(truncatingIfNeeded: l4 &- l3 &+ l4Length).bigEndian, as: UInt16.self)
            let identification = UnsafeRawPointer(ip).bigEndian16(4) &+ UInt16(truncatingIfNeeded: number)
            (ip + 4).storeBytes(of: identification.bigEndian, as: UInt16.self)
            (ip + 10).storeBytes(of: 0, as: UInt16.self)
            (ip + 10).storeBytes(of: (~fold(add(ip, words: (l4 &- l3) &>> 1, to: 0))).bigEndian, as: UInt16.self)
            sum = add(ip + 12, words: 4, to: sum)
        }
        let sequence = UInt32(bigEndian: (tcp + 4).loadUnaligned(as: UInt32.self)) &+ UInt32(truncatingIfNeeded: offset)
        (tcp + 4).storeBytes(of: sequence.bigEndian, as: UInt32.self)
        var flags = (tcp + 13).load(as: UInt8.self)
        if !isLast { flags &= ~(fin | push) }
        if number != 0 { flags &= ~windowReduced }
        (tcp + 13).storeBytes(of: flags, as: UInt8.self)
        (tcp + 16).storeBytes(of: fold(sum).bigEndian, as: UInt16.self)
    }

    private static var fin: UInt8 { @_noLocks get { 0x01 } }
    private static var push: UInt8 { @_noLocks get { 0x08 } }
    /// CWR (RFC 3168, 6.1.2), which answers one mark and so stands in one segment.
    private static var windowReduced: UInt8 { @_noLocks get { 0x80 } }

    /// Adds 16-bit words, big endian, as the Internet's checksums do (RFC 1071).
    @inline(__always) @_noLocks
    private static func add(_ bytes: UnsafeMutableRawPointer, words: Int, to sum: UInt64) -> UInt64 {
        var sum = sum
        for word in 0..<words { sum &+= UInt64(UnsafeRawPointer(bytes).bigEndian16(word &* 2)) }
        return sum
    }

    @inline(__always) @_noLocks
    private static func fold(_ sum: UInt64) -> UInt16 {
        var sum = sum
        while sum &>> 16 != 0 { sum = sum & 0xffff &+ sum &>> 16 }
        return UInt16(truncatingIfNeeded: sum)
    }
}
