extension Model {
    /// What can be applied, but will not work as it is written: outbound floors for which there is no tree that could guarantee them.
    public var warnings: [Problem] {
        var uplinks: [String: [String]] = [:]
        for port in ports where port.isPhysical { uplinks[port.bridge, default: []].append(port.name) }
        let places = Dictionary(ports.map { ($0.name, $0.bridge) }) { first, _ in first }
        func warning(_ settings: ClassSettings, _ path: String, _ name: String, _ bridge: String) -> Problem? {
            guard settings.floor != nil || settings.floorPackets != nil else { return nil }
            let key = settings.floor != nil ? "floor" : "floor-packets"
            return Problem(
                "\(path).outbound.\(key)",
                "nothing guarantees the outbound \(key) of \(name): it holds where frames leave by a physical port, and bridge \(bridge) has no such port: add one with a rate, or leave the \(key) out")
        }
        var result: [Problem] = []
        for (index, group) in groups.enumerated() where uplinks[group.bridge] == nil {
            warning(group.outbound, "groups[\(index)]", group.name, group.bridge).map { result.append($0) }
        }
        for (index, guest) in guests.enumerated() {
            guard let bridge = places[guest.port], uplinks[bridge].map({ $0 == [guest.port] }) ?? true else { continue }
            warning(guest.outbound, "guests[\(index)]", guest.name, bridge).map { result.append($0) }
            for (name, classes) in guest.protocols.sorted(by: { $0.key < $1.key }) {
                warning(classes.outbound, "guests[\(index)].protocols.\(name)", "\(guest.name)/\(name)", bridge).map { result.append($0) }
            }
        }
        return result
    }
}
