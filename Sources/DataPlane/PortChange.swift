import Configuration

/// Which ports a change opens and closes.
struct PortChange {
    struct Replacement {
        var old: PortSettings
        var new: PortSettings
        /// Frames may wait in the trees for the port's index; they are for a port of the same bridge and tree.
        var keepsIndex: Bool { old.bridge == new.bridge && old.isPhysical == new.isPhysical }
    }

    var removed: [PortSettings] = []
    var added: [PortSettings] = []
    /// What it takes to open the port differs.
    var replaced: [Replacement] = []
    /// Changed or not, but open all along; or lost, and wanted as it was.
    var kept: [PortSettings] = []

    /// - Parameter lost: names of ports that should be open and are not.
    init(from old: Model, to new: Model, lost: some Collection<String>) {
        let before = Dictionary(old.ports.map { ($0.name, $0) }) { first, _ in first }
        let after = Set(new.ports.map(\.name))
        let lost = Set(lost)
        removed = old.ports.filter { !after.contains($0.name) }
        for settings in new.ports {
            guard let was = before[settings.name] else { added.append(settings); continue }
            let mustOpen = Self.mustReopen(was, settings) || lost.contains(settings.name) && was != settings
            if mustOpen { replaced.append(Replacement(old: was, new: settings)) } else { kept.append(settings) }
        }
    }

    /// Closed for the change, if they were open.
    var gone: [PortSettings] { removed + replaced.map(\.old) }

    /// A device takes its MTU when it is opened; a guest's ring has none.
    private static func mustReopen(_ old: PortSettings, _ new: PortSettings) -> Bool {
        // What was learned about a port is of no use, and must not be known, on another bridge.
        if old.kind != new.kind || old.bridge != new.bridge { return true }
        if case .vhost = new.kind { return false }
        return old.mtu != new.mtu
    }
}

extension PortSettings {
    /// What two ports cannot have both: a socket's path, an interface, a device.
    var resource: String {
        switch kind {
        case .vhost(let socket, _, _): "vhost \(socket)"
        case .tap(let interface, _, _): "tap \(interface)"
        case .physical(let device, _): "physical \(device.split(separator: ",").first.map(String.init) ?? device)"
        }
    }
}
