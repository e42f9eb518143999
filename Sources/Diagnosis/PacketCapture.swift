/// Reads frames from a file that a capturing program wrote: pcap (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcap) or pcapng
/// (https://www.ietf.org/archive/id/draft-ietf-opsawg-pcapng). Only frames of Ethernet are of use here.
public struct PacketCapture {
    /// A sentence that says why a file cannot be read.
    public struct Flaw: Error, Equatable, CustomStringConvertible {
        public let description: String
        package init(_ description: String) { self.description = description }
    }

    /// The frames, in their order.
    public private(set) var frames: [[UInt8]] = []

    /// LINKTYPE_ETHERNET.
    private static let ethernet = 1

    public init(_ file: [UInt8]) throws(Flaw) {
        guard file.count >= 24 else { throw Flaw("this is no pcap or pcapng file: it is too short") }
        func word(_ place: Int, _ isBig: Bool) -> Int {
            let bytes = (0..<4).map { Int(file[place + (isBig ? $0 : 3 - $0)]) }
            return bytes.reduce(0) { $0 << 8 | $1 }
        }
        // Microseconds or nanoseconds, and either order of bytes.
        switch word(0, true) {
        case 0xa1b2_c3d4, 0xa1b2_3c4d: try readPcap(file, word, isBig: true)
        case 0xd4c3_b2a1, 0x4d3c_b2a1: try readPcap(file, word, isBig: false)
        case 0x0a0d_0d0a: try readPcapng(file, word)
        default: throw Flaw("this is no pcap or pcapng file")
        }
    }

    private mutating func readPcap(_ file: [UInt8], _ word: (Int, Bool) -> Int, isBig: Bool) throws(Flaw) {
        guard word(20, isBig) & 0xfff_ffff == Self.ethernet else { throw Flaw("the file's frames are not Ethernet's") }
        var place = 24
        while place < file.count {
            guard place + 16 <= file.count else { throw Flaw("the file ends in the middle of the header of frame \(frames.count + 1)") }
            let length = word(place + 8, isBig)
            place += 16
            guard length <= file.count - place else { throw Flaw("the file ends in the middle of frame \(frames.count + 1)") }
            frames.append(Array(file[place..<(place + length)]))
            place += length
        }
    }

    private mutating func readPcapng(_ file: [UInt8], _ word: (Int, Bool) -> Int) throws(Flaw) {
        // Of each interface whether its frames are Ethernet's, and how many bytes of one are kept at most.
        var place = 0, isBig = false, interfaces: [(isEthernet: Bool, longest: Int)] = []
        func half(_ place: Int) -> Int { isBig ? word(place, true) >> 16 : word(place, false) & 0xffff }
        func isEthernet(_ interface: Int) -> Bool { interfaces.indices.contains(interface) && interfaces[interface].isEthernet }
        while place < file.count {
            guard place + 12 <= file.count else { throw Flaw("the file ends in the middle of a block, behind frame \(frames.count)") }
            if word(place, true) == 0x0a0d_0d0a {
                isBig = word(place + 8, true) == 0x1a2b_3c4d
                interfaces = []
            }
            let type = word(place, isBig), length = word(place + 4, isBig)
            guard length >= 12, length % 4 == 0, length <= file.count - place else { throw Flaw("the file ends in the middle of a block, behind frame \(frames.count)") }
            let body = place + 8, end = place + length - 4
            switch type {
            case 1 where end - body >= 8:
                let longest = word(body + 4, isBig)
                interfaces.append((half(body) == Self.ethernet, longest == 0 ? .max : longest))
            // An enhanced packet block, or a packet block as older programs write it.
            case 6 where end - body >= 20, 2 where end - body >= 20:
                let interface = type == 6 ? word(body, isBig) : half(body), captured = word(body + 12, isBig)
                guard captured <= end - body - 20 else { throw Flaw("frame \(frames.count + 1) is longer than its block") }
                if isEthernet(interface) { frames.append(Array(file[(body + 20)..<(body + 20 + captured)])) }
            // A simple packet block is of the first interface, and tells the length of the frame as it was.
            case 3 where end - body >= 4:
                let captured = min(word(body, isBig), interfaces.first?.longest ?? 0)
                guard captured <= end - body - 4 else { throw Flaw("frame \(frames.count + 1) is longer than its block") }
                if isEthernet(0) { frames.append(Array(file[(body + 4)..<(body + 4 + captured)])) }
            case 1, 2, 3, 6: throw Flaw("the block behind frame \(frames.count) is too short for what it says to be")
            default: break
            }
            place += length
        }
    }
}
