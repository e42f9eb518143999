import LinkProtocols
import Testing

@Suite("Memberships in virtual time")
struct MembershipTests {
    static let group = Frames.v4(239, 1, 1, 1), group6 = Frames.v6(0x101)
    static let a = Frames.v4(10, 0, 0, 8), b = Frames.v4(10, 0, 0, 9)
    static let a6 = Frames.linkLocal(8), b6 = Frames.linkLocal(9)

    static let joins: [[UInt8]] = [
        Frames.report(v1: group), Frames.report(v2: group), Frames.report(2, group), Frames.report(4, group), Frames.report(4, group, [a]),
        Frames.report(2, group, [a, b]), Frames.report(1, group, [a]), Frames.report(3, group, [a]), Frames.report(5, group, [a]),
        Frames.reportMLD1(group6), Frames.report(2, group6), Frames.report(4, group6, [a6]), Frames.report(1, group6, [a6]),
        Frames.report(3, group6, [a6]), Frames.report(5, group6, [a6, b6]),
    ]

    @Test("a join of any version makes the port a member for 260 s: RFC 2236, 8.4; RFC 3376, 6.2.2 and 8.4; RFC 3810, 9.4", arguments: joins)
    func joinAndTimeout(_ frame: [UInt8]) {
        var lab = Lab()
        let group = frame[12] == 8 ? Self.group : Self.group6
        let version = lab.snooper.version
        #expect(lab.hear(frame) == .report)
        #expect(lab.ports(group) == [1] && lab.snooper.version > version)
        #expect(lab.snooper.membership == [GroupPorts(vlan: 0, group: group, ports: [1])])
        lab.pass(100)
        let unchanged = lab.snooper.version
        lab.hear(frame)
        #expect(lab.snooper.version == unchanged)
        lab.pass(nanoseconds: 260 * Frames.seconds - 1)
        #expect(lab.ports(group) == [1])
        lab.pass(nanoseconds: 1)
        #expect(lab.ports(group) == [] && lab.snooper.membership.isEmpty && lab.snooper.version > unchanged)
        #expect(lab.snooper.nextDeadline == nil)
    }

    @Test("blocking sources or including none joins nothing: RFC 3376, 6.4", arguments: [(6, [a]), (3, []), (1, []), (5, [])])
    func noJoin(_ kind: Int, _ sources: [GroupAddress]) {
        var lab = Lab()
        #expect(lab.hear(Frames.report(kind, Self.group, sources)) == .report)
        #expect(lab.snooper.membership.isEmpty)
    }

    static let leaves: [(join: [UInt8], leave: [UInt8])] = [
        (Frames.report(v2: group), Frames.leave(group)), (Frames.report(4, group), Frames.report(3, group)),
        (Frames.report(2, group), Frames.report(1, group)),
        (Frames.report(5, group, [a, b]), Frames.report(6, group, [a, b])), (Frames.report(3, group, [a]), Frames.report(6, group, [a])),
        (Frames.report(1, group, [a]), Frames.report(3, group)), (Frames.report(2, group, [a]), Frames.report(3, group)),
        (Frames.reportMLD1(group6), Frames.doneMLD1(group6)), (Frames.report(4, group6), Frames.report(3, group6)),
        (Frames.report(5, group6, [a6]), Frames.report(6, group6, [a6])),
    ]

    @Test("a leave is asked about twice and takes 2 s: RFC 2236, 3; RFC 3376, 6.4.2 and 6.6.3; RFC 2710, 4", arguments: leaves)
    func leave(_ frames: (join: [UInt8], leave: [UInt8])) {
        var lab = Lab { $0.querier = .auto }
        let family: GroupFamily = frames.join[12] == 8 ? .ipv4 : .ipv6
        let group = family == .ipv4 ? Self.group : Self.group6
        lab.hear(frames.join)
        lab.hear(frames.join, 2)
        lab.pass(50)
        lab.hear(frames.leave)
        #expect(lab.ports(group) == [1, 2] && lab.snooper.nextDeadline == lab.now)
        #expect(lab.snooper.memberships(now: lab.now).map(\.isAsking) == [true, false])
        lab.pass(nanoseconds: 2 * Frames.seconds - 1)
        #expect(lab.times(family, port: 1) == [50, 51] && lab.ports(group) == [1, 2])
        lab.pass(nanoseconds: 1)
        #expect(lab.ports(group) == [2])
        // The query is sent to the group itself.
        let asked = lab.sent.first { $0.outgoing.port == 1 }?.outgoing.frame ?? []
        #expect(asked.count >= 60 && Array(asked[2..<6]) == Frames.bytes(group).suffix(4).enumerated().map { $0 == 0 && family == .ipv4 ? 0x5e : $1 })
        #expect(lab.times(family, port: 2) == [])
    }

    @Test("another host that answers keeps the port, and ends the asking", arguments: leaves)
    func answered(_ frames: (join: [UInt8], leave: [UInt8])) {
        var lab = Lab { $0.querier = .auto }
        let family: GroupFamily = frames.join[12] == 8 ? .ipv4 : .ipv6
        lab.hear(frames.join)
        lab.hear(frames.leave)
        lab.pass(0.5)
        lab.hear(frames.join)
        lab.pass(259)
        #expect(lab.times(family, port: 1) == [0] && lab.snooper.membership.count == 1)
        lab.pass(2)
        #expect(lab.snooper.membership.isEmpty)
    }

    @Test("with fast leave the port goes at once, and nobody is asked", arguments: leaves)
    func fastLeave(_ frames: (join: [UInt8], leave: [UInt8])) {
        var lab = Lab({ $0.querier = .auto }, ports: [1: PortSnooping(fastLeave: true)])
        lab.hear(frames.join)
        lab.hear(frames.join, 2)
        #expect(lab.hear(frames.leave) == .leave || lab.hear(frames.leave) == .report)
        #expect(lab.snooper.membership.map(\.ports) == [[2]])
        lab.pass(1)
        #expect(lab.sent.allSatisfy { $0.outgoing.port == nil })
    }

    @Test("behind another querier the port waits for that one's query: RFC 3376, 6.6.1, and br_ip4_multicast_query")
    func lowered() {
        var lab = Lab { $0.querier = .auto }
        lab.hear(Frames.report(v2: Self.group))
        lab.hear(Frames.report(4, Self.group), 2)
        lab.hear(Frames.report(5, Self.group, [Self.a]), 3)
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 1)), 2)
        lab.hear(Frames.leave(Self.group))
        lab.pass(5)
        #expect(lab.ports(Self.group) == [1, 2, 3] && lab.times(.ipv4, port: 1) == [])
        // The time left is twice the 2 s that the query gives. A query with the S flag does not change it.
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 1), group: Self.group, code: 20, suppress: true), 2)
        lab.pass(5)
        #expect(lab.ports(Self.group) == [1, 2, 3])
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 1), group: Self.group, code: 20), 2)
        lab.pass(nanoseconds: 4 * Frames.seconds - 1)
        #expect(lab.ports(Self.group) == [1, 2, 3])
        lab.hear(Frames.report(2, Self.group), 2)
        lab.pass(nanoseconds: 1)
        // Port 3 wants one source only, for which the query did not ask.
        #expect(lab.ports(Self.group) == [2, 3])
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 1), group: Self.group, code: 20, sources: [Self.a]), 2)
        lab.pass(4)
        #expect(lab.ports(Self.group) == [2])
    }

    @Test("without any querier a leave takes 2 s too, and nobody is asked")
    func noQuerier() {
        var lab = Lab()
        lab.hear(Frames.report(v2: Self.group))
        lab.hear(Frames.leave(Self.group))
        lab.pass(nanoseconds: 2 * Frames.seconds - 1)
        #expect(lab.ports(Self.group) == [1])
        lab.pass(nanoseconds: 1)
        #expect(lab.ports(Self.group) == [] && lab.sent.isEmpty)
    }

    @Test("hosts of IGMPv1 have leaves ignored for 260 s: RFC 2236, 5; RFC 3376, 7.3.2")
    func version1() {
        var lab = Lab { $0.querier = .auto }
        lab.hear(Frames.report(v1: Self.group))
        lab.hear(Frames.report(v2: Self.group))
        #expect(lab.snooper.memberships(now: lab.now).first?.hostVersion == 1)
        lab.hear(Frames.leave(Self.group))
        lab.hear(Frames.report(3, Self.group))
        lab.pass(100)
        #expect(lab.ports(Self.group) == [1] && lab.times(.ipv4, port: 1) == [])
        lab.hear(Frames.report(v2: Self.group))
        lab.pass(159)
        lab.hear(Frames.leave(Self.group))
        lab.pass(1)
        #expect(lab.snooper.memberships(now: lab.now).first?.hostVersion == 2)
        lab.hear(Frames.leave(Self.group))
        lab.pass(2)
        #expect(lab.ports(Self.group) == [] && lab.times(.ipv4, port: 1) == [260, 261])
    }

    @Test("hosts of IGMPv2 and MLDv1 have blocked sources ignored: RFC 3376, 7.3.2; RFC 3810, 8.3.2")
    func version2() {
        var lab = Lab { $0.querier = .auto }
        lab.hear(Frames.report(v2: Self.group))
        lab.hear(Frames.report(4, Self.group, [Self.a]))
        lab.hear(Frames.report(6, Self.group, [Self.b]))
        lab.hear(Frames.reportMLD1(Self.group6), 2)
        lab.hear(Frames.report(4, Self.group6, [Self.a6]), 2)
        lab.hear(Frames.report(6, Self.group6, [Self.b6]), 2)
        let shown = lab.snooper.memberships(now: lab.now)
        #expect(shown.map(\.hostVersion) == [2, 1] && shown.allSatisfy { $0.excludes && $0.sources.isEmpty })
        // The messages by which IGMPv3 hosts leave are heeded.
        lab.hear(Frames.report(3, Self.group))
        lab.pass(2)
        #expect(lab.ports(Self.group) == [])
        #expect(lab.ports(Self.group6) == [2])
    }

    @Test("of sources only those still wanted keep the port: RFC 3376, 6.3 and 6.4")
    func sources() {
        var lab = Lab { $0.querier = .auto }
        lab.hear(Frames.report(1, Self.group, [Self.a]))
        lab.pass(100)
        lab.hear(Frames.report(5, Self.group, [Self.b]))
        // INCLUDE (A) BLOCK (B): the other sources stay.
        lab.hear(Frames.report(6, Self.group, [Self.a]))
        lab.pass(10)
        let entry = lab.snooper.memberships(now: lab.now).first
        #expect(entry?.excludes == false && entry?.sources == [.init(address: Self.b, timeLeft: 250 * Frames.seconds)])
        #expect(entry?.age == 110 * Frames.seconds)
        // From INCLUDE to EXCLUDE and back: the sources that were requested by name remain when no host answers for all sources.
        lab.hear(Frames.report(4, Self.group, [Self.a]))
        #expect(lab.snooper.memberships(now: lab.now).first?.sources == [.init(address: Self.a, timeLeft: nil)])
        lab.hear(Frames.report(3, Self.group, [Self.b]))
        #expect(lab.snooper.memberships(now: lab.now).first?.excludes == true)
        lab.pass(2)
        let last = lab.snooper.memberships(now: lab.now).first
        #expect(last?.excludes == false && last?.sources == [.init(address: Self.b, timeLeft: 258 * Frames.seconds)])
        lab.pass(258)
        #expect(lab.ports(Self.group) == [])
    }

    @Test("when hosts of both filter modes share a port, the group lasts as long as either: RFC 3376, 6.5")
    func modeSwitch() {
        var lab = Lab()
        lab.hear(Frames.report(2, Self.group))
        lab.pass(100)
        lab.hear(Frames.report(1, Self.group, [Self.a]))
        lab.pass(161)
        let entry = lab.snooper.memberships(now: lab.now).first
        #expect(entry?.excludes == false && entry?.timeLeft == 99 * Frames.seconds && lab.ports(Self.group) == [1])
        lab.pass(99)
        #expect(lab.ports(Self.group) == [])
    }

    @Test("VLANs are apart: RFC 4541, 2.1.1, leaves it to the bridge")
    func vlans() {
        var lab = Lab { $0.querier = .auto }
        lab.hear(Frames.report(v2: Self.group))
        lab.hear(Frames.report(v2: Self.group), 4, vlan: 7)
        #expect(lab.ports(Self.group) == [1] && lab.ports(Self.group, vlan: 7) == [4])
        lab.hear(Frames.leave(Self.group), 4, vlan: 7)
        lab.pass(2)
        #expect(lab.ports(Self.group) == [1] && lab.ports(Self.group, vlan: 7) == [])
        #expect(lab.hear(Frames.report(v2: Self.group), 4) == .ignored(.unknownPort))
        #expect(lab.hear(Frames.report(v2: Self.group), 1, vlan: 9) == .ignored(.unknownPort))
    }
}
