import Foundation

/// A capture file in libpcap's classic format (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap-04.html), with Ethernet frames and time stamps in
/// microseconds.
enum PacketFile {
    static func write(_ frames: [[UInt8]], to path: String) throws {
        var bytes: [UInt8] = []
        func word(_ value: UInt32) { for shift in [0, 8, 16, 24] { bytes.append(UInt8(truncatingIfNeeded: value >> UInt32(shift))) } }
        word(0xa1b2_c3d4)
        word(4 << 16 | 2)   // version 2.4
        for value: UInt32 in [0, 0, 65_535, 1] { word(value) }
        for (index, frame) in frames.enumerated() {
            for value in [UInt32(index / 1_000_000), UInt32(index % 1_000_000), UInt32(frame.count), UInt32(frame.count)] { word(value) }
            bytes += frame
        }
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }

    static func read(_ path: String) throws -> [[UInt8]] {
        let bytes = [UInt8](try Data(contentsOf: URL(fileURLWithPath: path)))
        func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) } }
        // Files with nanoseconds differ only in the time stamps.
        guard bytes.count >= 24, [0xa1b2_c3d4, 0xa1b2_3c4d].contains(word(0)) else { throw LabError("\(path) is not a capture file") }
        var frames: [[UInt8]] = []
        var at = 24
        while at + 16 <= bytes.count {
            let length = Int(word(at + 8))
            guard at + 16 + length <= bytes.count else { throw LabError("\(path) ends within a frame") }
            frames.append(Array(bytes[(at + 16)..<(at + 16 + length)]))
            at += 16 + length
        }
        return frames
    }
}
