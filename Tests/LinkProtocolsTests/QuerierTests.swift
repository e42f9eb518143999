import LinkProtocols
import Testing

@Suite("Queriers in virtual time")
struct QuerierTests {
    static let group = Frames.v4(239, 1, 1, 1)

    @Test("a bridge that asks starts with two queries in 31.25 s, then one each 125 s: RFC 3376, 8.2, 8.6 and 8.7; br_multicast_query_expired")
    func startup() {
        var lab = Lab { $0.querier = .auto }
        lab.pass(300)
        for family in GroupFamily.allCases {
            #expect(lab.times(family) == [0, 31.25, 156.25, 281.25] && lab.times(family, vlan: 7) == [0, 31.25, 156.25, 281.25])
        }
        #expect(lab.snooper.counters.queriesSent == 16)
        #expect(lab.snooper.queriers(now: lab.now).allSatisfy { $0.isOwn && $0.isSettled && $0.nextQuery == UInt64(106.25e9) })
    }

    @Test("memberships are relied upon once hosts have had the time to answer: br_multicast_querier_exists")
    func settles() {
        var lab = Lab { $0.querier = .auto }
        lab.pass(nanoseconds: 10 * Frames.seconds - 1)
        #expect(!lab.snooper.hasQuerier(vlan: 0, family: .ipv4))
        let version = lab.snooper.version
        lab.pass(nanoseconds: 1)
        #expect(lab.snooper.hasQuerier(vlan: 0, family: .ipv4) && lab.snooper.hasQuerier(vlan: 7, family: .ipv6) && lab.snooper.version > version)
        #expect(!lab.snooper.hasQuerier(vlan: 8, family: .ipv4))
    }

    @Test("without a querier of its own the bridge goes by others', for 255 s: RFC 3376, 8.5")
    func others() {
        var lab = Lab()
        #expect(lab.snooper.nextDeadline == nil)
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 9), code: 20), 2)
        lab.pass(2)
        #expect(lab.snooper.hasQuerier(vlan: 0, family: .ipv4) && !lab.snooper.hasQuerier(vlan: 0, family: .ipv6))
        #expect(!lab.snooper.hasQuerier(vlan: 7, family: .ipv4))
        let other = lab.snooper.queriers(now: lab.now).first?.other
        #expect(other?.address == Frames.v4(10, 0, 0, 9) && other?.port == 2 && other?.version == 3 && other?.timeLeft == 253 * Frames.seconds)
        lab.pass(nanoseconds: 253 * Frames.seconds - 1)
        #expect(lab.snooper.hasQuerier(vlan: 0, family: .ipv4))
        let version = lab.snooper.version
        lab.pass(nanoseconds: 1)
        #expect(!lab.snooper.hasQuerier(vlan: 0, family: .ipv4) && lab.snooper.version > version && lab.sent.isEmpty)
    }

    @Test("the lower address is elected: RFC 2236, 3, and RFC 3376, 6.6.2; a higher one neither wins nor keeps the time of the winner")
    func electionAmongOthers() {
        var lab = Lab()
        func elected() -> GroupAddress? { lab.snooper.queriers(now: lab.now).first?.other?.address }
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 9)), 1)
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 3)), 2)
        #expect(elected() == Frames.v4(10, 0, 0, 3))
        lab.pass(200)
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 9)), 1)
        lab.hear(Frames.query(Frames.v4(0, 0, 0, 0)), 3)
        #expect(elected() == Frames.v4(10, 0, 0, 3))
        lab.pass(55)
        #expect(elected() == nil)
        // If there is no other querier, one without an address counts (Linux bridges query like this by default).
        lab.hear(Frames.query(Frames.v4(0, 0, 0, 0)), 3)
        #expect(elected() == Frames.v4(0, 0, 0, 0))
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 9)), 1)
        #expect(elected() == Frames.v4(10, 0, 0, 9))
    }

    @Test("`auto` yields to a lower address, and takes over 255 s after its last query")
    func yields() {
        var lab = Lab { ($0.querier, $0.querierAddress) = (.auto, 0x0a00_0005) }
        lab.pass(20)
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 6)), 2)
        lab.hear(Frames.query(Frames.v4(0, 0, 0, 0)), 2)
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 5)), 2)
        #expect(lab.snooper.queriers(now: lab.now).first?.isOwn == true)
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 4)), 2)
        #expect(lab.snooper.queriers(now: lab.now).first?.isOwn == false)
        // Memberships are relied upon all this time.
        lab.pass(254)
        #expect(lab.times(.ipv4) == [0] && lab.snooper.hasQuerier(vlan: 0, family: .ipv4))
        lab.pass(40)
        #expect(lab.times(.ipv4) == [0, 275, 306.25] && lab.snooper.hasQuerier(vlan: 0, family: .ipv4))
        // IPv6 and the other VLAN were not affected.
        #expect(lab.times(.ipv6) == [0, 31.25, 156.25, 281.25] && lab.times(.ipv4, vlan: 7) == [0, 31.25, 156.25, 281.25])
    }

    @Test("in MLD too: RFC 2710, 4, and RFC 3810, 7.6.2")
    func yieldsMLD() {
        var lab = Lab { $0.querier = .auto }
        lab.pass(1)
        lab.hear(Frames.queryMLD(Frames.linkLocal(0xffff_ffff_ffff_ffff)), 2)
        lab.pass(40)
        #expect(lab.times(.ipv6) == [0, 31.25])
        lab.hear(Frames.queryMLD(Frames.linkLocal(1)), 2)
        lab.pass(254)
        #expect(lab.times(.ipv6) == [0, 31.25])
        lab.pass(1)
        #expect(lab.times(.ipv6) == [0, 31.25, 296])
    }

    @Test("`on` asks also after it lost the election, and about leaves")
    func on() {
        var lab = Lab { $0.querier = .on }
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 4)), 2)
        lab.hear(Frames.report(v2: Self.group))
        lab.pass(200)
        lab.hear(Frames.leave(Self.group))
        lab.pass(2)
        #expect(lab.times(.ipv4) == [0, 31.25, 156.25] && lab.times(.ipv4, port: 1) == [200, 201] && lab.ports(Self.group) == [])
        let entry = lab.snooper.queriers(now: lab.now).first
        #expect(entry?.isOwn == true && entry?.other?.address == Frames.v4(10, 0, 0, 4))
        lab.pass(60)
        #expect(lab.snooper.queriers(now: lab.now).first?.other == nil && lab.snooper.hasQuerier(vlan: 0, family: .ipv4))
    }

    @Test("a querier that is elected while the bridge asks about a leave ends that")
    func yieldsWhileAsking() {
        var lab = Lab { $0.querier = .auto }
        lab.hear(Frames.report(v2: Self.group))
        lab.hear(Frames.leave(Self.group))
        lab.pass(0.5)
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 4)), 2)
        lab.pass(1)
        #expect(lab.times(.ipv4, port: 1) == [0])
    }

    @Test("a query that is for a group elects nobody, nor makes a router: br_ip4_multicast_query")
    func specificQuery() {
        var lab = Lab()
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 4), group: Self.group), 2)
        #expect(lab.snooper.queriers(now: lab.now).allSatisfy { $0.other == nil } && lab.snooper.routers(now: lab.now).isEmpty)
    }

    @Test("changing the settings starts and ends asking")
    func settings() {
        var lab = Lab()
        lab.hear(Frames.query(Frames.v4(0, 0, 0, 0)), 2)
        lab.pass(5)
        var settings = SnoopingSettings()
        settings.querier = .auto
        settings.querierAddress = 0x0a00_0001
        lab.snooper.set(settings, now: lab.now)
        lab.pass(40)
        // The bridge has an address, and the other querier has none.
        #expect(lab.times(.ipv4) == [5, 36.25] && lab.snooper.queriers(now: lab.now).first?.other == nil)
        #expect(lab.snooper.hasQuerier(vlan: 0, family: .ipv4))
        settings.querier = .off
        lab.snooper.set(settings, now: lab.now)
        lab.pass(400)
        #expect(lab.times(.ipv4) == [5, 36.25] && !lab.snooper.hasQuerier(vlan: 0, family: .ipv4) && lab.snooper.nextDeadline == nil)
    }

    @Test("a port that comes up is asked by itself: br_multicast_enable_port")
    func portComesUp() {
        var lab = Lab { $0.querier = .auto }
        lab.pass(50)
        lab.snooper.set(port: 2, nil, now: lab.now)
        lab.snooper.set(port: 2, PortSnooping(), now: lab.now)
        lab.snooper.set(port: 9, PortSnooping(), now: lab.now)
        lab.pass(20)
        lab.snooper.set(vlans: [0: [1, 2, 3, 9], 7: [4, 5]], now: lab.now)
        lab.pass(200)
        #expect(lab.times(.ipv4, port: 2) == [50, 81.25] && lab.times(.ipv6, port: 2) == [50, 81.25] && lab.times(.ipv4, port: 1) == [])
        #expect(lab.times(.ipv4, port: 9) == [70, 101.25] && lab.times(.ipv4, vlan: 7, port: 9) == [])
    }
}
