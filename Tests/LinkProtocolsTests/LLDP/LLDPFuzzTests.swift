import LinkProtocols
import Packet
import TestSupport
import Testing

@Suite("Hostile LLDP frames")
struct LLDPFuzzTests {
    static let seeds: [[UInt8]] = {
        let f = LLDPFrames.self
        let all = [
            f.tlv(4, f.text("Ethernet1")), f.tlv(5, f.text("leaf1")), f.tlv(6, f.text("NOS 1.2")), f.tlv(7, [0, 0x14, 0, 4]),
            f.tlv(8, [5, 1, 192, 0, 2, 7, 2, 0, 0, 0, 3, 0]), f.etsConfiguration(willing: true), f.etsRecommendation(), f.pfc(0x18),
            f.applications([(3, 1, 0x8906), (4, 2, 3260)]), f.organizational(0x001b21, 2, [1, 2, 3]),
        ]
        let refused = LLDPReadTests.faults.map(\.1).filter { $0.count > 20 }, wrong = LLDPReadTests.wrong.map { f.frame($0.1) }
        return refused + wrong + [f.frame(all), f.frame(all, ttl: 0), f.frame(all, tags: [[0x81, 0, 0xe0, 0]])]
    }()

    @Test("a million changed frames trap nowhere, and memory stays in its bounds", arguments: 0..<4 as Range<UInt64>)
    func mutations(_ seed: UInt64) {
        var random = Seeded(seed &+ 1_616)
        var lab = LLDPLab(dcbx: DCBXPairTests.settings(DCBXTests.mine, willing: true, pfc: 0, entries: []))
        var verdicts: [String: Int] = [:], shown = 0, peers = 0
        for round in 0..<250_000 {
            var frame: [UInt8]
            if random.next() % 16 == 0 {
                frame = Array(LLDPFrames.frame()[..<14]) + (0..<Int(random.next() % 120)).map { _ in UInt8(truncatingIfNeeded: random.next()) }
            } else {
                frame = Self.seeds[Int(random.next() % UInt64(Self.seeds.count))]
                for _ in 0..<random.next() % 4 {
                    let offset = 14 + Int(random.next() % UInt64(frame.count - 14))
                    frame[offset] = [0, 1, 0xff, UInt8(truncatingIfNeeded: random.next())][Int(random.next() % 4)]
                }
                if random.next() % 4 == 0 { frame.removeLast(Int(random.next() % UInt64(frame.count - 14))) }
            }
            switch lab.hear(frame) {
            case .fault(let fault): verdicts["\(fault)", default: 0] += 1
            case let verdict: verdicts["\(verdict)", default: 0] += 1
            }
            if case .one = lab.link.dcbx.peer { peers += 1 }
            if round % 64 == 0 {
                lab.pass(Double(random.next() % 50) / 10)
                for neighbour in lab.agent.neighbours {
                    let pdu = neighbour.pdu
                    #expect(pdu.tlvs.count <= LLDPDU.mostTLVs)
                    let addresses = pdu.managementAddresses.map { "\($0.address)" }
                    let texts = [pdu.source.chassisText.value, pdu.source.portText.value, pdu.systemName ?? ""] + addresses
                    shown += texts.map(\.count).reduce(0, +) + pdu.organizational.count + pdu.reserved.count + (pdu.capabilities?.named.count ?? 0)
                }
                #expect(lab.agent.neighbours.count <= 8)
            }
        }
        // Every place that refuses a frame, and every effect, was reached.
        let expected = LLDPDU.Fault.allCases.map { "\($0)" } + ["new", "changed", "refreshed", "shutdown", "tooMany"]
        #expect(expected.allSatisfy { verdicts[$0] != nil }, "\(verdicts)")
        #expect(shown > 0 && peers > 0)
        let counters = lab.agent.counters
        #expect(counters.inserted - counters.deleted == UInt64(lab.agent.neighbours.count))
        #expect(counters.tlvsDiscarded > 1_000 && counters.tlvsUnrecognized > 1_000)
    }

    @Test("times at the end of the clock and settings of nothing end all loops")
    func extremes() {
        for value in [0, 1, UInt16.max] {
            for count in [Int.min, -1, 0, 1, .max] {
                var settings = LLDPSettings()
                (settings.interval, settings.hold, settings.fastInterval, settings.reinitDelay) = (value, value, value, value)
                (settings.fastCount, settings.mostCredit, settings.mostNeighbours) = (count, count, count)
                for start in [0, UInt64.max - 1, .max] {
                    var link = LinkDiscovery(settings, status: .both, dcbx: DCBXSettings(), mac: LLDPFrames.mac(1), local: LLDPFrames.local(1))
                    link.set(isUp: true, now: start)
                    _ = link.advance(to: start)
                    for frame in Self.seeds {
                        link.receive(frame, now: start)
                        _ = link.advance(to: start)
                    }
                    link.set(settings, status: .disabled, dcbx: DCBXSettings(), now: start)
                    _ = link.advance(to: .max)
                    link.set(settings, status: .both, dcbx: DCBXSettings(), now: .max)
                    _ = link.advance(to: .max)
                }
            }
        }
    }
}
