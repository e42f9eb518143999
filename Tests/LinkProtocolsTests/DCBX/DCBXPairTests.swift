import LinkProtocols
import Packet
import Testing

/// Two ports joined by a cable, in virtual time.
struct Pair {
    var sides: [LLDPLab]
    /// Whether frames arrive.
    var isJoined = true

    init(_ a: DCBXSettings, _ b: DCBXSettings, numbers: [UInt8] = [1, 2]) { sides = [LLDPLab(numbers[0], dcbx: a), LLDPLab(numbers[1], dcbx: b)] }

    /// Lets time pass in steps of 10 ms, within which frames arrive.
    mutating func pass(_ seconds: Double) {
        for _ in 0..<Int(seconds * 100) {
            for side in 0..<2 {
                let before = sides[side].sent.count
                sides[side].pass(0.01)
                guard isJoined else { continue }
                for sent in sides[side].sent[before...] { sides[1 - side].hear(sent.frame) }
            }
        }
    }

    subscript(_ side: Int) -> DCBX { sides[side].link.dcbx }

    mutating func set(_ side: Int, _ settings: DCBXSettings) { sides[side].link.set(LLDPSettings(), status: .both, dcbx: settings, now: sides[side].now) }
}

@Suite("DCBX between two ports")
struct DCBXPairTests {
    static func settings(
        _ parameters: ETSParameters, willing: Bool, advises: ETSParameters? = nil, pfc: UInt8, entries: [ApplicationPriority]
    ) -> DCBXSettings {
        var settings = DCBXSettings()
        settings.parameters.ets = ETSFeature(isWilling: willing, parameters: parameters)
        settings.parameters.recommendation = advises
        settings.parameters.pfc = PFCFeature(isWilling: willing, enabled: pfc)
        settings.parameters.applications = entries
        settings.takesApplications = willing
        return settings
    }

    static let first: [ApplicationPriority] = [.init(.etherType, 0x8906, priority: 3), .init(.stream, 3260, priority: 4)]
    static let second: [ApplicationPriority] = [.init(.etherType, 0x8906, priority: 5), .init(.datagram, 4791, priority: 6)]

    static let cases = [false, true].flatMap { a in [false, true].flatMap { b in [false, true].flatMap { c in [false, true].map { (a, b, c, $0) } } } }

    @Test("802.1Q 38: every pairing of willing and not, with and without recommendations, and of addresses", arguments: cases)
    func pairings(_ willing: Bool, _ otherWilling: Bool, _ advises: Bool, _ isLower: Bool) {
        let a = Self.settings(DCBXTests.mine, willing: willing, advises: advises ? DCBXTests.advised : nil, pfc: 0x08, entries: Self.first)
        let b = Self.settings(DCBXTests.theirs, willing: otherWilling, advises: advises ? DCBXTests.advised : nil, pfc: 0x30, entries: Self.second)
        var pair = Pair(a, b, numbers: isLower ? [1, 2] : [2, 1])
        pair.pass(3)
        #expect(pair[0].peer == .one(LLDPFrames.mac(isLower ? 2 : 1)) && pair[1].peer == .one(LLDPFrames.mac(isLower ? 1 : 2)))
        // Asymmetric: each side by itself.
        #expect(pair[0].operational.ets?.parameters == (willing && advises ? DCBXTests.advised : DCBXTests.mine))
        #expect(pair[1].operational.ets?.parameters == (otherWilling && advises ? DCBXTests.advised : DCBXTests.theirs))
        // Symmetric: both the same, unless nobody is willing.
        let expected: (UInt8, UInt8) =
            switch (willing, otherWilling) {
            case (false, false): (0x08, 0x30)
            case (true, false): (0x30, 0x30)
            case (false, true): (0x08, 0x08)
            case (true, true): isLower ? (0x08, 0x08) : (0x30, 0x30)
            }
        #expect(pair[0].operational.pfc?.enabled == expected.0 && pair[1].operational.pfc?.enabled == expected.1)
        // Informational: the side's own entry wins.
        #expect(pair[0].operational.applications == Self.first + (willing ? [Self.second[1]] : []))
        #expect(pair[1].operational.applications == Self.second + (otherWilling ? [Self.first[1]] : []))
        // What is told is what is used, and the other side sees it; administrative values stay.
        #expect(pair[1].remote.ets?.parameters == pair[0].operational.ets?.parameters && pair[0].remote.pfc?.enabled == expected.1)
        #expect(pair[0].settings == a && pair[1].settings == b && pair[0].remote.applications == Self.second)
        #expect(pair[0].remote.ets?.isWilling == otherWilling && pair[1].remote.pfc?.isWilling == willing)
        // Both come to rest: after the fast start nothing is told out of turn.
        pair.pass(30)
        let count = pair.sides.map(\.sent.count)
        pair.pass(31)
        #expect(zip(pair.sides.map(\.sent.count), count).allSatisfy { 1...2 ~= $0 - $1 })
    }

    @Test("802.1Q 38, symmetric: willing per feature, and a side that cannot have so many lossless priorities keeps its own")
    func features() {
        var a = Self.settings(DCBXTests.mine, willing: true, pfc: 0x01, entries: [])
        a.parameters.ets?.isWilling = false
        a.parameters.pfc?.capability = 2
        let b = Self.settings(DCBXTests.theirs, willing: false, advises: DCBXTests.advised, pfc: 0x30, entries: [])
        var pair = Pair(a, b)
        pair.pass(2)
        #expect(!pair[0].takesETS && pair[0].takesPFC && pair[0].operational.pfc?.enabled == 0x30)
        var more = b
        more.parameters.pfc?.enabled = 0x70
        pair.set(1, more)
        pair.pass(2)
        #expect(pair[0].remote.pfc?.enabled == 0x70 && !pair[0].takesPFC && pair[0].operational.pfc?.enabled == 0x01)
        // A feature without settings is neither told nor taken over.
        pair.set(0, DCBXSettings())
        pair.pass(2)
        #expect(pair[0].operational == DCBXParameters() && pair[1].remote == DCBXParameters() && pair[1].peer == .none)
    }

    @Test("802.1Q 38: changes while up reach the other side at once")
    func changes() {
        let willing = Self.settings(DCBXTests.mine, willing: true, pfc: 0, entries: [])
        var leader = Self.settings(DCBXTests.theirs, willing: false, advises: DCBXTests.theirs, pfc: 0x08, entries: Self.second)
        var pair = Pair(willing, leader)
        pair.pass(10)
        #expect(pair[0].operational.ets?.parameters == DCBXTests.theirs && pair[0].operational.pfc?.enabled == 0x08)
        #expect(pair[0].operational.applications == Self.second)
        leader.parameters.recommendation = DCBXTests.advised
        leader.parameters.pfc?.enabled = 0x10
        leader.parameters.applications = Self.first
        pair.set(1, leader)
        pair.pass(0.05)
        #expect(pair[0].operational.ets?.parameters == DCBXTests.advised && pair[0].operational.pfc?.enabled == 0x10)
        #expect(pair[0].operational.applications == Self.first)
        // Without a recommendation the side's own parameters are back.
        leader.parameters.recommendation = nil
        leader.parameters.applications = nil
        pair.set(1, leader)
        pair.pass(0.05)
        #expect(pair[0].operational.ets?.parameters == DCBXTests.mine && pair[0].operational.applications == [])
    }

    @Test("what neighbours change in what is used is told, with who did it")
    func sentences() {
        let willing = Self.settings(DCBXTests.mine, willing: true, pfc: 0, entries: [])
        let leader = Self.settings(DCBXTests.theirs, willing: false, advises: DCBXTests.theirs, pfc: 0x18, entries: Self.second)
        var pair = Pair(willing, leader)
        let alone = pair[0].operational
        #expect(pair[0].sentence(from: alone, to: alone) == nil)
        pair.pass(5)
        let led = pair[0].operational
        #expect(
            pair[0].sentence(from: alone, to: led) == "in use now: tc-bw 40,30,30,0,0,0,0,0 and prio-tc 0,0,0,1,2,0,0,0; prio-pfc 3,4; "
                + "other priorities of protocols, as follows from what \(LLDPFrames.mac(2)) tells by DCBX")
        pair.sides[1].link.set(LLDPSettings(), status: .disabled, dcbx: leader, now: pair.sides[1].now)
        pair.pass(0.05)
        let left = pair[0].sentence(from: led, to: pair[0].operational)
        #expect(left?.contains("prio-pfc none") == true && left?.hasSuffix("as no neighbour speaks DCBX any more") == true, "\(left ?? "")")
    }

    @Test("802.1AB 9.2: what ages or is withdrawn is no longer used; a side that comes back is followed again")
    func restarts() {
        let willing = Self.settings(DCBXTests.mine, willing: true, pfc: 0, entries: [])
        let leader = Self.settings(DCBXTests.theirs, willing: false, advises: DCBXTests.theirs, pfc: 0x08, entries: Self.second)
        var pair = Pair(willing, leader)
        pair.pass(5)
        #expect(pair[0].takesETS && pair[0].takesPFC)
        pair.isJoined = false
        pair.pass(110)
        #expect(pair[0].takesPFC)
        pair.pass(15)
        #expect(pair[0].peer == .none && !pair[0].takesPFC && pair[0].operational == willing.parameters && pair.sides[0].agent.counters.ageouts == 1)
        pair.isJoined = true
        pair.pass(31)
        #expect(pair[0].takesPFC)
        // A side that ends says so.
        pair.sides[1].link.set(LLDPSettings(), status: .disabled, dcbx: leader, now: pair.sides[1].now)
        pair.pass(0.05)
        #expect(pair[0].operational == willing.parameters && pair.sides[0].agent.counters.ageouts == 1)
        // A new process knows nothing, and learns it from the first frames.
        pair.sides[1] = LLDPLab(2, dcbx: leader)
        pair.sides[1].now = pair.sides[0].now
        pair.pass(1)
        #expect(pair[0].takesETS && pair[0].takesPFC && pair[1].remote.pfc?.enabled == 0x08)
        // So does the other side's.
        pair.sides[0] = LLDPLab(1, dcbx: willing)
        pair.sides[0].now = pair.sides[1].now
        pair.pass(31)
        #expect(pair[0].takesETS && pair[0].takesPFC)
    }

    @Test("802.1Q 38: several peers count as none, and one that is left is followed")
    func several() {
        let f = LLDPFrames.self
        var lab = LLDPLab(dcbx: Self.settings(DCBXTests.mine, willing: true, pfc: 0, entries: []))
        lab.hear(f.frame([f.pfc(8), f.etsRecommendation()], chassis: 1))
        #expect(lab.link.dcbx.takesPFC && lab.link.dcbx.takesETS)
        // A neighbour without DCBX changes nothing.
        lab.hear(f.frame([f.tlv(5, f.text("other"))], chassis: 3, from: 0x0200_0000_0003))
        #expect(lab.link.dcbx.takesPFC)
        lab.hear(f.frame([f.applications([])], chassis: 2, ttl: 30, from: 0x0200_0000_0002))
        #expect(lab.link.dcbx.peer == .several && !lab.link.dcbx.takesPFC && lab.link.dcbx.remote == DCBXParameters())
        lab.pass(31)
        #expect(lab.link.dcbx.peer == .one(f.mac(1)) && lab.link.dcbx.takesPFC)
        // Among neighbours that are not kept there may be another peer.
        for number in 10...20 { lab.hear(f.frame(chassis: UInt8(number), ttl: 40)) }
        #expect(lab.link.dcbx.peer == .several)
        lab.pass(41)
        #expect(lab.link.dcbx.takesPFC)
    }

    @Test("the peer's address is that of its frames, so another address can change who decides")
    func tie() {
        let f = LLDPFrames.self
        var lab = LLDPLab(5, dcbx: Self.settings(DCBXTests.mine, willing: true, pfc: 1, entries: []))
        lab.hear(f.frame([f.pfc(8, willing: true)], from: 0x0200_0000_0004))
        #expect(lab.link.dcbx.takesPFC)
        lab.hear(f.frame([f.pfc(8, willing: true)], from: 0x0200_0000_0006))
        #expect(!lab.link.dcbx.takesPFC)
        lab.hear(f.frame([f.pfc(8, willing: false)], from: 0x0200_0000_0006))
        #expect(lab.link.dcbx.takesPFC)
    }

    @Test("802.1Q 38, informational: a peer's priorities are used only by choice, and are never told back to it")
    func informational() throws {
        let f = LLDPFrames.self
        var settings = DCBXSettings()
        settings.takesApplications = true
        var lab = LLDPLab(dcbx: settings)
        lab.hear(f.frame([f.applications([(5, 2, 3260)])]))
        lab.pass(5)
        #expect(lab.link.dcbx.operational.applications == [.init(.stream, 3260, priority: 5)])
        #expect(try lab.told.organizational.isEmpty)
    }

    @Test("versions of DCBX from before the standard are told, and not followed", arguments: [1, 2])
    func preStandard(_ subtype: Int) {
        var lab = LLDPLab(dcbx: Self.settings(DCBXTests.mine, willing: true, pfc: 0, entries: []))
        lab.hear(LLDPFrames.frame([LLDPFrames.organizational(0x001b21, subtype, [UInt8](repeating: 0xff, count: 40))]))
        #expect(lab.link.dcbx.hearsPreStandard && lab.link.dcbx.peer == .none && !lab.link.dcbx.takesPFC)
        lab.pass(200)
        #expect(!lab.link.dcbx.hearsPreStandard)
    }
}
