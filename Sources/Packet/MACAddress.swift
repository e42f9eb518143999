/// An IEEE 802 MAC address: 48 bits, the first octet on the wire in bits 47-40.
public struct MACAddress: Hashable, Comparable, Sendable {
    /// The address as a number below 2^48; the first octet on the wire is the most significant.
    public var value: UInt64

    @inlinable @inline(__always)
    public init(value: UInt64) { self.value = value & 0xffff_ffff_ffff }

    /// Group bit of the first octet (IEEE 802, clause 8.2): multicast and broadcast.
    @inlinable @inline(__always)
    public var isMulticast: Bool { value & 0x0100_0000_0000 != 0 }

    @inlinable @inline(__always)
    public var isBroadcast: Bool { value == 0xffff_ffff_ffff }

    @inlinable @inline(__always)
    public var isZero: Bool { value == 0 }

    @inlinable
    public static func < (a: MACAddress, b: MACAddress) -> Bool { a.value < b.value }
}

extension MACAddress: CustomStringConvertible {
    /// Reads six hexadecimal octets separated by colons or hyphens; nil for anything else.
    public init?(_ text: some StringProtocol) {
        let parts = text.split(omittingEmptySubsequences: false) { $0 == ":" || $0 == "-" }
        guard parts.count == 6 else { return nil }
        var value: UInt64 = 0
        for part in parts {
            guard part.utf8.count == 2, part.allSatisfy(\.isHexDigit), let octet = UInt64(part, radix: 16) else { return nil }
            value = value << 8 | octet
        }
        self.init(value: value)
    }

    /// Lower-case octets separated by colons, as iproute2 prints them.
    public var description: String {
        let digits = Array("0123456789abcdef")
        return (0..<6).map { index in
            let octet = Int(value >> UInt64(40 - 8 * index) & 0xff)
            return String([digits[octet >> 4], digits[octet & 15]])
        }.joined(separator: ":")
    }
}
