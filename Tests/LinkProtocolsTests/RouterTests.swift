import LinkProtocols
import Testing

@Suite("Ports with routers")
struct RouterTests {
    static let signs: [([UInt8], GroupFamily)] = [
        (Frames.query(Frames.v4(10, 0, 0, 1)), .ipv4), (Frames.query(Frames.v4(10, 0, 0, 1), version: 2), .ipv4),
        // Queries without an address, as Linux bridges send them.
        (Frames.query(Frames.v4(0, 0, 0, 0)), .ipv4), (Frames.queryMLD(Frames.linkLocal(1)), .ipv6),
        (Frames.hello(), .ipv4), (Frames.helloIPv6(), .ipv6), (Frames.advertisement(), .ipv4), (Frames.advertisementIPv6(), .ipv6),
    ]

    @Test("are those with a sign of one in 255 s: RFC 4541, 2.1.1; RFC 4286, 5; br_multicast_mark_router", arguments: signs)
    func sign(_ frame: [UInt8], _ family: GroupFamily) {
        var lab = Lab()
        let version = lab.snooper.version
        lab.hear(frame, 2)
        #expect(lab.snooper.routerPorts(vlan: 0, family: family) == [2] && lab.snooper.version > version)
        #expect(lab.snooper.routerPorts(vlan: 0, family: family == .ipv4 ? .ipv6 : .ipv4) == [])
        #expect(lab.snooper.routerPorts(vlan: 7, family: family) == [])
        lab.pass(100)
        lab.hear(frame, 2)
        #expect(lab.snooper.routers(now: lab.now) == [RouterEntry(vlan: 0, family: family, port: 2, timeLeft: 255 * Frames.seconds)])
        lab.pass(nanoseconds: 255 * Frames.seconds - 1)
        #expect(lab.snooper.routerPorts(vlan: 0, family: family) == [2])
        lab.pass(nanoseconds: 1)
        #expect(lab.snooper.routerPorts(vlan: 0, family: family) == [] && lab.snooper.nextDeadline == nil)
    }

    @Test("also behind a querier that lost against the bridge: RFC 4541, 2.1.1")
    func loser() {
        var lab = Lab { ($0.querier, $0.querierAddress) = (.auto, 0x0a00_0001) }
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 9)), 2)
        #expect(lab.snooper.routerPorts(vlan: 0, family: .ipv4) == [2] && lab.snooper.queriers(now: lab.now).first?.other == nil)
    }

    @Test("can be set: never and always")
    func settings() {
        var lab = Lab(ports: [1: PortSnooping(router: .always), 2: PortSnooping(router: .never)])
        lab.hear(Frames.hello(), 1)
        lab.hear(Frames.hello(), 2)
        lab.hear(Frames.hello(), 3)
        #expect(lab.snooper.routerPorts(vlan: 0, family: .ipv4) == [1, 3] && lab.snooper.routerPorts(vlan: 0, family: .ipv6) == [1])
        #expect(lab.snooper.routerPorts(vlan: 7, family: .ipv4) == [])
        #expect(lab.snooper.routers(now: lab.now).map(\.timeLeft) == [nil, 255 * Frames.seconds, nil])
        let steps: [(PortSnooping?, [UInt16])] = [
            (PortSnooping(), [3]), (PortSnooping(router: .always), [1, 3]), (PortSnooping(router: .never), [3]), (nil, [3]),
        ]
        for (snooping, expected) in steps {
            lab.snooper.set(port: 1, snooping, now: lab.now)
            #expect(lab.snooper.routerPorts(vlan: 0, family: .ipv4) == expected)
        }
        let version = lab.snooper.version
        lab.snooper.set(port: 3, PortSnooping(router: .never), now: lab.now)
        #expect(lab.snooper.routerPorts(vlan: 0, family: .ipv4) == [] && lab.snooper.version > version)
    }

    @Test("their routers, queriers and memberships are forgotten with a port that goes")
    func portGone() {
        var lab = Lab()
        lab.hear(Frames.query(Frames.v4(10, 0, 0, 1)), 2)
        lab.hear(Frames.report(v2: Frames.v4(239, 1, 1, 1)), 2)
        lab.hear(Frames.report(v2: Frames.v4(239, 1, 1, 1)), 1)
        lab.pass(20)
        #expect(lab.snooper.hasQuerier(vlan: 0, family: .ipv4))
        let version = lab.snooper.version
        lab.snooper.set(port: 2, nil, now: lab.now)
        #expect(lab.snooper.version > version && !lab.snooper.hasQuerier(vlan: 0, family: .ipv4))
        #expect(lab.snooper.routerPorts(vlan: 0, family: .ipv4) == [] && lab.ports(Frames.v4(239, 1, 1, 1)) == [1])
        #expect(lab.hear(Frames.report(v2: Frames.v4(239, 1, 1, 1)), 2) == .ignored(.unknownPort))
    }

    @Test("and with one that leaves a VLAN, or a VLAN that goes")
    func vlanGone() {
        let group = Frames.v4(239, 1, 1, 1)
        var lab = Lab(vlans: [5: [1, 2], 6: [1, 2]])
        for (port, vlan) in [(1, 5), (2, 5), (1, 6), (2, 6)] as [(UInt16, UInt16)] {
            lab.hear(Frames.report(v2: group), port, vlan: vlan)
            lab.hear(Frames.hello(), port, vlan: vlan)
        }
        lab.snooper.set(vlans: [5: [2]], now: lab.now)
        #expect(lab.snooper.membership == [GroupPorts(vlan: 5, group: group, ports: [2])])
        #expect(lab.snooper.routers(now: lab.now).map(\.port) == [2] && lab.snooper.queriers(now: lab.now).map(\.vlan) == [5, 5])
        lab.pass(300)
        #expect(lab.snooper.nextDeadline == nil)
    }
}
