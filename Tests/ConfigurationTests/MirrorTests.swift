import Configuration
import TestSupport
import Testing

@Suite("Mirrors in the configuration") struct MirrorTests {
    private static let base = """
        bridges: [{name: br0, rate: 1gbit}, {name: watch}]
        ports:
          - {name: vm1, type: tap, bridge: br0, interface: t1}
          - {name: vm2, type: tap, bridge: br0, interface: t2}
          - {name: up, type: physical, bridge: br0, device: eth1, rate: 1gbit}
          - {name: mon0, type: tap, bridge: watch, interface: t3}
        groups: [{name: tenant, bridge: br0}]
        guests:
          - {name: g1, port: vm1, macs: ["52:54:00:00:00:01"], group: tenant, outbound: {floor: 400mbit}, protocols: {iscsi: {outbound: {floor: 100mbit}}}}
          - {name: g2, port: vm2, macs: ["52:54:00:00:00:02"]}

        """
        .replacing("{name: tenant, bridge: br0}", with: "{name: tenant, bridge: br0, outbound: {floor: 500mbit}}")

    private static let all = """
        mirrors:
          - {name: m1, port: vm1, direction: in, filter: tcp port 80, truncate: 128, rate: 100mbit, to: mon0}
          - {name: m2, guest: g2, direction: outbound, rate: 10kpps, gre: {remote: 192.0.2.9, local: 192.0.2.1, via: up, mac: "52:54:00:00:00:99"}}
          - {name: m3, class: g1/iscsi, erspan: {remote: "2001:DB8::9", local: "2001:db8::1", via: up, mac: "52:54:00:00:00:99", source-mac: "52:54:00:00:00:98", vlan: 7, session: 9}}

        """

    private func told(_ text: String) -> String { problems(Self.base + text).joined(separator: "\n") }

    @Test("mirrors are read and written, and what they name is looked for")
    func roundTrip() throws {
        let model = try Model.checked(yaml: Self.base + Self.all)
        #expect(model.mirrors.map(\.source) == [.port("vm1"), .guest("g2"), .class("g1/iscsi")])
        #expect(model.mirrors.map(\.direction) == [.in, .outbound, .both])
        #expect(model.mirrors.map(\.rate) == [.bits(100_000_000), .packets(10_000), nil])
        #expect(model.mirrors[0].filter == "tcp port 80" && model.mirrors[0].truncate == 128 && model.mirrors[0].target == .port("mon0"))
        guard case .gre(let gre) = model.mirrors[1].target, case .erspan(let erspan, let session) = model.mirrors[2].target else {
            Issue.record("tunnels went")
            return
        }
        #expect(gre.source.description == "02:53:c0:00:02:01" && gre.via == "up" && gre.vlan == nil)
        #expect(erspan.remote.description == "2001:db8::9" && erspan.source.description == "52:54:00:00:00:98" && erspan.vlan == 7 && session == 9)
        #expect(try Model(yaml: model.yaml) == model)
    }

    @Test("mirrors change by words; another source or target takes the place of the one there was")
    func words() throws {
        var model = try Model.checked(yaml: Self.base)
        model = try model.edited("mirror", "add", ["m1", "port", "vm1", "to", "mon0"])
        #expect(model.mirrors[0].direction == .both)
        model = try model.edited("mirror", "set", ["m1", "guest", "g1", "direction", "inbound", "rate", "1kpps", "filter", "tcp port 80"])
        #expect(model.mirrors[0].source == .guest("g1") && model.mirrors[0].rate == .packets(1_000) && model.mirrors[0].target == .port("mon0"))
        model = try model.edited("mirror", "set", ["m1", "erspan", "remote", "192.0.2.9", "local", "192.0.2.1", "via", "up", "mac", "52:54:00:00:00:99"])
        guard case .erspan(_, session: 1) = model.mirrors[0].target else { Issue.record("\(model.mirrors[0].target)"); return }
        model = try model.edited("mirror", "set", ["m1", "erspan", "session", "7", "rate", "none", "filter", "none"])
        guard case .erspan(let tunnel, session: 7) = model.mirrors[0].target else { Issue.record("\(model.mirrors[0].target)"); return }
        #expect(tunnel.via == "up" && model.mirrors[0].rate == nil && model.mirrors[0].filter == nil)
        #expect(throws: ConfigurationError("", "the port up is in use by mirror m1: delete or change those first")) { try model.edited("port", "del", ["up"]) }
        #expect(throws: ConfigurationError("", "the guest g1 is in use by mirror m1: delete or change those first")) { try model.edited("guest", "del", ["g1"]) }
        #expect(throws: ConfigurationError("", "up:mirrors is for what mirrors copy to port up: limit that with mirror set m1 rate 100mbit")) {
            try model.edited("class", "set", ["up:mirrors", "dir", "outbound", "ceiling", "1gbit"])
        }
        #expect(try model.edited("mirror", "del", ["m1"]).mirrors.isEmpty)
    }

    @Test("copies have a leaf of their own in the tree of the port that they leave by, and take nothing that others count on")
    func leaf() throws {
        let model = try Model.checked(yaml: Self.base + Self.all), plain = try Model.checked(yaml: Self.base)
        var ids = ClassIDs()
        let made = trees(of: model, ids: &ids)
        var own = ClassIDs()
        let before = trees(of: plain, ids: &own)
        for (tree, was) in zip(made, before) {
            let leaves = tree.classes.filter(\.isForMirrors)
            #expect(leaves.map(\.path) == (tree.name == "up" ? ["up:mirrors"] : tree.name == "watch" ? ["mon0:mirrors"] : []))
            #expect(leaves.allSatisfy { $0.isLeaf && $0.settings.floor == 0 && $0.settings.priority == 7 })
            // The queues of other classes keep their lengths.
            for item in was.classes { #expect(tree.classes.first { $0.path == item.path }?.settings == item.settings, "\(item.path)") }
        }
        let up = try #require(made.first { $0.name == "up" })
        let iscsi = try #require(up.classes.first { $0.path == "tenant/g1/iscsi" })
        #expect(model.mirroredLeaves(of: up) == [iscsi.id: ["m3"]])
        var group = model
        group.mirrors = [MirrorSettings(name: "m", source: .class("tenant"), target: .port("mon0"))]
        #expect(Set(group.mirroredLeaves(of: up).keys) == Set(up.classes.filter { $0.isLeaf && $0.path.hasPrefix("tenant/") }.map(\.id)))
        #expect(group.mirroredLeaves(of: made[0]).count == 1)
    }

    @Test("what does not go together is refused, and what to write instead is told", arguments: [
        ("{name: m, to: mon0}", "a mirror copies the frames of one port, guest or class: write port vm1, guest vm1 or class vm1/iscsi"),
        ("{name: m, port: vm1, guest: g1, to: mon0}", "of one port, guest or class"),
        ("{name: m, port: vm1}", "a mirror needs a place for its copies: write to: mon0, or erspan or gre with remote, local, via and mac"),
        ("{name: m, port: vm1, to: mon0, gre: {remote: 192.0.2.9, local: 192.0.2.1, via: up, mac: \"52:54:00:00:00:99\"}}", "a mirror's copies go to one place: write one of to, gre and erspan"),
        ("{name: m, port: vm1, gre: {remote: 192.0.2.9}}", "gre needs local, via, mac: write the addresses of both ends"),
        ("{name: m, port: vm1, gre: {remote: 192.0.2.9/24, local: 192.0.2.1, via: up, mac: \"52:54:00:00:00:99\"}}", "'192.0.2.9/24' is no IPv4 or IPv6 address"),
        ("{name: m, port: vm1, gre: {remote: 192.0.2.9, local: \"2001:db8::1\", via: up, mac: \"52:54:00:00:00:99\"}}", "2001:db8::1 and 192.0.2.9 are of two families"),
        ("{name: m, port: vm1, gre: {remote: 192.0.2.9, local: 192.0.2.1, via: up, mac: \"00:00:00:00:00:00\"}}", "no station has the address 00:00:00:00:00:00"),
        ("{name: m, port: vm1, gre: {remote: 192.0.2.9, local: 192.0.2.1, via: up, mac: \"52:54:00:00:00:99\", session: 3}}", "'session' belongs to erspan, not to gre: leave it out"),
        ("{name: m, port: vm9, to: mon0}", "there is no port vm9: did you mean vm1?"), ("{name: m, guest: g9, to: mon0}", "there is no guest g9: did you mean g1?"),
        ("{name: m, class: g9, to: mon0}", "there is no class g9: did you mean g1?"), ("{name: m, class: g2/iscsi, to: mon0}", "there is no class g2/iscsi"),
        ("{name: m, class: iscsi, direction: inbound, to: mon0}", "there is no inbound class iscsi"),
        ("{name: m, port: vm1, to: mon1}", "there is no port mon1: did you mean mon0?"), ("{name: m, port: vm1, direction: inbound, to: mon0}", "of a port, direction is in (what comes in by it)"),
        ("{name: m, guest: g1, direction: in, to: mon0}", "of a guest, direction is inbound (towards the guest)"),
        ("{name: m, port: vm1, to: vm1}", "they are the frames of port vm1, and copies may not go where they are made: name another port"),
        ("{name: m, guest: g1, to: vm1}", "guest g1 is behind port vm1, and copies may not go"), ("{name: m, class: tenant, to: vm1}", "frames of class tenant go to port vm1, and copies"),
        ("{name: m, class: g1, to: up}", "frames of class g1 go to port up, and copies may not go"), ("{name: m, port: vm1, truncate: 10, to: mon0}", "'10' is not a whole number from 14 to 65535"),
        ("{name: m, port: vm1, rate: 1, to: mon0}", "rate 1 has no unit"), ("{name: m, port: vm1, filter: tcp prt 80, to: mon0}", "the expression 'tcp prt 80' is refused"),
        ("{name: m, port: vm1, to: mon0}, {name: m, port: vm2, to: mon0}", "the mirror m is there already"),
    ])
    func refused(mirrors: String, sentence: String) {
        let text = told("mirrors: [\(mirrors)]\n")
        #expect(text.contains(sentence), "\(text)")
    }

    @Test("a class's frames may leave by its own uplink again inside a tunnel")
    func tunnelOverTheUplink() {
        #expect(told("mirrors: [{name: m, class: g1, direction: outbound, gre: {remote: 192.0.2.9, local: 192.0.2.1, via: up, mac: \"52:54:00:00:00:99\"}}]\n").isEmpty)
    }

    @Test("a change of mirrors is told, and a guest whose class is mirrored stays")
    func plan() throws {
        let old = try Model.checked(yaml: Self.base + Self.all)
        let new = try old.edited("mirror", "set", ["m1", "rate", "none", "to", "vm2"]).edited("mirror", "del", ["m2"]).edited("mirror", "add", ["m4", "guest", "g1", "to", "mon0"])
        #expect(diff(from: old, to: new).lines(from: old, to: new) == [
            "- mirror m2", "+ mirror m4 guest g1 to mon0", "~ mirror m1 rate 100mbit -> default, to mon0 -> vm2",
        ])
        var running = Running()
        running.adopt(try running.changed(to: old))
        #expect(throws: ConfigurationError.self) { try running.edited("class", "del", ["g1/iscsi", "dir", "outbound"]) }
        #expect(throws: ConfigurationError.self) { try running.edited("guest", "del", ["g1"]) }
    }
}
