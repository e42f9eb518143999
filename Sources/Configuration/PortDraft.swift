import Packet

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
    static let mode = VhostMode.client, queues = 1

    init(_ port: PortSettings) {
        (name, bridge, options, type) = (port.name, port.bridge, port.options, port.kind.type)
        port.kind.write(to: &self)
    }

    /// The port that the keys describe; nil if something is missing or does not go together, which is added to `problems`.
    func port(at element: Element, _ problems: inout ProblemList) -> PortSettings? {
        let before = problems.count
        guard let type else {
            if problems.problems.contains(where: { $0.path == element.path + ".type" }) { return nil }
            problems.add(element, "a port needs a type: \(PortType.choice)")
            return nil
        }
        for field in Fields.all.port {
            guard let types = field.about.types, !types.contains(type), field.write(self) != nil else { continue }
            let owners = types.map(\.rawValue).joined(separator: " and "), elsewhere = field.about.elsewhere
            problems.add(
                element,
                "'\(field.key)' belongs to \(owners) ports, not to a \(type.rawValue) port: leave it out\(elsewhere.isEmpty ? "" : "; ")\(elsewhere)")
        }
        let kind = PortKind(type, self)
        if kind == nil { problems.add(element, type.lack(port: name)) }
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
