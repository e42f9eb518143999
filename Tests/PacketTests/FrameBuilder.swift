/// Builds frames octet by octet, for tests that parse them.
struct FrameBuilder {
    var bytes: [UInt8] = []

    init(to destination: UInt64 = 0x0200_0000_0002, from source: UInt64 = 0x0200_0000_0001) {
        mac(destination)
        mac(source)
    }

    mutating func mac(_ value: UInt64) { for shift in stride(from: 40, through: 0, by: -8) { bytes.append(UInt8(truncatingIfNeeded: value >> UInt64(shift))) } }
    mutating func be16(_ value: Int) { bytes += [UInt8(truncatingIfNeeded: value >> 8), UInt8(truncatingIfNeeded: value)] }
    mutating func be32(_ value: Int) { be16(value >> 16); be16(value) }

    func tag(_ tpid: Int = 0x8100, tci: Int) -> FrameBuilder { with { $0.be16(tpid); $0.be16(tci) } }
    func type(_ type: Int) -> FrameBuilder { with { $0.be16(type) } }
    func raw(_ more: [UInt8]) -> FrameBuilder { with { $0.bytes += more } }
    func padded(to size: Int) -> FrameBuilder { with { while $0.bytes.count < size { $0.bytes.append(0xee) } } }

    /// Appends EtherType and IPv4 header. `options` is their length in bytes, a multiple of four. `total` is the total length to state; nil: that of header and
    /// payload.
    func ipv4(_ proto: Int, options: Int = 0, dscp: Int = 0, fragment: Int = 0, total: Int? = nil, version: Int = 4, words: Int? = nil, payload: [UInt8])
        -> FrameBuilder
    {
        with {
            $0.be16(0x0800)
            $0.bytes.append(UInt8(version << 4 | (words ?? 5 + options / 4)))
            $0.bytes.append(UInt8(dscp << 2 | 1))
            $0.be16(total ?? 20 + options + payload.count)
            $0.be16(0x1234)
            $0.be16(fragment)
            $0.bytes += [64, UInt8(proto)]
            $0.be16(0)
            $0.be32(0x0a00_0001)
            $0.be32(0x0a00_0002)
            $0.bytes += [UInt8](repeating: 1, count: options)
            $0.bytes += payload
        }
    }

    /// Appends EtherType and IPv6 header. `payload` begins with the extension headers, if there are any.
    func ipv6(_ next: Int, dscp: Int = 0, length: Int? = nil, version: Int = 6, payload: [UInt8]) -> FrameBuilder {
        with {
            $0.be16(0x86dd)
            $0.be32(version << 28 | dscp << 22 | 1 << 20 | 0x5_4321)
            $0.be16(length ?? payload.count)
            $0.bytes += [UInt8(next), 64]
            for octet in 0..<32 { $0.bytes.append(UInt8(octet)) }
            $0.bytes += payload
        }
    }

    private func with(_ change: (inout FrameBuilder) -> Void) -> FrameBuilder {
        var copy = self
        change(&copy)
        return copy
    }

    static func tcp(_ source: Int, _ destination: Int, data: Int = 6) -> [UInt8] {
        ports(source, destination) + [UInt8](repeating: 0, count: 8) + [0x50, 0x10] + [UInt8](repeating: 0, count: 6 + data)
    }

    static func udp(_ source: Int, _ destination: Int, data: Int = 18) -> [UInt8] {
        ports(source, destination) + [UInt8(0), UInt8(8 + data), 0, 0] + [UInt8](repeating: 0, count: data)
    }

    /// An extension header of `size` bytes whose next header is `next`. The authentication header states its length in other units.
    static func extensionHeader(next: Int, size: Int = 8, authentication: Bool = false) -> [UInt8] {
        [UInt8(next), UInt8(authentication ? size / 4 - 2 : size / 8 - 1)] + [UInt8](repeating: 0, count: size - 2)
    }

    static func fragmentHeader(next: Int, offset: Int = 0, more: Bool = false) -> [UInt8] {
        [UInt8(next), 0, UInt8(offset >> 5), UInt8((offset << 3 | (more ? 1 : 0)) & 0xff), 0, 0, 0, 7]
    }

    static func ports(_ a: Int, _ b: Int) -> [UInt8] {
        [UInt8(a >> 8), UInt8(a & 255), UInt8(b >> 8), UInt8(b & 255)]
    }
}
