import Configuration
import Testing

@Suite("Owner and mode of a port's socket") struct SocketAccessTests {
    private static let base = """
        bridges: [{name: br0}]
        ports:
          - {name: vm1, type: vhost, bridge: br0, socket: /run/sluice/vm1.sock, mode: server}

        """

    private func access(_ yaml: String) throws -> SocketAccess {
        try Model.checked(yaml: Self.base.replacing("mode: server", with: "mode: server, \(yaml)")).ports[0].access
    }

    @Test("they are read as chown and chmod take them, and written back")
    func roundTrip() throws {
        for (text, mode) in [("0660", 0o660), ("660", 0o660), ("'0777'", 0o777), ("000", 0)] as [(String, UInt16)] {
            #expect(try access("socket-mode: \(text)").mode == SocketMode(bits: mode), "\(text)")
        }
        for (text, owner) in [("root", SocketOwner(user: "root")), ("libvirt-qemu:kvm", SocketOwner(user: "libvirt-qemu", group: "kvm")), ("64055", SocketOwner(user: "64055"))] {
            #expect(try access("socket-owner: \(text)").owner == owner, "\(text)")
        }
        let model = try Model(yaml: Self.base).edited("port", "set", ["vm1", "socket-owner", "libvirt-qemu:kvm", "socket-mode", "0660"])
        #expect(try Model(yaml: model.yaml).ports == model.ports)
        #expect(model.yaml.contains("0660"))
        #expect(try model.edited("port", "set", ["vm1", "socket-owner", "none", "socket-mode", "default"]).ports == Model(yaml: Self.base).ports)
        let old = try Model(yaml: Self.base)
        #expect(diff(from: old, to: model).lines(from: old, to: model) == ["~ port vm1 socket-owner default -> libvirt-qemu:kvm, socket-mode default -> 0660"])
    }

    @Test("what cannot be is refused with what to write instead", arguments: [
        ("socket-mode: 8", "'8' are no permissions: write three octal digits, such as 0660"), ("socket-mode: 0o660", "'0o660' are no permissions"),
        ("socket-mode: 1777", "'1777' are no permissions"), ("socket-owner: 'a:b:c'", "'a:b:c' is no owner: write a user, or a user and a group such as libvirt-qemu:kvm"),
        ("socket-owner: ':kvm'", "':kvm' is no owner"), ("socket-owner: 'a b'", "'a b' is no owner"),
    ])
    func refused(yaml: String, sentence: String) {
        let told = problems(Self.base.replacing("mode: server", with: "mode: server, \(yaml)"))
        #expect(told.count == 1 && told[0].contains(sentence), "\(told)")
    }

    @Test("they have no effect where QEMU makes the socket, and are refused there")
    func client() {
        let told = problems(Self.base.replacing("mode: server", with: "socket-mode: 0660"))
        #expect(told.count == 1 && told[0].contains("with mode client QEMU makes the socket, and socket-mode has no effect: leave it out, or write mode: server"), "\(told)")
        let tap = problems(Self.base.replacing("type: vhost", with: "type: tap, interface: t").replacing("socket: /run/sluice/vm1.sock, mode: server", with: "socket-owner: root"))
        #expect(tap.count == 1 && tap[0].contains("'socket-owner' belongs to vhost ports, not to a tap port: leave it out"), "\(tap)")
    }
}
