import BridgeImport
import Configuration
import Packet
import Testing

/// What tc's trees become.
@Suite("Importing tc's trees")
struct TrafficTests {
    private func importing(_ traffic: TrafficControl, libvirt: Bool = true) throws -> BridgeImport {
        var bridge = Fixtures.bridge
        bridge.ports[0].traffic = traffic
        return try imported(bridge, libvirt: libvirt ? Fixtures.taps : nil)
    }

    @Test func classesOfGuestsByAddress() throws {
        let result = try importing(
            Fixtures.htb(
                rate: 1_000, [(0x10, 400, 1_000, 1), (0x11, 300, 500, 2), (0x30, 100, 200, 3)],
                [Fixtures.to(0x10, .source(Fixtures.mac(1))), Fixtures.to(0x11, protocol: 0x0800, .source(Fixtures.mac(2)))]))
        #expect(result.port("eth1")?.rate == 1_000_000_000)
        let first = try #require(result.guest("web1")).outbound, second = try #require(result.guest("web2")).outbound
        #expect(first.floor == 400_000_000 && first.ceiling == nil && first.priority == 1 && first.quantum == nil && first.burst == nil)
        #expect(second.floor == 300_000_000 && second.ceiling == 500_000_000 && second.priority == 2)
        let rest = try #require(result.port("eth1")).rest
        #expect(rest.floor == 100_000_000 && rest.ceiling == 200_000_000 && rest.priority == 3)
        #expect(result.tells("the filter knows ip only", .decided) && !result.losesSomething)
    }

    @Test func protocolsOfAGuestStandInIt() throws {
        let result = try importing(
            Fixtures.htb(
                rate: 1_000, [(0x10, 400, 1_000, 0), (0x11, 300, 500, 0), (0x12, 50, 1_000, 0), (0x30, 100, 1_000, 0)],
                [
                    Fixtures.to(0x11, protocol: 0x0800, .source(Fixtures.mac(1)), .ipProtocol(6), .destinationPort(3_260)),
                    Fixtures.to(0x12, protocol: 0x8906, .source(Fixtures.mac(1))), Fixtures.to(0x10, .source(Fixtures.mac(1))),
                ]))
        let guest = try #require(result.guest("web1"))
        #expect(guest.outbound.floor == 750_000_000)
        #expect(guest.protocols["iscsi"]?.outbound.floor == 300_000_000 && guest.protocols["iscsi"]?.outbound.ceiling == 500_000_000)
        #expect(guest.protocols["fcoe"]?.outbound.floor == 50_000_000)
    }

    @Test func aClassForAProtocolOfAnybodyIsTheHosts() throws {
        let result = try importing(
            Fixtures.htb(
                rate: 1_000, [(0x10, 400, 1_000, 0), (0x11, 100, 1_000, 0), (0x12, 50, 500, 0), (0x30, 100, 1_000, 0)],
                [
                    Fixtures.to(0x10, protocol: 0x0800, .ipProtocol(17), .destinationPort(4_791)), Fixtures.to(0x11, protocol: 0x0806),
                    Fixtures.to(0x12, protocol: 0x0800, .ipProtocol(6), .destinationPort(873)),
                ]))
        let host = try #require(result.guest("host0"))
        #expect(host.protocols["rocev2"]?.outbound.floor == 400_000_000 && host.protocols["arp"]?.outbound.floor == 100_000_000)
        #expect(host.protocols["tcp-873"]?.outbound.ceiling == 500_000_000 && host.outbound.floor == 550_000_000)
        #expect(result.model.protocols.contains { $0.name == "tcp-873" && $0.matches == [.tcp(873)] })
        #expect(result.tells("it becomes the host's", .decided))
    }

    @Test func innerClassesAreGroupsOrGuests() throws {
        var traffic = Fixtures.htb(
            rate: 1_000, [(0x10, 600, 1_000, 0), (0x30, 100, 1_000, 0)],
            [Fixtures.to(0x101, .source(Fixtures.mac(1))), Fixtures.to(0x102, .source(Fixtures.mac(2))), Fixtures.to(0x30, .mark(7))])
        for (minor, rate) in [(0x101, 400), (0x102, 200)] as [(UInt16, UInt64)] {
            traffic.classes.append(TrafficClass(TrafficHandle(1, minor), parent: TrafficHandle(1, 0x10), htb: .init(rate: Fixtures.megabits(rate))))
        }
        let result = try importing(traffic)
        let group = try #require(result.model.groups.first)
        #expect(group.name == "eth1-1-10" && group.outbound.floor == 600_000_000)
        #expect(result.guest("web1")?.group == group.name && result.guest("web2")?.outbound.floor == 200_000_000)
        #expect(result.tells("netfilter", .lost) && result.tells("fw handle 0x7", .lost))
        // All leaves are one guest's: the inner class is the guest's own.
        traffic.filters = [Fixtures.to(0x101, .source(Fixtures.mac(1))), Fixtures.to(0x102, protocol: 0x8906, .source(Fixtures.mac(1)))]
        let other = try importing(traffic)
        #expect(
            other.model.groups.isEmpty && other.guest("web1")?.outbound.floor == 600_000_000 && other.guest("web1")?.protocols["fcoe"]?.outbound.floor == 200_000_000)
    }

    @Test func aClassThatGuestsShareIsAGroup() throws {
        let result = try importing(
            Fixtures.htb(rate: 1_000, [(0x10, 600, 800, 0), (0x30, 100, 1_000, 0)], [Fixtures.to(0x10, .source(Fixtures.mac(1))), Fixtures.to(0x10, .source(Fixtures.mac(2)))]))
        #expect(result.model.groups.first?.outbound.floor == 600_000_000 && result.model.groups.first?.outbound.ceiling == 800_000_000)
        #expect(result.guest("web1")?.group == "eth1-1-10" && result.guest("web2")?.group == "eth1-1-10")
    }

    @Test func libvirtsTreeOnTheBridge() throws {
        var bridge = Fixtures.bridge
        bridge.traffic = Fixtures.htb(
            rate: 1_000, standard: 2, [(2, 800, 2_000, 0), (3, 200, 2_000, 0)], [Fixtures.to(3, protocol: 0x0800, .etherType(0x0800), .destination(Fixtures.mac(1)))])
        bridge.traffic.classes[0].htb?.ceiling = Fixtures.megabits(2_000)
        var taps = Fixtures.taps
        taps[0].inbound = .init(average: 12_500, peak: 25_000, floor: 25_000, burst: 64)
        taps[0].outbound = .init(average: 5_000, peak: 6_000, burst: 7)
        bridge.ports[1].traffic.qdiscs = [
            QueueingDiscipline(.htb(standard: 1, r2q: 10), name: "htb", handle: TrafficHandle(1, 0)), QueueingDiscipline(
                .ingress, name: "ingress", handle: TrafficHandle(0xffff, 0), parent: .ingress),
        ]
        bridge.ports[1].traffic.classes = [
            TrafficClass(
                TrafficHandle(1, 1), parent: .root, htb: .init(rate: 12_500_000, ceiling: 25_000_000, burst: 65_536...65_536, ceilingBurst: 65_536...65_536))
        ]
        bridge.ports[1].traffic.filters = [
            TrafficFilter("u32", parent: TrafficHandle(0xffff, 0), actions: [.police(Policer(rate: 5_000_000, burst: 7_168...7_168))])
        ]
        let result = try imported(bridge, libvirt: taps)
        #expect(result.model.bridges[0].rate == 2_000_000_000 && result.model.bridges[0].rest == RestSettings())
        let inbound = try #require(result.guest("web1")).inbound
        #expect(
            inbound.floor == 200_000_000 && inbound.ceiling == 200_000_000 && inbound.peak == 200_000_000 && inbound.ceilingBurst == 65_536, "\(inbound)")
        #expect(result.port("web1")?.pace == PaceSettings(average: 40_000_000, peak: 48_000_000, burst: 7_168))
        #expect(
            result.tells("these are libvirt's classes", .decided) && result.tells("<inbound average='12500' peak='25000' burst='64'/> and tc are the same", .decided))
        #expect(result.tells("libvirt's <inbound floor='25000'/> is the class", .decided) && !result.losesSomething, "\(result.remarks)")
    }

    @Test func tbfOnATapAndOnTheLink() throws {
        var bridge = Fixtures.bridge
        let tbf = QueueingDiscipline(.tbf(rate: 1_250_000, burst: 32_768, peak: 2_500_000, limit: 100_000), name: "tbf", handle: TrafficHandle(0x8001, 0))
        bridge.ports[0].traffic.qdiscs = [tbf]
        bridge.ports[1].traffic.qdiscs = [tbf]
        let result = try imported(bridge, libvirt: Fixtures.taps), inbound = try #require(result.guest("web1")).inbound
        #expect(inbound.ceiling == 10_000_000 && inbound.peak == 20_000_000 && inbound.ceilingBurst == 32_768 && inbound.limitBytes == 100_000)
        #expect(result.port("eth1")?.rate == 10_000_000)
    }

    @Test func floorsThatAreTooLargeAreMadeToFit() throws {
        let result = try importing(
            Fixtures.htb(
                rate: 1_000, [(0x10, 800, 1_000, 0), (0x11, 600, 1_000, 0), (0x30, 100, 1_000, 0)],
                [Fixtures.to(0x10, .source(Fixtures.mac(1))), Fixtures.to(0x11, .source(Fixtures.mac(2)))]))
        let floors = result.model.guests.compactMap(\.outbound.floor)
        #expect(floors == [571_428_000, 428_571_000])
        #expect(result.tells("floors sum to 1.5gbit, more than eth1's rate 1gbit", .lost))
    }

    @Test func withoutAClassAboveAllNobodyLends() throws {
        var traffic = Fixtures.htb(rate: 1_000, [(0x10, 100, 1_000, 0), (0x30, 100, 1_000, 0)], [Fixtures.to(0x10, .source(Fixtures.mac(1)))])
        traffic.classes.removeFirst()
        for index in traffic.classes.indices { traffic.classes[index].parent = .root }
        let result = try importing(traffic)
        #expect(result.guest("web1")?.outbound.floor == 100_000_000 && result.guest("web1")?.outbound.ceiling == 100_000_000)
        #expect(result.port("eth1")?.rate == 10_000_000_000 && result.tells("nobody lends", .decided))
    }

    @Test func prioAndWhatHasNoCounterpart() throws {
        var traffic = TrafficControl()
        traffic.qdiscs = [QueueingDiscipline(.prio(bands: 3, map: []), name: "prio", handle: TrafficHandle(1, 0))]
        traffic.classes = (1...3).map { TrafficClass(TrafficHandle(1, $0), parent: TrafficHandle(1, 0), name: "prio", htb: nil) }
        traffic.filters = [Fixtures.to(1, .source(Fixtures.mac(1))), Fixtures.to(3, .source(Fixtures.mac(2)))]
        let result = try importing(traffic)
        #expect(result.guest("web1")?.outbound.priority == 0 && result.guest("web2")?.outbound.priority == 2)
        traffic.qdiscs = [QueueingDiscipline(.ets(bands: 8, strict: 2), name: "ets", handle: TrafficHandle(1, 0))]
        #expect(try importing(traffic).tells("[qdisc ets 1: root bands 8 strict 2]", .lost))
        traffic.qdiscs = [QueueingDiscipline(.other, name: "cake", handle: TrafficHandle(1, 0))]
        #expect(try importing(traffic).tells("[qdisc cake 1: root]", .lost))
        traffic.qdiscs = [QueueingDiscipline(.other, name: "mq", handle: TrafficHandle(0, 0))]
        #expect(try !importing(traffic).losesSomething)
    }
}
