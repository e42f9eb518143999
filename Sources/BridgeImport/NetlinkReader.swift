import Packet

/// Reads integers and attributes of a netlink message (netlink(7), rtnetlink(7)). Everything is bounded by the bytes that are there: an attribute that claims
/// to be longer than what holds it ends the list, and a value that is too short is not there.
struct NetlinkReader {
    let bytes: ArraySlice<UInt8>

    init(_ bytes: ArraySlice<UInt8>) { self.bytes = bytes }

    /// The attributes of a message, whose fixed part has `skipped` bytes.
    init?(_ message: [UInt8], skipping skipped: Int) {
        guard message.count >= skipped else { return nil }
        bytes = message[skipped...]
    }

    var count: Int { bytes.count }

    /// Integers in this machine's order, as netlink has them.
    func u8(_ offset: Int = 0) -> UInt8? { number(offset, UInt8.self) }
    func u16(_ offset: Int = 0) -> UInt16? { number(offset, UInt16.self) }
    func u32(_ offset: Int = 0) -> UInt32? { number(offset, UInt32.self) }
    func u64(_ offset: Int = 0) -> UInt64? { number(offset, UInt64.self) }
    func i32(_ offset: Int = 0) -> Int32? { number(offset, Int32.self) }
    /// Integers in network order.
    func be16(_ offset: Int = 0) -> UInt16? { u16(offset).map(UInt16.init(bigEndian:)) }
    func be32(_ offset: Int = 0) -> UInt32? { u32(offset).map(UInt32.init(bigEndian:)) }

    private func number<Value: FixedWidthInteger & BitwiseCopyable>(_ offset: Int, _: Value.Type) -> Value? {
        let size = Value.bitWidth / 8
        guard offset >= 0, offset <= bytes.count - size else { return nil }
        return bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: Value.self) }
    }

    var mac: MACAddress? {
        guard bytes.count >= 6 else { return nil }
        return MACAddress(value: bytes.prefix(6).reduce(0) { $0 << 8 | UInt64($1) })
    }

    /// A text, to its end or to its first NUL. What is no UTF-8 is replaced.
    var text: String { String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self) }

    /// All attributes in their order; the upper bits of a type, which mark nested ones, are left out.
    var list: [(type: UInt16, value: NetlinkReader)] {
        var result: [(UInt16, NetlinkReader)] = []
        var rest = bytes
        while rest.count >= 4 {
            let head = NetlinkReader(rest)
            guard let length = head.u16(0).map(Int.init), let type = head.u16(2), length >= 4, length <= rest.count else { break }
            result.append((type & 0x3fff, NetlinkReader(rest.dropFirst(4).prefix(length - 4))))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return result
    }

    /// The attributes by type; of several of one type the last.
    var attributes: [UInt16: NetlinkReader] { Dictionary(list.map { ($0.type, $0.value) }) { $1 } }
}
