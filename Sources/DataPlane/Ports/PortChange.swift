import Configuration

/// Which ports a change opens, changes and closes.
struct PortChange {
    /// How an open port becomes what it is to be.
    enum Way {
        /// What is open stays open, and is changed.
        case inPlace
        /// Another one is opened beside it and takes its place.
        case beside
        /// It has to be closed first: both want the same socket or device.
        case anew
    }

    struct Replacement {
        var old: PortSettings
        var new: PortSettings
        /// Frames may wait in the trees for the port's index; they are for a port of the same bridge and tree.
        var keepsIndex: Bool { old.bridge == new.bridge && old.isPhysical == new.isPhysical }
    }

    var removed: [PortSettings] = []
    var added: [PortSettings] = []
    /// What is open has to change, or has to be another.
    var replaced: [Replacement] = []
    /// What is open, if anything is, goes on as it is.
    var kept: [PortSettings] = []

    init(from old: Model, to new: Model) {
        let before = Dictionary(old.ports.map { ($0.name, $0) }) { first, _ in first }
        let after = Set(new.ports.map(\.name))
        removed = old.ports.filter { !after.contains($0.name) }
        for settings in new.ports {
            guard let was = before[settings.name] else { added.append(settings); continue }
            let differs = was.kind != settings.kind || was.bridge != settings.bridge || was.mtu != settings.mtu
            if differs {
                replaced.append(Replacement(old: was, new: settings))
            } else {
                kept.append(settings)
            }
        }
    }
}

extension PortSettings {
    /// The socket, the interface or the device.
    var place: String {
        switch kind {
        case .vhost(let socket, _, _): socket
        case .tap(let interface, _, _): interface
        case .physical(let device, _): device
        }
    }

    /// The kernel's, where there is one.
    var interfaceName: String { if case .physical(let device, _) = kind { DeviceString(device).value(of: "iface") ?? device } else { place } }

    /// What two ports cannot have both: a socket's path, an interface, a device.
    var resource: String {
        switch kind {
        case .vhost(let socket, _, _): "vhost \(socket)"
        case .tap(let interface, _, _): "tap \(interface)"
        case .physical(let device, _): "physical \(device.split(separator: ",").first.map(String.init) ?? device)"
        }
    }
}
