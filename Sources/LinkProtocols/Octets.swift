import Packet

/// A part of a frame, from which big-endian numbers are read. Callers must check `count` before they read; offsets count from the start of the part.
package struct Octets {
    private let frame: [UInt8]
    private let range: Range<Int>

    package init(_ frame: [UInt8]) {
        self.frame = frame
        range = 0..<frame.count
    }

    private init(_ frame: [UInt8], _ range: Range<Int>) {
        self.frame = frame
        self.range = range
    }

    package var count: Int { range.count }

    /// The part from `offset` to the end; nil if `offset` is behind the end.
    package func from(_ offset: Int) -> Octets? { offset <= count ? Octets(frame, range.lowerBound + offset..<range.upperBound) : nil }

    /// The first `length` bytes; nil if there are fewer.
    package func first(_ length: Int) -> Octets? { length <= count ? Octets(frame, range.lowerBound..<range.lowerBound + length) : nil }

    package func byte(_ offset: Int) -> UInt8 { frame[range.lowerBound + offset] }
    package func bigEndian16(_ offset: Int) -> UInt16 { UInt16(byte(offset)) << 8 | UInt16(byte(offset + 1)) }
    package func bigEndian32(_ offset: Int) -> UInt32 { UInt32(bigEndian16(offset)) << 16 | UInt32(bigEndian16(offset + 2)) }
    package func bigEndian64(_ offset: Int) -> UInt64 { UInt64(bigEndian32(offset)) << 32 | UInt64(bigEndian32(offset + 4)) }

    package func mac(_ offset: Int) -> MACAddress { MACAddress(value: UInt64(bigEndian16(offset)) << 32 | UInt64(bigEndian32(offset + 2))) }
    package var array: [UInt8] { Array(frame[range]) }

    /// What an Ethernet frame carries behind up to two tags; nil if it ends within its headers.
    package var ethernetPayload: (type: UInt16, payload: Octets)? {
        guard count >= HeaderSize.ethernet else { return nil }
        var offset = 12
        var type = bigEndian16(offset)
        var tags = 0
        while type == EtherType.vlan || type == EtherType.serviceVLAN || type == EtherType.oldServiceVLAN, tags < 2 {
            offset += HeaderSize.vlanTag
            tags += 1
            guard count >= offset + 2 else { return nil }
            type = bigEndian16(offset)
        }
        return from(offset + 2).map { (type, $0) }
    }

    package func address(_ family: GroupFamily, _ offset: Int) -> GroupAddress {
        switch family {
        case .ipv4: GroupAddress(ipv4: bigEndian32(offset))
        case .ipv6: GroupAddress(high: bigEndian64(offset), low: bigEndian64(offset + 8))
        }
    }

    /// The sum of 16-bit words of which an RFC 1071 checksum is made, not yet folded; `foldedChecksum` does that.
    package var wordSum: UInt64 {
        var sum: UInt64 = 0
        for offset in stride(from: 0, to: count - 1, by: 2) { sum += UInt64(bigEndian16(offset)) }
        if count % 2 == 1 { sum += UInt64(byte(count - 1)) << 8 }
        return sum
    }
}

/// The checksum of RFC 1071; 0 if the sum includes a correct checksum.
package func foldedChecksum(_ sum: UInt64) -> UInt16 {
    var sum = sum
    while sum >> 16 != 0 { sum = sum & 0xffff + sum >> 16 }
    return ~UInt16(sum)
}

/// The sum of the IPv6 pseudo-header (RFC 8200, 8.1).
package func pseudoHeaderSum(source: GroupAddress, destination: GroupAddress, length: Int, next: UInt8) -> UInt64 {
    var sum = UInt64(length) + UInt64(next)
    for half in [source.high, source.low, destination.high, destination.low] {
        for shift in stride(from: UInt64(0), to: 64, by: 16) { sum += half >> shift & 0xffff }
    }
    return sum
}

extension [UInt8] {
    /// Appends the lowest `bytes` bytes of a number, the most significant first.
    mutating func append(_ number: some FixedWidthInteger & UnsignedInteger, bytes: Int) {
        for index in (0..<bytes).reversed() { append(UInt8(truncatingIfNeeded: UInt64(number) >> UInt64(8 * index))) }
    }
}
