import DCB
import Packet
import Testing

@Suite("Priority tags")
struct TaggingTests {
    /// A frame with 8 bytes of headroom, the offset of its first byte, and the record that the parser made of it.
    private struct Frame {
        var buffer: [UInt8]
        var start = 8
        var record = FrameRecord()

        init(tags: [(type: Int, tci: Int)] = [], type: Int = 0x0806, payload: [UInt8] = [UInt8](repeating: 7, count: 46)) {
            buffer = [UInt8](repeating: 0xcc, count: 8) + [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
            for tag in tags { buffer += [UInt8(tag.type >> 8), UInt8(tag.type & 255), UInt8(tag.tci >> 8), UInt8(tag.tci & 255)] }
            buffer += [UInt8(type >> 8), UInt8(type & 255)] + payload
            parseAgain()
        }

        var bytes: [UInt8] { Array(buffer[start...]) }

        mutating func parseAgain() {
            let bytes = bytes
            bytes.withUnsafeBytes { parse($0.baseAddress!, contiguous: $0.count, length: UInt32($0.count), into: &record) }
        }

        mutating func edit(at offset: Int = 0, _ body: (UnsafeMutableRawPointer, inout FrameRecord) -> Void) {
            let place = start + offset
            buffer.withUnsafeMutableBytes { body($0.baseAddress! + place, &record) }
        }

        mutating func apply(_ action: TagAction) {
            switch action.kind {
            case .keep: break
            case .push, .pushService:
                edit(at: -4) { bytes, _ in TagEditing.pushTag(bytes, tci: action.tci, type: action.kind == .push ? EtherType.vlan : EtherType.serviceVLAN) }
                start -= 4
            case .pop:
                edit { bytes, _ in TagEditing.removeTag(bytes) }
                start += 4
            case .rewrite: edit { bytes, _ in TagEditing.rewriteTCI(bytes, tci: action.tci) }
            }
        }
    }

    private func withTagger(_ body: (PriorityTagger) -> Void) {
        let tagger = PriorityTagger.create()
        defer { tagger.destroy() }
        tagger.set(row: 1, pcp: 4)
        tagger.set(row: 0, pcp: 0)
        tagger.set(row: 63, pcp: 7)
        body(tagger)
    }

    @Test func untaggedFramesGetAPriorityTag() {
        withTagger { tagger in
            for (row, pcp) in [(1, 4), (0, 0), (63, 7)] as [(UInt8, UInt8)] {
                var frame = Frame()
                let before = frame.bytes
                frame.record.protocolID = row
                let action = tagger.egress(&frame.record)
                #expect(action.kind == .push && action.tci == UInt16(pcp) << 13 && action.growth == 4)
                frame.apply(action)
                #expect(frame.bytes == Array(before[..<12]) + [0x81, 0x00, pcp << 5, 0] + Array(before[12...]))
                frame.parseAgain()
                #expect(frame.record.vid == 0 && frame.record.pcp == pcp && frame.record.etherType == 0x0806)
            }
        }
    }

    @Test func taggedFramesKeepVIDAndDEI() {
        withTagger { tagger in
            for type in [0x8100, 0x88a8, 0x9100] {
                for tci in [0x0000, 0x0064, 0x1fff, 0x3064, 0xf001, 0x8fff] {
                    var frame = Frame(tags: [(type, tci), (0x8100, 0x2007)])
                    let before = frame.bytes
                    frame.record.protocolID = 1
                    let action = tagger.egress(&frame.record)
                    let expected = tci & 0x1fff | 4 << 13
                    #expect(action.growth == 0)
                    #expect(action.kind == (expected == tci ? .keep : .rewrite))
                    frame.apply(action)
                    var after = before
                    (after[14], after[15]) = (UInt8(expected >> 8), UInt8(expected & 255))
                    #expect(frame.bytes == after, "only the outermost TCI may change")
                }
            }
        }
    }

    @Test func rowsWithoutAPriorityLeaveTheFrameAlone() {
        withTagger { tagger in
            #expect(tagger.pcp(row: 2) == PriorityTagger.leave && tagger.pcp(row: 1) == 4)
            var untagged = Frame()
            untagged.record.protocolID = 2
            #expect(tagger.egress(&untagged.record).kind == .keep)
            var tagged = Frame(tags: [(0x8100, 0xe005)])
            tagged.record.protocolID = 2
            #expect(tagger.egress(&tagged.record).kind == .keep)
        }
    }

    @Test func rewritingThePCPTouchesThreeBits() {
        for pcp in 0...7 as ClosedRange<UInt8> {
            for octet in 0...255 as ClosedRange<Int> {
                var frame = Frame(tags: [(0x8100, octet << 8 | 0x5a)])
                let before = frame.bytes
                frame.edit { bytes, _ in TagEditing.rewritePCP(bytes, pcp: pcp) }
                var after = before
                after[14] = UInt8(octet & 0x1f) | pcp << 5
                #expect(frame.bytes == after)
            }
        }
    }

    @Test func priorityTagsComeOffOnTheWayInAndTheirPriorityStays() {
        let table = ProtocolTable.create()
        defer { table.destroy() }
        table.set(.pcp(5), row: 17)
        let tcp: [UInt8] =
            [0x45, 0, 0, 40, 0, 0, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2] + [0x30, 0x39, 0x0c, 0xbc] + [UInt8](repeating: 0, count: 16)
        var frame = Frame(tags: [(0x8100, 0xa000)], type: 0x0800, payload: tcp)
        let untagged = Frame(type: 0x0800, payload: tcp)
        #expect(TagEditing.isPriorityTagged(&frame.record))
        frame.edit { bytes, record in TagEditing.stripPriorityTag(bytes, &record) }
        frame.start += 4
        #expect(frame.bytes == untagged.bytes)
        #expect(frame.record.length == untagged.record.length)
        #expect(frame.record.l3Offset == 14 && frame.record.l4Offset == 34 && frame.record.tagCount == 0 && frame.record.tci == 0)
        #expect(frame.record.pcp == 5 && frame.record.flags == [.ipv4, .ports, .priorityTagStripped])
        #expect(frame.record.destinationPort == 3260)
        #expect(table.identify(&frame.record) == 17)
        #expect(!TagEditing.isPriorityTagged(&frame.record))
    }

    @Test func theTagBehindAPriorityTagBecomesTheOutermost() {
        var frame = Frame(tags: [(0x8100, 0x6000), (0x8100, 0x2009)])
        frame.edit { bytes, record in TagEditing.stripPriorityTag(bytes, &record) }
        frame.start += 4
        #expect(frame.record.tagCount == 1 && frame.record.tci == 0x2009 && frame.record.l3Offset == 18 && frame.record.pcp == 3)
        #expect(frame.record.l4Offset == 0)
        let stripped = frame.record
        frame.parseAgain()
        #expect(frame.record.tci == stripped.tci && frame.record.tagCount == 1 && frame.record.length == stripped.length)
        #expect(frame.record.etherType == stripped.etherType && frame.record.destination == stripped.destination)
    }

    @Test func vlansAndUntaggedFramesAreNotStripped() {
        for frame in [Frame(), Frame(tags: [(0x8100, 0xa001)]), Frame(tags: [(0x88a8, 0x0fff)])] {
            var record = frame.record
            #expect(!TagEditing.isPriorityTagged(&record))
        }
        var runt = FrameRecord()
        #expect(!TagEditing.isPriorityTagged(&runt))
    }

    @Test func pushedTagsComeOffAgain() {
        for tci in stride(from: 0, through: 0xffff, by: 257) as StrideThrough<Int> {
            var frame = Frame()
            let before = frame.bytes
            frame.apply(TagAction(.push, tci: UInt16(tci)))
            frame.edit { bytes, _ in TagEditing.removeTag(bytes) }
            frame.start += 4
            #expect(frame.bytes == before)
        }
    }
}
