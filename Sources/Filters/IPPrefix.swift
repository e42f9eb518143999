import Glibc

/// An IPv4 or IPv6 address, or a network of them: `10.0.0.5`, `2001:db8::/64`.
public struct IPPrefix: Hashable, Sendable, CustomStringConvertible {
    /// The 4 or 16 octets of the address; the bits behind the prefix are 0.
    public let bytes: [UInt8]
    /// Length of the prefix in bits.
    public let length: Int

    public var isIPv4: Bool { bytes.count == 4 }
    private var isAddress: Bool { length == 8 * bytes.count }

    /// Reads an address with or without a prefix length; nil if the text is neither. Without one, the prefix is the whole address.
    public init?(_ text: String) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        var bytes = [UInt8](repeating: 0, count: 16)
        let isIPv4 = !parts[0].contains(":")
        guard parts[0].utf8.count < Int(INET6_ADDRSTRLEN), inet_pton(isIPv4 ? AF_INET : AF_INET6, String(parts[0]), &bytes) == 1 else { return nil }
        let most = isIPv4 ? 32 : 128
        if parts.count == 2 {
            guard let length = Int(parts[1]), (0...most).contains(length), parts[1].allSatisfy(\.isNumber) else { return nil }
            self.length = length
        } else {
            length = most
        }
        let mask = Self.mask(length, most / 8)
        self.bytes = zip(bytes, mask).map { $0 & $1 }
    }

    private static func mask(_ length: Int, _ count: Int) -> [UInt8] {
        (0..<count).map { place in UInt8(truncatingIfNeeded: 0xff00 >> min(max(length - 8 * place, 0), 8)) }
    }

    public var description: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        inet_ntop(isIPv4 ? AF_INET : AF_INET6, bytes, &text, socklen_t(text.count))
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) + (isAddress ? "" : "/\(length)")
    }

    /// A condition for libpcap that the address at `offset` bytes into `header` (such as 14 into `arp`) is within this prefix.
    public func expression(at offset: Int, of header: String) -> String {
        let mask = Self.mask(length, bytes.count)
        func word(_ bytes: [UInt8], _ place: Int) -> String {
            "0x" + bytes[place..<place + 4].map { byte in (byte < 16 ? "0" : "") + String(byte, radix: 16) }.joined()
        }
        let words = stride(from: 0, to: bytes.count, by: 4).filter { mask[$0] != 0 }.map { place in
            let all = word(mask, place)
            return "\(header)[\(offset + place):4]\(all == "0xffffffff" ? "" : " & \(all)") = \(word(bytes, place))"
        }
        return words.isEmpty ? "\(header)[\(offset)] >= 0" : words.joined(separator: " and ")
    }
}
