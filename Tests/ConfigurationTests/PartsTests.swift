import Configuration
import TestSupport
import Testing

/// Parts, which hooks own, beside the operator's own configuration.
@Suite struct PartsTests {
    private static let yaml = """
        ports: [{name: web, type: vhost, bridge: br0, socket: /run/sluice/web.sock}]
        guests: [{name: web, port: web, macs: ["52:54:00:00:00:51"], inbound: {floor: 1gbit}}]
        """

    private func part(_ name: String = "libvirt-web", _ yaml: String = yaml) throws -> Part { try Part(name, yaml: yaml) }

    private func running() throws -> Running {
        var running = Running()
        running.adopt(try running.changed(base: try office()))
        running.adopt(try running.changed(part: "libvirt-web", to: try part()))
        return running
    }

    private func refusal(_ body: () throws -> Void) -> String {
        do {
            try body()
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    @Test func aPartComesChangesAndGoesAsOne() throws {
        var running = try running()
        #expect(running.model.ports.map(\.name) == ["vm1", "vm2", "host", "uplink", "web"] && running.model.guests.map(\.name) == ["vm1", "vm2", "web"])
        #expect(running.parts.owner(ofPort: "web") == "libvirt-web" && running.parts.owner(ofGuest: "web") == "libvirt-web")
        #expect(running.parts.owner(ofPort: "vm1") == nil)
        #expect(try running.base == office())
        let change = try running.changed(part: "libvirt-web", to: try part("libvirt-web", Self.yaml.replacing("floor: 1gbit", with: "floor: 2gbit")))
        #expect(change.plan.actions.count == 1 && change.plan.trees.count == 1)
        running.adopt(change)
        #expect(running.model.guests[2].inbound.floor == 2_000_000_000)
        // Setting the same part again changes nothing.
        #expect(try running.changed(part: "libvirt-web", to: running.parts["libvirt-web"]).plan.isEmpty)
        running.adopt(try running.changed(part: "libvirt-web", to: nil))
        #expect(try running.model == office() && running.parts.isEmpty)
    }

    @Test func aFileOfTheOperatorsLeavesPartsAsTheyRun() throws {
        var running = try running()
        guard case .local(let edit) = try running.edited("guest", "set", ["web", "inbound", "floor", "500mbit"]) else {
            Issue.record("not the short way")
            return
        }
        running.adopt(edit)
        var other = try office()
        other.guests.removeAll { $0.name == "vm2" }
        running.adopt(try running.changed(base: other))
        #expect(running.model.guests.map(\.name) == ["vm1", "web"] && running.model.guests[1].inbound.floor == 500_000_000)
        #expect(running.base == other && running.parts.owner(ofGuest: "web") == "libvirt-web")
        // When its owner sets the part again, that replaces what was changed by hand.
        running.adopt(try running.changed(part: "libvirt-web", to: try part()))
        #expect(running.model.guests[1].inbound.floor == 1_000_000_000)
    }

    @Test func aNameHasOneOwner() throws {
        let running = try running()
        var other = try office()
        other.ports.append(running.model.ports[4])
        #expect(
            refusal { _ = try running.changed(base: other) }
                == "ports[4].name: the port web belongs to the part libvirt-web: leave it out here, or delete that with `sluice part del libvirt-web`")
        #expect(
            refusal { _ = try running.changed(part: "other", to: try part("other")) }
                == """
                port web: it belongs to the part libvirt-web already, so that the part other cannot have one: write another name
                guest web: it belongs to the part libvirt-web already, so that the part other cannot have one: write another name
                """)
        let vm1 = try part("other", "ports: [{name: vm1, type: vhost, bridge: br0, socket: /x}]")
        #expect(refusal { _ = try running.changed(part: "other", to: vm1) }.hasPrefix("port vm1: it belongs to the operator's own configuration already"))
    }

    @Test func whatDoesNotGoTogetherIsToldByTheNamesOfBoth() throws {
        var running = try running()
        var other = try office()
        other.bridges[0].rate = 2_600_000_000
        let sentence = refusal { _ = try running.changed(base: other) }
        #expect(sentence.contains("2.6gbit"), "\(sentence)")
        other = try office()
        (other.bridges, other.ports, other.groups, other.guests) = ([], [], [], [])
        #expect(refusal { _ = try running.changed(base: other) }.hasPrefix("part libvirt-web: port web bridge: "))
        #expect(refusal { _ = try running.edited("port", "del", ["web"]) }.contains("belongs to the part libvirt-web"))
        #expect(refusal { _ = try running.edited("guest", "del", ["web"]) }.contains("belongs to the part libvirt-web"))
        #expect(refusal { _ = try running.edited("guest", "del", ["vm2"]) } == "accepted")
        #expect(refusal { _ = try running.edited("guest", "add", ["web", "port", "web"]) }.contains("is there already"))
    }

    @Test func aPartHasPortsAndGuestsAndAName() {
        #expect(refusal { _ = try part("a", "bridges: [{name: br1}]\n\(Self.yaml)") }.contains("this one has bridges"))
        #expect(refusal { _ = try part("a", "daemon: {buffers: 2048}\n\(Self.yaml)") }.contains("this one has daemon"))
        #expect(refusal { _ = try part("a", "{}") }.contains("neither ports nor guests"))
        #expect(refusal { _ = try part("a", "ports: [{name: x, type: vhost, bridge: br0}]") }.hasPrefix("line 1: ports[0]"))
        for name in ["", ".a", "-a", "a/b", "a b", "ä", String(repeating: "a", count: 129), "../a"] {
            #expect(refusal { _ = try part(name) }.contains("cannot name a part"), "\(name)")
        }
    }

    @Test func anyNameBecomesAPartsName() {
        #expect(Part.name("libvirt-", of: "web.1") == "libvirt-web.1")
        #expect(Part.name("libvirt-", of: "my vm/ü%") == "libvirt-my%20vm%2F%C3%BC%25")
        #expect(Part.name("libvirt-", of: "\u{1}") == "libvirt-%01")
        let long = (0..<2).map { Part.name("libvirt-", of: String(repeating: "ü", count: 100) + "\($0)") }
        #expect(long[0] != long[1] && long.allSatisfy { Part.isName($0) })
    }

    /// When the daemon starts, only the parts that do not fit are left out, wherever they stand among the others.
    @Test func thoseThatDoNotFitAreLeftOutAlone() throws {
        var running = Running()
        running.adopt(try running.changed(base: try office()))
        let parts = try (0..<40).map { number in
            let bridge = number == 7 || number == 8 ? "br9" : "br0"
            return (
                name: "p\(number)",
                part: Optional(
                    try part(
                        "p\(number)",
                        "ports: [{name: a\(number), type: vhost, bridge: \(bridge), socket: /run/\(number)}]\nguests: [{name: a\(number), port: a\(number)}]"))
            )
        }
        let left = running.adopt(parts: parts)
        #expect(left.map(\.name) == ["p7", "p8"])
        #expect(left.allSatisfy { "\($0.reason)".hasPrefix("part \($0.name): port a") })
        #expect(running.parts.all.count == 38 && running.model.ports.count == 42)
    }
}
