import Configuration
import Packet
import Testing

@Suite("VLANs in the configuration") struct VLANTests {
    private func model(_ text: String) throws -> Model { try Model(yaml: text) }
    private static let base = """
        bridges: [{name: br0}]
        ports:
          - {name: vm1, type: tap, bridge: br0, interface: t1}
          - {name: vm2, type: tap, bridge: br0, interface: t2}

        """

    @Test("a port's VLANs are read, written and told the same in YAML and on the command line", arguments: [
        ("10", "vlan 10", PortVLAN.access(10)), ("{trunk: [10, 20-29], native: 1}", "vlan trunk 10,20-29 native 1", .trunk(VLANSet([10] + Array(20...29)), native: 1)),
        ("{trunk: [5]}", "vlan trunk 5", .trunk(VLANSet([5]), native: nil)), ("{trunk: 1-4094}", "vlan trunk 1-4094", .trunk(VLANSet(1...4_094), native: nil)),
        ("{service: 100}", "vlan service 100", .service(100)),
    ])
    func roundTrip(yaml: String, words: String, vlan: PortVLAN) throws {
        let written = try model("bridges: [{name: br0}]\nports: [{name: vm1, type: tap, bridge: br0, interface: t1, vlan: \(yaml)}]\n")
        #expect(written.ports[0].vlan == vlan)
        #expect(written.problems.isEmpty)
        #expect(try model(written.yaml).ports[0].vlan == vlan)
        let edited = try model(Self.base).edited("port", "set", ["vm1"] + words.split(separator: " ").map(String.init) + ["mtu", "1400"])
        #expect(edited.ports[0].vlan == vlan && edited.ports[0].mtu == 1_400)
        #expect(try edited.edited("port", "set", ["vm1", "vlan", "none"]).ports[0].vlan == nil)
    }

    @Test("what is no VLAN is refused with what to write instead", arguments: [
        ("4095", "'4095' is not a whole number from 1 to 4094"), ("0", "'0' is not a whole number from 1 to 4094"),
        ("{trunk: [20-10]}", "'20-10' is no VLAN, 1 to 4094, and no range of them: write 10, or 20-29"), ("{native: 1}", "write 10, {trunk: [10, 20-29], native: 1} or {service: 100}"),
        ("{trunk: []}", "a trunk has at least one VLAN"), ("{service: 7, trunk: [8]}", "a port has one VLAN, a trunk's or a service VLAN"),
        ("{trunk: [10], nativ: 1}", "nativ"),
    ])
    func refused(yaml: String, sentence: String) throws {
        let text = "bridges: [{name: br0}]\nports: [{name: vm1, type: tap, bridge: br0, interface: t1, vlan: \(yaml)}]\n"
        let told: String
        do { told = try model(text).problems.map(\.description).joined() } catch { told = "\(error)" }
        #expect(told.contains(sentence))
    }

    @Test("guests and static entries are in VLANs of their ports only, and addresses once a VLAN")
    func guests() throws {
        func problems(_ guests: String, ports: String = "{trunk: [10, 20]}", entries: String = "") throws -> [String] {
            try model("""
                bridges: [{name: br0\(entries.isEmpty ? "" : ", static: [\(entries)]")}]
                ports:
                  - {name: up, type: tap, bridge: br0, interface: t1, vlan: \(ports)}
                  - {name: vm, type: tap, bridge: br0, interface: t2}
                guests: [\(guests)]

                """).problems.map(\.sentence)
        }
        #expect(try problems("{name: a, port: up, vlan: 10}, {name: b, port: up, vlan: 20}, {name: c, port: up}").isEmpty)
        #expect(try problems("{name: a, port: up, vlan: 30}")[0].contains("port up is not in VLAN 30, but in 10,20"))
        #expect(try problems("{name: a, port: up, vlan: 10}, {name: b, port: up, vlan: 10}")[0].contains("a already has every address of VLAN 10 of port up"))
        let mac = "macs: [\"52:54:00:00:00:01\"]"
        #expect(try problems("{name: a, port: up, vlan: 10, \(mac)}, {name: b, port: up, vlan: 20, \(mac)}, {name: c, port: vm, \(mac)}").isEmpty)
        #expect(try problems("{name: a, port: up, \(mac)}, {name: b, port: up, vlan: 20, \(mac)}")[0].contains("is guest a's already"))
        #expect(try problems("", entries: "{mac: \"52:54:00:00:00:01\", port: up}")[0].contains("write vlan for this entry, too"))
        #expect(try problems("", entries: "{mac: \"52:54:00:00:00:01\", port: up, vlan: 10}, {mac: \"52:54:00:00:00:01\", port: vm}").isEmpty)
        #expect(try model(Self.base + "guests: [{name: a, port: vm1, vlan: 10}]\n").problems[0].sentence.contains("bridge br0 has no VLANs: give port vm1 a vlan"))
    }

    @Test("a VLAN's guest takes nothing from the port's other guests, and a port with none but such has one for the rest")
    func effectiveGuests() throws {
        let model = try model(Self.base + "guests: [{name: a, port: vm1, vlan: 10}]\n")
        #expect(model.effectiveGuests.filter { $0.settings.port == "vm1" }.map(\.settings.name) == ["a", "vm1:others"])
    }
}
