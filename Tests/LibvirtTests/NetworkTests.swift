import Configuration
import Libvirt
import Packet
import Testing

@Suite struct NetworkTests {
    private let office = """
        <network>
          <name>office</name>
          <uuid>81ff0d90-c91e-6742-64da-4a736edb9a8c</uuid>
          <forward mode='bridge'/>
          <bridge name='br1'/>
          <mtu size='9000'/>
          <vlan><tag id='549'/></vlan>
          <bandwidth><inbound average='1000' peak='2000' burst='1024'/><outbound average='2000'/></bandwidth>
          <virtualport type='openvswitch'><parameters interfaceid='a'/></virtualport>
          <portgroup name='bob' default='yes'>
            <vlan trunk='yes'><tag id='666'/></vlan>
            <virtualport><parameters profileid='bob-profile'/></virtualport>
            <bandwidth><inbound average='1000' peak='5000' burst='1024'/><outbound average='500'/></bandwidth>
          </portgroup>
          <portgroup name='alice'>
            <vlan trunk='yes'><tag id='777'/><tag id='888'/><tag id='999' nativeMode='untagged'/></vlan>
          </portgroup>
          <portgroup name='plain'/>
        </network>
        """

    private func port(_ metadata: String, _ inner: String = "") throws -> PortSettings {
        let xml = domainXML(interfaceXML("52:54:00:00:00:01", "/run/1.sock", inner), metadata: sluice("<interface mac='52:54:00:00:00:01' \(metadata)/>"))
        return try configuration(xml, networks: [LibvirtNetwork(xml: office)]).part.ports[0]
    }

    @Test func aNetworkIsReadWithItsGroups() throws {
        let network = try LibvirtNetwork(xml: office)
        #expect(network.name == "office" && network.bridge == "br1" && network.mtu == 9_000 && network.uuid == "81ff0d90-c91e-6742-64da-4a736edb9a8c")
        #expect(network.portGroups.map(\.name) == ["bob", "alice", "plain"] && network.portGroups.map(\.isDefault) == [true, false, false])
        #expect(network.portGroups[1].settings.vlan == LibvirtVLAN(tags: [777, 888, 999], isTrunk: true, native: 999))
        #expect(network.portGroups[0].settings.virtualPort == LibvirtVirtualPort(parameters: ["profileid": "bob-profile"]))
        #expect(try LibvirtNetwork(xml: "<hookData>\(office)<networkport/></hookData>") == network)
        #expect(try LibvirtNetwork(xml: "<networkstatus><floor sum='0'/>\(office)</networkstatus>") == network)
    }

    /// The interface's own settings take precedence over its port group's, and these over its network's. A bandwidth is inherited as a whole.
    @Test func anInterfaceInheritsAsInLibvirt() throws {
        let bob = try port("network='office'")
        #expect(bob.vlan == .trunk(VLANSet([666]), native: nil))
        #expect(bob.pace == PaceSettings(average: 4_000_000, burst: 512_000))
        #expect(bob.mtu == 9_000)
        let alice = try port("network='office' portgroup='alice'")
        #expect(alice.vlan == .trunk(VLANSet([777, 888, 999]), native: 999) && alice.pace == nil)
        let plain = try port("network='office' portgroup='plain'")
        #expect(plain.vlan == .access(549))
        let own = try port("network='office'", "<bandwidth><inbound average='10'/></bandwidth><vlan><tag id='5'/></vlan><mtu size='1400'/>")
        #expect(own.vlan == .access(5) && own.mtu == 1_400)
        // The group's outbound limits are not mixed in.
        #expect(own.pace == nil)
        #expect(try port("network='office'", "<bandwidth/>").pace == bob.pace)
        // The metadata takes precedence over everything else.
        #expect(try port("network='office' vlan='7'").vlan == .access(7))
    }

    @Test func sourcesThatNameANetworkDoToo() throws {
        let xml = domainXML(
            "<interface type='vhostuser'><mac address='52:54:00:00:00:01'/><source type='unix' path='/run/1.sock' mode='server' network='office' portgroup='alice'/></interface>"
        )
        let result = try configuration(xml, networks: [LibvirtNetwork(xml: office)])
        #expect(result.part.ports[0].vlan == .trunk(VLANSet([777, 888, 999]), native: 999))
    }

    @Test func whatIsNotThereIsTold() throws {
        let xml = domainXML(interfaceXML("52:54:00:00:00:01"), metadata: sluice("<interface network='offize'/>"))
        #expect(refusal(xml) == "line 13: interface 52:54:00:00:00:01: there is no network offize: no network is known here")
        #expect(refusal(xml, networks: [try LibvirtNetwork(xml: office)]).hasSuffix("there is no network offize: there is office"))
        // libvirt ignores the name of an unknown port group.
        let group = try configuration(
            domainXML(interfaceXML("52:54:00:00:00:01"), metadata: sluice("<interface network='office' portgroup='bobby'/>")),
            networks: [LibvirtNetwork(xml: office)])
        #expect(group.notes.map(\.sentence) == ["network office has no port group bobby: it takes nothing from one"])
        #expect(group.part.ports[0].vlan == .access(549))
    }

    @Test func virtualPortsAreMergedUnlessTheyDisagree() throws {
        func refused(_ inner: String) -> Bool {
            let xml = domainXML(interfaceXML("52:54:00:00:00:01", "/run/1.sock", inner), metadata: sluice("<interface network='office'/>"))
            return (try? configuration(xml, networks: [LibvirtNetwork(xml: office)])) == nil
        }
        #expect(!refused("<virtualport type='openvswitch'><parameters interfaceid='a' profileid='bob-profile'/></virtualport>"))
        #expect(refused("<virtualport type='openvswitch'><parameters interfaceid='b'/></virtualport>"))
        #expect(refused("<virtualport type='802.1Qbh'/>"))
        #expect(refused("<virtualport><parameters profileid='eve'/></virtualport>"))
    }

    @Test(arguments: [
        ("<portgroup name='a' default='yes'/><portgroup name='b' default='yes'/>", "network n portgroup b: the port group a is the default already"),
        ("<portgroup name='a'/><portgroup name='a'/>", "two port groups have this name"),
        ("<portgroup/>", "a <portgroup> has a name"),
        ("<portgroup name='a'><bandwidth><inbound average='5' floor='1'/></bandwidth></portgroup>", "a floor belongs to an interface, not to a port group"),
        ("<bandwidth><inbound average='5' floor='1'/></bandwidth>", "a floor belongs to an interface, not to a network"),
        ("<bandwidth><inbound peak='5'/></bandwidth>", "a peak needs an average"),
        ("<vlan/>", "a <vlan> has at least one <tag"),
        ("<vlan><tag/></vlan>", "'' is no VLAN"),
        ("<vlan><tag id='4096'/></vlan>", "'4096' is no VLAN: write id='...' with a number from 1 to 4094"),
        ("<vlan trunk='no'><tag id='1'/><tag id='2'/></vlan>", "with trunk='no' there is one <tag>, and these are 2"),
        ("<vlan trunk='no'><tag id='1' nativeMode='untagged'/></vlan>", "a native VLAN is a trunk's"),
        ("<vlan trunk='maybe'><tag id='1'/></vlan>", "trunk='maybe' is neither yes nor no"),
        ("<vlan><tag id='1' nativeMode='untagged'/><tag id='2' nativeMode='untagged'/></vlan>", "nativeMode stands at two tags"),
        ("<vlan><tag id='1' nativeMode='tagged'/></vlan>", "write nativeMode='untagged'"),
        ("<vlan><tag id='1' nativeMode='x'/></vlan>", "nativeMode='x' is neither tagged nor untagged"),
        ("<mtu size='big'/>", "<mtu size='big'> is no number"),
    ])
    func whatLibvirtRefusesIsRefused(_ inner: String, _ sentence: String) {
        #expect(
            networkRefusal("<network><name>n</name>\(inner)</network>").contains(sentence), "\(networkRefusal("<network><name>n</name>\(inner)</network>"))")
    }

    @Test func whatIsNoNetworkIsRefused() {
        #expect(networkRefusal("<domain/>") == "line 1: this is a <domain>, not a <network>: pass what virsh net-dumpxml prints")
        #expect(networkRefusal("<network/>").contains("a network has a <name>"))
        #expect(networkRefusal("<hookData/>").contains("this is a <hookData>, not a <network>"))
    }

    /// Floors are taken from the network's peak or, without one, from its average, in units of 1000 bytes a second. The class ids are Sluice's own.
    @Test func theNetworksInboundBecomesTheBridgesRate() throws {
        func network(_ inner: String) throws -> LibvirtNetwork { try LibvirtNetwork(xml: "<network><name>n</name><bandwidth>\(inner)</bandwidth></network>") }
        #expect(try network("<inbound average='1000' peak='2000' burst='1024'/>").inboundRate == 16_000_000)
        #expect(try network("<inbound average='1000'/>").inboundRate == 8_000_000)
        #expect(try network("<outbound average='5'/>").inboundRate == nil)
        #expect(try network("<outbound average='5'/>").command(bridge: "br0") == nil)
        let command = try #require(try network("<inbound average='1000' peak='2000'/>").command(bridge: "br0"))
        #expect(command.description == "bridge set br0 rate 16mbit")

        var running = Running(try host().edited([EditCommand(.group, .del, ["tenant-a"]), command]))
        func put(_ old: String?, _ floor: String?, of number: Int) throws {
            func part(_ floor: String) throws -> LibvirtConfiguration {
                try configuration(
                    domainXML(
                        interfaceXML("52:54:00:00:00:0\(number)", "/run/\(number).sock"),
                        metadata: sluice("<interface><inbound floor='\(floor)'/></interface>"), name: "vm\(number)"),
                    in: running.model)
            }
            running.adopt(try running.changed(to: try running.model.replacing(old.map(part), with: floor.map(part))))
        }
        func id(_ number: Int) -> UInt16? { running.ids.id(tree: "br0", path: "vm\(number)-00000\(number)") }
        // Two floors take 200 and 800 of the 2000 kbps. Raising the second to 1801 does not fit.
        try put(nil, "200kbps", of: 1)
        try put(nil, "800kbps", of: 2)
        let (first, second) = (id(1), id(2))
        #expect(first != nil && second != nil && first != second)
        let before = running.model
        #expect(throws: ConfigurationError.self) { try put("800kbps", "1801kbps", of: 2) }
        #expect(running.model == before)
        // A floor changes in place and keeps its class id; then the other floor is removed and added again.
        try put("800kbps", "1800kbps", of: 2)
        #expect(id(2) == second)
        try put("200kbps", nil, of: 1)
        #expect(id(1) == nil && id(2) == second)
        try put(nil, "200kbps", of: 1)
        #expect(id(1) != nil && id(1) != second)
        do {
            try put(nil, "1kbps", of: 3)
            Issue.record("accepted")
        } catch let error as ConfigurationError {
            #expect(error.description.contains("16mbit"), "\(error)")
        }
    }
}
