import Bridge
import Packet
import TestSupport
import Testing

/// Compares what happens to VLAN tags on the way in and out with the rules of IEEE 802.1Q, which are written down here once more, tag by tag.
@Suite("VLANs of ports") struct PortVLANsTests {
    struct Tag: Equatable { var type: UInt16, tci: UInt16 }

    /// A port as its operator would describe it.
    struct Port {
        var members: Set<Int>
        var native: Int?
        var takesAll = false

        var vlans: PortVLANs { PortVLANs(members: VLANSet(members), untagged: VLANSet(native.map { [$0] } ?? []), native: native, takesAll: takesAll, services: VLANSet(Self.services)) }
        static let services: Set<Int> = [100, 200]
    }

    static let ports = [
        Port(members: [10], native: 10), Port(members: [1, 10, 20, 100], native: 1), Port(members: [10, 20], native: nil),
        Port(members: [100], native: 100, takesAll: true), Port(members: [10, 100, 200], native: nil), Port(members: [200], native: 200, takesAll: true),
    ]

    /// The tags with which a frame that comes in by `from` leaves by `to`, which sets no priority; nil if one of the ports does not let it pass.
    private func expected(_ tags: [Tag], _ from: Port, _ to: Port) -> [Tag]? {
        var rest = tags, vlan: Int, priority: UInt16 = 0
        if from.takesAll {
            vlan = from.native!
        } else if let tag = tags.first, tag.type == 0x8100 || tag.type == 0x88a8, !(tag.tci & 0xfff == 0 && from.native == nil) {
            if tag.tci & 0xfff == 0 {
                vlan = from.native!
                priority = tag.tci & 0xe000
            } else {
                vlan = Int(tag.tci & 0xfff)
                if (tag.type == 0x88a8) != Port.services.contains(vlan) { return nil }
                priority = tag.tci & 0xf000
            }
            rest.removeFirst()
        } else {
            guard let native = from.native, tags.isEmpty || tags[0].type == 0x9100 else { return nil }
            vlan = native
        }
        guard from.members.contains(vlan), to.members.contains(vlan) else { return nil }
        if to.native == vlan { return rest }
        return [Tag(type: Port.services.contains(vlan) ? 0x88a8 : 0x8100, tci: priority | UInt16(vlan))] + rest
    }

    /// The tags that the code under test leaves on the frame, read from its bytes.
    private func passed(_ tags: [Tag], _ from: Port, _ to: Port, pcp: UInt8 = FrameRecord.noPCP) -> [Tag]? {
        var buffer = [UInt8](repeating: 0, count: 8) + [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1]
        for tag in tags { buffer += [UInt8(tag.type >> 8), UInt8(tag.type & 255), UInt8(tag.tci >> 8), UInt8(tag.tci & 255)] }
        buffer += [0x88, 0xb5] + [UInt8](repeating: 7, count: 46)
        var start = 8
        let source = from.vlans, output = to.vlans
        defer { source.destroy(); output.destroy() }
        return buffer.withUnsafeMutableBytes { bytes in
            var record = FrameRecord()
            parse(UnsafeRawPointer(bytes.baseAddress! + start), contiguous: bytes.count - start, length: UInt32(bytes.count - start), into: &record)
            let ingress = source.ingress(bytes.baseAddress! + start, &record)
            guard ingress.vlan != 0 else { return nil }
            if ingress.carriesTag { record.flags.mark(.vlanTag) }
            record.destination |= UInt64(ingress.vlan) << 48
            if ingress.strips {
                TagEditing.stripPriorityTag(bytes.baseAddress! + start, &record)
                start += 4
            }
            guard let action = output.egress(&record, pcp: pcp) else { return nil }
            switch action.kind {
            case .keep: break
            case .push, .pushService:
                start -= 4
                TagEditing.pushTag(bytes.baseAddress! + start, tci: action.tci, type: action.kind == .push ? 0x8100 : 0x88a8)
            case .rewrite: TagEditing.rewriteTCI(bytes.baseAddress! + start, tci: action.tci)
            case .pop:
                TagEditing.removeTag(bytes.baseAddress! + start)
                start += 4
            }
            let frame = Array(bytes[start...])
            #expect(Array(frame[..<12]) == [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1])
            var result: [Tag] = [], place = 12
            while frame[place] != 0x88 || frame[place + 1] != 0xb5 {
                result.append(Tag(type: UInt16(frame[place]) << 8 | UInt16(frame[place + 1]), tci: UInt16(frame[place + 2]) << 8 | UInt16(frame[place + 3])))
                place += 4
            }
            #expect(frame.count == place + 48)
            return result
        }
    }

    @Test("every tag between every two kinds of ports is let in, kept, taken off or put on as 802.1Q says")
    func everyTag() {
        let vlans: [UInt16] = [0, 1, 10, 20, 30, 100, 200, 4_095], priorities: [UInt16] = [0, 0xa000, 0x1000]
        let single = [0x8100, 0x88a8, 0x9100].flatMap { type in vlans.flatMap { vlan in priorities.map { [Tag(type: UInt16(type), tci: $0 | vlan)] } } }
        let double = [UInt16(10), 100, 0].flatMap { outer in [0x8100, 0x88a8].map { [Tag(type: UInt16($0), tci: outer), Tag(type: 0x8100, tci: 0x600a)] } }
        var seen = 0
        for from in Self.ports {
            for to in Self.ports {
                for tags in [[]] + single + double {
                    let found = passed(tags, from, to), wanted = expected(tags, from, to)
                    #expect(found == wanted, "\(tags) from \(from) to \(to)")
                    if found != nil { seen += 1 }
                }
            }
        }
        #expect(seen > 500)
    }

    @Test("where frames leave with a priority they have it in the VLAN's tag, or in a priority tag where the VLAN has none")
    func priorities() {
        let access = Port(members: [10], native: 10), trunk = Port(members: [1, 10], native: 1)
        #expect(passed([], access, trunk, pcp: 4) == [Tag(type: 0x8100, tci: 0x800a)])
        #expect(passed([Tag(type: 0x8100, tci: 0xa00a)], trunk, trunk, pcp: 4) == [Tag(type: 0x8100, tci: 0x800a)])
        #expect(passed([Tag(type: 0x8100, tci: 0xa00a)], trunk, access, pcp: 4) == [Tag(type: 0x8100, tci: 0x8000)])
        #expect(passed([], access, access, pcp: 4) == [Tag(type: 0x8100, tci: 0x8000)])
        #expect(passed([Tag(type: 0x8100, tci: 0xa000)], access, trunk) == [Tag(type: 0x8100, tci: 0xa00a)])
    }

    @Test("frames for everybody go to the ports of their VLAN")
    func floodSets() {
        let sets = FloodSets([(port: 3, vlans: VLANSet([10, 20])), (port: 1, vlans: VLANSet([10])), (port: 2, vlans: VLANSet(1...4_094))])
        defer { sets.destroy() }
        #expect(Array(sets.ports(of: 10)) == [1, 2, 3])
        #expect(Array(sets.ports(of: 20)) == [2, 3])
        #expect(Array(sets.ports(of: 4_094)) == [2])
        #expect(sets.ports(of: 0).isEmpty)
    }
}
