import Configuration
import Packet
import TestSupport
import Testing

@Suite struct YAMLTests {
    @Test func everythingIsRead() throws {
        let model = try office()
        #expect(model.bridges[0].rate == 10_000_000_000)
        #expect(model.bridges[0].staticEntries == [StaticEntry(mac: MACAddress("52:54:00:aa:00:01")!, port: "host")])
        #expect(model.ports[0].kind == .vhost(socket: "/run/sluice/vm1.sock", mode: .client, queues: 4))
        #expect(model.ports[1].kind == .vhost(socket: "/run/sluice/vm2.sock", mode: .server, queues: 1))
        #expect(model.ports[1].pace == PaceSettings(average: 1_000_000_000, peak: 2_000_000_000, burst: 1_048_576))
        #expect(model.ports[2].kind == .tap(interface: "tap0", netns: "lab", mac: nil))
        #expect(model.ports[3].kind == .physical(device: "net_af_packet0,iface=eth1", queues: nil))
        #expect(model.ports[3].overhead == 24)
        #expect(model.guests[0].macs == [MACAddress("52:54:00:00:00:01")!])
        #expect(model.guests[0].protocols["iscsi"]?.outbound.priority == 1)
        #expect(model.guests[1].outbound.floor == 100_000_000)
        #expect(model.protocols[0].matches == [.tcp(873), .udp(4_000), .tcpRange(5_000...5_010), .etherType(0x88b5), .dscp(10), .pcp(2)])
        #expect(model.protocolTable.first { $0.name == "iscsi" } == ProtocolSettings(name: "iscsi", matches: [.tcp(3260), .tcp(860)], pcp: 5))
    }

    @Test func aModelSurvivesBeingWritten() throws {
        #expect(try Model(yaml: office().yaml) == office())
        var random = Seeded(2)
        for _ in 0..<200 {
            let model = randomModel(&random)
            #expect(model.problems == [])
            #expect(try Model(yaml: model.yaml) == model)
        }
    }

    @Test func theDaemonsSettingsStandWhereADocumentNamesNone() throws {
        var running = DaemonSettings()
        running.polling = .interrupt
        running.cpus = [2]
        for silent in ["", "bridges: []\n", "daemon:\n", "daemon: {}\n"] {
            #expect(try Model(yaml: silent, daemon: running).daemon == running)
            #expect(try Model(yaml: silent).daemon == DaemonSettings())
        }
        #expect(try Model(yaml: "daemon: {polling: adaptive}\n", daemon: running).daemon == DaemonSettings())
        #expect(try Model(yaml: "daemon: {cpus: [2], polling: adaptive}\n", daemon: running).daemon.cpus == [2])
    }

    @Test func namesThatYAMLTakesForSomethingElse() throws {
        for name in ["null", "yes", "123", "1e3", "0x10", "12.5", "true", "on", "y", "52.54"] {
            var model = Model()
            model.bridges = [BridgeSettings(name: name)]
            #expect(try Model.checked(yaml: model.yaml) == model)
        }
    }

    @Test func emptyDocuments() throws {
        #expect(try Model(yaml: "") == Model())
        #expect(try Model(yaml: "# nothing\n") == Model())
        #expect(try Model(yaml: "bridges:\nports: []\n") == Model())
        #expect(try Model(yaml: Model().yaml) == Model())
    }

    @Test(arguments: [
        ("bridges: [{name: br0, rate: 500}]", "line 1: bridges[0].rate: rate 500 has no unit: write 500mbit"),
        ("bridge: []", "line 1: bridge: the configuration has no key 'bridge': did you mean 'bridges'?"),
        (
            "bridges:\n  - name: br0\n    raet: 1gbit\n",
            "line 3: bridges[0].raet: a bridge has no key 'raet': did you mean 'rate'?"
        ),
        (
            "bridges:\n  - name: br0\n    colour: red\n",
            "line 3: bridges[0].colour: a bridge has no key 'colour': the keys are name, ageing, fdb-size, rate, overhead, rest, mcast-snooping, mcast-querier, mcast-querier-address, mcast-max-groups, static"
        ),
        (
            "bridges:\n  - name: br0\n    rate: 1gbit\n    rate: 2gbit\n",
            "line 4: bridges[0].rate: the key 'rate' stands twice in this map: keep one"
        ),
        ("bridges: 5", "line 1: bridges: expected a list, found '5': write [{name: br0}]"),
        ("bridges: [br0]", "line 1: bridges[0]: a bridge is a map of keys and values, not 'br0': write {name: br0}"),
        ("bridges: [{rate: 1gbit}]", "line 1: bridges[0]: a bridge needs a name: write name: ..."),
        ("- br0", "line 1: the configuration is a map of keys and values, not a list"),
        ("bridges: [{name: br0, rate: [1gbit]}]", "line 1: bridges[0].rate: expected one value, found a list: write a rate such as 500mbit"),
        ("bridges: [{name: br0, ageing: 1500ms}]", "line 1: bridges[0].ageing: ageing is whole seconds from 1s to 1000000s, such as 300s"),
        ("bridges: [{name: br0, overhead: lots}]", "line 1: bridges[0].overhead: 'lots' is not a whole number from 0 to 256"),
        ("daemon: {buffer-size: 64kib}", "line 1: daemon.buffer-size: 64kib is not a size from 512b to 63kib"),
        (
            "bridges: [{name: br0, static: [{mac: 52:54:00:00:00:01}]}]",
            "line 1: bridges[0].static[0]: a static entry needs mac and port: write {mac: 52:54:00:12:34:56, port: vm1}"
        ),
        ("ports:\n- name: vm1\n", "line 2: ports[0]: a port needs a type: vhost, tap or physical"),
        ("ports: [{name: vm1, type: usb}]", "line 1: ports[0].type: 'usb' is not vhost or tap or physical"),
        (
            "ports: [{name: vm1, type: vhost, bridge: br0}]",
            "line 1: ports[0]: a vhost port needs a socket, such as /run/sluice/vm1.sock"
        ),
        (
            "ports: [{name: t, type: tap, bridge: br0, interface: tap0, socket: /x}]",
            "line 1: ports[0]: 'socket' belongs to vhost ports, not to a tap port: leave it out"
        ),
        (
            "ports: [{name: t, type: tap, bridge: br0, interface: tap0, rate: 1gbit}]",
            "line 1: ports[0]: 'rate' belongs to physical ports, not to a tap port: leave it out; the root of the inbound tree is the"
                + " bridge's rate"
        ),
        (
            "ports: [{name: t, type: tap, bridge: br0, interface: tap0, pace: {peak: 1gbit}}]",
            "line 1: ports[0].pace: pace needs an average, such as 1gbit"
        ),
        (
            "ports: [{name: t, type: tap, bridge: br0, interface: tap0, mtu: 9001}]",
            "line 1: ports[0].mtu: '9001' is not a whole number from 68 to 9000"
        ),
        (
            "guests:\n- {name: vm1, port: vm1, macs: [52:54:00]}",
            "line 2: guests[0].macs[0]: '52:54:00' is not a MAC address: write six octets, such as 52:54:00:12:34:56"
        ),
        (
            "guests:\n- name: vm1\n  port: vm1\n  protocols:\n    iscsi:\n      inbound: {floor: 5}\n",
            "line 6: guests[0].protocols.iscsi.inbound.floor: rate 5 has no unit: write 5mbit"
        ),
        (
            "protocols: [{name: x, match: [sctp 5]}]",
            "line 1: protocols[0].match[0]: 'sctp 5': match by tcp, udp, ethertype, dscp or pcp, not by sctp"
        ),
        (
            "protocols: [{name: x, match: [ethertype 0x100]}]",
            "line 1: protocols[0].match[0]: 'ethertype 0x100': ethertype takes a number from 0x0600 to 0xffff"
        ),
        ("protocols: [{name: x, match: [tcp]}]", "line 1: protocols[0].match[0]: 'tcp' is not a match: write a kind and a value, such as tcp 873 or ethertype 0x88b5"),
        (
            "protocols: [{name: x, match: [tcp 5010-5000]}]",
            "line 1: protocols[0].match[0]: 'tcp 5010-5000': tcp takes a port from 1 to 65535, or a range with the lower one first, such as tcp 5000-5010"
        ),
        (
            "protocols: [{name: x, match: [udp 0-70000]}]",
            "line 1: protocols[0].match[0]: 'udp 0-70000': udp takes a port from 1 to 65535, or a range with the lower one first, such as udp 5000-5010"
        ),
        ("protocols: [{name: x, match: [dscp 64]}]", "line 1: protocols[0].match[0]: 'dscp 64': dscp takes a number from 0 to 63"),
        ("daemon: {polling: lazy}", "line 1: daemon.polling: 'lazy' is not polling or adaptive or interrupt"),
        ("daemon: {cores: [{cpu: 1}]}", "line 1: daemon.cores[0]: a core needs cpu and polling: write {cpu: 3, polling: polling}"),
        ("daemon: {hugepages: maybe}", "line 1: daemon.hugepages: 'maybe' is neither true nor false: write on or off"),
    ])
    func refusals(_ yaml: String, _ sentence: String) { #expect(problems(yaml) == [sentence]) }

    @Test func severalProblemsAreToldTogether() {
        let yaml = """
            bridges:
              - name: br0
                rate: 500
                rate: 1gbit
              - {name: br1, ageing: 5, colour: red, colour: blue}
            guests: 7
            """
        #expect(
            Set(problems(yaml)) == [
                "line 3: bridges[0].rate: rate 500 has no unit: write 500mbit",
                "line 4: bridges[0].rate: the key 'rate' stands twice in this map: keep one",
                "line 5: bridges[1].colour: the key 'colour' stands twice in this map: keep one",
                "line 5: bridges[1].ageing: time 5 has no unit: write 5s",
                "line 5: bridges[1].colour: a bridge has no key 'colour': the keys are name, ageing, fdb-size, rate, overhead, rest, mcast-snooping, mcast-querier, mcast-querier-address, mcast-max-groups, static",
                "line 6: guests: expected a list, found '7': write [{name: vm1, port: vm1}]",
            ])
    }

    @Test(arguments: [
        "bridges: [", "a: b: c", "\tbridges: []", "bridges: *nowhere", "---\na: 1\n---\nb: 2\n", "\u{1}", "{a: 1, a: 2, ? [x, y] : z, ? [x, y] : w}",
        String(repeating: "[", count: 100_000), String(repeating: "{a: ", count: 5_000),
        "a: &a [x, x]\nb: &b [*a, *a]\nbridges: *b",
    ])
    func whatIsNotConfigurationIsRefused(_ yaml: String) { #expect(problems(yaml) != []) }

    @Test func aliasesCannotMakeAShortTextLong() {
        var yaml = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"
        for level in 1...30 { yaml += "a\(level): &a\(level) [" + Array(repeating: "*a\(level - 1)", count: 10).joined(separator: ", ") + "]\n" }
        #expect(problems(yaml) == ["line 5: aliases stand for more than 100000 values here: write fewer aliases"])
    }

    /// Each line nests one level deeper than the one before. As keys, these values would even be compared, not only walked through.
    @Test func aliasesCannotMakeADocumentDeep() {
        var values = "a0: &a0 [x]\n", keys = "? &a0 [x]\n: 1\n"
        for level in 1...50_000 {
            values += "a\(level): &a\(level) [*a\(level - 1)]\n"
            keys += "? &a\(level) [*a\(level - 1)]\n: 1\n"
        }
        #expect(problems(values) == ["line 32: lists and maps are more than 32 deep here"])
        #expect(problems(keys) == ["line 1: a key must be a word, not a list, a map or an alias"])
    }

    @Test func depthIsLimited() {
        for opening in ["[", "{a: ", "- ", "? "] {
            for count in [33, 513, 1_001, 100_000] {
                #expect(problems(String(repeating: opening, count: count)).count == 1, "\(count) times \(opening)")
            }
        }
        #expect(problems(String(repeating: "[", count: 33)) == ["line 1: lists and maps are more than 32 deep here"])
    }

    @Test func lengthIsLimited() {
        #expect(problems("# " + String(repeating: "x", count: 16 << 20)) == ["this document is larger than 16 MiB: write a shorter one"])
    }

    @Test func manyProblemsAreCountedNotTold() {
        let keys = (0..<200_000).map { "x\($0): 1\n" }.joined()
        let sentences = problems(keys)
        #expect(sentences.count == 101)
        #expect(sentences.last == "and 199900 more like these")
        #expect(sentences[99].hasPrefix("line 100: x99: "))
        let twins = problems(String(repeating: "a: 1\n", count: 50_000))
        #expect(twins.count == 101)
        #expect(twins.last?.hasSuffix("more like these") == true)
    }

    @Test func sentencesAreBoundedHoweverLongAWordIs() {
        let word = String(repeating: "x", count: 1 << 20)
        for yaml in ["\(word): 1", "bridges: [{name: \(word)}]", "bridges: [{name: b, rate: \(word)}]", "bridges: [{name: b, overhead: \(word)}]"] {
            let sentences = problems(yaml)
            #expect(sentences.count == 1)
            #expect(sentences.allSatisfy { $0.utf8.count < 5_000 })
        }
    }

    @Test func aliasesStandForWhatTheyName() throws {
        let yaml = """
            bridges: [{name: br0, rate: 10gbit}]
            ports:
              - {name: a, type: tap, bridge: br0, interface: a}
              - {name: b, type: tap, bridge: br0, interface: b}
            guests:
              - {name: a, port: a, inbound: &gold {floor: 1gbit}}
              - {name: b, port: b, inbound: *gold}
            """
        #expect(try Model.checked(yaml: yaml).guests.map(\.inbound.floor) == [1_000_000_000, 1_000_000_000])
    }

    /// Each mistake is reported by one sentence of ours: the line, the column, what stands there, and what to write instead.
    @Test(arguments: [
        (
            "bridges:\n  - name: br0\n   rate: 1gbit\n",
            "line 3: this is not YAML: column 4: 'rate: 1gbit' is indented as nothing above it: the list that begins in line 2 has its items at column 3,"
                + " each behind a '-', and a key stands below the one beside it; indent with spaces"
        ),
        (
            "bridges:\n  - name: br0\n ports: []\n",
            "line 3: this is not YAML: column 2: 'ports: []' is indented as nothing above it: the map that begins in line 1 has its keys at column 1; indent"
                + " with spaces"
        ),
        (
            "bridges: [{name: br0\nports: []\n",
            "line 2: this is not YAML: column 6: ': []' stands before the '{' in line 1, column 11 is closed: write '}', or a ',' before another entry"
        ),
        ("bridges: [{name: br0\n", "line 2: this is not YAML: column 1: the document ends, and the '{' in line 1, column 11 is not closed: write '}'"),
        ("bridges: [{name: br0}\n", "line 2: this is not YAML: column 1: the document ends, and the '[' in line 1, column 10 is not closed: write ']'"),
        (
            "bridges: [{name: br0]\n",
            "line 1: this is not YAML: column 21: ']' stands before the '{' in line 1, column 11 is closed: write '}', or a ',' before another entry"
        ),
        (
            "bridges: [a b: c d} e]\n",
            "line 1: this is not YAML: column 19: '} e]' stands before the '[' in line 1, column 10 is closed: write ']', or a ',' before another entry"
        ),
        ("bridges:\n\t- name: br0\n", "line 2: this is not YAML: column 1: a tab stands here: YAML is indented with spaces alone"),
        ("bridges: @br0\n", "line 1: this is not YAML: column 10: no value begins with '@': put '@br0' in quotes"),
        (
            "bridges:\n  - name: br0: x\n",
            "line 2: this is not YAML: column 14: the ': ' in '- name: br0: x' makes no key here: put a value that has one in quotes, give each key a line of its own, and look"
                + " at the line before"
        ),
        (
            "bridges: []\nports\nguests: []\n",
            "line 2: this is not YAML: column 1: 'ports' stands where a key does, and has no ': ' behind it: write KEY: VALUE, with a space"
        ),
        ("bridges: - br0\n", "line 1: this is not YAML: column 10: the list item '- br0' cannot stand here: begin it on a line of its own, below its key"),
        ("bridges: \"br0\n", "line 2: this is not YAML: column 1: the document ends, and the quote in line 1, column 10 is not closed: write another one"),
        (
            "bridges: \"br\\0\\q\"\n",
            "line 1: this is not YAML: column 15: '\\q\"' is no escape that double quotes know: write two backslashes for one, or single quotes"
        ),
        ("bridges: ]\n", "line 1: this is not YAML: column 10: ']' stands where a value is expected: look for a bracket too many, or a value that is missing"),
        ("bridges: *\n", "line 1: this is not YAML: column 11: a '*' or '&' begins an alias's name, and none follows: put a value that begins so in quotes"),
        ("bridges: []\n]\n", "line 2: this is not YAML: column 1: ']' closes nothing: look for a bracket too many"),
        ("bridges:\n  - name: \"br0\" x\n", "line 2: this is not YAML: column 17: 'x' stands behind a value that has ended: put all of a value in quotes, or give each key a line of its own"),
        ("bridges: []\n---\nports: []\n", "line 2: a second document begins here, and one is read: take it away"),
        (
            "br0\nbridges: []\n",
            "line 2: this is not YAML: column 8: the ': ' in 'bridges: []' makes no key here: put a value that has one in quotes, give each key a line of its own, and look"
                + " at the line before"
        ),
        ("bridges: []\nports: [\u{7}]\n", "line 2: this is not YAML: column 9: the control character U+0007 stands here: take it away"),
        // The last line has no end, so there is none behind it.
        ("bridges: [{name: br0 #", "line 1: this is not YAML: column 23: the document ends, and the '{' in line 1, column 11 is not closed: write '}'"),
        ("bridges:\r\n  - name: \"br0\" x\r\n", "line 2: this is not YAML: column 17: 'x' stands behind a value that has ended: put all of a value in quotes, or give each key a line of its own"),
        ("a: b\rbridges: ]\r", "line 2: this is not YAML: column 10: ']' stands where a value is expected: look for a bracket too many, or a value that is missing"),
        ("a: b\r\n\r\nports: [\u{7}]\r\n", "line 3: this is not YAML: column 9: the control character U+0007 stands here: take it away"),
        ("bridges: !<tag\n", "line 1: this is not YAML: column 15: what stands here is not understood: look at the brackets, quotes and indentation of this line and the one before"),
    ])
    func malformedYAMLSaysWhereAndWhat(_ yaml: String, _ sentence: String) { #expect(problems(yaml) == [sentence]) }

    @Test func problemsOfTheWholeHaveLinesToo() {
        let yaml = "bridges:\n  - name: br0\nports:\n  - name: t\n    type: tap\n    bridge: br1\n    interface: tap0\n"
        #expect(problems(yaml) == ["line 6: ports[0].bridge: there is no bridge br1: did you mean br0?"])
    }
}
