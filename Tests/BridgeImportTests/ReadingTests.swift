import BridgeImport
import Packet
import TestSupport
import Testing

/// What the kernel's messages say.
@Suite("Reading the kernel's messages")
struct ReadingTests {
    private func filter(_ message: [UInt8], handle: UInt32 = 0x8000_0800) throws -> TrafficFilter {
        try #require(TrafficFilter.read(Recorded.answered(message, handle: handle)))
    }

    @Test func filtersByAddress() throws {
        let flower = try filter(Recorded.flower)
        #expect(flower.matches == [.source(try #require(MACAddress("52:54:00:12:34:56")))])
        #expect(flower.target == TrafficHandle(1, 0x10) && flower.parent == TrafficHandle(1, 0) && flower.protocol == EtherTypes.all && flower.preference == 3)
        let libvirt = try filter(Recorded.libvirtFloor)
        #expect(libvirt.matches == [.destination(try #require(MACAddress("52:54:00:12:34:56"))), .etherType(0x0800)])
        #expect(libvirt.target == TrafficHandle(1, 3) && libvirt.protocol == 0x0800)
        #expect("\(libvirt)" == "filter parent 1: protocol ip pref 2 u32 dst_mac 52:54:00:12:34:56 eth_type 0x0800 flowid 1:3")
    }

    @Test func filtersByProtocol() throws {
        #expect(try filter(Recorded.flowerPort).matches == [.ipProtocol(6), .destinationPort(3_260), .etherType(0x0800)])
        #expect(try filter(Recorded.u32NextHeader).matches == [.destinationPort(3_260)])
        #expect(try filter(Recorded.u32Port).matches == [.ipProtocol(17), .destinationPort(4_791)])
        #expect(try filter(Recorded.u32TOS).matches == [.dscp(46)])
        // Each preference has a table of its own.
        #expect(try filter(Recorded.u32TOS, handle: 0x8010_0800).matches == [.dscp(46)])
        #expect(try filter(Recorded.u32TOS, handle: 0x0010_0800).matches == [.dscp(46), .other("in hash table 1:")])
        let fcoe = try filter(Recorded.u32FCoE)
        #expect(fcoe.protocol == 0x8906 && fcoe.matches == [])
    }

    @Test func filtersThatHaveNoCounterpartAreTold() throws {
        #expect(try filter(Recorded.flowerMask).matches.contains(.other("flower key 4 with a mask")))
        #expect(try filter(Recorded.fw, handle: 5).matches == [.mark(5)])
        #expect(try filter(Recorded.basic).matches == [.other("an ematch")])
        #expect(try filter(Recorded.matchall).matches == [])
        #expect(try filter(Recorded.mirred).actions == [.other("mirred")])
    }

    @Test func policers() throws {
        let old = try #require(try filter(Recorded.police).actions.first)
        guard case .police(let police) = old else { throw Missing() }
        #expect(police.rate == 5_000_000 && police.drops && police.peak == 0)
        #expect(police.burst.contains(7 << 10))
        guard case .police(let action)? = try filter(Recorded.policeAction).actions.first else { throw Missing() }
        #expect(action.rate == 6_250_000_000 && action.peak == 7_500_000_000)
        #expect(action.burst.contains(1 << 20))
    }

    private struct Missing: Error {}

    @Test func disciplinesAndClasses() throws {
        #expect(try #require(QueueingDiscipline.read(Recorded.prio)).qdisc.kind == .prio(bands: 4, map: [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]))
        #expect(try #require(QueueingDiscipline.read(Recorded.ets)).qdisc.kind == .ets(bands: 8, strict: 2))
        let queue = try #require(QueueingDiscipline.read(Recorded.fqCoDel)).qdisc
        #expect(queue.parent == TrafficHandle(1, 0x10) && queue.name == "fq_codel")
        guard case .tbf(let rate, let burst, let peak, let limit) = try #require(QueueingDiscipline.read(Recorded.tbf)).qdisc.kind else { throw Missing() }
        #expect(rate == 1_250_000 && burst == 32 << 10 && peak == 2_500_000 && limit > burst)
        let item = try #require(TrafficClass.read(Recorded.htbClass)), htb = try #require(item.htb)
        #expect(item.id == TrafficHandle(1, 0x20) && item.parent == TrafficHandle(1, 0))
        #expect(htb.rate == 12_500_000_000 && htb.ceiling == 25_000_000_000 && htb.overhead == 24 && htb.mpu == 64)
        #expect(htb.burst.contains(1 << 20))
    }

    @Test func linksAndVLANs() throws {
        var bridge = try #require(KernelLink(Recorded.bridge)?.bridge)
        #expect(bridge.vlanFiltering && bridge.ageing == 6_000 && bridge.multicastQuerier)
        bridge.vlans = try #require(KernelVLANs(Recorded.vlanRange)).vlans
        #expect(bridge.vlans.map(\.id) == Array(10...20))
        #expect(try #require(KernelVLANs(Recorded.vlanPVID)).vlans == [KernelVLAN(30, pvid: true, untagged: true)])
    }

    /// The kernel is trusted, but a message may be of a later version or cut off; none may end the process.
    @Test func anyBytesAreRead() {
        var random = Seeded(15)
        let messages = [
            Recorded.flower, Recorded.flowerPort, Recorded.flowerMask, Recorded.fw, Recorded.basic, Recorded.matchall, Recorded.police,
            Recorded.policeAction, Recorded.mirred, Recorded.u32NextHeader, Recorded.u32Port, Recorded.libvirtFloor, Recorded.prio, Recorded.ets,
            Recorded.fqCoDel, Recorded.htbClass, Recorded.tbf, Recorded.vlanRange, Recorded.bridge,
        ]
        func read(_ message: [UInt8]) {
            _ = TrafficFilter.read(message).map { "\($0)" }
            _ = TrafficClass.read(message).map { "\($0)" }
            _ = QueueingDiscipline.read(message).map { "\($0.qdisc)" }
            _ = KernelLink(message).map { ($0.bridge, $0.port, $0.vlan) }
            _ = KernelVLANs(message)
            _ = KernelNeighbour(message)
            _ = KernelDCB(message)
            _ = KernelAddress(message)
            _ = KernelGroups(message) { "eth\($0)" }
            _ = KernelRoute(message) { "eth\($0)" }
        }
        for message in messages {
            for end in 0...message.count { read(Array(message[..<end])) }
            for _ in 0..<400 {
                var changed = message
                for _ in 0..<Int.random(in: 1...6, using: &random) {
                    changed[Int.random(in: 0..<changed.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                read(changed)
            }
        }
    }

    @Test func addressesAndRoutes() throws {
        // ifaddrmsg for 192.0.2.5/24 on interface 7, and IFA_LOCAL.
        let address = try #require(KernelAddress(Recorded.bytes("02188000" + "07000000" + "08000200c0000205")))
        #expect(address.text == "192.0.2.5/24" && address.index == 7 && !address.isAutomatic)
        let own = try #require(KernelAddress(Recorded.bytes("0a408000" + "07000000" + "14000100fe80000000000000000000000000000a")))
        #expect(own.text == "fe80::a/64" && own.isAutomatic)
        // rtmsg for a default route by 192.0.2.1 over interface 7, static, metric 100.
        let route = try #require(
            KernelRoute(Recorded.bytes("02000000" + "fe040001" + "00000000" + "0800050" + "0c0000201" + "0800040007000000" + "0800060064000000")) { $0 == 7 ? "br0" : nil })
        #expect(route.text == "default via 192.0.2.1 dev br0 metric 100" && !route.isAutomatic)
    }

    @Test func groups() throws {
        // br_port_msg of interface 3; 239.1.2.3 on interface 7, permanent, in VLAN 10.
        let entry = "07000000" + "0100" + "0a00" + "ef010203" + String(repeating: "0", count: 24) + "0800" + "0000"
        let groups = try #require(KernelGroups(Recorded.bytes("07000000" + "03000000" + "28000100" + "24000100" + "20000100" + entry)) { "eth\($0)" })
        #expect(groups.index == 3 && groups.permanent == ["dev eth3 port eth7 grp 239.1.2.3 permanent vid 10"])
    }

    @Test func dcb() throws {
        // dcbmsg, DCB_ATTR_IFNAME, and DCB_ATTR_IEEE with an application table: iSCSI (TCP 3260) at 5, FCoE at 3; PFC for priority 3.
        let dcb = try #require(
            KernelDCB(
                Recorded.bytes(
                    "00150000" + "0900010065746831" + "00000000" + "30000d00" + "14000300" + "08000100" + "0205bc0c" + "08000100" + "01030689" + "18000200" + "08080000"
                        + String(repeating: "0", count: 32))))
        #expect(dcb.applications == [.init(selector: 2, id: 3_260, priority: 5), .init(selector: 1, id: 0x8906, priority: 3)])
        #expect(dcb.pfc == [3] && dcb.ets == nil)
    }
}
