import LinkProtocols
import Testing

@Suite("Frames that a snooper reads")
struct ParseTests {
    static let group = Frames.v4(239, 1, 1, 1), group6 = Frames.v6(0x1234)
    static let query = Frames.igmp(0x11, code: 100, [0, 0, 0, 0] + Frames.tail)

    /// The frame with one byte changed.
    static func changed(_ frame: [UInt8], _ offset: Int) -> [UInt8] {
        var frame = frame
        frame[offset] ^= 0x40
        return frame
    }

    @Test(
        "of each kind: RFC 1112, appendix I; RFC 2236, 2; RFC 3376, 4; RFC 2710, 3; RFC 3810, 5; RFC 4286, 3; RFC 7761, 4.9",
        arguments: [
            (Frames.report(v1: group), Verdict.report), (Frames.report(v2: group), .report), (Frames.leave(group), .leave),
            (Frames.report(2, group), .report), (Frames.report3([]), .report), (Frames.query(Frames.v4(10, 0, 0, 1)), .query),
            (Frames.query(Frames.v4(10, 0, 0, 1), version: 2), .query), (Frames.query(Frames.v4(10, 0, 0, 1), version: 2, code: 0), .query),
            (Frames.reportMLD1(group6), .report), (Frames.doneMLD1(group6), .leave), (Frames.report(2, group6), .report),
            (Frames.queryMLD(Frames.linkLocal(1)), .query), (Frames.queryMLD(Frames.linkLocal(1), version: 1), .query),
            // Hosts that have no address yet (RFC 3590, 4).
            (Frames.reportMLD1(group6, source: GroupAddress(high: 0, low: 0)), .report),
            (Frames.reportMLD2([Frames.record(4, group6)], source: GroupAddress(high: 0, low: 0)), .report),
            (Frames.hello(), .router), (Frames.helloIPv6(), .router), (Frames.advertisement(), .router), (Frames.advertisementIPv6(), .router),
            // Frames with one tag and with two.
            (Frames.ethernet(0x800, tags: [[0x81, 0, 0, 7]], Frames.ipv4(query)), .query),
            (Frames.ethernet(0x800, tags: [[0x88, 0xa8, 0, 7], [0x81, 0, 0, 7]], Frames.ipv4(query)), .query),
            // A frame without the router alert option, as old hosts send it.
            (Frames.ethernet(0x800, Frames.ipv4(query, options: [])), .query),
        ])
    func good(_ frame: [UInt8], _ verdict: Verdict) {
        var lab = Lab()
        #expect(lab.hear(frame) == verdict)
    }

    @Test(
        "and must not act on",
        arguments: [
            (Frames.ethernet(0x800, to: 0x0200_0000_0009, Frames.ipv4(query)), Verdict.Ignored.notMulticast),
            (Frames.ethernet(0x800, to: 0xffff_ffff_ffff, Frames.ipv4(query)), .notMulticast),
            (Frames.ethernet(0x806, []), .otherProtocol),
            (Frames.ethernet(0x800, tags: [[0x81, 0, 0, 7], [0x81, 0, 0, 7], [0x81, 0, 0, 7]], Frames.ipv4(query)), .otherProtocol),
            (Frames.ethernet(0x800, Frames.ipv4(query, ipProtocol: 17)), .otherProtocol),
            (Frames.ethernet(0x800, Frames.ipv4(query, fragment: 0x2000)), .fragment),
            (Frames.ethernet(0x800, Frames.ipv4(query, fragment: 3)), .fragment),
            (Frames.ethernet(0x800, from: Frames.bridge.value, Frames.ipv4(query)), .own),
            (Frames.ethernet(0x800, Frames.ipv4(query, ttl: 2)), .hopLimit),
            (Frames.mld(131, [0, 0] + Frames.bytes(group6), hops: 64), .hopLimit),
            (Frames.reportMLD1(group6, source: GroupAddress(high: 0x2001_0db8 << 32, low: 1)), .source),
            // A query from :: (RFC 3810, 5.1.14).
            (Frames.queryMLD(GroupAddress(high: 0, low: 0)), .source),
            (Frames.helloIPv6(source: GroupAddress(high: 0x2001_0db8 << 32, low: 1)), .source),
            (Frames.ethernet(0x800, Frames.ipv4(Frames.igmp(0x13, [0, 0, 0, 0]))), .unknownType),
            // A neighbour solicitation, and PIM version 1.
            (Frames.mld(135, [0, 0]), .otherProtocol), (Frames.hello(1), .otherProtocol),
            // The groups 224.0.0.251, ff02::1, ff01::5 and ff00::5.
            (Frames.report(v2: Frames.v4(224, 0, 0, 251)), .reservedGroup), (Frames.report(4, Frames.v4(224, 0, 0, 251)), .reservedGroup),
            (Frames.leave(Frames.v4(224, 0, 0, 251)), .reservedGroup),
            (Frames.reportMLD1(GroupAddress(high: 0xff02 << 48, low: 1)), .reservedGroup),
            (Frames.report(4, GroupAddress(high: 0xff01 << 48, low: 5)), .reservedGroup),
            (Frames.report(4, GroupAddress(high: 0xff00 << 48, low: 5)), .reservedGroup),
        ])
    func ignored(_ frame: [UInt8], _ reason: Verdict.Ignored) {
        var lab = Lab()
        let before = lab.snooper.version
        #expect(lab.hear(frame) == .ignored(reason))
        #expect(lab.snooper.counters.ignored == [reason: 1])
        #expect(lab.snooper.membership.isEmpty && lab.snooper.version == before)
    }

    @Test(
        "and refuses as malformed",
        arguments: [
            ([UInt8](repeating: 1, count: 13), Verdict.Malformed.truncated),
            (Array(Frames.ethernet(0x8100, [0, 7])[..<16]), .truncated),
            (Array(Frames.query(group)[..<40]), .truncated),
            (Array(Frames.queryMLD(Frames.linkLocal(1))[..<80]), .truncated),
            (changed(Frames.query(group), 14), .header),
            // An IP header of 4 words, and a datagram that is shorter than its header.
            (Frames.ethernet(0x800, [0x44] + Frames.ipv4(query).dropFirst()), .header),
            (Frames.ethernet(0x800, [0x46, 0, 0, 23] + Frames.ipv4(query).dropFirst(4)), .header),
            (changed(Frames.query(group), 27), .ipChecksum),
            (changed(Frames.query(group), 40), .checksum), (changed(Frames.report(4, group), 48), .checksum),
            (changed(Frames.queryMLD(Frames.linkLocal(1)), 70), .checksum),
            // ICMPv6 checksums include the addresses.
            (changed(Frames.queryMLD(Frames.linkLocal(1)), 37), .checksum),
            (changed(Frames.hello(), 40), .checksum), (changed(Frames.helloIPv6(), 60), .checksum),
            // IGMP messages of 4 and 9 bytes, MLD messages of 23 and 25 bytes.
            (Frames.ethernet(0x800, Frames.ipv4(Frames.igmp(0x16, []))), .length),
            (Frames.ethernet(0x800, Frames.ipv4(Frames.igmp(0x11, code: 5, [0, 0, 0, 0, 0]))), .length),
            (Frames.mld(131, [0, 0] + Frames.bytes(group6).dropLast()), .length),
            (Frames.mld(130, [0, 0] + Frames.bytes(group6) + [0]), .length),
            (Frames.report(v2: Frames.v4(10, 0, 0, 1)), .group), (Frames.leave(Frames.v4(0, 0, 0, 0)), .group),
            (Frames.report(4, GroupAddress(high: 0xfe80 << 48, low: 1)), .group),
            // An IPv4 group in MLD.
            (Frames.mld(131, [0, 0] + [UInt8](repeating: 0, count: 10) + [255, 255, 239, 1, 1, 1]), .group),
            // General queries that are not sent to all hosts (RFC 3376, 4.1.12; RFC 3810, 5.1.15).
            (Frames.ethernet(0x800, Frames.ipv4(query, to: group)), .group),
            (Frames.mld(130, code: [39, 16], [0, 0] + [UInt8](repeating: 0, count: 16), to: group6), .group),
            (Frames.report3([Frames.record(4, group)], count: 2), .record),
            (Frames.report3([[4, 0, 0, 2] + Frames.bytes(group) + [1, 2, 3, 4]]), .record),
            // Auxiliary data that extends beyond the end.
            (Frames.report3([[4, 1, 0, 0] + Frames.bytes(group)]), .record),
            (Frames.reportMLD2([[4, 0, 255, 255] + Frames.bytes(group6)]), .record),
            (Frames.ethernet(0x800, Frames.ipv4(Frames.igmp(0x11, code: 5, Frames.bytes(group) + [2, 125, 0, 1]), to: group)), .record),
        ])
    func malformed(_ frame: [UInt8], _ reason: Verdict.Malformed) {
        var lab = Lab()
        let before = lab.snooper.version
        #expect(lab.hear(frame) == .malformed(reason))
        #expect(lab.snooper.counters.malformed == [reason: 1])
        #expect(lab.snooper.membership.isEmpty && lab.snooper.version == before)
    }

    @Test("each truncation of each message changes nothing, and bytes behind it are padding")
    func truncations() {
        let frames = [
            Frames.report(v2: Self.group), Frames.leave(Self.group), Frames.report(1, Self.group, [Frames.v4(10, 0, 0, 9)]),
            Frames.report(1, Self.group6, [Frames.linkLocal(9)]), Frames.reportMLD1(Self.group6), Frames.query(Frames.v4(10, 0, 0, 1)),
        ]
        for frame in frames {
            // Frames are padded to 60 bytes, so the end is given by the datagram's own length.
            let length = frame[12] == 8 ? 14 + Int(frame[17]) : 54 + Int(frame[19])
            for end in 0..<length {
                var lab = Lab()
                let verdict = lab.hear(Array(frame[..<end]))
                guard case .malformed = verdict else {
                    Issue.record("\(end) bytes of \(length): \(verdict)")
                    continue
                }
            }
            var lab = Lab()
            let verdict = lab.hear(frame + [1, 2, 3])
            #expect([.report, .leave, .query].contains(verdict))
        }
    }

    @Test("records of unknown kinds, auxiliary data and bytes behind the last record are passed over: RFC 3376, 4.2.10 to 4.2.12")
    func lenient() {
        var lab = Lab()
        let other = Frames.v4(239, 1, 1, 2), third = Frames.v4(239, 1, 1, 3)
        let records = [Frames.record(9, Self.group), Frames.record(4, other, auxiliary: [1, 2, 3, 4]), Frames.record(2, third), [1, 2, 3]]
        #expect(lab.hear(Frames.report3(records, count: 3)) == .report)
        #expect(lab.ports(Self.group) == [] && lab.ports(other) == [1] && lab.ports(third) == [1])
    }

    @Test("a report with one bad record does nothing at all")
    func atomic() {
        var lab = Lab()
        #expect(lab.hear(Frames.report3([Frames.record(4, Self.group), Frames.record(4, Frames.v4(10, 1, 1, 1))])) == .malformed(.group))
        #expect(lab.ports(Self.group) == [])
    }
}
