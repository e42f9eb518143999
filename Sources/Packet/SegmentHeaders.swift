/// What the headers of all parts have in common that are cut out of a longer TCP segment or UDP datagram: what Linux does in `inet_gso_segment` and
/// `ipv6_gso_segment`.
enum SegmentHeaders {
    /// Changes a copy of the longer packet's IP header to that of a part of it.
    ///
    /// - Parameters:
    ///   - bytes: the frame, of which all headers can be read and written.
    ///   - l3: the offset of the IPv4 or IPv6 header in bytes.
    ///   - l4: the offset of the header behind it. An IPv6 header has nothing between it and that.
    ///   - l4Length: the number of bytes from there to the part's end.
    ///   - transport: the protocol's number.
    ///   - number: which part it is, from 0. IPv4 identifications count on (RFC 6864 asks only that they differ if the part may be fragmented).
    /// - Returns: the sum of the pseudo-header, over which the checksum of the rest is still to be made.
    @inline(__always) @_noLocks
    static func write(at bytes: UnsafeMutableRawPointer, l3: Int, l4: Int, l4Length: Int, transport: UInt64, isIPv6: Bool, number: Int) -> UInt16 {
        let ip = bytes + l3
        let sum = transport &+ UInt64(truncatingIfNeeded: l4Length)
        if isIPv6 {
            (ip + 4).storeBytes(of: UInt16(truncatingIfNeeded: l4Length).bigEndian, as: UInt16.self)
            return fold(add(ip + 8, words: 16, to: sum))
        }
        (ip + 2).storeBytes(of: UInt16(truncatingIfNeeded: l4 &- l3 &+ l4Length).bigEndian, as: UInt16.self)
        let identification = UnsafeRawPointer(ip).bigEndian16(4) &+ UInt16(truncatingIfNeeded: number)
        (ip + 4).storeBytes(of: identification.bigEndian, as: UInt16.self)
        (ip + 10).storeBytes(of: 0, as: UInt16.self)
        (ip + 10).storeBytes(of: (~fold(add(ip, words: (l4 &- l3) &>> 1, to: 0))).bigEndian, as: UInt16.self)
        return fold(add(ip + 12, words: 4, to: sum))
    }

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
