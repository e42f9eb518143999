import Packet

/// The types of ports, as the key `type` names them.
public enum PortType: String, CaseIterable, Sendable {
    case vhost, tap, physical
}

/// What a port is connected to.
public enum PortKind: Equatable, Sendable {
    /// A QEMU guest, connected over vhost-user. `queues` is the most queue pairs that the guest may use.
    case vhost(socket: String, mode: VhostMode, queues: Int)
    /// A tap interface of this host. `netns` is the network namespace that it is moved to, `mac` the address of the host's side; nil: neither is set.
    case tap(interface: String, netns: String?, mac: MACAddress?)
    /// A NIC or an interface of this host, given by a PCI address, a DPDK device string, or a kernel interface's name. `queues` is the number of its queues;
    /// nil: as many as the kernel interface has, otherwise one.
    case physical(device: String, queues: Int?)
}

/// Which side of a vhost-user socket Sluice is.
public enum VhostMode: String, Equatable, Sendable, CaseIterable {
    /// QEMU listens, and Sluice connects and reconnects, so that the daemon can restart without the guest noticing.
    case client
    /// Sluice listens, and QEMU connects.
    case server
}

// What tells one kind of port from another stands in the rest of this file, apart from the keys, which are rows of `Field.port`, and from the link, which the data
// plane opens (`openLink`).

extension PortType {
    /// All types as a sentence lists them: "vhost, tap or physical".
    static var choice: String {
        let names = allCases.map(\.rawValue)
        return names.dropLast().joined(separator: ", ") + " or " + (names.last ?? "")
    }

    /// The sentence about a port of this type that lacks what it is connected to.
    func lack(port name: String) -> String {
        switch self {
        case .vhost: "a vhost port needs a socket, such as /run/sluice/\(name).sock"
        case .tap: "a tap port needs an interface, such as tap0"
        case .physical: "a physical port needs a device: an interface such as eth1, or a PCI address"
        }
    }
}

extension PortKind {
    /// What the keys of a port of that type describe; nil if what it is connected to is missing.
    init?(_ type: PortType, _ draft: PortDraft) {
        let kind: PortKind? =
            switch type {
            case .vhost: draft.socket.map { .vhost(socket: $0, mode: draft.mode ?? PortDraft.mode, queues: draft.queues ?? PortDraft.queues) }
            case .tap: draft.interface.map { .tap(interface: $0, netns: draft.netns, mac: draft.mac) }
            case .physical: draft.device.map { .physical(device: $0, queues: draft.queues) }
            }
        guard let kind else { return nil }
        self = kind
    }

    /// Sets the keys that describe this kind; those with the default value stay unset.
    func write(to draft: inout PortDraft) {
        switch self {
        case .vhost(let socket, let mode, let queues):
            (draft.socket, draft.mode, draft.queues) = (socket, mode == PortDraft.mode ? nil : mode, queues == PortDraft.queues ? nil : queues)
        case .tap(let interface, let netns, let mac): (draft.interface, draft.netns, draft.mac) = (interface, netns, mac)
        case .physical(let device, let queues): (draft.device, draft.queues) = (device, queues)
        }
    }

    public var type: PortType {
        switch self {
        case .vhost: .vhost
        case .tap: .tap
        case .physical: .physical
        }
    }

    /// The socket, the interface or the device.
    public var place: String {
        switch self {
        case .vhost(let socket, _, _): socket
        case .tap(let interface, _, _): interface
        case .physical(let device, _): device
        }
    }

    /// What only one of two ports can have: a socket's path, an interface, or a device without its parameters.
    public var resource: String {
        switch self {
        case .vhost, .tap: "\(type.rawValue) \(place)"
        case .physical: "physical \(place.split(separator: ",").first.map(String.init) ?? place)"
        }
    }

    /// The name of the kernel interface, if the port is on one.
    public var interfaceName: String { if case .physical(let device, _) = self { DeviceString(device).value(of: "iface") ?? device } else { place } }

    /// The path of the Unix socket by which the port reaches its other end; nil if it uses none.
    public var socket: String? {
        switch self {
        case .vhost(let socket, _, _): socket
        case .tap: nil
        case .physical(let device, _): DeviceString(device).isMemif ? DeviceString(device).value(of: "socket") : nil
        }
    }

    /// Which side of its socket Sluice is; nil for kinds that have no sides.
    public var mode: VhostMode? { if case .vhost(_, let mode, _) = self { mode } else { nil } }

    /// The most queue pairs that the other end may use; nil: as many as the port has.
    public var mostQueues: Int? { if case .vhost(_, _, let queues) = self { queues } else { nil } }

    /// The address that the host's side of the port is given; nil: none.
    public var hostAddress: MACAddress? { if case .tap(_, _, let mac) = self { mac } else { nil } }

    /// What happens when the port closes, in words.
    var closing: String {
        switch self {
        case .vhost: "closes its socket: its guest loses its link"
        case .tap(let interface, _, _): "removes the interface \(interface) with its addresses"
        case .physical: "closes its device"
        }
    }
}

extension Validator {
    /// Checks what belongs to the port's kind.
    /// - Parameter owners: the port that has each socket, interface and device.
    mutating func checkKind(_ port: PortSettings, _ path: String, _ owners: inout [String: String]) {
        func claim(_ key: String) -> String? {
            defer { if owners[key] == nil { owners[key] = port.name } }
            return owners[key]
        }
        switch port.kind {
        case .vhost(let socket, let mode, _):
            if mode == .client, port.access != SocketAccess() {
                let key = port.access.owner != nil ? "socket-owner" : "socket-mode"
                add(
                    path + ".\(key)",
                    "with mode client QEMU makes the socket, and \(key) has no effect: leave it out, or write mode: server. (QEMU's user must be allowed to write to the folder.)")
            }
            if !socket.hasPrefix("/") {
                add(path + ".socket", "'\(socket)' is not an absolute path: write /run/sluice/\(port.name).sock")
            }
            if socket.utf8.contains(0) {
                add(path + ".socket", "a path has no NUL character, and this one has: write /run/sluice/\(port.name).sock")
            } else if socket.utf8.count > 107 {
                // A socket address holds 108 bytes of path, the last of which is 0 (unix(7)).
                add(path + ".socket", "a socket's path has at most 107 bytes, this one has \(socket.utf8.count): write a shorter one")
            }
            if let owner = claim("socket " + socket) {
                add(path + ".socket", "the socket \(socket) is port \(owner)'s already: write another path")
            }
        case .tap(let interface, let netns, let mac):
            // The kernel replaces a percent sign in an interface's name by a number; commas, quotes and brackets separate the parts of DPDK's device strings
            // (rte_kvargs).
            if !Self.isInterfaceName(interface) || interface.contains(where: { "%,\"'[]".contains($0) }) {
                add(
                    path + ".interface",
                    "'\(interface)' is not a tap's name: write 1 to 15 characters without spaces, slashes, colons, commas, quotes, brackets or percent signs")
            }
            if let netns, netns.isEmpty || netns.utf8.count > 255 || netns.contains("/") || netns == "." || netns == ".." {
                add(path + ".netns", "'\(netns)' is not a network namespace's name: write one that `ip netns list` shows")
            }
            if port.persistent, netns != nil {
                add(path + ".persistent", "an interface that is moved to another namespace cannot outlive the daemon: leave persistent out, or netns")
            }
            if let mac, mac.isMulticast || mac.isZero {
                add(path + ".mac", "\(mac) is no station's address: write one whose first octet is even and not all zero")
            }
            if let owner = claim("interface \(netns ?? "")/\(interface)") {
                add(path + ".interface", "the interface \(interface) is port \(owner)'s already: write another name")
            }
        case .physical(let device, _):
            if device.isEmpty || device.utf8.count > 512 || device.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7f }) {
                add(path + ".device", "'\(device)' is not a device: write a PCI address, a DPDK device string or an interface's name")
            }
            if let limit = DeviceString(device).limit(bufferSize: model.daemon.bufferSize), port.mtu > limit.mtu {
                add(path + ".mtu", "\(device.prefix { $0 != "," }) carries an mtu of \(limit.mtu) at most: write that or less, \(limit.advice)")
            }
            let name = String(device.prefix { $0 != "," })
            if let owner = claim("device " + name) {
                let isVirtual = device.contains(",")
                add(
                    path + ".device",
                    "the device \(name) is port \(owner)'s already: "
                        + (isVirtual ? "give this one another number, as in \(Self.nextDevice(name))" : "write another device"))
            }
        }
    }
}
