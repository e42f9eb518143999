/// Frames built byte by byte as the standards say, so that what the product parses was not made by its own code.
enum Frames {
    struct Tag { var pcp: UInt8; var vid: UInt16; var tpid: UInt16 = 0x8100 }

    /// An Ethernet frame (IEEE 802.3), padded to 60 bytes.
    static func ethernet(to: String, from: String, tags: [Tag] = [], type: UInt16, _ payload: [UInt8]) -> [UInt8] {
        var frame = mac(to) + mac(from)
        for tag in tags { frame += be(tag.tpid) + be(UInt16(tag.pcp) << 13 | tag.vid) }
        frame += be(type) + payload
        return frame + [UInt8](repeating: 0, count: max(0, 60 - frame.count))
    }

    /// An IPv4 packet (RFC 791) with `options` (a multiple of four bytes).
    static func ipv4(_ proto: UInt8, dscp: UInt8 = 0, options: [UInt8] = [], fragmentOffset: UInt16 = 0, moreFragments: Bool = false, _ payload: [UInt8]) -> [UInt8] {
        let headerLength = 20 + options.count
        var header: [UInt8] = [0x40 | UInt8(headerLength / 4), dscp << 2] + be(UInt16(headerLength + payload.count)) + [0, 1]
        header += be(fragmentOffset | (moreFragments ? 0x2000 : 0)) + [64, proto, 0, 0, 192, 0, 2, 1, 192, 0, 2, 2] + options
        let sum = checksum(header)
        header[10] = UInt8(sum >> 8)
        header[11] = UInt8(sum & 0xff)
        return header + payload
    }

    /// An IPv6 packet (RFC 8200). `extensions` are the types of its extension headers, which have eight bytes each.
    static func ipv6(_ proto: UInt8, extensions: [UInt8] = [], _ payload: [UInt8]) -> [UInt8] {
        var chain: [UInt8] = []
        for (index, _) in extensions.enumerated() {
            // PadN fills the rest of the header (RFC 8200, 4.2).
            chain += [index + 1 < extensions.count ? extensions[index + 1] : proto, 0, 1, 4, 0, 0, 0, 0]
        }
        let address: (UInt8) -> [UInt8] = { [0x20, 0x01, 0x0d, 0xb8] + [UInt8](repeating: 0, count: 11) + [$0] }
        return [0x60, 0, 0, 0] + be(UInt16(chain.count + payload.count)) + [extensions.first ?? proto, 64] + address(1) + address(2) + chain + payload
    }

    static func tcp(from source: UInt16 = 40_000, to destination: UInt16, _ payload: [UInt8] = []) -> [UInt8] {
        be(source) + be(destination) + [0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 0x20, 0, 0, 0, 0, 0] + payload
    }

    static func udp(from source: UInt16 = 40_000, to destination: UInt16, _ payload: [UInt8] = []) -> [UInt8] {
        be(source) + be(destination) + be(UInt16(8 + payload.count)) + [0, 0] + payload
    }

    /// FCoE (FC-BB-5, 7.7): version 0, SOFi3, a Fibre Channel header (solicited FCP data), room for the FC CRC, and EOFt.
    static let fcoe: [UInt8] =
        [UInt8](repeating: 0, count: 13) + [0x2e] + [1, 0, 0, 1, 0, 0, 0, 2, 8] + [UInt8](repeating: 0, count: 35) + [0x42, 0, 0, 0]
    /// FIP (FC-BB-5, 7.9): a discovery solicitation without descriptors.
    static let fip: [UInt8] = [0x10, 0, 0, 1, 0, 1, 0, 0, 0, 0] + [UInt8](repeating: 0, count: 36)
    /// An InfiniBand base transport header of 12 bytes (RC SEND only, opcode 4), 16 bytes of payload, and room for the invariant CRC.
    static let infiniband: [UInt8] = [4, 0, 0xff, 0xff, 0, 0, 0, 5, 0, 0, 0, 1] + [UInt8](repeating: 0, count: 20)
    /// RoCE v1: the same behind a global route header, which has the layout of IPv6 with next header 0x1b.
    static let roce: [UInt8] =
        [0x60, 0, 0, 0] + be(UInt16(infiniband.count)) + [0x1b, 64] + [UInt8](repeating: 0xfe, count: 32) + infiniband

    static func mac(_ text: String) -> [UInt8] { text.split(separator: ":").map { UInt8($0, radix: 16)! } }
    static func be(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xff)] }

    /// The Internet checksum (RFC 1071).
    static func checksum(_ bytes: [UInt8]) -> UInt16 {
        var sum: UInt32 = 0
        for index in stride(from: 0, to: bytes.count, by: 2) {
            sum += UInt32(bytes[index]) << 8 | UInt32(index + 1 < bytes.count ? bytes[index + 1] : 0)
        }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return ~UInt16(sum)
    }
}
