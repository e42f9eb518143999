import Configuration
import Testing

@Suite("Ports' rules in the configuration") struct PortRulesTests {
    private static let base = """
        bridges: [{name: br0}]
        ports:
          - {name: vm1, type: tap, bridge: br0, interface: t1}
          - {name: up, type: physical, bridge: br0, device: eth1}

        """

    private func with(_ change: (inout PortRules) -> Void) -> PortRules {
        var rules = PortRules()
        change(&rules)
        return rules
    }

    @Test("each is read, written, told and taken back, the same in YAML and on the command line")
    func roundTrip() throws {
        let all: [(key: String, value: String, rules: PortRules)] = [
            ("isolated", "on", with { $0.isolated = true }), ("hairpin", "on", with { $0.hairpin = true }), ("learning", "off", with { $0.learning = false }),
            ("flood", "off", with { $0.flood = false }), ("mcast-flood", "off", with { $0.mcastFlood = false }),
            ("bcast-flood", "off", with { $0.bcastFlood = false }), ("forward", "vepa", with { $0.forward = .vepa }),
            ("forward", "private", with { $0.forward = .private }), ("forward", "passthru", with { $0.forward = .passthru }),
            ("fdb-limit", "16", with { $0.fdbLimit = 16 }), ("storm-broadcast", "1kpps", with { $0.stormBroadcast = .packets(1_000) }),
            ("storm-multicast", "10mbit", with { $0.stormMulticast = .bits(10_000_000) }), ("storm-unknown", "1pps", with { $0.stormUnknown = .packets(1) }),
            ("bpdu", "forward", with { $0.bpdu = .forward }), ("bpdu", "guard", with { $0.bpdu = .guard }),
        ]
        for (key, value, rules) in all {
            let edited = try Model(yaml: Self.base).edited("port", "set", ["vm1", key, value])
            #expect(edited.ports[0].rules == rules, "\(key) \(value)")
            #expect(try Model(yaml: edited.yaml).ports[0].rules == rules, "\(key) \(value)")
            let written = try Model(yaml: Self.base.replacing("interface: t1", with: "interface: t1, \(key): \(value)"))
            #expect(written.ports[0].rules == rules && written.problems.isEmpty, "\(key) \(value)")
            #expect(edited.ports[0].ruleWords.map { [$0.key, $0.value] } == [[key, value]])
            // The change does not reopen the port.
            #expect(diff(from: try Model(yaml: Self.base), to: edited).lines(from: try Model(yaml: Self.base), to: edited) == ["~ port vm1 \(key) default -> \(value)"])
            for word in ["none", "default"] { #expect(try edited.edited("port", "set", ["vm1", key, word]).ports[0].rules == PortRules(), "\(key)") }
        }
    }

    @Test("what cannot be is refused with what to write instead", arguments: [
        ("storm-broadcast: 0pps", "0pps is out of range: write 1pps to 1000mpps, or none"), ("storm-unknown: 1bit", "1bit is too slow to be kept exactly: write at least 8kbit"),
        ("storm-broadcast: 100", "rate 100 has no unit"), ("fdb-limit: 0", "'0' is not a whole number from 1 to 16777216"), ("bpdu: guardian", "'guardian' is not drop or forward or guard"),
        ("forward: vepaa", "'vepaa' is not bridge or vepa or private or passthru"), ("isolated: maybe", "'maybe' is neither true nor false: write on or off"),
        ("locked: on", "locked would drop everything from vm1, as no guest there has macs and no static entry is for it"),
    ])
    func refused(yaml: String, sentence: String) {
        let told = problems(Self.base.replacing("interface: t1", with: "interface: t1, \(yaml)"))
        #expect(told.count == 1 && told[0].contains(sentence), "\(told)")
    }

    @Test("a locked port needs an address, a guest's or a static entry's")
    func locked() {
        let locked = Self.base.replacing("interface: t1", with: "interface: t1, locked: on")
        #expect(problems(locked + "guests: [{name: a, port: vm1, macs: [\"52:54:00:00:00:01\"]}]\n").isEmpty)
        #expect(problems(locked.replacing("{name: br0}", with: "{name: br0, static: [{mac: \"52:54:00:00:00:01\", port: vm1}]}")).isEmpty)
    }

    @Test("a physical port that frames may leave by as they came has classes for its own guests")
    func hairpinClasses() throws {
        func paths(_ model: Model) -> [String] {
            var ids = ClassIDs()
            return trees(of: model, ids: &ids).first { $0.name == "up" }!.classes.map(\.path)
        }
        let model = try Model(yaml: Self.base)
        #expect(paths(model) == ["vm1"])
        let hairpin = try model.edited("port", "set", ["up", "hairpin", "on"])
        #expect(paths(hairpin) == ["vm1", "up"])
        #expect(try paths(hairpin.edited("guest", "add", ["far", "port", "up"])).contains("far"))
    }

    @Test("frames that go by the uplink need one, and passthru has it alone")
    func forward() throws {
        func told(_ ports: String) -> [String] { problems("bridges: [{name: br0}]\nports: [\(ports)]\n") }
        let vm = "{name: vm1, type: tap, bridge: br0, interface: t1, forward: vepa}", other = "{name: vm2, type: tap, bridge: br0, interface: t2}"
        let up = "{name: up, type: physical, bridge: br0, device: eth1}", second = "{name: up2, type: physical, bridge: br0, device: eth2}"
        #expect(told([vm, up, other].joined(separator: ", ")).isEmpty)
        #expect(told(vm).first?.contains("with vepa frames go to the one physical port of the bridge, and br0 has no physical port") == true)
        #expect(told([vm, up, second].joined(separator: ", ")).first?.contains("br0 has 2 (up, up2)") == true)
        let through = vm.replacing("vepa", with: "passthru")
        #expect(told([through, up].joined(separator: ", ")).isEmpty)
        #expect(told([through, up, other].joined(separator: ", ")).first?.contains("with passthru the uplink is for vm1 alone, and bridge br0 has vm2 too") == true)
        #expect(told([through, up.replacing("eth1", with: "eth1, forward: vepa")].joined(separator: ", ")).contains { $0.contains("up is a physical port: leave it out") })
        // Guests can still be added to the port.
        let model = try Model(yaml: "bridges: [{name: br0}]\nports: [\(vm), \(up)]\n")
        #expect(try model.edited("guest", "add", ["a", "port", "vm1"]).guests.count == 1)
    }
}
