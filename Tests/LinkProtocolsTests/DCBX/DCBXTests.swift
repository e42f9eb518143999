import LinkProtocols
import Packet
import TestSupport
import Testing

/// DCBX as IEEE 802.1Q-2014 has it: the TLVs of D.2.9 to D.2.12, and the attributes of clause 38.
///
/// | clause | what it says | test |
/// |---|---|---|
/// | D.2.9 | ETS Configuration TLV | `ets`, `wrong`, `wire` |
/// | D.2.10 | ETS Recommendation TLV | `ets`, `wrong`, `wire` |
/// | D.2.11 | PFC Configuration TLV | `pfc`, `wrong`, `wire` |
/// | D.2.12 | Application Priority TLV | `applications`, `wrong`, `wire` |
/// | 38, asymmetric | a willing side does what the peer recommends, whether that is willing or not | `pairings` |
/// | 38, symmetric | the willing side does what the other does; of two, the lower MAC address decides | `pairings`, `tie` |
/// | 38, informational | application priorities are told, and taken by choice | `pairings`, `informational` |
/// | 38, peers | several peers count as none | `several` |
/// | 802.1AB 9.2 | what ages or is withdrawn is no longer used | `restarts` |
@Suite("DCBX")
struct DCBXTests {
    static func parameters(_ classes: [UInt8], _ bandwidths: [UInt8], _ algorithms: [ETSParameters.Algorithm]) -> ETSParameters {
        func filled<Item>(_ list: [Item], _ rest: Item) -> [Item] { list + [Item](repeating: rest, count: 8 - list.count) }
        return ETSParameters(classes: classes, bandwidths: filled(bandwidths, 0), algorithms: filled(algorithms, .strict))!
    }

    static let mine = parameters([0, 1, 2, 3, 4, 5, 6, 7], [10, 20, 70], [.ets, .ets, .ets])
    static let theirs = parameters([0, 0, 0, 1, 2, 0, 0, 0], [40, 30, 30], [.ets, .ets, .ets])
    static let advised = parameters([0, 0, 0, 0, 0, 0, 1, 1], [100], [.ets])

    static func read(_ tlvs: [[UInt8]]) throws -> (parameters: DCBXParameters, errors: Int) {
        DCBXParameters.read(try LLDPReadTests.read(LLDPFrames.frame(tlvs)).pdu.tlvs)
    }

    @Test("802.1Q D.2.9, D.2.10: ETS, configuration and recommendation")
    func ets() throws {
        let read = try Self.read([LLDPFrames.etsConfiguration(willing: true), LLDPFrames.etsRecommendation()])
        #expect(read.errors == 0 && read.parameters.recommendation == Self.theirs)
        #expect(read.parameters.ets == ETSFeature(isWilling: true, mostClasses: 3, parameters: Self.theirs))
        // A maximum of 0 stands for 8; the shaper's bit is the next to the willing one.
        let flags = try Self.read([LLDPFrames.ieee(9, [0x40] + LLDPFrames.ets)]).parameters.ets
        #expect(flags?.mostClasses == 8 && flags?.hasCreditBasedShaper == true && flags?.isWilling == false)
    }

    @Test("802.1Q D.2.11: PFC")
    func pfc() throws {
        let read = try Self.read([LLDPFrames.pfc(0x18, willing: true, capability: 4)]).parameters.pfc
        #expect(read == PFCFeature(isWilling: true, capability: 4, enabled: 0x18))
        #expect(try Self.read([LLDPFrames.ieee(11, [0x48, 1])]).parameters.pfc == PFCFeature(isWilling: false, bypassesMACsec: true, enabled: 1))
    }

    @Test("802.1Q D.2.12: application priorities; entries of reserved selectors and impossible identifiers are left out, and the first of two counts")
    func applications() throws {
        let tlv = LLDPFrames.applications([
            (3, 1, 0x8906), (4, 2, 3260), (5, 3, 4791), (2, 4, 53), (1, 5, 46), (7, 0, 1), (7, 6, 1), (7, 7, 1), (6, 1, 5), (6, 5, 64), (0, 1, 0x8906), (1, 1, 0),
        ])
        let entries = try Self.read([tlv]).parameters.applications
        #expect(entries == [
            .init(.etherType, 0x8906, priority: 3), .init(.stream, 3260, priority: 4), .init(.datagram, 4791, priority: 5), .init(.anyPort, 53, priority: 2),
            .init(.dscp, 46, priority: 1), .init(.etherType, 0, priority: 1),
        ])
        #expect(entries?.standardPriority == 1)
        #expect(try Self.read([LLDPFrames.applications([])]).parameters.applications == [])
    }

    @Test("802.1Q D.2.9 to D.2.12: TLVs that are wrong or repeated are not used, and are counted; the others are")
    func wrong() throws {
        let f = LLDPFrames.self
        var tooMuch = f.ets, badClass = f.ets, badAlgorithm = f.ets
        (tooMuch[4], badClass[0], badAlgorithm[12]) = (41, 0x90, 3)
        let wrong = [
            f.etsConfiguration(Array(f.ets.dropLast())), f.etsConfiguration(f.ets + [0]), f.etsRecommendation(tooMuch), f.etsConfiguration(badClass),
            f.etsConfiguration(badAlgorithm), f.etsRecommendation([]), f.pfc(1, capability: 9), f.ieee(11, [8]), f.ieee(11, [8, 1, 1]),
            f.ieee(12, []), f.ieee(12, [0, 1]),
        ]
        for tlv in wrong {
            let read = try Self.read([tlv])
            #expect(read.errors == 1 && read.parameters == DCBXParameters(), "\(tlv)")
        }
        let twice = try Self.read([f.pfc(1), f.pfc(2), f.etsRecommendation(), f.etsRecommendation()])
        #expect(twice.errors == 2 && twice.parameters.pfc?.enabled == 1)
        // A wrong one is the first one as well.
        #expect(try Self.read([f.pfc(1, capability: 9), f.pfc(2)]).parameters.pfc == nil)
        // Percentages of classes that are not shared mean nothing.
        let strict = try Self.read([f.etsRecommendation([0, 0, 0, 0, 7, 7] + [UInt8](repeating: 0, count: 14))]).parameters.recommendation
        #expect(strict?.bandwidths == [UInt8](repeating: 0, count: 8))
    }

    @Test("802.1Q D.2.9 to D.2.12: the octets of what is told")
    func wire() {
        var told = DCBXParameters()
        told.ets = ETSFeature(isWilling: true, mostClasses: 3, parameters: Self.theirs)
        told.recommendation = Self.theirs
        told.pfc = PFCFeature(isWilling: true, enabled: 0x18)
        told.applications = [.init(.etherType, 0x8906, priority: 3), .init(.datagram, 4791, priority: 5)]
        let f = LLDPFrames.self
        let expected = [f.etsConfiguration(willing: true), f.etsRecommendation(), f.pfc(0x18, willing: true), f.applications([(3, 1, 0x8906), (5, 3, 4791)])]
        #expect(told.tlvs.map(\.octets) == expected)
        #expect(told.tlvs.map { Array($0.octets[..<2]) }.prefix(3) == [[0xfe, 0x19], [0xfe, 0x19], [0xfe, 0x06]])
    }

    @Test("what is written is read as the same")
    func roundTrip() throws {
        var random = Seeded(38)
        for _ in 0..<2_000 {
            func parameters() -> ETSParameters {
                var left = 100
                let algorithms = (0..<8).map { _ in [ETSParameters.Algorithm.strict, .creditBased, .ets, .vendor].randomElement(using: &random)! }
                let shared = algorithms.indices.filter { algorithms[$0] == .ets }
                var bandwidths = [UInt8](repeating: 0, count: 8)
                for place in shared {
                    let share = place == shared.last ? left : Int.random(in: 0...left, using: &random)
                    bandwidths[place] = UInt8(share)
                    left -= share
                }
                return ETSParameters(classes: (0..<8).map { _ in .random(in: 0...7, using: &random) }, bandwidths: bandwidths, algorithms: algorithms)!
            }
            var told = DCBXParameters()
            func flag() -> Bool { .random(using: &random) }
            func octet(_ range: ClosedRange<UInt8>) -> UInt8 { .random(in: range, using: &random) }
            if flag() { told.ets = ETSFeature(isWilling: flag(), hasCreditBasedShaper: flag(), mostClasses: octet(1...8), parameters: parameters()) }
            if flag() { told.recommendation = parameters() }
            if flag() { told.pfc = PFCFeature(isWilling: flag(), bypassesMACsec: flag(), capability: octet(0...8), enabled: octet(0...255)) }
            if flag() {
                let selectors: [ApplicationPriority.Selector] = [.stream, .datagram, .anyPort]
                told.applications = (0..<Int(octet(0...168))).map { .init(selectors[Int(octet(0...2))], UInt16($0), priority: octet(0...7)) }
            }
            let read = DCBXParameters.read(told.tlvs)
            #expect(read.parameters == told && read.errors == 0)
        }
    }

    @Test("the priorities of the protocols that Sluice knows")
    func knownProtocols() {
        let entries: [ApplicationPriority] = [
            .init(.etherType, 0x8906, priority: 1), .init(.etherType, 0x8914, priority: 2), .init(.etherType, 0x8915, priority: 5),
            .init(.stream, 3260, priority: 6), .init(.datagram, 4791, priority: 7),
        ]
        let expected: [(KnownProtocol, UInt8?)] = [(.fcoe, 1), (.fip, 2), (.roce, 5), (.iscsi, 6), (.rocev2, 7), (.nvmeTCP, nil)]
        for (known, priority) in expected { #expect(entries.priority(of: known.matches) == priority, "\(known.name)") }
        #expect([ApplicationPriority(.anyPort, 3260, priority: 5)].priority(of: KnownProtocol.iscsi.matches) == 5)
        #expect([ApplicationPriority(.anyPort, 3260, priority: 5), .init(.stream, 3260, priority: 3)].priority(of: KnownProtocol.iscsi.matches) == 3)
        #expect([ApplicationPriority(.stream, 860, priority: 2)].priority(of: KnownProtocol.iscsi.matches) == 2)
        #expect([ApplicationPriority(.datagram, 3260, priority: 5)].priority(of: KnownProtocol.iscsi.matches) == nil)
        #expect([ApplicationPriority(.stream, 5_000, priority: 5)].priority(of: [.tcpRange(4_999...5_001)]) == 5)
        #expect([ApplicationPriority(.dscp, 46, priority: 5)].priority(of: [.pcp(1), .dscp(46)]) == 5)
    }
}
