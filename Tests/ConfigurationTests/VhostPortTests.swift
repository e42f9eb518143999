import Configuration
import Testing

@Suite("The rule for guests' memory, in the configuration") struct SealedMemoryTests {
    private static let base = """
        bridges: [{name: br0}]
        ports:
          - {name: vm1, type: vhost, bridge: br0, socket: /run/sluice/vm1.sock}

        """

    @Test("require-sealed is read, written, told and taken back, and reopens nothing; no other port has it")
    func roundTrip() throws {
        let old = try Model(yaml: Self.base), new = try old.edited("port", "set", ["vm1", "require-sealed", "on"])
        #expect(new.ports[0].requireSealed && !old.ports[0].requireSealed)
        #expect(try Model(yaml: new.yaml).ports == new.ports)
        #expect(diff(from: old, to: new).lines(from: old, to: new) == ["~ port vm1 require-sealed default -> on"])
        #expect(try new.edited("port", "set", ["vm1", "require-sealed", "none"]).ports == old.ports)
        let tap = problems(Self.base.replacing("type: vhost, bridge: br0, socket: /run/sluice/vm1.sock", with: "type: tap, bridge: br0, interface: tap0, require-sealed: true"))
        #expect(tap.count == 1 && tap[0].contains("'require-sealed' belongs to vhost ports, not to a tap port: leave it out"), "\(tap)")
    }
}

@Suite("Segmentation that guests leave to the switch, in the configuration") struct OffloadSettingTests {
    @Test("offload is on unless it is said otherwise; it is read, written, told and taken back; no other port has it")
    func roundTrip() throws {
        let base = "bridges: [{name: br0}]\nports:\n  - {name: vm1, type: vhost, bridge: br0, socket: /run/sluice/vm1.sock}\n"
        let old = try Model(yaml: base), new = try old.edited("port", "set", ["vm1", "offload", "off"])
        #expect(old.ports[0].offload && !new.ports[0].offload)
        #expect(try Model(yaml: new.yaml).ports == new.ports)
        #expect(diff(from: old, to: new).lines(from: old, to: new) == ["~ port vm1 offload default -> off"])
        #expect(try new.edited("port", "set", ["vm1", "offload", "none"]).ports == old.ports)
        let tap = problems(base.replacing("type: vhost, bridge: br0, socket: /run/sluice/vm1.sock", with: "type: tap, bridge: br0, interface: tap0, offload: false"))
        #expect(tap.count == 1 && tap[0].contains("'offload' belongs to vhost ports, not to a tap port: leave it out"), "\(tap)")
    }

    @Test func pathsThatTheSystemDoesNotTake() {
        func told(_ path: String) -> [String] {
            var model = Model()
            model.bridges = [BridgeSettings(name: "br0")]
            model.ports = [PortSettings(name: "vm1", bridge: "br0", kind: .vhost(socket: path, mode: .client, queues: 1))]
            return model.problems.map(\.description)
        }
        #expect(told("/run/a\0b") == ["ports[0].socket: a path has no NUL character, and this one has: write /run/sluice/vm1.sock"])
        #expect(told("/" + String(repeating: "x", count: 107)) == ["ports[0].socket: a socket's path has at most 107 bytes, this one has 108: write a shorter one"])
        #expect(told("/" + String(repeating: "x", count: 106)) == [])
    }
}
