/// Fixed parts of requests (linux/rtnetlink.h), and attributes.
enum KernelRequest {
    static func bytes(_ values: any FixedWidthInteger...) -> [UInt8] { values.flatMap { value in bytes(of: value) } }

    private static func bytes<Value: FixedWidthInteger>(of value: Value) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }

    static func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
        bytes(UInt16(4 + value.count), type) + value + [UInt8](repeating: 0, count: -value.count & 3)
    }

    /// struct ifinfomsg, with IFLA_EXT_MASK if there is a mask.
    static func link(family: UInt8 = 0, index: Int = 0, mask: UInt32 = 0) -> [UInt8] {
        bytes(family, UInt8(0), UInt16(0), Int32(clamping: index), UInt32(0), UInt32(0)) + (mask == 0 ? [] : attribute(29, bytes(mask)))
    }

    /// struct ndmsg with NDA_LLADDR and NDA_VLAN: a static entry (NUD_NOARP) of a bridge's (NTF_MASTER).
    static func entry(_ mac: UInt64, _ vlan: Int?, on index: Int) -> [UInt8] {
        bytes(UInt8(7), UInt8(0), UInt16(0), Int32(clamping: index), UInt16(0x40), UInt8(4), UInt8(0))
            + attribute(
                2, (0..<6).map { UInt8(truncatingIfNeeded: mac >> UInt64(40 - 8 * $0)) }) + (vlan.map { attribute(5, bytes(UInt16(clamping: $0))) } ?? [])
    }

    /// struct tcmsg.
    static func traffic(_ index: Int = 0, parent: UInt32 = 0) -> [UInt8] {
        bytes(UInt8(0), UInt8(0), UInt16(0), Int32(clamping: index), UInt32(0), parent, UInt32(0))
    }
}
