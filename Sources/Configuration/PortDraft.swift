import Packet

/// The types of ports, as the key `type` names them.
package enum PortType: String, CaseIterable, Sendable {
    case vhost, tap, physical
}

/// A port as its keys are written: flat, and possibly incomplete.
@dynamicMemberLookup
struct PortDraft {
    var name = ""
    var type: PortType?
    var bridge: String?
    var socket: String?
    /// If it is nil, the mode is `client`.
    var mode: VhostMode?
    /// The number of queues. If it is nil, a vhost port has one queue pair, and a physical port as many queues as its kernel interface has.
    var queues: Int?
    var interface: String?
    var netns: String?
    var mac: MACAddress?
    var device: String?
    var options = PortOptions()

    subscript<Value>(dynamicMember path: WritableKeyPath<PortOptions, Value>) -> Value {
        get { options[keyPath: path] }
        set { options[keyPath: path] = newValue }
    }
}

extension Field<PortDraft> {
    static var port: [Field] {
        [
            .name(\.name),
            .optional("type", \.type, .choice, help: "a QEMU guest, an interface of this host, or a NIC").lasting.required,
            .text("bridge", \.bridge, example: "a bridge's name", form: .name, help: "the bridge that it is on").required,
            .text("socket", \.socket, example: "/run/sluice/vm1.sock", form: .path, help: "where the guest's vhost-user socket is").of(.vhost).required,
            .optional("mode", \.mode, .choice, standard: PortDraft.mode, help: "client: QEMU makes the socket; server: Sluice does").of(.vhost),
            .optional("queues", \.queues, .integer(1...64), help: "most queue pairs of a guest, by default 1; queues of a NIC, by default all that an interface has")
                .of(.vhost, .physical),
            .text("interface", \.interface, example: "tap0", form: .interface, help: "what the interface is called").of(.tap).required,
            .text("netns", \.netns, example: "lab", form: .namespace, help: "the network namespace that it is moved to").of(.tap),
            .optional("mac", \.mac, .mac, help: "the address of the host's side").of(.tap),
            .text("device", \.device, example: "\"net_af_packet0,iface=eth1\"", form: .device, help: "an interface's name, a PCI address or a DPDK device string")
                .of(.physical).required,
        ] + options
    }
}

extension PortDraft {
    fileprivate static let mode = VhostMode.client, queues = 1

    init(_ port: PortSettings) {
        (name, bridge, options) = (port.name, port.bridge, port.options)
        switch port.kind {
        case .vhost(let socket, let mode, let queues):
            (type, self.socket, self.mode, self.queues) = (.vhost, socket, mode == Self.mode ? nil : mode, queues == Self.queues ? nil : queues)
        case .tap(let interface, let netns, let mac): (type, self.interface, self.netns, self.mac) = (.tap, interface, netns, mac)
        case .physical(let device, let queues): (type, self.device, self.queues) = (.physical, device, queues)
        }
    }

    /// The port that the keys describe; nil if something is missing or does not go together, which is added to `problems`.
    func port(at element: Element, _ problems: inout ProblemList) -> PortSettings? {
        let before = problems.count
        guard let type else {
            if problems.problems.contains(where: { $0.path == element.path + ".type" }) { return nil }
            problems.add(element, "a port needs a type: vhost, tap or physical")
            return nil
        }
        for field in Fields.all.port {
            guard let types = field.about.types, !types.contains(type), field.write(self) != nil else { continue }
            let owners = types.map(\.rawValue).joined(separator: " and "), elsewhere = field.about.elsewhere
            problems.add(
                element,
                "'\(field.key)' belongs to \(owners) ports, not to a \(type.rawValue) port: leave it out\(elsewhere.isEmpty ? "" : "; ")\(elsewhere)")
        }
        let kind: PortKind?
        switch type {
        case .vhost:
            kind = socket.map { .vhost(socket: $0, mode: mode ?? Self.mode, queues: queues ?? Self.queues) }
            if kind == nil { problems.add(element, "a vhost port needs a socket, such as /run/sluice/\(name).sock") }
        case .tap:
            kind = interface.map { .tap(interface: $0, netns: netns, mac: mac) }
            if kind == nil { problems.add(element, "a tap port needs an interface, such as tap0") }
        case .physical:
            kind = device.map { .physical(device: $0, queues: queues) }
            if kind == nil { problems.add(element, "a physical port needs a device: an interface such as eth1, or a PCI address") }
        }
        if bridge == nil { problems.add(element, "a port needs a bridge, such as br0") }
        guard let kind, let bridge, problems.count == before else { return nil }
        var port = PortSettings(name: name, bridge: bridge, kind: kind)
        port.options = options
        return port
    }

    /// Forgets the values of all keys that not every type of port has.
    mutating func forgetKind() {
        for field in Fields.all.port where field.about.types != nil { field.unset?(&self) }
    }
}
