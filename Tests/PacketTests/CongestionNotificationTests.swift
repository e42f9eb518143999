import Packet
import TestSupport
import Testing

@Suite("Marks of congestion in headers (RFC 3168)")
struct CongestionNotificationTests {
    private static func mark(_ frame: [UInt8], readable: Int? = nil) -> [UInt8] {
        var frame = frame
        frame.withUnsafeMutableBytes { CongestionNotification.mark($0.baseAddress!, readable: readable ?? $0.count) }
        return frame
    }

    private static func isCapable(_ frame: [UInt8], readable: Int? = nil) -> Bool {
        frame.withUnsafeBytes { CongestionNotification.isCapable($0.baseAddress!, readable: readable ?? $0.count) }
    }

    /// The ones' complement sum over an IPv4 header, which is 0xffff if its checksum is right.
    private static func sum(_ header: ArraySlice<UInt8>) -> UInt32 {
        var sum: UInt32 = 0
        for index in stride(from: header.startIndex, to: header.startIndex + 20, by: 2) { sum += UInt32(header[index]) << 8 | UInt32(header[index + 1]) }
        while sum > 0xffff { sum = sum & 0xffff + sum >> 16 }
        return sum
    }

    @Test("IPv4: the field becomes 11 and the checksum stays right, whatever the header is")
    func ipv4() {
        var random = Seeded(1)
        for tags in 0...2 {
            for _ in 0..<2_000 {
                var frame = FrameBuilder()
                for _ in 0..<tags { frame = frame.tag(tci: 5) }
                var bytes = frame.ipv4(17, payload: [1, 2, 3, 4]).bytes
                let start = 14 + 4 * tags
                for index in start + 1..<start + 20 { bytes[index] = UInt8.random(in: 0...255, using: &random) }
                (bytes[start + 10], bytes[start + 11]) = (0, 0)
                let right = ~UInt16(Self.sum(bytes[start...]))
                (bytes[start + 10], bytes[start + 11]) = (UInt8(right >> 8), UInt8(right & 0xff))
                #expect(Self.sum(bytes[start...]) == 0xffff && Self.isCapable(bytes) == (bytes[start + 1] & 3 != 0))
                let marked = Self.mark(bytes)
                #expect(Self.sum(marked[start...]) == 0xffff && marked[start + 1] == bytes[start + 1] | 3)
                bytes[start + 1] |= 3
                (bytes[start + 10], bytes[start + 11]) = (marked[start + 10], marked[start + 11])
                #expect(marked == bytes)
            }
        }
    }

    @Test("IPv6: the field becomes 11, and nothing else changes")
    func ipv6() {
        var bytes = FrameBuilder().tag(0x88a8, tci: 9).type(0x86dd).raw([0x6a, 0x5c, 0x12, 0x34] + [UInt8](repeating: 9, count: 36)).bytes
        #expect(Self.isCapable(bytes))
        let marked = Self.mark(bytes)
        bytes[19] = 0x7c
        #expect(marked == bytes && Self.isCapable(marked))
        bytes[19] = 0x4c
        #expect(!Self.isCapable(bytes))
    }

    @Test("other frames, and headers that are not all there, are left alone")
    func others() {
        let whole = FrameBuilder().ipv4(17, payload: [UInt8](repeating: 0, count: 20)).bytes
        for readable in 0..<34 { #expect(!Self.isCapable(whole, readable: readable) && Self.mark(whole, readable: readable) == whole) }
        #expect(Self.isCapable(whole, readable: 34))
        let six = FrameBuilder().type(0x86dd).raw([0x60, 0x30] + [UInt8](repeating: 0, count: 38)).bytes
        for readable in 0..<54 { #expect(!Self.isCapable(six, readable: readable) && Self.mark(six, readable: readable) == six) }
        for frame in [
            FrameBuilder().type(0x8906).raw([UInt8](repeating: 0xff, count: 60)), FrameBuilder().ipv4(17, version: 5, payload: [UInt8](repeating: 3, count: 40)),
            FrameBuilder().tag(tci: 1).tag(tci: 2).tag(tci: 3).ipv4(17, payload: [1]), FrameBuilder().type(0x86dd).raw([UInt8](repeating: 0x4f, count: 60)),
        ] { #expect(!Self.isCapable(frame.bytes) && Self.mark(frame.bytes) == frame.bytes) }
    }
}
