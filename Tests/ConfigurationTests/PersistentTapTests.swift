import Configuration
import Testing

@Suite("Taps that outlive the daemon, in the configuration") struct PersistentTapTests {
    private static let base = """
        bridges: [{name: br0}]
        ports:
          - {name: host0, type: tap, bridge: br0, interface: sluice0}

        """

    @Test("persistent is read, written, told and taken back, and reopens nothing")
    func roundTrip() throws {
        let old = try Model(yaml: Self.base), new = try old.edited("port", "set", ["host0", "persistent", "on"])
        #expect(new.ports[0].persistent && !old.ports[0].persistent)
        #expect(try Model(yaml: new.yaml).ports == new.ports)
        #expect(diff(from: old, to: new).lines(from: old, to: new) == ["~ port host0 persistent default -> on"])
        #expect(try new.edited("port", "set", ["host0", "persistent", "none"]).ports == old.ports)
    }

    @Test("an interface in another namespace cannot be, and neither can a port of another type")
    func refused() {
        let moved = problems(Self.base.replacing("interface: sluice0", with: "interface: sluice0, netns: lab, persistent: true"))
        #expect(moved.count == 1 && moved[0].contains("an interface that is moved to another namespace cannot outlive the daemon: leave persistent out, or netns"), "\(moved)")
        let guest = problems(Self.base.replacing("type: tap, bridge: br0, interface: sluice0", with: "type: vhost, bridge: br0, socket: /run/x, persistent: true"))
        #expect(guest.count == 1 && guest[0].contains("'persistent' belongs to tap ports, not to a vhost port: leave it out"), "\(guest)")
    }
}
