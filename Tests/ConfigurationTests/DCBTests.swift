import Configuration
import Testing

@Suite("DCB and LLDP of physical ports")
struct DCBTests {
    private static func yaml(_ keys: String) -> String {
        """
        bridges: [{name: br0}]
        ports:
          - {name: up, type: physical, bridge: br0, device: eth1\(keys.isEmpty ? "" : ", " + keys)}
        """
    }

    private static func port(_ keys: String) throws -> PortSettings { try Model.checked(yaml: yaml(keys)).ports[0] }

    private static func refusal(_ keys: String) -> String {
        do {
            _ = try Model.checked(yaml: yaml(keys))
            return "accepted"
        } catch { return "\(error)" }
    }

    static let all = """
        dcb: {ets: {willing: true, tc-tsa: [ets, ets, strict], tc-bw: [60, 40, 0], prio-tc: [0, 0, 0, 1, 2, 0, 0, 0], reco-tc-tsa: [ets], reco-tc-bw: [100]}, \
        pfc: {willing: true, prio-pfc: [3]}, app: {willing: true, default-prio: 1, ethtype-prio: ["0x8906:3"], stream-port-prio: ["3260:4"], \
        dgram-port-prio: ["4791:5"], port-prio: ["53:2"], dscp-prio: ["26:3"]}}
        """

    @Test("dcb is a flag, or a map of features; what is written is read as the same")
    func reading() throws {
        #expect(try Self.port("").dcb && Self.port("").dcbx == DCBSettings() && Self.port("").lldpInUse == .rx)
        #expect(try !Self.port("dcb: false").dcb && Self.port("dcb: on").dcb && Self.port("lldp: on").lldpInUse == .on)
        let port = try Self.port(Self.all)
        #expect(port.dcb && port.dcbx.ets?.willing == true && port.dcbx.ets?.sharing.algorithms == [.ets, .ets, .strict])
        #expect(port.dcbx.ets?.recommended?.bandwidths == [100])
        #expect(port.dcbx.pfc?.priorities == [3] && port.dcbx.app?.standard == 1 && port.dcbx.app?.etherTypes == [AppPriority(0x8906, priority: 3)])
        for keys in ["", "dcb: false", "dcb: {}", "dcb: {pfc: {}}", Self.all, "lldp: off, management-addresses: [192.0.2.1, \"2001:db8::1\"]"] {
            let model = try Model.checked(yaml: Self.yaml(keys))
            #expect(try Model.checked(yaml: model.yaml) == model, "\(keys)")
        }
    }

    @Test("the same by the words of the command line, which change single keys and leave the others")
    func words() throws {
        var model = try Model.checked(yaml: Self.yaml(""))
        func set(_ words: String) throws { model = try model.edited("port", "set", ["up"] + words.split(separator: " ").map(String.init)) }
        try set("dcb ets willing on tc-tsa ets,ets,strict tc-bw 60,40,0 prio-tc 0,0,0,1,2,0,0,0 reco-tc-tsa ets reco-tc-bw 100 pfc prio-pfc 3 mtu 9000")
        try set("dcb pfc willing on")
        try set("dcb app willing on default-prio 1 ethtype-prio 0x8906:3 stream-port-prio 3260:4 dgram-port-prio 4791:5 port-prio 53:2 dscp-prio 26:3 lldp on")
        var expected = try Self.port(Self.all)
        (expected.mtu, expected.lldp) = (9_000, .on)
        #expect(model.ports[0] == expected)
        try set("dcb ets tc-bw 70,30")
        #expect(model.ports[0].dcbx.ets?.sharing.bandwidths == [70, 30] && model.ports[0].dcbx.ets?.willing == true && model.ports[0].dcbx.pfc != nil)
        try set("dcb pfc none")
        #expect(model.ports[0].dcbx.pfc == nil && model.ports[0].dcbx.ets != nil)
        try set("dcb off")
        #expect(!model.ports[0].dcb && model.ports[0].dcbx == DCBSettings())
        try set("dcb none")
        #expect(model.ports[0].dcb)
    }

    @Test("a template stands for what is not written; buffers are by number; a port may be trusted")
    func templates() throws {
        let written = try Self.port("dcb: {template: converged, pfc: {prio-pfc: [3]}}")
        #expect(written.dcbx.ets == nil && written.dcbInUse.pfc == written.dcbx.pfc && written.isByPriority)
        #expect(written.dcbInUse.ets?.sharing.bandwidths == [40, 40, 20] && written.dcbInUse.app?.streamPorts == [AppPriority(3_260, priority: 4)])
        #expect(try Self.port("dcb: {template: none}").dcbInUse == DCBSettings())
        let port = try Self.port("dcb: {pause: on, buffer: {prio-buffer: [0, 0, 0, 2], buffer-size: [0kib, 64kib, 512kib]}}, trust: dscp, dscp-prio: [\"26:3\"]")
        #expect(port.isByPriority && port.dcbx.buffer?.size(of: 3) == 512 << 10 && port.dcbx.buffer?.size(of: 0) == nil && port.dcbx.buffer?.size(of: 4) == nil)
        #expect(port.trust == .dscp && port.dscpPriorities == [AppPriority(26, priority: 3)])
        for keys in ["dcb: {template: converged, ets: {willing: true}}", "dcb: {buffer: {buffer-size: [\"all:64kib\"]}, pause: true}", "trust: pcp, dscp-prio: [\"1:2\"]"] {
            let model = try Model.checked(yaml: Self.yaml(keys))
            #expect(try Model.checked(yaml: model.yaml) == model, "\(keys)")
        }
        var model = try Model.checked(yaml: Self.yaml(""))
        model = try model.edited("port", "set", "up dcb template converged buffer prio-buffer 3:1,4:1 buffer-size 1:1mib trust pcp".split(separator: " ").map(String.init))
        #expect(model.ports[0].dcbInUse.pfc?.priorities == [3, 4] && model.ports[0].dcbx.buffer?.size(of: 3) == 1 << 20 && model.hasTrust)
        #expect(model.ports[0].dcbx.buffer?.size(of: 4) == 1 << 20 && model.ports[0].dcbx.buffer?.size(of: 1) == 1 << 20)
    }

    @Test("lossless priorities give guests a class for each protocol towards them, too; trust gives the protocol table a row for each priority")
    func classes() throws {
        func paths(_ keys: String) throws -> [[String]] {
            let model = try Model.checked(yaml: Self.yaml(keys) + "\n  - {name: vm1, type: vhost, bridge: br0, socket: /run/vm1.sock}\nguests: [{name: vm1, port: vm1}]\n")
            var ids = ClassIDs()
            return trees(of: model, ids: &ids).map { $0.classes.map(\.path) }
        }
        let protocols = ["fcoe", "fip", "iscsi", "nvme-tcp", "roce", "rocev2"]
        let all = ["vm1"] + protocols.map { "vm1/\($0)" } + ["vm1/default"]
        #expect(try paths("") == [["vm1"], ["vm1"]] && paths("dcb: {ets: {}}") == [["vm1"], all] && paths("dcb: {pfc: {}}") == [all, all])
        #expect(try paths("dcb: {template: converged}") == [all, all] && paths("trust: pcp") == [["vm1"], ["vm1"]])
        let trusted = try paths("dcb: {pfc: {}}, trust: pcp")
        #expect(trusted[0].count == all.count + 8 && trusted[0].contains("vm1/priority-7"))
        #expect(try Model.checked(yaml: Self.yaml("trust: dscp")).protocolTable.suffix(8).map(\.pcp) == Array(0...7))
    }

    @Test("lists are also changed by number, as dcb(8) has it")
    func numbers() throws {
        var model = try Model.checked(yaml: Self.yaml(""))
        func set(_ words: String) throws { model = try model.edited("port", "set", ["up", "dcb"] + words.split(separator: " ").map(String.init)) }
        try set("ets tc-tsa 0:ets,1:ets tc-bw 0:60,1:40 prio-tc all:0,4:1 pfc prio-pfc all:off,3:on,5:on")
        #expect(model.ports[0].dcbx.ets?.sharing.bandwidths == [60, 40, 0, 0, 0, 0, 0, 0] && model.ports[0].dcbx.pfc?.priorities == [3, 5])
        #expect(model.ports[0].dcbx.ets?.sharing.classes == [0, 0, 0, 0, 1, 0, 0, 0])
        #expect(model.ports[0].dcbx.ets?.sharing.algorithms.prefix(3) == [.ets, .ets, .strict])
        try set("ets tc-bw 0:30,1:70 pfc prio-pfc 5:off")
        #expect(model.ports[0].dcbx.ets?.sharing.bandwidths.prefix(2) == [30, 70] && model.ports[0].dcbx.pfc?.priorities == [3])
        try set("pfc prio-pfc all:off")
        #expect(model.ports[0].dcbx.pfc?.priorities == [])
        for (words, sentence) in [
            ("ets tc-bw 8:10", "'8:10' is not about one of 0 to 7, or all: write tc-bw 1:10"), ("ets tc-bw 0:101", "0 to 100"),
            ("ets tc-tsa x:ets", "write tc-tsa 1:ets"), ("pfc prio-pfc 3:maybe", "'maybe' is neither true nor false"), ("ets tc-bw 0:10,20", "'0:10'"),
        ] {
            #expect { try set(words) } throws: { "\($0)".contains(sentence) }
        }
    }

    @Test("what is wrong is told with what to write instead", arguments: [
        ("dcb: maybe", "'maybe' is neither true nor false"), ("dcb: {etz: {}}", "did you mean 'ets'"), ("lldp: true", "'true' is not off or rx or tx or on"),
        ("dcb: {ets: {tc-tsa: [ets, ets], tc-bw: [60, 30]}}", "add up to 100"), ("dcb: {ets: {tc-bw: [10]}}", "add up to 100"),
        ("dcb: {ets: {reco-tc-tsa: [ets]}}", "add up to 100"), ("dcb: {ets: {prio-tc: [0, 0, 0, 0, 0, 0, 0, 0, 0]}}", "eight traffic classes"),
        ("dcb: {ets: {prio-tc: [8]}}", "'8' is not a whole number from 0 to 7"), ("dcb: {ets: {tc-tsa: [fair]}}", "'fair' is not strict or ets"),
        ("dcb: {pfc: {prio-pfc: [3, 3]}}", "stands twice"), ("dcb: {app: {ethtype-prio: [\"1500:3\"]}}", "write 0x8906:3"),
        ("dcb: {app: {stream-port-prio: [3260]}}", "write 3260:4"), ("dcb: {app: {dscp-prio: [\"26:8\"]}}", "write 26:3"),
        ("dcb: {app: {port-prio: [\"53:1\", \"53:2\"]}}", "stands twice"), ("management-addresses: [10.0.0.0/8]", "no address of a host"),
    ])
    func refusals(_ keys: String, _ sentence: String) {
        #expect(Self.refusal(keys).contains(sentence), "\(Self.refusal(keys))")
    }

    @Test("only physical ports have these keys, and those of LLDP taps as well, where it is off by default", arguments: [
        ("lldp: on", true), ("management-addresses: [192.0.2.1]", true), ("dcb: {pfc: {}}", false),
    ])
    func kinds(_ keys: String, _ hasTap: Bool) throws {
        func yaml(_ kind: String) -> String { "bridges: [{name: br0}]\nports: [{name: t, bridge: br0, \(kind), \(keys)}]" }
        let tap = yaml("type: tap, interface: tap0")
        if hasTap {
            #expect(try Model.checked(yaml: tap).ports[0].lldpInUse == (keys == "lldp: on" ? .on : .off))
        } else {
            #expect { try Model.checked(yaml: tap) } throws: { "\($0)".contains("belongs to physical ports") }
        }
        #expect { try Model.checked(yaml: yaml("type: vhost, socket: /v")) } throws: { "\($0)".contains("belongs to physical ") }
    }
}
