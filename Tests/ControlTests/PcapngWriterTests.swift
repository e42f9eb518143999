import ControlPlane
import DataPlane
import Testing

@Suite("Captures as pcapng files") struct PcapngWriterTests {
    /// A block of a file, read as the specification says; options by their codes.
    private struct Block {
        var type: UInt32
        var body: [UInt8]
        func word(_ place: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(body[place + $1]) << UInt32(8 * $1) } }

        /// The options from a place on, which must fill the rest of the block.
        func options(from start: Int) -> [(code: UInt16, value: [UInt8])]? {
            var found: [(UInt16, [UInt8])] = [], place = start
            while place + 4 <= body.count {
                let code = UInt16(body[place]) | UInt16(body[place + 1]) << 8, length = Int(body[place + 2]) | Int(body[place + 3]) << 8
                if code == 0 { return length == 0 && place + 4 == body.count ? found : nil }
                let padded = (length + 3) & ~3
                guard place + 4 + padded <= body.count, body[(place + 4 + length)..<(place + 4 + padded)].allSatisfy({ $0 == 0 }) else { return nil }
                found.append((code, Array(body[(place + 4)..<(place + 4 + length)])))
                place += 4 + padded
            }
            return nil
        }

        static func all(_ bytes: [UInt8]) -> [Block]? {
            var blocks: [Block] = [], place = 0
            func word(_ at: Int) -> UInt32 { (0..<4).reduce(0) { $0 | UInt32(bytes[at + $1]) << UInt32(8 * $1) } }
            while place + 12 <= bytes.count {
                let length = Int(word(place + 4))
                guard length >= 12, length % 4 == 0, place + length <= bytes.count, Int(word(place + length - 4)) == length else { return nil }
                blocks.append(Block(type: word(place), body: Array(bytes[(place + 8)..<(place + length - 4)])))
                place += length
            }
            return place == bytes.count ? blocks : nil
        }
    }

    @Test("a section, each interface once and before its first frame, frames with comment and direction, and statistics")
    func file() throws {
        var writer = PcapngWriter(application: "sluice 1", filter: "tcp port 80", longest: 64)
        let time: UInt64 = 1_796_000_000_123_456_789
        writer.write([1, 2, 3, 4, 5], length: 99, time: time, interface: "vm1", direction: .inbound, comment: "in by vm1")
        var bytes = writer.take()
        writer.write([9, 8, 7, 6], length: 4, time: time + 1, interface: "up", direction: .outbound, comment: "")
        writer.write([], length: 4, time: time + 2, interface: "vm1", direction: .outbound, comment: "ü")
        writer.writeStatistics(time: time + 3, matched: 5, lost: 2, delivered: 3, comment: "so")
        bytes += writer.take()
        #expect(writer.take().isEmpty)
        let blocks = try #require(Block.all(bytes))
        #expect(blocks.map(\.type) == [0x0a0d_0d0a, 1, 6, 1, 6, 6, 5])

        #expect(blocks[0].word(0) == 0x1a2b_3c4d && blocks[0].word(4) == 1 && blocks[0].word(8) == .max && blocks[0].word(12) == .max)
        #expect(try #require(blocks[0].options(from: 16)).map(\.value) == [Array("sluice 1".utf8)])
        for (block, name) in [(blocks[1], "vm1"), (blocks[3], "up")] {
            #expect(block.word(0) == 1 && block.word(4) == 64)
            let options = try #require(block.options(from: 8))
            #expect(options.map(\.code) == [2, 9, 11] && options.map(\.value) == [Array(name.utf8), [9], [0] + Array("tcp port 80".utf8)])
        }
        let frame = blocks[2]
        #expect(frame.word(0) == 0 && UInt64(frame.word(4)) << 32 | UInt64(frame.word(8)) == time && frame.word(12) == 5 && frame.word(16) == 99)
        #expect(frame.body[20..<28] == [1, 2, 3, 4, 5, 0, 0, 0])
        let options = try #require(frame.options(from: 28))
        #expect(options.map(\.code) == [1, 2] && options.map(\.value) == [Array("in by vm1".utf8), [1, 0, 0, 0]])
        #expect(blocks[4].word(0) == 1 && blocks[5].word(0) == 0)
        #expect(try #require(blocks[4].options(from: 24)).map(\.value) == [[2, 0, 0, 0]])
        #expect(try #require(blocks[5].options(from: 20)).map(\.value) == [Array("ü".utf8), [2, 0, 0, 0]])
        let statistics = try #require(blocks[6].options(from: 12))
        #expect(statistics.map(\.code) == [1, 6, 7, 8] && statistics[1...].map { $0.value[0] } == [5, 2, 3])
    }

    @Test("a comment longer than an option may be is cut")
    func longComment() throws {
        var writer = PcapngWriter(application: "sluice", filter: nil, longest: 64)
        writer.write([1], length: 1, time: 0, interface: "a", direction: .inbound, comment: String(repeating: "x", count: 70_000))
        let blocks = try #require(Block.all(writer.take()))
        #expect(try #require(blocks[2].options(from: 24))[0].value.count == 65_535)
    }

    @Test("what is told of a frame")
    func comments() {
        var frame = CapturedFrame(time: 0, point: .entering, port: "vm1", length: 60, bytes: [])
        #expect(frame.comment == "in by vm1")
        (frame.drop, frame.dropPort) = ("filtered", "vm1")
        #expect(frame.comment == "in by vm1; dropped: filtered")
        (frame.drop, frame.dropPort) = ("queue_limit", "up")
        #expect(frame.comment == "in by vm1; dropped: queue_limit at up")
        frame = CapturedFrame(time: 0, point: .leaving, port: "up", length: 60, bytes: [])
        #expect(frame.comment == "out by up")
        (frame.path, frame.tree, frame.waited) = ("vm1/iscsi", "up", 0)
        #expect(frame.comment == "out by up; class vm1/iscsi of up; did not wait")
        frame.waited = 1_234_567
        #expect(frame.comment == "out by up; class vm1/iscsi of up; waited 1.234 ms")
        frame.point = .queued
        (frame.drop, frame.dropPort) = ("codel", "up")
        #expect(frame.comment == "for up; class vm1/iscsi of up; waited 1.234 ms; dropped: codel")
        #expect([0, 999, 1_000, 61_005_000, 2_000_000_000].map { CapturedFrame.duration($0) } == ["0 ns", "999 ns", "1.000 us", "61.005 ms", "2.000 s"])
    }
}
