import Configuration
import Testing

@Suite("Following groups, in the configuration") struct SnoopingTests {
    private static let base = """
        bridges: [{name: br0, mcast-snooping: true}]
        ports:
          - {name: vm1, type: tap, bridge: br0, interface: t1}

        """

    @Test("a bridge's keys are read, written, told and taken back, the same in YAML and on the command line")
    func ofBridges() throws {
        let all: [(key: String, value: String)] = [
            ("mcast-querier", "off"), ("mcast-querier", "on"), ("mcast-querier-address", "192.0.2.1"), ("mcast-max-groups", "16"),
        ]
        let base = try Model(yaml: Self.base)
        for (key, value) in all {
            let edited = try base.edited("bridge", "set", ["br0", key, value])
            #expect(edited != base && edited.problems.isEmpty, "\(key) \(value)")
            #expect(try Model(yaml: edited.yaml) == edited, "\(key) \(value)")
            let written = try Model(yaml: Self.base.replacing("snooping: true", with: "snooping: true, \(key): \(value)"))
            #expect(written == edited && written.problems.isEmpty, "\(key) \(value)")
            for word in ["none", "default"] { #expect(try edited.edited("bridge", "set", ["br0", key, word]) == base, "\(key)") }
            #expect(diff(from: base, to: edited).lines(from: base, to: edited).count == 1)
        }
        #expect(try base.edited("bridge", "set", ["br0", "mcast-snooping", "off"]).bridges[0].snooping == SnoopingSettings())
    }

    @Test("a port's keys likewise")
    func ofPorts() throws {
        let base = try Model(yaml: Self.base)
        for (key, value) in [("mcast-fast-leave", "on"), ("mcast-router", "always"), ("mcast-router", "never"), ("mcast-max-groups", "8")] {
            let edited = try base.edited("port", "set", ["vm1", key, value])
            #expect(edited.ports[0].ruleWords.map { [$0.key, $0.value] } == [[key, value]] && edited.problems.isEmpty)
            #expect(try Model(yaml: edited.yaml) == edited)
            #expect(try edited.edited("port", "set", ["vm1", key, "none"]) == base)
            #expect(diff(from: base, to: edited).lines(from: base, to: edited) == ["~ port vm1 \(key) default -> \(value)"])
        }
    }

    @Test("what cannot be is refused with what to write instead", arguments: [
        ("bridges: [{name: br0, mcast-snooping: on, mcast-querier: maybe}]", "'maybe' is not off or on or auto"),
        ("bridges: [{name: br0, mcast-snooping: on, mcast-querier-address: 239.1.1.1}]", "'239.1.1.1' is no IPv4 address of a host: write one such as 192.0.2.1"),
        ("bridges: [{name: br0, mcast-snooping: on, mcast-querier-address: \"fe80::1\"}]", "'fe80::1' is no IPv4 address of a host"),
        ("bridges: [{name: br0, mcast-snooping: on, mcast-querier: off, mcast-querier-address: 192.0.2.1}]", "a bridge with mcast-querier off asks nobody"),
        ("bridges: [{name: br0, mcast-snooping: on, mcast-max-groups: 0}]", "'0' is not a whole number from 1 to 32768"),
    ])
    func refused(yaml: String, sentence: String) {
        #expect(problems(yaml).contains { $0.contains(sentence) }, "\(problems(yaml))")
    }
}
