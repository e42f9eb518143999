import Configuration

/// The ports that a change opens, changes and closes.
struct PortChange {
    /// How an open port becomes what it is to be.
    enum Way {
        /// The open port stays open, and is changed.
        case inPlace
        /// Another one is opened beside it, and then takes its place.
        case beside
        /// It has to be closed before the new one is opened, as both need the same socket or device.
        case anew
    }

    struct Replacement {
        var old: PortSettings
        var new: PortSettings
        /// Whether the port keeps its index. Frames may wait in the trees under that index, so it may only be used for a port on the same bridge and of the
        /// same tree.
        var keepsIndex: Bool { old.bridge == new.bridge && old.isPhysical == new.isPhysical }
    }

    var removed: [PortSettings] = []
    var added: [PortSettings] = []
    /// Ports of both models that have to be changed or opened anew.
    var replaced: [Replacement] = []
    /// Ports of both models whose backend, if it is open, needs no change.
    var kept: [PortSettings] = []

    init(from old: Model, to new: Model) {
        let before = Dictionary(old.ports.map { ($0.name, $0) }) { first, _ in first }
        let after = Set(new.ports.map(\.name))
        removed = old.ports.filter { !after.contains($0.name) }
        for settings in new.ports {
            guard let was = before[settings.name] else { added.append(settings); continue }
            let differs = was.kind != settings.kind || was.bridge != settings.bridge || was.mtu != settings.mtu || was.access != settings.access
                || was.persistent != settings.persistent || was.requireSealed != settings.requireSealed || was.offload != settings.offload
            if differs {
                replaced.append(Replacement(old: was, new: settings))
            } else {
                kept.append(settings)
            }
        }
    }
}
