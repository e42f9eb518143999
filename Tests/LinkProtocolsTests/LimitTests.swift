import LinkProtocols
import TestSupport
import Testing

@Suite("Limits, and frames of all kinds")
struct LimitTests {
    static func group(_ number: Int) -> GroupAddress { GroupAddress(ipv4: 0xef00_0000 | UInt32(number)) }

    @Test("a bridge has no more groups than it may, and those it has stay")
    func bridge() {
        var lab = Lab { $0.groupLimit = 3 }
        for number in 1...3 { #expect(lab.hear(Frames.report(v2: Self.group(number))) == .report) }
        #expect(lab.hear(Frames.report(v2: Self.group(4)), 2) == .refused(.groupsOfBridge))
        #expect(lab.hear(Frames.report3([Frames.record(4, Self.group(5)), Frames.record(4, Self.group(1))]), 2) == .refused(.groupsOfBridge))
        #expect(lab.ports(Self.group(1)) == [1, 2] && lab.ports(Self.group(5)) == [])
        #expect(lab.snooper.counters.refused == [.groupsOfBridge: 2] && lab.snooper.counters.reports == 5)
        lab.hear(Frames.leave(Self.group(3)))
        lab.pass(2)
        #expect(lab.hear(Frames.report(v2: Self.group(4)), 2) == .report)
    }

    @Test("nor has a port, in all its VLANs together; its own limit goes before the bridge's")
    func port() {
        var lab = Lab({ $0.portGroupLimit = 2 }, vlans: [1: [1, 2], 2: [1, 2]], ports: [2: PortSnooping(groupLimit: 1)])
        let first = Frames.report(v2: Self.group(1)), second = Frames.report(v2: Self.group(2))
        #expect(lab.hear(first, vlan: 1) == .report && lab.hear(first, vlan: 2) == .report)
        #expect(lab.hear(second, vlan: 1) == .refused(.groupsOfPort) && lab.hear(first, vlan: 1) == .report)
        #expect(lab.hear(second, 2, vlan: 1) == .report && lab.hear(first, 2, vlan: 1) == .refused(.groupsOfPort))
        lab.snooper.set(port: 1, nil, now: lab.now)
        lab.snooper.set(port: 1, PortSnooping(), now: lab.now)
        #expect(lab.hear(Frames.report(v2: Self.group(2)), vlan: 1) == .report)
    }

    @Test("sources beyond the limit are not kept, and still keep the port")
    func sources() {
        var lab = Lab { ($0.sourceLimit, $0.querier) = (2, .auto) }
        let sources = (1...5).map { Frames.v4(10, 0, 0, $0) }
        lab.hear(Frames.report(5, Self.group(1), sources))
        var entry = lab.snooper.memberships(now: lab.now)[0]
        #expect(entry.sources.map(\.address) == Array(sources[..<2]) && entry.sourcesLeftOut)
        lab.hear(Frames.report(6, Self.group(1), Array(sources[..<2])))
        lab.pass(2)
        entry = lab.snooper.memberships(now: lab.now)[0]
        #expect(entry.sources == [] && entry.sourcesLeftOut && entry.timeLeft == 258 * Frames.seconds)
        lab.hear(Frames.report(3, Self.group(1)))
        lab.pass(2)
        #expect(lab.snooper.membership.isEmpty)
        lab.hear(Frames.report(4, Self.group(1), sources))
        entry = lab.snooper.memberships(now: lab.now)[0]
        #expect(entry.sources.count == 2 && entry.sourcesLeftOut && entry.excludes)
    }

    @Test("the timers of many joins and leaves stay in proportion to the memberships")
    func timers() {
        var lab = Lab { $0.querier = .auto }
        for round in 0..<2_000 {
            for number in 0..<3 {
                lab.hear(Frames.report(v2: Self.group(number)))
                lab.hear(Frames.leave(Self.group(number)))
            }
            if round % 10 == 0 { lab.pass(0.01) }
        }
        #expect(lab.snooper.timerCount <= 300)
    }

    /// Random records for a few groups and ports at random times. After each step, everything that the module promises must hold.
    @Test("no state outlives 260 s without reports, nor goes beyond the limits", arguments: 1...20 as ClosedRange<UInt64>)
    func properties(_ seed: UInt64) {
        var random = Seeded(seed)
        var lab = Lab(
            { settings in
                settings.querier = SnoopingSettings.Querier.allCases.randomElement(using: &random)!
                (settings.groupLimit, settings.portGroupLimit, settings.sourceLimit) = (6, 4, 3)
            }, ports: [3: PortSnooping(fastLeave: true)])
        for _ in 0..<2_000 {
            let six = Bool.random(using: &random)
            let group = six ? Frames.v6(UInt64.random(in: 1...5, using: &random)) : Self.group(.random(in: 1...5, using: &random))
            let sources = (0..<Int.random(in: 0...5, using: &random)).map { _ in
                six ? Frames.linkLocal(.random(in: 1...6, using: &random)) : Frames.v4(10, 0, 0, .random(in: 1...6, using: &random))
            }
            let frame =
                switch Int.random(in: 0...9, using: &random) {
                case 0: six ? Frames.reportMLD1(group) : Frames.report(v2: group)
                case 1: six ? Frames.doneMLD1(group) : Frames.leave(group)
                case 2 where six: Frames.queryMLD(Frames.linkLocal(1), group: group, code: 500)
                case 2: Frames.query(Frames.v4(10, 0, 0, 1), group: group, code: 5, sources: sources)
                case 3: six ? Frames.queryMLD(Frames.linkLocal(3)) : Frames.query(Frames.v4(10, 0, 0, .random(in: 1...9, using: &random)))
                case 4 where !six: Frames.report(v1: group)
                default: Frames.report(.random(in: 1...6, using: &random), group, sources)
                }
            lab.hear(frame, .random(in: 1...3, using: &random))
            if Int.random(in: 0...3, using: &random) == 0 { lab.pass(nanoseconds: .random(in: 0...20_000_000_000, using: &random)) }

            let membership = lab.snooper.membership
            #expect(membership.count <= 6 && (1...3).allSatisfy { port in membership.count { $0.ports.contains(port) } <= 4 })
            let shown = lab.snooper.memberships(now: lab.now)
            #expect(shown.count == membership.reduce(0) { $0 + $1.ports.count })
            #expect(shown.allSatisfy { $0.timeLeft > 0 && $0.timeLeft <= 260 * Frames.seconds && $0.sources.count <= 3 })
            #expect(lab.snooper.groupCounts.values.reduce(0, +) == shown.count)
        }
        lab.pass(260)
        #expect(lab.snooper.membership.isEmpty && lab.snooper.routers(now: lab.now).isEmpty && lab.snooper.groupCounts.isEmpty)
        #expect(lab.snooper.queriers(now: lab.now).allSatisfy { $0.other == nil })
    }

    @Test("the version grows whenever, and only when, what forwarding is told changes", arguments: 1...10 as ClosedRange<UInt64>)
    func version(_ seed: UInt64) {
        var random = Seeded(seed)
        var lab = Lab { $0.querier = .auto }
        func told() -> [String] {
            let groups = lab.snooper.membership.map { "\($0.vlan) \($0.group) \($0.ports)" }.sorted()
            let rest = lab.snooper.queriers(now: lab.now).map { key in
                "\(lab.snooper.routerPorts(vlan: key.vlan, family: key.family)) \(lab.snooper.hasQuerier(vlan: key.vlan, family: key.family))"
            }
            return groups + rest
        }
        for _ in 0..<1_000 {
            let before = told(), version = lab.snooper.version
            let group = Self.group(.random(in: 1...3, using: &random))
            let frame =
                switch Int.random(in: 0...4, using: &random) {
                case 0: Frames.leave(group)
                case 1: Frames.hello()
                case 2: Frames.query(Frames.v4(10, 0, 0, 1))
                default: Frames.report(v2: group)
                }
            if Bool.random(using: &random) { lab.hear(frame, .random(in: 1...3, using: &random)) } else { _ = lab.snooper.advance(to: lab.now) }
            #expect((told() != before) == (lab.snooper.version != version) && lab.snooper.version >= version)
            lab.now += .random(in: 0...30_000_000_000, using: &random)
            let later = told(), laterVersion = lab.snooper.version
            _ = lab.snooper.advance(to: lab.now)
            // Several changes in one step may cancel each other out.
            #expect(told() == later || lab.snooper.version > laterVersion)
        }
    }
}
