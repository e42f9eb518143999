import Packet
import TestSupport
import Testing

@Suite("Frames that look like one parsed before")
struct ParsePatternTests {
    let memory = GuardedMemory()
    let otherMemory = GuardedMemory()

    /// Frames with and without a tag, of IPv4 and IPv6, with TCP and UDP.
    private static var shapesWithPattern: [[UInt8]] {
        let tcp = FrameBuilder.tcp(40_000, 3260), udp = FrameBuilder.udp(40_000, 4791)
        return [FrameBuilder(), FrameBuilder().tag(0x8100, tci: 0x6000), FrameBuilder().tag(0x88a8, tci: 0x2005)].flatMap { frame in
            [frame.ipv4(6, dscp: 10, payload: tcp), frame.ipv4(17, payload: udp), frame.ipv6(6, payload: tcp), frame.ipv6(17, dscp: 63, payload: udp)]
                .map { $0.padded(to: 100).bytes }
        }
    }

    /// The frame with up to two octets changed, mostly in the headers.
    private func changed(_ frame: [UInt8], _ random: inout Seeded) -> [UInt8] {
        var frame = frame
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            let place = Int.random(in: 0..<(Bool.random(using: &random) ? 64 : frame.count), using: &random)
            frame[place] = Bool.random(using: &random) ? UInt8.random(in: 0...255, using: &random) : frame[place] ^ 1 << UInt8.random(in: 0...7, using: &random)
        }
        return frame
    }

    /// What `fill` writes into a record that was used before.
    private func filled(_ pattern: ParsePattern, _ bytes: UnsafeRawPointer, length: Int) -> FrameRecord {
        var record = FrameRecord()
        withUnsafeMutableBytes(of: &record) { for index in $0.indices { $0[index] = 0x5a } }
        pattern.fill(&record, FrameAddresses(of: bytes), length: UInt32(length), ports: pattern.ports(bytes))
        return record
    }

    @Test(arguments: [0x61, 0x62, 0x63] as [UInt64])
    func fillWritesWhatParseFinds(_ seed: UInt64) {
        var random = Seeded(seed)
        var matching = 0, otherLengths = 0
        let firsts = Self.shapesWithPattern
        for round in 0..<60_000 {
            let first = firsts[round % firsts.count], length = Int.random(in: 60...100, using: &random)
            var record = memory.parse(first)
            let pattern = ParsePattern(of: memory.place(first), &record)
            #expect(!pattern.isNone)
            // A frame of another flow, of which another number of bytes can be read.
            let second = changed(first, &random), contiguous = Int.random(in: 0...length, using: &random)
            let place = otherMemory.place(Array(second.prefix(contiguous)))
            guard pattern.matches(place, readable: UInt32(contiguous)) else { continue }
            matching += 1
            otherLengths += length == first.count ? 0 : 1
            let parsed = otherMemory.parse(second.prefix(contiguous), length: length)
            let addresses = FrameAddresses(of: place)
            #expect(addresses.destination == parsed.destination && addresses.source == parsed.source)
            #expect((parsed.destination | parsed.source) >> 40 & 1 == 0)
            if describe(filled(pattern, place, length: length)) != describe(parsed) {
                Issue.record("seed \(seed), round \(round): \(first)\n\(second)\n\(length), \(contiguous)")
                return
            }
        }
        // Addresses of both layers, identification, TTL, checksums, ports and payload do not keep a frame from matching; truncated headers do.
        #expect(matching > 10_000)
        #expect(otherLengths > matching / 2)
    }

    @Test(arguments: [0x71, 0x72] as [UInt64])
    func likeFramesHaveTheSameRecordButForPorts(_ seed: UInt64) {
        var random = Seeded(seed)
        var alike = 0, samePorts = 0
        let firsts = Self.shapesWithPattern
        for round in 0..<60_000 {
            let first = firsts[round % firsts.count], second = changed(first, &random), contiguous = Int.random(in: 78...100, using: &random)
            var record = memory.parse(first.prefix(contiguous), length: 100)
            let here = memory.place(Array(first.prefix(contiguous))), there = otherMemory.place(Array(second.prefix(contiguous)))
            let likeness = ParsePattern.Likeness(here, ParsePattern(of: here, &record))
            guard likeness.isShared(there) else { continue }
            alike += 1
            samePorts += likeness.ports(there) == likeness.ports(here) ? 1 : 0
            let other = otherMemory.parse(second.prefix(contiguous), length: 100)
            #expect((likeness.ports(there) == likeness.ports(here)) == ((other.sourcePort, other.destinationPort) == (record.sourcePort, record.destinationPort)))
            (record.sourcePort, record.destinationPort) = (other.sourcePort, other.destinationPort)
            if describe(other) != describe(record) {
                Issue.record("seed \(seed), round \(round): \(second)\n\(record)\n\(other)")
                return
            }
        }
        #expect(samePorts > 20_000)
        #expect(alike > samePorts + 500)
    }

    @Test func otherFramesHaveNoPattern() {
        for frame in ParsePropertyTests.shapes {
            var record = memory.parse(frame)
            let isPlain = record.hasPorts && record.tagCount < 2 && Int(record.l4Offset) - Int(record.l3Offset) == (record.flags.has(.ipv4) ? 20 : 40)
            let pattern = ParsePattern(of: memory.place(frame), &record)
            #expect(pattern.isNone == !isPlain, "\(frame)")
            #expect(pattern.matches(memory.place(frame), readable: UInt32(frame.count)) == isPlain, "\(frame)")
        }
        #expect(!ParsePattern().matches(memory.place([UInt8](repeating: 0, count: 100)), readable: 100))
    }

    @Test func groupAddressesOfThePatternAreNotTheNextFrames() {
        let udp = FrameBuilder.udp(1, 2)
        let first = FrameBuilder(to: 0x0100_5e00_0001).ipv4(17, payload: udp).bytes, second = FrameBuilder().ipv4(17, payload: udp).bytes
        var record = memory.parse(first)
        let pattern = ParsePattern(of: memory.place(first), &record)
        let place = memory.place(second)
        #expect(pattern.matches(place, readable: UInt32(second.count)))
        #expect(describe(filled(pattern, place, length: second.count)) == describe(memory.parse(second)))
    }

    @Test("No frame from or to a group looks like a pattern, not even the one that this was made of; by likeness it is known")
    func framesOfGroupsMatchNothing() {
        let udp = FrameBuilder.udp(1, 2)
        let individual = FrameBuilder().ipv4(17, payload: udp).bytes, toGroup = FrameBuilder(to: 0x0100_5e00_0001).ipv4(17, payload: udp).bytes
        var fromGroup = individual
        fromGroup[6] |= 1
        for first in [individual, toGroup] {
            var record = memory.parse(first)
            let pattern = ParsePattern(of: memory.place(first), &record)
            for other in [toGroup, fromGroup] { #expect(!pattern.matches(otherMemory.place(other), readable: UInt32(other.count))) }
            #expect(ParsePattern.Likeness(memory.place(first), pattern).isShared(otherMemory.place(first)))
            #expect(!ParsePattern.Likeness(memory.place(first), pattern).isShared(otherMemory.place(fromGroup)))
        }
    }
}
