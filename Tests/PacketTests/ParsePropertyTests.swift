import Packet
import TestSupport
import Testing

@Suite("Parsing whatever a guest sends")
struct ParsePropertyTests {
    let memory = GuardedMemory()

    /// Frames of every kind that the parser knows.
    static var shapes: [[UInt8]] {
        var shapes: [[UInt8]] = []
        let tcp = FrameBuilder.tcp(40_000, 3260)
        let udp = FrameBuilder.udp(40_000, 4791)
        let chain = FrameBuilder.extensionHeader(next: 43, size: 16) + FrameBuilder.extensionHeader(next: 51, size: 24)
            + FrameBuilder.extensionHeader(next: 44, size: 24, authentication: true) + FrameBuilder.fragmentHeader(next: 60)
        for tags in 0...3 {
            var frame = FrameBuilder()
            for tag in 0..<tags { frame = frame.tag([0x8100, 0x88a8, 0x9100][tag], tci: 0x2000 * (tag + 1) + tag) }
            shapes.append(frame.ipv4(6, payload: tcp).bytes)
            shapes.append(frame.ipv4(17, options: 12, dscp: 63, payload: udp).bytes)
            shapes.append(frame.ipv4(6, fragment: 0x2000, payload: tcp).bytes)
            shapes.append(frame.ipv4(47, payload: udp).bytes)
            shapes.append(frame.ipv6(6, payload: tcp).bytes)
            shapes.append(frame.ipv6(0, payload: chain + FrameBuilder.extensionHeader(next: 17) + udp).bytes)
            shapes.append(frame.ipv6(44, payload: FrameBuilder.fragmentHeader(next: 6, more: true) + tcp).bytes)
            shapes.append(frame.type(0x8906).padded(to: 60).bytes)
        }
        return shapes
    }

    @Test func everyTruncationOfEveryShape() {
        for frame in Self.shapes {
            for size in 0...frame.count {
                // The frame is cut off in its first buffer only, or altogether.
                for length in [frame.count, size] {
                    let record = memory.parse(frame.prefix(size), length: length)
                    var expected = referenceParse(Array(frame.prefix(size)), length: length)
                    expected.length = UInt32(length)
                    #expect(describe(record) == describe(expected), "\(size) of \(frame)")
                }
            }
        }
    }

    @Test func changedFramesReadAsTheReferenceReadsThem() {
        var random = Seeded(0x51)
        let shapes = Self.shapes
        for round in 0..<150_000 {
            var frame = shapes[Int.random(in: 0..<shapes.count, using: &random)]
            for _ in 0..<Int.random(in: 0...4, using: &random) {
                let place = Int.random(in: 0..<frame.count, using: &random)
                frame[place] = Bool.random(using: &random) ? UInt8.random(in: 0...255, using: &random) : [0, 6, 17, 44, 51, 60, 0x45, 0xff].randomElement(using: &random)!
            }
            if Bool.random(using: &random) { frame = Array(frame.prefix(Int.random(in: 0...frame.count, using: &random))) }
            let record = describe(memory.parse(frame))
            let expected = describe(referenceParse(frame, length: frame.count))
            if record != expected {
                Issue.record("round \(round): \(frame)\n\(record)\n\(expected)")
                return
            }
        }
    }

    @Test func noiseIsReadWithinItsBounds() {
        var random = Seeded(0x52)
        for round in 0..<100_000 {
            var frame = (0..<Int.random(in: 0...130, using: &random)).map { _ in UInt8.random(in: 0...255, using: &random) }
            if frame.count >= 14 {
                let type = [0x0800, 0x86dd, 0x8100, 0x88a8, 0x9100].randomElement(using: &random)!
                (frame[12], frame[13]) = (UInt8(type >> 8), UInt8(type & 255))
                if frame.count > 20 {
                    if type == 0x0800 { frame[14] = 0x40 | frame[14] & 15 }
                    if type == 0x86dd {
                        frame[14] = 0x60 | frame[14] & 15
                        frame[20] = [0, 6, 17, 43, 44, 51, 60].randomElement(using: &random)!
                    }
                }
            }
            let record = describe(memory.parse(frame))
            let expected = describe(referenceParse(frame, length: frame.count))
            if record != expected {
                Issue.record("round \(round): \(frame)\n\(record)\n\(expected)")
                return
            }
        }
    }

    @Test func guestsStandWhereTheirOffsetsSay() {
        #expect(MemoryLayout<FrameRecord>.offset(of: \.sourceGuest) == FrameRecord.sourceGuestOffset)
        #expect(MemoryLayout<FrameRecord>.offset(of: \.destinationGuest) == FrameRecord.destinationGuestOffset)
    }

    @Test func laterStagesFieldsAreNotTouched() {
        var record = FrameRecord()
        (record.sourceGuest, record.destinationGuest, record.input, record.output, record.end) = (1, 2, 3, 4, 5)
        for frame in Self.shapes { parse(memory.place(frame), contiguous: frame.count, length: UInt32(frame.count), into: &record) }
        parse(memory.place([1, 2]), contiguous: 2, length: 2, into: &record)
        #expect((record.sourceGuest, record.destinationGuest, record.input, record.output, record.end) == (1, 2, 3, 4, 5))
    }
}
