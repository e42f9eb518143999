import Configuration
import Libvirt
import Packet
import Testing

@Suite struct DomainTests {
    @Test func everythingOfAnInterfaceIsRead() throws {
        let inner = """
            <target dev='sl0'/><driver name='vhost' queues='4' rx_queue_size='1024'/><mtu size='9000'/><link state='down'/><alias name='ua-front'/>
            <bandwidth><inbound average='1000' peak='5000' burst='1024'/><outbound average='128' peak='256' burst='256'/></bandwidth>
            <vlan trunk='yes'><tag id='42'/><tag id='47' nativeMode='untagged'/></vlan><port isolated='yes'/>
            <virtualport type='openvswitch'><parameters profileid='p' interfaceid='09b11c53-8b5c-4eeb-8f00-d84eaa0aaa4f'/></virtualport>
            """
        let domain = try LibvirtDomain(xml: domainXML(interfaceXML("52:54:00:00:00:01", inner)))
        #expect(domain.name == "vm1" && domain.uuid == "c7a5fdbd-edaf-9455-926a-d65c16db1809")
        let item = domain.interfaces[0]
        #expect(item.mac == MACAddress("52:54:00:00:00:01") && item.socket == "/run/sluice/vm1.sock" && item.mode == .server)
        #expect(item.target == "sl0" && item.model == "virtio" && item.queues == 4 && item.mtu == 9_000 && !item.isLinkUp && item.isIsolated == true)
        #expect(item.alias == "ua-front" && item.vlan == LibvirtVLAN(tags: [42, 47], isTrunk: true, native: 47))
        #expect(item.virtualPort?.type == "openvswitch" && item.virtualPort?.parameters["profileid"] == "p")

        let part = try configuration(domainXML(interfaceXML("52:54:00:00:00:01", inner))).part
        let port = part.ports[0]
        #expect(port.name == "sl0" && port.bridge == "br0" && port.kind == .vhost(socket: "/run/sluice/vm1.sock", mode: .client, queues: 4))
        #expect(port.mtu == 9_000 && port.rules.isolated && port.vlan == .trunk(VLANSet([42, 47]), native: 47))
        #expect(port.pace == PaceSettings(average: 1_024_000, peak: 2_048_000, burst: 262_144))
        var guest = GuestSettings(name: "sl0", port: "sl0")
        guest.macs = [item.mac]
        (guest.inbound.ceiling, guest.inbound.peak, guest.inbound.ceilingBurst) = (8_000_000, 40_000_000, 1_048_576)
        #expect(part.guests == [guest])
    }

    private func interfaceXML(_ mac: String, _ inner: String) -> String { LibvirtTests.interfaceXML(mac, "/run/sluice/vm1.sock", inner) }

    @Test func anInterfaceIsAddedAsItIsAttached() throws {
        var domain = try LibvirtDomain(xml: domainXML(interfaceXML("52:54:00:00:00:01", "")))
        try domain.attach(xml: Array(interfaceXML("52:54:00:00:00:02", "<mtu size='9000'/>").utf8))
        #expect(domain.interfaces.map { "\($0.mac)" } == ["52:54:00:00:00:01", "52:54:00:00:00:02"] && domain.interfaces[1].mtu == 9_000)
        for (xml, words) in [
            (interfaceXML("52:54:00:00:00:02", ""), "has an interface with this address already"), ("<interface type='vhostuser'/>", "it has no <mac"),
            ("<interface type='network'/>", "no <interface type='vhostuser'>"), ("<disk/>", "no <interface type='vhostuser'>"),
        ] {
            let error = #expect(throws: ConfigurationError.self) { try domain.attach(xml: Array(xml.utf8)) }
            #expect("\(error!)".contains(words), "\(error!)")
        }
        #expect(domain.interfaces.count == 2)
    }

    /// As libvirt 9.0 calls `ovs-vsctl`.
    @Test func whatLibvirtAsksOpenvSwitchIsUnderstood() {
        func question(_ words: String) -> OpenvSwitchQuestion? { OpenvSwitchQuestion(words: words.split(separator: " ").map(String.init)) }
        let name = "--timeout=5 --no-headings --columns=name find Interface options:vhost-server-path="
        #expect(question(name + "/run/sluice/vm1.sock") == .nameOfServer(path: "/run/sluice/vm1.sock"))
        #expect(question(name + "\"/run/sluice/vm1.sock\"") == .nameOfServer(path: "/run/sluice/vm1.sock"))
        #expect(question("--timeout=5 get Interface vm1.sock name") == .nameOfClient(file: "vm1.sock"))
        let list = "--timeout=5 --if-exists --format=list --data=json --no-headings --columns=statistics list Interface vm1"
        #expect(question(list) == .statistics(name: "vm1"))
        for words in ["", "show", "--version", "list Interface vm1", "add-br br0", "get Interface vm1 ofport", "find Interface name=vm1", "list Bridge br0"] {
            #expect(question(words) == nil)
        }
        #expect(OpenvSwitchQuestion.map(["rx_bytes": 5, "tx_bytes": .max]) == #"["map",[["rx_bytes",5],["tx_bytes",18446744073709551615]]]"#)
    }

    /// This is libvirt's own test case (tests/qemuxmlconfdata/net-vhostuser.xml), with one interface of each mode and one of another type.
    @Test func qemusSideIsTheOther() throws {
        let result = try configuration(
            domainXML(
                LibvirtTests.interfaceXML("52:54:00:ee:96:6b", "/tmp/vhost0.sock", mode: "server")
                    + LibvirtTests.interfaceXML("52:54:00:ee:96:6c", "/tmp/vhost1.sock", mode: "client")
                    + "<interface type='server'><mac address='52:54:00:95:db:c0'/><source port='2015'/><model type='rtl8139'/></interface>", name: "QEMUGuest1")
        )
        #expect(result.part.ports.map(\.name) == ["QEMUGuest1-ee966b", "QEMUGuest1-ee966c"])
        #expect(
            result.part.ports.map(\.kind) == [
                .vhost(socket: "/tmp/vhost0.sock", mode: .client, queues: 1), .vhost(socket: "/tmp/vhost1.sock", mode: .server, queues: 1),
            ])
        #expect(result.others == [LibvirtDomain.OtherInterface(type: "server", mac: MACAddress("52:54:00:95:db:c0"), alias: nil)])
        #expect(result.notes == [])
    }

    /// A name depends only on what stays the same: not on other interfaces, and not on the names that libvirt generates at each start.
    @Test(arguments: [
        ("vm1", "52:54:00:0a:0b:0c", "", "vm1-0a0b0c"),
        ("vm1", "02:54:00:0a:0b:0c", "", "vm1-0254000a0b0c"),
        ("vm1", "52:54:00:0a:0b:0c", "<target dev='vnet3'/>", "vm1-0a0b0c"),
        ("vm1", "52:54:00:0a:0b:0c", "<target dev='front'/>", "front"),
        ("vm1", "52:54:00:0a:0b:0c", "<target dev='a b'/>", "vm1-0a0b0c"),
        ("instance-0000012345678901", "52:54:00:0a:0b:0c", "", "instance-000001234-5254000a0b0c"),
        ("instance-000001234567890", "52:54:00:0a:0b:0c", "", "instance-000001234567890-0a0b0c"),
        ("Büro 1", "52:54:00:0a:0b:0c", "", "B__ro_1-5254000a0b0c"),
    ])
    func namesAreStable(_ domain: String, _ mac: String, _ inner: String, _ name: String) throws {
        let result = try configuration(domainXML(interfaceXML(mac, inner), name: domain))
        #expect(result.part.ports.map(\.name) == [name] && result.part.guests.map(\.name) == [name])
        #expect(try host().replacing(nil, with: result).ports.count == 2)
    }

    @Test func statusFilesAreReadToo() throws {
        let domain = try LibvirtDomain(xml: "<domstatus state='running' pid='1'><vcpus/>\(domainXML(interfaceXML("52:54:00:00:00:01", "")))</domstatus>")
        #expect(domain.interfaces.count == 1)
    }

    @Test(arguments: [
        ("<interface type='vhostuser'><source type='unix' path='/a' mode='server'/></interface>", "interface[1]: it has no <mac address='...'/>"),
        ("<interface type='vhostuser'><mac address='nonsense'/><source type='unix' path='/a' mode='server'/></interface>", "'nonsense' is not a MAC address"),
        ("<interface type='vhostuser'><mac address='52:54:00:00:00:01'/></interface>", "interface 52:54:00:00:00:01: it has no socket"),
        (
            "<interface type='vhostuser'><mac address='52:54:00:00:00:01'/><source type='tcp' path='/a' mode='server'/></interface>",
            "<source type='tcp'> is no socket"
        ),
        ("<interface type='vhostuser'><mac address='52:54:00:00:00:01'/><source type='unix' path='/a'/></interface>", "<source> has no mode"),
        (
            "<interface type='vhostuser'><mac address='52:54:00:00:00:01'/><source type='unix' path='/a' mode='x'/></interface>",
            "mode='x' is neither server nor client"
        ),
    ])
    func whatIsMissingIsTold(_ interface: String, _ sentence: String) {
        #expect(refusal(domainXML(interface)).contains(sentence), "\(refusal(domainXML(interface)))")
    }

    @Test func whatTheSchemaRefusesIsRefusedWithTheLine() {
        #expect(
            refusal(domainXML(interfaceXML("52:54:00:00:00:01", "<driver queues='65'/>")))
                == "line 13: interface 52:54:00:00:00:01.queues: '65' is not a whole number from 1 to 64")
        #expect(refusal(domainXML(interfaceXML("52:54:00:00:00:01", "<driver queues='many'/>"))).contains("<driver queues='many'> is no number"))
        #expect(refusal(domainXML(interfaceXML("52:54:00:00:00:01", "<mtu size='20'/>"))).contains(".mtu: '20' is not a whole number from 68 to 9000"))
    }

    @Test func anAddressStandsOnce() {
        let two = interfaceXML("52:54:00:00:00:01", "") + "\n" + interfaceXML("52:54:00:00:00:01", "")
        #expect(refusal(domainXML(two)) == "line 14: interface 52:54:00:00:00:01: the interface of line 13 has this address, too: give one of them another")
        let named = interfaceXML("52:54:00:00:00:01", "<target dev='a'/>") + interfaceXML("52:54:00:00:00:02", "<target dev='a'/>")
        #expect(refusal(domainXML(named)).contains("the interface 52:54:00:00:00:01 is called a, too"))
    }

    @Test func severalProblemsAreToldAtOnce() {
        let text = refusal(
            domainXML(interfaceXML("52:54:00:00:00:01", "<vlan/><bandwidth><inbound peak='1'/></bandwidth>"), metadata: sluice("<interface mac='x'/>")))
        #expect(text.split(separator: "\n").count == 3, "\(text)")
    }

    @Test func aBridgeIsChosen() throws {
        let xml = domainXML(interfaceXML("52:54:00:00:00:01", ""))
        let two = try Model.checked(yaml: "bridges: [{name: br0}, {name: br1}]")
        #expect(throws: ConfigurationError.self) { try configuration(xml, in: two) }
        #expect(throws: ConfigurationError.self) { try configuration(xml, in: Model()) }
        #expect(try configuration(xml, in: two, bridge: "br1").part.ports[0].bridge == "br1")
        let named = domainXML(interfaceXML("52:54:00:00:00:01", ""), metadata: sluice("<interface bridge='br0'/>"))
        #expect(try configuration(named, in: two, bridge: "br1").part.ports[0].bridge == "br0")
        let network = try LibvirtNetwork(xml: "<network><name>n</name><bridge name='br1'/></network>")
        let other = try LibvirtNetwork(xml: "<network><name>n</name><bridge name='virbr0'/></network>")
        let inNetwork = domainXML(interfaceXML("52:54:00:00:00:01", ""), metadata: sluice("<interface network='n'/>"))
        #expect(try configuration(inNetwork, networks: [network], in: two, bridge: "br0").part.ports[0].bridge == "br1")
        #expect(try configuration(inNetwork, networks: [other], in: two, bridge: "br0").part.ports[0].bridge == "br0")
    }
}
