import Configuration
import Filters
import Testing

@Suite("Filters in the configuration") struct FilterTests {
    private static let base = """
        bridges: [{name: br0}]
        ports: [{name: vm1, type: tap, bridge: br0, interface: t1}]
        filters:
          - name: no-smtp
            rules: [{allow: "src host 10.0.0.9"}, {deny: tcp dst port 25 and not dst net 10.0.0.0/8}]
          - {name: closed, default: deny}

        """

    private func told(_ text: String) -> String {
        do { return try Model(yaml: text).problems.map(\.description).joined(separator: "\n") } catch { return "\(error)" }
    }

    @Test("filters and what ports say of them are read and written")
    func roundTrip() throws {
        let ports = "ports: [{name: vm1, type: tap, bridge: br0, interface: t1, filter: {outbound: no-smtp, inbound: closed}, addresses: [10.0.0.5, \"2001:DB8::5\", 10.1.2.3/16], dhcp-guard: on, ra-guard: true}]"
        let model = try Model(yaml: Self.base.replacing("ports: [{name: vm1, type: tap, bridge: br0, interface: t1}]", with: ports))
        #expect(model.problems.isEmpty)
        #expect(model.filters.map(\.name) == ["no-smtp", "closed"] && model.filters.map(\.standard) == [.allow, .deny])
        #expect(model.filters[0].rules == [FilterRule(.allow, "src host 10.0.0.9"), FilterRule(.deny, "tcp dst port 25 and not dst net 10.0.0.0/8")])
        #expect(model.ports[0].filter.inbound == "closed" && model.ports[0].filter.outbound == "no-smtp")
        #expect(model.ports[0].addresses.map(\.description) == ["10.0.0.5", "2001:db8::5", "10.1.0.0/16"])
        #expect(model.ports[0].dhcpGuard && model.ports[0].raGuard)
        #expect(try Model(yaml: model.yaml) == model)
        let unset = try model.edited("port", "set", ["vm1", "filter", "none", "addresses", "none", "dhcp-guard", "off", "ra-guard", "default"])
        #expect(try unset.ports == Model(yaml: Self.base).ports)
    }

    /// libpcap takes time that grows with the square of the length: minutes for 256 KiB, in which no other configuration could be read.
    @Test("an expression is at most 4096 bytes long, in rules and in mirrors")
    func longExpressions() throws {
        func expression(_ bytes: Int) -> String { "arp" + String(repeating: " or arp", count: (bytes - 3) / 7) + String(repeating: " ", count: (bytes - 3) % 7) }
        #expect(told(Self.base + "  - {name: long, rules: [{deny: \"\(expression(4_096))\"}]}\n") == "")
        let sentence = "an expression has at most 4096 bytes, and 'arp or arp or arp or arp or arp or arp o...' has 4097: write several rules, or networks instead of addresses"
        #expect(told(Self.base + "  - {name: long, rules: [{deny: \"\(expression(4_097))\"}]}\n") == "filters[2].rules[0]: " + sentence)
        #expect(told(Self.base + "mirrors: [{name: m, port: vm1, to: vm1, filter: \"\(expression(4_097))\"}]\n").contains("mirrors[0].filter: " + sentence))
        #expect(told(Self.base + "  - {name: long, rules: [{deny: \"\(expression(8 << 20))\"}]}\n").contains("has \(8 << 20): write several rules"))
        #expect(throws: (any Error).self) { try PacketExpression.program(of: expression(4_097)) }
    }

    @Test("filters change by words: rules in their order, after those there are behind append, instead of them without")
    func words() throws {
        var model = try Model(yaml: Self.base)
        model = try model.edited("filter", "add", ["web", "default", "deny", "allow", "tcp dst port 80", "allow", "tcp dst port 443"])
        #expect(model.filters[2].rules.map(\.expression) == ["tcp dst port 80", "tcp dst port 443"] && model.filters[2].standard == .deny)
        model = try model.edited("filter", "set", ["web", "append", "deny", "udp"])
        #expect(model.filters[2].rules.last == FilterRule(.deny, "udp") && model.filters[2].rules.count == 3)
        model = try model.edited("filter", "set", ["web", "default", "none", "deny", "icmp"])
        #expect(model.filters[2].rules == [FilterRule(.deny, "icmp")] && model.filters[2].standard == .allow)
        model = try model.edited("port", "set", ["vm1", "filter", "outbound", "web"])
        #expect(throws: ConfigurationError("", "the filter web is in use by port vm1: delete or change those first")) { try model.edited("filter", "del", ["web"]) }
        // Setting the filter of one direction keeps that of the other.
        model = try model.edited("port", "set", ["vm1", "filter", "inbound", "closed"])
        #expect(model.ports[0].filter.outbound == "web")
        model = try model.edited("port", "set", ["vm1", "filter", "outbound", "none"]).edited("filter", "del", ["web"])
        #expect(model.filters.map(\.name) == ["no-smtp", "closed"])
        #expect(throws: ConfigurationError.self) { try model.edited("filter", "set", ["closed", "rules", "tcp"]) }
        #expect(try model.edited("filter", "set", ["no-smtp", "rules", "none"]).filters[0].rules.isEmpty)
    }

    @Test("a guest of a filtered port changes as any other")
    func guestOfFilteredPort() throws {
        let guest = "guests: [{name: g1, port: vm1, macs: [\"52:54:00:00:00:01\"]}]\n"
        var running = Running()
        running.adopt(try running.changed(to: Model(yaml: Self.base + guest).edited("port", "set", ["vm1", "filter", "outbound", "no-smtp"])))
        guard case .local = try running.edited("guest", "set", ["g1", "inbound", "ceiling", "1gbit"]) else {
            Issue.record("the whole configuration was worked out anew for a guest")
            return
        }
    }

    @Test("what is wrong with an expression is told in a whole sentence", arguments: [
        ("tcp dst port", "the expression 'tcp dst port' is refused: can't parse filter expression: syntax error (pcap-filter(7) has what may be written)"),
        ("tcp port 99999", "illegal port number 99999 > 65535"), ("tcp dst port 25 and udp", "expression rejects all packets"),
        ("src host mail.example", "mail.example is no word of pcap-filter(7), and as a host's name it would be looked up but once: write an address"),
        ("port smtp and dst gone", "gone is no word"), ("inbound", "it asks for what only a capture knows"), ("ip6 protochain 6", "it has a loop (protochain)"),
        ("ether[70000] = 1", "it looks at a place, 70000, that no frame has"),
    ])
    func faults(expression: String, sentence: String) {
        let text = told("filters: [{name: f, rules: [{allow: ip}, {deny: \"\(expression)\"}]}]\n")
        #expect(text.contains("filters[0].rules[1]: ") && text.contains(sentence), "\(text)")
    }

    @Test("names of ports and protocols, addresses of all kinds and all of libpcap's words are none of hosts", arguments: [
        "tcp dst port smtp or http", "ip proto \\tcp", "ether host aa:bb:cc:dd:ee:ff", "ip6 src net fe80::/10", "tcp[tcpflags] & (tcp-syn|tcp-fin) != 0", "icmp[icmptype] = icmp-echo",
        "ether proto 0x88b5 or arp or rarp", "less 64 or greater 1500", "vlan 7 and ip", "src net 10.0.0.0 mask 255.0.0.0", "not ip multicast", "stp", "portrange 6000-6008", "",
    ])
    func good(expression: String) { #expect(PacketExpression.fault(of: expression) == nil) }

    @Test("the rest of what can be wrong, too", arguments: [
        ("filters: [{name: f, rules: [{drop: ip}]}]", "a rule is allow or deny with one expression, not a map: write {deny: tcp dst port 25}"),
        ("filters: [{name: f, rules: [tcp]}]", "a rule is allow or deny with one expression, not 'tcp'"), ("filters: [{name: f, default: drop}]", "'drop' is not allow or deny"),
        ("filters: [{name: f}, {name: f}]", "the filter f is there already"), ("filters: [{name: none}]", "'none' has a meaning of its own"),
        ("bridges: [{name: b}]\nports: [{name: p, type: tap, bridge: b, interface: t, filter: {inbound: smtp}}]\nfilters: [{name: smpt}]", "there is no filter smtp: did you mean smpt?"),
        ("bridges: [{name: b}]\nports: [{name: p, type: tap, bridge: b, interface: t, addresses: [10.0.0.256]}]", "'10.0.0.256' is no IPv4 or IPv6 address and no network"),
        ("bridges: [{name: b}]\nports: [{name: p, type: tap, bridge: b, interface: t, addresses: [10.0.0.0/33]}]", "'10.0.0.0/33' is no IPv4"),
        ("bridges: [{name: b}]\nports: [{name: p, type: tap, bridge: b, interface: t, addresses: [10.0.0.1, 10.0.0.1]}]", "10.0.0.1 stands twice"),
    ])
    func refused(yaml: String, sentence: String) {
        let text = told(yaml + "\n")
        #expect(text.contains(sentence), "\(text)")
    }

    @Test("a change of filters is told")
    func plan() throws {
        let old = try Model(yaml: Self.base)
        let new = try old.edited("filter", "set", ["closed", "default", "allow"]).edited("filter", "add", ["f", "deny", "udp"]).edited("port", "set", ["vm1", "filter", "outbound", "f"])
            .edited("filter", "del", ["no-smtp"])
        #expect(diff(from: old, to: new).lines(from: old, to: new) == [
            "+ filter f rules {deny udp}", "~ filter closed default deny -> default", "~ port vm1 filter default -> {outbound f}", "- filter no-smtp",
        ])
    }
}
