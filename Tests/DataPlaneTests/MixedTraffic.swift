import TestSupport

/// Bursts in which frames follow one another that differ in all and in little.
enum MixedTraffic {
    /// A frame, and how much of it lies in its first segment.
    typealias MixedFrame = (bytes: [UInt8], contiguous: Int)

    /// From and to guests of these numbers, IPv4.
    static func udp(from source: UInt8, to destination: UInt8, port: Int, size: Int) -> [UInt8] {
        var bytes: [UInt8] = [0x52, 0x54, 0, 0, 0, destination, 0x52, 0x54, 0, 0, 0, source, 0x08, 0x00, 0x45, 0]
        bytes += [UInt8((size - 14) >> 8), UInt8((size - 14) & 255), 0, 1, 0x40, 0, 64, 17] + [UInt8](repeating: 1, count: 10)
        bytes += [0x9c, 0x40, UInt8(port >> 8), UInt8(port & 255)]
        return bytes + [UInt8](repeating: 0, count: size - bytes.count)
    }

    static func burst(_ random: inout Seeded) -> [MixedFrame] {
        let count = Int.random(in: 1...32, using: &random)
        var frames: [MixedFrame] = []
        var last = frame(&random)
        while frames.count < count {
            switch Int.random(in: 0..<12, using: &random) {
            // The next of the same flow, or of one between other guests.
            case 0..<5: break
            case 5: readdress(&last.bytes, &random)
            case 6: resize(&last, &random)
            case 7: last.bytes[Int.random(in: 0..<min(last.bytes.count, 60), using: &random)] = UInt8.random(in: 0...255, using: &random)
            case 8: last.contiguous = min(last.bytes.count, Int.random(in: 30...80, using: &random))
            case 9, 10: retag(&last.bytes, &random)
            default: last = frame(&random)
            }
            frames.append(last)
        }
        return frames
    }

    private static func frame(_ random: inout Seeded) -> MixedFrame {
        var bytes = [UInt8](repeating: 0, count: 12)
        readdress(&bytes, &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes += [0x81, 0x00, UInt8.random(in: 0...7, using: &random) << 5, 0]
        case 1: bytes += [0x81, 0x00, 0x60, [1, 5].randomElement(using: &random)!]
        case 2: bytes += [0x88, 0xa8, 0, 7, 0x81, 0x00, 0, 0]
        default: break
        }
        let isTCP = Bool.random(using: &random)
        let ports: [UInt8] = [0x9c, 0x40] + [[0x0c, 0xbc], [0x12, 0xb7], [0x01, 0xbb], [0x9c, 0x41]].randomElement(using: &random)!
        let dscp: UInt8 = [0, 10 << 2].randomElement(using: &random)!
        switch Int.random(in: 0..<8, using: &random) {
        case 0: bytes += [0x08, 0x06, 0, 1, 8, 0, 6, 4]
        case 1: bytes += [0x86, 0xdd, 0x60 | dscp >> 4, dscp << 4, 1, 2, 0, 40, isTCP ? 6 : 17, 64] + [UInt8](repeating: 3, count: 32) + ports
        case 2: bytes += [0x08, 0x00, 0x46, dscp, 0, 60, 0, 1, 0, 0, 64, isTCP ? 6 : 17] + [UInt8](repeating: 1, count: 14) + ports
        case 3: bytes += [0x08, 0x00, 0x45, dscp, 0, 40, 0, 1, 0x20, 0, 64, isTCP ? 6 : 17] + [UInt8](repeating: 1, count: 10) + ports
        default: bytes += [0x08, 0x00, 0x45, dscp, 0, 40, 0, 1, 0x40, 0, 64, isTCP ? 6 : 17] + [UInt8](repeating: 1, count: 10) + ports
        }
        var frame: MixedFrame = (bytes, 0)
        resize(&frame, &random)
        return frame
    }

    private static func resize(_ frame: inout MixedFrame, _ random: inout Seeded) {
        let size = [60, 60, 64, 90, 100, 590, 594, 1_514, 1_518, 1_600, 13, 40].randomElement(using: &random)!
        frame.bytes = Array(frame.bytes.prefix(size)) + [UInt8](repeating: 0, count: max(size - frame.bytes.count, 0))
        frame.contiguous = size
    }

    /// Another VLAN in the tag, if there is one, or another priority.
    private static func retag(_ bytes: inout [UInt8], _ random: inout Seeded) {
        guard bytes.count >= 16, [[0x81, 0x00], [0x88, 0xa8]].contains(Array(bytes[12..<14])) else { return }
        if Int.random(in: 0..<8, using: &random) == 0 { bytes[14] ^= UInt8.random(in: 0...15, using: &random) << 4 }
        let vlan = [0, 1, 5, 7, 77, 1_200, 1_999, 3_000, 4_095].randomElement(using: &random)!
        bytes[14] = bytes[14] & 0xf0 | UInt8(vlan >> 8)
        bytes[15] = UInt8(vlan & 255)
    }

    /// Mostly guests; now and then a group, a reserved address, no address.
    private static func readdress(_ bytes: inout [UInt8], _ random: inout Seeded) {
        guard bytes.count >= 12 else { return }
        let guests: [[UInt8]] = (1...4).map { [0x52, 0x54, 0, 0, 0, $0] }
        let others: [[UInt8]] = [
            [0xff, 0xff, 0xff, 0xff, 0xff, 0xff], [1, 0, 0x5e, 0, 0, 1], [1, 0x80, 0xc2, 0, 0, 1], [1, 0x80, 0xc2, 0, 0, 0x0e], [1, 0x80, 0xc2, 0, 0, 3],
            [0, 0, 0, 0, 0, 0],
        ]
        func address(_ random: inout Seeded) -> [UInt8] { (Int.random(in: 0..<8, using: &random) == 0 ? others : guests).randomElement(using: &random)! }
        bytes.replaceSubrange(0..<6, with: address(&random))
        bytes.replaceSubrange(6..<12, with: address(&random))
    }
}
