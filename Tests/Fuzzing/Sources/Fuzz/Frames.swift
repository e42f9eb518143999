import Packet

/// Frames, one on each line in hexadecimal; a digit in front of each says how many bytes less can be read than the frame has.
///
/// The parser reads nothing behind the end, finds what the slow reference finds, and so does a frame that matches the pattern of the one before.
func fuzzFrames(_ bytes: [UInt8]) {
    var last: (pattern: ParsePattern, Void)?
    for line in bytes.split(separator: 0x0a).prefix(16) {
        let frame = octets(hex: line.dropFirst())
        let contiguous = max(0, frame.count - Int(line.first ?? 0) % 16)
        let record = memory.parse(frame.prefix(contiguous), length: frame.count)
        var expected = referenceParse(Array(frame.prefix(contiguous)), length: frame.count)
        expected.length = UInt32(frame.count)
        claim(describe(record) == describe(expected), "the parser finds what the reference finds:\n\(describe(record))\n\(describe(expected))")
        let place = memory.place(frame.prefix(contiguous))
        if let (pattern, _) = last, !pattern.isNone, pattern.matches(place, readable: UInt32(contiguous)) {
            var filled = FrameRecord()
            withUnsafeMutableBytes(of: &filled) { for index in $0.indices { $0[index] = 0x5a } }
            pattern.fill(&filled, FrameAddresses(of: place), length: UInt32(frame.count), ports: pattern.ports(place))
            // The stages behind the parser fill in the protocol's row.
            filled.protocolID = record.protocolID
            claim(describe(filled) == describe(record), "a pattern gives what the parser finds:\n\(describe(filled))\n\(describe(record))")
        }
        var parsed = record
        last = (ParsePattern(of: place, &parsed), ())
    }
}

nonisolated(unsafe) private let memory = GuardedMemory()
