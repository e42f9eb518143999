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

    /// A message of a rule of u32 (struct tc_u32_sel and keys of mask, value, offset and mask of the offset).
    private func rule(
        _ handle: UInt32, link: UInt32? = nil, to target: UInt32? = nil, flags: UInt8 = 0, shift: UInt8 = 0, mask: UInt16 = 0,
        keys: [(UInt32, UInt32, Int32, Int32)]
    ) -> [UInt8] {
        func bytes<T: FixedWidthInteger>(_ value: T) -> [UInt8] { withUnsafeBytes(of: value) { Array($0) } }
        func attribute(_ type: UInt16, _ value: [UInt8]) -> [UInt8] {
            bytes(UInt16(4 + value.count)) + bytes(type) + value + [UInt8](repeating: 0, count: -value.count & 3)
        }
        let selector = [flags, shift, UInt8(keys.count), 0] + bytes(mask.bigEndian) + [UInt8](repeating: 0, count: 10)
            + keys.flatMap { bytes($0.0.bigEndian) + bytes($0.1.bigEndian) + bytes($0.2) + bytes($0.3) }
        let options = (target.map { attribute(1, bytes($0)) } ?? []) + (link.map { attribute(3, bytes($0)) } ?? []) + attribute(5, selector)
        return bytes(UInt32(0)) + bytes(Int32(2)) + bytes(handle) + bytes(UInt32(0x0001_0000)) + bytes(UInt32(3) << 16 | 0x0008)
            + attribute(1, Array("u32".utf8) + [0]) + attribute(2, options)
    }

    @Test func linkedTables() throws {
        // `u32 match ip protocol 6 0xff link 2: offset at 0 mask 0f00 shift 6`, and in table 2: `match tcp dst 3260 0xffff flowid 1:10`.
        let link = rule(0x8000_0800, link: 0x0020_0000, flags: 4, shift: 6, mask: 0x0f00, keys: [(0x00ff_0000, 0x0006_0000, 8, 0)])
        let iscsi = rule(0x0020_0800, to: 0x0001_0010, flags: 1, keys: [(0xffff, 3_260, 0, -1)])
        let found = TrafficFilter.list([link, iscsi])
        #expect(found.map(\.matches) == [[.ipProtocol(6), .destinationPort(3_260)]] && found[0].target == TrafficHandle(1, 0x10))
        // With `eat`, offsets of the table begin behind the IP header.
        let eating = rule(0x8000_0800, link: 0x0020_0000, flags: 12, shift: 6, mask: 0x0f00, keys: [(0x00ff_0000, 0x0006_0000, 8, 0)])
        let eaten = rule(0x0020_0800, to: 0x0001_0010, flags: 1, keys: [(0xffff, 3_260, 0, 0)])
        #expect(TrafficFilter.list([eating, eaten]).map(\.matches) == [[.ipProtocol(6), .destinationPort(3_260)]])
        // A table of tables, each for a part of an address; and one that relies on the number of the bucket.
        let upper = rule(0x8000_0800, link: 0x0020_0000, keys: [(0xffff_ffff, 0x5254_0000, -8, 0)])
        let lower = rule(0x0020_0800, to: 0x0001_0010, flags: 1, keys: [(0xffff_0000, 0x0001_0000, -4, 0)])
        #expect(TrafficFilter.list([upper, lower]).map(\.matches) == [[.source(try #require(MACAddress("52:54:00:00:00:01")))]])
        #expect(TrafficFilter.list([upper, rule(0x0020_1800, to: 0x0001_0010, flags: 1, keys: [])]).map(\.matches) == [[.other("in hash table 2:")]])
        // What leads nowhere, and what leads round, is told and ends.
        #expect(TrafficFilter.list([link]).map { $0.matches.last } == [.other("link to another hash table")])
        let round = rule(0x0020_0800, link: 0x0020_0000, keys: [(0xff, 1, 0, 0)])
        #expect(TrafficFilter.list([upper, round]).count == 1)
        #expect(TrafficFilter.list([lower]).map { $0.matches.last } == [.other("in hash table 2:")])
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
            _ = TrafficFilter.list([message, message]).map { "\($0)" }
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
