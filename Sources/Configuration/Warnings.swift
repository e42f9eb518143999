extension Model {
    /// What can be applied, but will not work as it is written: outbound floors for which there is no tree that could guarantee them.
    public var warnings: [Problem] {
        let uplinks = Dictionary(grouping: ports.filter(\.isPhysical), by: \.bridge)
        var result: [Problem] = []
        for (index, group) in groups.enumerated() where uplinks[group.bridge] == nil {
            if let key = group.outbound.floorKey { result.append(Self.warning(key, "groups[\(index)]", group.name, group.bridge)) }
        }
        // Most guests have no such floors, and of these nothing more is looked up.
        let floored = guests.enumerated().filter { $1.outbound.floorKey != nil || $1.protocols.contains { $0.value.outbound.floorKey != nil } }
        if floored.isEmpty { return result }
        let places = Dictionary(ports.map { ($0.name, $0.bridge) }) { first, _ in first }
        for (index, guest) in floored {
            guard let bridge = places[guest.port], !(uplinks[bridge] ?? []).contains(where: { $0.sends(from: guest.port) }) else { continue }
            if let key = guest.outbound.floorKey { result.append(Self.warning(key, "guests[\(index)]", guest.name, bridge)) }
            for (name, classes) in guest.protocols.sorted(by: { $0.key < $1.key }) {
                guard let key = classes.outbound.floorKey else { continue }
                result.append(Self.warning(key, "guests[\(index)].protocols.\(name)", "\(guest.name)/\(name)", bridge))
            }
        }
        return result
    }

    private static func warning(_ key: String, _ path: String, _ name: String, _ bridge: String) -> Problem {
        Problem(
            "\(path).outbound.\(key)",
            "nothing guarantees the outbound \(key) of \(name): it holds where frames leave by a physical port, and bridge \(bridge) has no such port: add one with a rate, or leave the \(key) out")
    }

    /// The warnings that an earlier model did not have, as sentences, which name what they are about: places in lists shift when something is deleted.
    public func warnings(since old: Model) -> [String] {
        let new = warnings
        if new.isEmpty { return [] }
        let known = Set(old.warnings.map(\.sentence))
        return new.map(\.sentence).filter { !known.contains($0) }
    }
}

extension ClassSettings {
    /// The key by which a floor is set; nil: there is none.
    fileprivate var floorKey: String? { floor != nil ? "floor" : floorPackets != nil ? "floor-packets" : nil }
}

extension Action {
    /// Whether it can bring a warning: whether it gives something a floor, or takes away the port that guarantees one.
    var mayWarn: Bool {
        switch self {
        case .removePort, .addPort, .changePort, .addGroup, .changeGroup, .addGuest, .changeGuest: true
        default: false
        }
    }
}
