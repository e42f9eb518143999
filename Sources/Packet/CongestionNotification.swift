/// The ECN field of IPv4 and IPv6 headers (RFC 3168, 5): 00 says that the transport does not understand marks, 01 and 10 that it does, and 11 is a mark.
public enum CongestionNotification {
    /// Whether a frame's transport understands marks, or the frame has one.
    ///
    /// - Parameter readable: the bytes that can be read at `bytes`. Tags in front of the header, up to two, are skipped.
    @_noLocks
    public static func isCapable(_ bytes: UnsafeRawPointer, readable: Int) -> Bool {
        switch header(bytes, readable) {
        case .ipv4(let offset): bytes.load(fromByteOffset: offset &+ 1, as: UInt8.self) & 3 != 0
        case .ipv6(let offset): bytes.load(fromByteOffset: offset &+ 1, as: UInt8.self) & 0x30 != 0
        case .other: false
        }
    }

    /// Marks a frame whose transport understands that. The checksum of an IPv4 header stays as right or wrong as it was (RFC 1624, equation 3); no checksum of
    /// TCP or UDP covers the field.
    @_noLocks
    public static func mark(_ bytes: UnsafeMutableRawPointer, readable: Int) {
        switch header(bytes, readable) {
        case .ipv4(let offset):
            let old = UnsafeRawPointer(bytes).bigEndian16(offset), new = old | 3, sum = UnsafeRawPointer(bytes).bigEndian16(offset &+ 10)
            var updated = UInt32(~sum) &+ UInt32(~old) &+ UInt32(new)
            updated = updated & 0xffff &+ updated &>> 16
            updated = updated & 0xffff &+ updated &>> 16
            bytes.storeBytes(of: new.bigEndian, toByteOffset: offset, as: UInt16.self)
            bytes.storeBytes(of: (~UInt16(truncatingIfNeeded: updated)).bigEndian, toByteOffset: offset &+ 10, as: UInt16.self)
        case .ipv6(let offset):
            let byte = bytes.load(fromByteOffset: offset &+ 1, as: UInt8.self)
            bytes.storeBytes(of: byte | 0x30, toByteOffset: offset &+ 1, as: UInt8.self)
        case .other: break
        }
    }

    private enum Header {
        case ipv4(Int), ipv6(Int), other
    }

    @_noLocks
    private static func header(_ bytes: UnsafeRawPointer, _ readable: Int) -> Header {
        var offset = 12
        for _ in 0..<3 {
            if readable < offset &+ 2 { return .other }
            let type = bytes.bigEndian16(offset)
            offset &+= 2
            switch type {
            case EtherType.vlan, EtherType.serviceVLAN: offset &+= 2
            case EtherType.ipv4:
                return readable >= offset &+ 20 && bytes.load(fromByteOffset: offset, as: UInt8.self) &>> 4 == 4 ? .ipv4(offset) : .other
            case EtherType.ipv6:
                return readable >= offset &+ 40 && bytes.load(fromByteOffset: offset, as: UInt8.self) &>> 4 == 6 ? .ipv6(offset) : .other
            default: return .other
            }
        }
        return .other
    }
}
