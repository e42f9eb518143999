import LinkProtocols
import TestSupport
import Testing

@Suite("Hostile frames")
struct FuzzTests {
    static let seeds: [[UInt8]] =
        MembershipTests.joins + MembershipTests.leaves.map(\.leave) + RouterTests.signs.map(\.0) + [
            Frames.query(Frames.v4(10, 0, 0, 1), group: MembershipTests.group, sources: [MembershipTests.a]),
            Frames.queryMLD(Frames.linkLocal(1), group: MembershipTests.group6),
            Frames.report3((1...40).map { Frames.record(1 + $0 % 6, LimitTests.group($0), [MembershipTests.a]) }),
            Frames.reportMLD2((1...40).map { Frames.record(1 + $0 % 6, Frames.v6(UInt64($0)), [MembershipTests.a6]) }),
        ]

    /// The frame with correct checksums, so that changed messages are not refused because of them.
    static func mended(_ frame: [UInt8]) -> [UInt8] {
        var frame = frame
        func set(_ value: UInt16, _ offset: Int) {
            guard offset + 1 < frame.count else { return }
            (frame[offset], frame[offset + 1]) = (UInt8(value >> 8), UInt8(value & 255))
        }
        let octets = Octets(frame)
        guard octets.count >= 34, let packet = octets.from(14) else { return frame }
        switch octets.bigEndian16(12) {
        case 0x800:
            let size = Int(packet.byte(0) & 15) * 4, total = Int(packet.bigEndian16(2))
            guard size >= 20, total >= size + 4, total <= packet.count else { return frame }
            set(0, 24)
            set(0, 14 + size + 2)
            let cleared = Octets(frame).from(14)!
            set(foldedChecksum(cleared.first(size)!.wordSum), 24)
            set(foldedChecksum(cleared.first(total)!.from(size)!.wordSum), 14 + size + 2)
        case 0x86dd:
            guard packet.count >= 52, let payload = packet.from(40)?.first(Int(packet.bigEndian16(4))), payload.count >= 8 else { return frame }
            let skipped = (Int(payload.byte(1)) + 1) * 8
            guard payload.count >= skipped + 4 else { return frame }
            set(0, 54 + skipped + 2)
            let message = Octets(frame).from(54)!.first(payload.count)!.from(skipped)!
            let sum = pseudoHeaderSum(source: packet.address(.ipv6, 8), destination: packet.address(.ipv6, 24), length: message.count, next: 58)
            set(foldedChecksum(message.wordSum + sum), 54 + skipped + 2)
        default: break
        }
        return frame
    }

    @Test("a million changed frames trap nowhere, and memory stays in its bounds", arguments: 0..<4 as Range<UInt64>)
    func mutations(_ seed: UInt64) {
        var random = Seeded(seed &+ 77)
        var lab = Lab { settings in
            (settings.querier, settings.groupLimit, settings.sourceLimit) = (.auto, 64, 4)
        }
        var effects = 0
        for round in 0..<250_000 {
            var frame: [UInt8]
            if random.next() % 8 == 0 {
                frame = (0..<Int(random.next() % 120)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            } else {
                frame = Self.seeds[Int(random.next() % UInt64(Self.seeds.count))]
                for _ in 0..<random.next() % 4 {
                    let offset = Int(random.next() % UInt64(frame.count))
                    frame[offset] = [0, 1, 0xff, UInt8(truncatingIfNeeded: random.next())][Int(random.next() % 4)]
                }
                if random.next() % 4 == 0 { frame.removeLast(Int(random.next() % UInt64(frame.count))) }
            }
            if random.next() % 4 != 0 { frame = Self.mended(frame) }
            switch lab.hear(frame, UInt16(random.next() % 4), vlan: random.next() % 4 == 0 ? 7 : 0) {
            case .ignored, .malformed: break
            default: effects += 1
            }
            if round % 64 == 0 {
                lab.now += random.next() % 5_000_000_000
                _ = lab.snooper.advance(to: lab.now)
                #expect(lab.snooper.membership.count <= 64 && lab.snooper.timerCount <= 2_000)
            }
        }
        #expect(effects > 50_000)
        #expect(lab.snooper.membership.allSatisfy { $0.ports.count <= 3 })
        #expect(lab.snooper.memberships(now: lab.now).allSatisfy { $0.sources.count <= 4 })
        let counters = lab.snooper.counters
        // Frames must have been refused in many places of the parser.
        #expect(counters.malformed.count >= 6 && counters.ignored.count >= 6)
    }

    @Test("times at the end of the clock and settings of nothing end all loops")
    func extremes() {
        for (value, count) in [(0, 0), (0, 2), (1, -1), (.max, .max), (.max, 2)] as [(UInt64, Int)] {
            var settings = SnoopingSettings()
            settings.querier = .on
            (settings.queryInterval, settings.startupQueryInterval, settings.queryResponseInterval) = (value, value, value)
            (settings.lastMemberInterval, settings.membershipInterval, settings.otherQuerierInterval) = (value, value, value)
            (settings.robustness, settings.lastMemberCount, settings.sourceLimit) = (count, count, max(count, 0))
            for start in [0, UInt64.max - 1, .max] {
                var lab = Lab()
                lab.snooper.set(settings, now: start)
                lab.now = start
                for frame in Self.seeds {
                    lab.hear(frame)
                    _ = lab.snooper.advance(to: start)
                }
                _ = lab.snooper.advance(to: .max)
            }
        }
    }
}
