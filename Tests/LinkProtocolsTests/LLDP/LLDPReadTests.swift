import LinkProtocols
import Packet
import TestSupport
import Testing

/// The LLDPDU as IEEE 802.1AB-2016 has it, by its clauses: 8.2 (order), 8.4 (TLVs), 8.5.2 to 8.5.9 (the basic ones), 8.6 (those of organisations), and
/// rxProcessFrame of 9.2 (what is counted).
@Suite("LLDPDUs as they are read")
struct LLDPReadTests {
    static func read(_ frame: [UInt8]) throws(LLDPDU.Fault) -> LLDPDU.Reading { try LLDPDU.read(frame, isKnown: DCBXTLV.all.contains) }

    @Test("802.1AB 8.2, 8.5: all basic TLVs, also behind a priority tag")
    func basic() throws {
        let f = LLDPFrames.self
        let rest = [
            f.tlv(4, f.text("Ethernet1")), f.tlv(5, f.text("leaf1")), f.tlv(6, f.text("NOS 1.2")), f.tlv(7, [0, 0x14, 0, 4]),
            f.tlv(8, [5, 1, 192, 0, 2, 7, 2, 0, 0, 0, 3, 0]), f.tlv(8, [7, 6, 2, 0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 2, 9, 9]),
            f.organizational(0x00120f, 4, [5, 220]),
        ]
        for tags in [[], [[0x81, 0, 0xe0, 0]]] as [[[UInt8]]] {
            let reading = try Self.read(f.frame(rest, tags: tags))
            let pdu = reading.pdu
            #expect(reading.discardedTLVs == 0 && !reading.isInError && reading.unrecognizedTLVs == 1 && reading.sender == f.mac(1))
            #expect(pdu.source.chassisText == ("mac", "02:00:00:00:00:01") && pdu.source.portText == ("ifname", "swp1") && pdu.timeToLive == 120)
            #expect(pdu.portDescription == "Ethernet1" && pdu.systemName == "leaf1" && pdu.systemDescription == "NOS 1.2")
            #expect(pdu.capabilities?.named.map(\.name) == ["Bridge", "Router"] && pdu.capabilities?.named.map(\.isEnabled) == [true, false])
            #expect(pdu.managementAddresses.map { "\($0.address)" } == ["192.0.2.7", "02:00:00:00:00:01"] && pdu.managementAddresses[0].interface == 3)
            #expect(pdu.organizational.map(\.kind) == [.init(oui: 0x00120f, subtype: 4)] && pdu.organizational[0].value == [5, 220])
        }
    }

    static let faults: [(String, [UInt8], LLDPDU.Fault)] = {
        let f = LLDPFrames.self
        let chassis = f.tlv(1, [4, 2, 0, 0, 0, 0, 1]), port = f.tlv(2, [5, 0x61]), ttl = f.tlv(3, [0, 120])
        return [
            ("7.1: another address", f.frame(to: 0x0180_c200_0003), .notForAgent),
            ("another type", Frames.ethernet(0x88cd, to: 0x0180_c200_000e, chassis + port + ttl), .notForAgent),
            ("an empty frame", [], .notForAgent),
            ("8.2: the port first", f.raw([port, chassis, ttl]), .chassisID),
            ("8.5.2: no chassis ID", f.raw([f.tlv(1, [4]), port, ttl]), .chassisID),
            ("8.5.2: one that is too long", f.raw([f.tlv(1, [7] + [UInt8](repeating: 65, count: 256)), port, ttl]), .chassisID),
            ("8.5.2: one that ends behind the frame", f.raw([f.tlv(1, [4], length: 300)]), .chassisID),
            ("8.2: the time second", f.raw([chassis, ttl, port]), .portID),
            ("8.5.3: no port ID", f.raw([chassis, f.tlv(2, [5]), ttl]), .portID),
            ("8.2: no time", f.raw([chassis, port, f.tlv(4, [])]), .timeToLive),
            ("8.5.4: half a time", f.raw([chassis, port, f.tlv(3, [9])]), .timeToLive),
            ("8.5.2: a second chassis ID", f.frame([chassis]), .duplicate),
            ("8.5.3: a second port ID", f.frame([port]), .duplicate),
            ("8.5.4: a second time", f.frame([ttl]), .duplicate),
            ("8.5.1: an end with something in it", f.frame([f.tlv(0, [1])]), .end),
        ]
    }()

    @Test("802.1AB 9.2, rxProcessFrame: LLDPDUs that are discarded as a whole, and counted", arguments: faults.indices)
    func discarded(_ place: Int) throws {
        let (what, frame, fault) = Self.faults[place]
        #expect(throws: fault, "\(what)") { try Self.read(frame) }
        var lab = LLDPLab()
        #expect(lab.hear(frame) == .fault(fault))
        let count: UInt64 = fault == .notForAgent ? 0 : 1
        #expect([lab.agent.counters.framesIn, lab.agent.counters.framesDiscarded, lab.agent.counters.framesInErrors] == [count, count, count], "\(what)")
        #expect(lab.agent.neighbours.isEmpty)
    }

    static let wrong: [(String, [[UInt8]])] = {
        let f = LLDPFrames.self
        return [
            ("8.5.5: a port description of 256 octets", [f.tlv(4, [UInt8](repeating: 65, count: 256))]),
            ("8.5.6: a system name of 256 octets", [f.tlv(5, [UInt8](repeating: 65, count: 256))]),
            ("8.5.7: a system description of 256 octets", [f.tlv(6, [UInt8](repeating: 65, count: 256))]),
            ("8.5.8: capabilities of 3 octets", [f.tlv(7, [0, 4, 0])]),
            ("8.5.8: capabilities of 5 octets", [f.tlv(7, [0, 4, 0, 4, 0])]),
            ("8.5.8.3: a capability in use that is not there", [f.tlv(7, [0, 4, 0, 0x10])]),
            ("8.5.9: an address that is too short", [f.tlv(8, [1, 1, 1, 0, 0, 0, 0, 0, 0])]),
            ("8.5.9: an address of 32 octets", [f.tlv(8, [33, 1] + [UInt8](repeating: 0, count: 40))]),
            ("8.5.9: an address that ends behind its TLV", [f.tlv(8, [5, 1, 192, 0, 2, 7, 2, 0, 0])]),
            ("8.5.9: an object identifier that ends behind its TLV", [f.tlv(8, [5, 1, 192, 0, 2, 7, 2, 0, 0, 0, 3, 4, 1])]),
            ("8.6.1: an organisation's TLV without a subtype", [f.tlv(127, [0, 0x80, 0xc2])]),
            ("9.2: a TLV that ends behind the frame", [f.tlv(9, [1], length: 511)]),
        ]
    }()

    @Test("802.1AB 9.2, rxProcessFrame: a TLV that is wrong is discarded and counted, and the others count", arguments: wrong.indices)
    func wrongTLV(_ place: Int) throws {
        let (what, tlvs) = Self.wrong[place]
        var lab = LLDPLab()
        #expect(lab.hear(LLDPFrames.frame([LLDPFrames.tlv(5, LLDPFrames.text("leaf1"))].filter { _ in !what.contains("name") } + tlvs)) == .new)
        let counters = lab.agent.counters
        #expect([counters.framesIn, counters.framesInErrors, counters.tlvsDiscarded, counters.framesDiscarded] == [1, 1, 1, 0], "\(what)")
        #expect(lab.agent.neighbours[0].pdu.tlvs.count == (what.contains("name") ? 0 : 1), "\(what)")
    }

    @Test("802.1AB 8.5.5 to 8.5.9: what may be there once is used once, the first time")
    func repeated() throws {
        let f = LLDPFrames.self, address = f.tlv(8, [5, 1, 192, 0, 2, 7, 2, 0, 0, 0, 3, 0])
        let twice = [f.tlv(4, f.text("a")), f.tlv(5, f.text("a")), f.tlv(6, f.text("a")), f.tlv(7, [0, 4, 0, 4]), address].flatMap { [$0, $0] }
        let reading = try Self.read(f.frame(twice + [f.tlv(5, f.text("b"))]))
        #expect(reading.discardedTLVs == 6 && reading.pdu.tlvs.count == 5 && reading.pdu.systemName == "a")
    }

    @Test("802.1AB 8.5.1, 8.6: what follows the end is not read; unknown TLVs are kept as octets; a frame may end without an end")
    func rest() throws {
        let f = LLDPFrames.self
        let behind = try Self.read(f.frame([f.tlv(0, []), f.tlv(5, f.text("never"))]))
        #expect(behind.pdu.tlvs.isEmpty && behind.discardedTLVs == 0)
        let unknown = try Self.read(f.frame([f.tlv(9, [1, 2]), f.tlv(126, []), f.organizational(0x00120f, 1, []), f.pfc(8)], ends: false))
        #expect(unknown.unrecognizedTLVs == 3 && unknown.pdu.tlvs.count == 4 && unknown.pdu.reserved.map(\.type) == [9, 126])
    }

    @Test("memory is bounded: of very many TLVs only so many are kept, and nothing beyond 1500 octets")
    func bounded() throws {
        let many = try Self.read(LLDPFrames.frame([[UInt8]](repeating: LLDPFrames.tlv(99, []), count: 700)))
        #expect(many.pdu.tlvs.count == LLDPDU.mostTLVs && many.discardedTLVs > 500)
        let long = try Self.read(LLDPFrames.frame([[UInt8]](repeating: LLDPFrames.tlv(99, [UInt8](repeating: 1, count: 511)), count: 17)))
        #expect(long.pdu.tlvs.count == 2 && long.discardedTLVs == 1 && long.isInError)
    }

    @Test("texts of neighbours cannot do anything to a terminal")
    func texts() throws {
        let pdu = try Self.read(LLDPFrames.frame([LLDPFrames.tlv(5, [0x1b, 0x5b, 0x32, 0x4a, 0x41, 0xff, 0x0a, 0xe2, 0x80, 0xae])])).pdu
        #expect(pdu.systemName == "\u{fffd}[2JA\u{fffd} \u{fffd}")
    }

    @Test("what is written is read as the same, and fits into a frame")
    func roundTrip() throws {
        var random = Seeded(16)
        for _ in 0..<2_000 {
            func octets(_ counts: ClosedRange<Int>) -> [UInt8] {
                let count = Int.random(in: counts, using: &random)
                return (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            func identifier() -> LLDPDU.Identifier { .init(subtype: UInt8.random(in: 1...7, using: &random), octets: octets(1...255)) }
            let source = LLDPDU.Source(chassis: identifier(), port: identifier())
            var tlvs: [TLV] = []
            for _ in 0..<Int.random(in: 0...8, using: &random) {
                let value = octets(0...300)
                tlvs.append(Bool.random(using: &random) ? TLV(UInt8.random(in: 9...126, using: &random), value) : TLV(.init(oui: 0x00120f, subtype: 1), value))
            }
            let pdu = LLDPDU(source: source, timeToLive: .random(in: 1...65_535, using: &random), tlvs: tlvs)
            let (frame, leftOut) = pdu.frame(from: LLDPFrames.mac(3))
            #expect(60...1_514 ~= frame.count)
            let reading = try Self.read(frame)
            #expect(reading.pdu.source == pdu.source && reading.pdu.timeToLive == pdu.timeToLive)
            #expect(reading.discardedTLVs == 0 && reading.sender == LLDPFrames.mac(3))
            #expect(reading.pdu.tlvs.count == tlvs.count - leftOut && (leftOut > 0 || reading.pdu == pdu))
        }
    }
}
