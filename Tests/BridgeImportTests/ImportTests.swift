import BridgeImport
import Configuration
import Packet
import Testing

@Suite("Importing a kernel bridge")
struct ImportTests {
    @Test func portsAndGuests() throws {
        let result = try imported(Fixtures.bridge, libvirt: Fixtures.taps)
        #expect(result.port("eth1")?.kind == .physical(device: "eth1", queues: nil))
        #expect(result.port("eth1")?.rate == 10_000_000_000)
        #expect(result.port("web1")?.kind == .vhost(socket: "/run/sluice/web1.sock", mode: .client, queues: 1))
        #expect(result.guest("web1")?.macs == [Fixtures.mac(1)])
        #expect(result.port("host0")?.kind == .tap(interface: "sluice0", netns: nil, mac: Fixtures.bridge.mac))
        #expect(result.port("host0")?.persistent == true)
        #expect(result.tells("ip addr add 192.0.2.5/24 dev sluice0", .todo))
        #expect(result.tells("ip route replace default via 192.0.2.1 dev sluice0", .todo))
        #expect(!result.losesSomething)
        // Without spanning tree the kernel forwards others' frames of it.
        #expect(result.port("web1")?.rules.bpdu == .forward)
        #expect(result.model.bridges[0].ageing == 300 && result.model.bridges[0].snooping.isOn && result.model.bridges[0].snooping.querier == .off)
    }

    @Test func withoutLibvirtAddressesAreThoseThatWereLearned() throws {
        let result = try imported(Fixtures.bridge)
        #expect(result.guest("vnet0")?.macs == [Fixtures.mac(1)])
        #expect(result.tells("libvirt does not name the tap", .decided) && result.tells("--libvirt", .todo))
    }

    @Test func portFlags() throws {
        var bridge = Fixtures.bridge
        bridge.ports[1].isolated = true
        bridge.ports[1].hairpin = true
        bridge.ports[1].learning = false
        bridge.ports[1].flood = false
        bridge.ports[1].multicastFlood = false
        bridge.ports[1].broadcastFlood = false
        bridge.ports[1].locked = true
        bridge.ports[1].bpduGuard = true
        bridge.ports[1].fastLeave = true
        bridge.ports[1].multicastRouter = 2
        bridge.ports[1].others = ["proxy_arp on"]
        let result = try imported(bridge, libvirt: Fixtures.taps), rules = try #require(result.port("web1")).rules
        #expect(rules.isolated && rules.hairpin && !rules.learning && !rules.flood && !rules.mcastFlood && !rules.bcastFlood && rules.locked)
        #expect(rules.bpdu == .guard && rules.snooping.fastLeave && rules.snooping.router == .always)
        #expect(result.tells("[proxy_arp on]", .lost))
    }

    @Test func vlans() throws {
        var bridge = Fixtures.bridge
        bridge.vlanFiltering = true
        bridge.vlans = [KernelVLAN(1, pvid: true, untagged: true)]
        bridge.ports[0].vlans = [KernelVLAN(1, pvid: true, untagged: true), KernelVLAN(10), KernelVLAN(20)]
        bridge.ports[1].vlans = [KernelVLAN(10, pvid: true, untagged: true)]
        bridge.entries.append(KernelFDBEntry(Fixtures.mac(0x99), port: "vnet0", vlan: 10, .fixed))
        var result = try imported(bridge, libvirt: Fixtures.taps)
        #expect(result.port("eth1")?.vlan == .trunk(VLANSet([10, 20]), native: 1))
        #expect(result.port("web1")?.vlan == .access(10))
        #expect(result.port("host0")?.vlan == .access(1))
        // The other tap is in no VLAN: it is alone in one.
        #expect(result.port("web2")?.vlan == .access(4_094) && result.tells("passes nothing", .decided))
        #expect(result.model.bridges[0].staticEntries == [StaticEntry(mac: Fixtures.mac(0x99), port: "web1", vlan: 10)])
        bridge.ports[1].vlans = [KernelVLAN(10, pvid: true), KernelVLAN(11, untagged: true)]
        result = try imported(bridge, libvirt: Fixtures.taps)
        #expect(result.port("web1")?.vlan == .trunk(VLANSet([10, 11]), native: nil))
        #expect(result.tells("[vlan 10 PVID]", .lost) && result.tells("[vlan 11 Egress Untagged]", .lost))
    }

    @Test func entries() throws {
        var bridge = Fixtures.bridge
        bridge.entries += [
            KernelFDBEntry(Fixtures.mac(0x50), port: "eth1", .fixed), KernelFDBEntry(Fixtures.mac(0x51), port: "vnet0", .local),
            KernelFDBEntry(bridge.ports[1].mac!, port: "vnet0", .local), KernelFDBEntry(bridge.mac!, port: "br0", .local),
        ]
        var external = KernelFDBEntry(Fixtures.mac(0x52), port: "eth1", .learned)
        external.isExternal = true
        bridge.entries.append(external)
        let result = try imported(bridge, libvirt: Fixtures.taps)
        #expect(
            Set(result.model.bridges[0].staticEntries)
                == [StaticEntry(mac: Fixtures.mac(0x50), port: "eth1"), StaticEntry(mac: Fixtures.mac(0x51), port: "host0")])
        #expect(result.tells("52:54:00:00:00:52 dev eth1 master br0 extern_learn", .lost))
    }

    @Test func whatABridgeDoesThatSluiceDoesNot() throws {
        var bridge = Fixtures.bridge
        bridge.spanningTree = 1
        bridge.groupForwardMask = 8
        bridge.netfilter = ["iptables"]
        bridge.ageing = 0
        bridge.vlanFiltering = true
        bridge.vlanProtocol = 0x88a8
        bridge.ports[2].kind = "tun"
        bridge.ports[2].holder = "openvpn"
        let result = try imported(bridge)
        for words in ["stp_state 1", "group_fwd_mask 0x8", "nf_call_iptables 1", "ageing_time 0", "vlan_protocol 802.1ad"] {
            #expect(result.tells("[\(words)]", .lost), "\(words)")
        }
        #expect(result.port("vnet1")?.kind == .tap(interface: "vnet1", netns: nil, mac: nil) && result.tells("openvpn", .decided))
        #expect(result.yaml.hasPrefix("# Without counterpart, and left out:\n# - br0: no counterpart: "))
    }

    @Test func dcbPrioritiesAreTheProtocols() throws {
        var bridge = Fixtures.bridge
        var dcb = KernelDCB()
        dcb.applications = [
            .init(selector: 2, id: 3_260, priority: 5), .init(selector: 1, id: 0x8906, priority: 3), .init(selector: 3, id: 9_000, priority: 6),
            .init(selector: 1, id: 0, priority: 2),
        ]
        dcb.pfc = [3]
        bridge.ports[0].dcb = dcb
        let result = try imported(bridge)
        let table = result.model.protocolTable
        #expect(table.first { $0.name == "iscsi" }?.pcp == 5 && table.first { $0.name == "fcoe" }?.pcp == 3 && table.first { $0.name == "udp-9000" }?.pcp == 6)
        #expect(result.tells("dcb pfc prio-pfc 3:on", .lost) && result.tells("selector 1 id 0 priority 2", .lost))
    }

    @Test func tapsThatStayBehindTheHostsTap() throws {
        var bridge = Fixtures.bridge
        bridge.ports[0].traffic = Fixtures.htb(rate: 1_000, [(0x10, 200, 1_000, 0), (0x30, 100, 1_000, 0)], [Fixtures.to(0x10, .source(Fixtures.mac(1)))])
        let result = try imported(bridge, libvirt: Fixtures.taps, taps: .behindHost)
        #expect(result.model.ports.map(\.name) == ["eth1", "host0"])
        #expect(result.guest("web1")?.port == "host0" && result.guest("web1")?.outbound.floor == 200_000_000)
        #expect(result.guest("host0")?.macs == [bridge.mac!])
        #expect(result.port("host0")?.kind == .tap(interface: "sluice0", netns: nil, mac: nil))
        #expect(result.port("host0")?.persistent == true, "the bridge would lose its way to the wire with the daemon")
    }

    @Test("an address that the bridge and a guest have stays with the guest")
    func sharedAddress() throws {
        var bridge = Fixtures.bridge
        bridge.mac = Fixtures.mac(1)
        let result = try imported(bridge, libvirt: Fixtures.taps)
        #expect(result.guest("web1")?.macs == [Fixtures.mac(1)])
        #expect(result.port("host0")?.kind == .tap(interface: "sluice0", netns: nil, mac: nil))
        #expect(result.tells("the bridge's address is guest web1's as well, so the interface sluice0 gets another one", .lost))
    }
}
