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
}
