extension Model {
    /// What can be applied, but will not work as it is written: outbound floors for which there is no tree that could guarantee them.
    public var warnings: [Problem] { unguaranteed.map(\.problem) }

    /// The warnings that an earlier model did not have, as sentences, which name what they are about: places in lists shift when something is deleted.
    public func warnings(since old: Model) -> [String] {
        let new = unguaranteed
        if new.isEmpty { return [] }
        let known = Set(old.unguaranteed.map(\.floor))
        return new.filter { !known.contains($0.floor) }.map(\.problem.sentence)
    }

    /// The outbound floors that nothing guarantees. There may be thousands, most of which are known, so sentences are made of those only that are told.
    private var unguaranteed: [UnguaranteedFloor] {
        let uplinks = Dictionary(grouping: ports.filter(\.isPhysical), by: \.bridge)
        var result: [UnguaranteedFloor] = []
        for (index, group) in groups.enumerated() where uplinks[group.bridge] == nil {
            if let key = group.outbound.floorKey { result.append(UnguaranteedFloor("groups", index, key, of: group.name, group.bridge)) }
        }
        // Most guests have no such floors, and of these nothing more is looked up.
        let floored = guests.enumerated().filter { $1.outbound.floorKey != nil || $1.protocols.contains { $0.value.outbound.floorKey != nil } }
        if floored.isEmpty { return result }
        let places = Dictionary(ports.map { ($0.name, $0.bridge) }) { first, _ in first }
        for (index, guest) in floored {
            guard let bridge = places[guest.port], !(uplinks[bridge] ?? []).contains(where: { $0.sends(from: guest.port) }) else { continue }
            if let key = guest.outbound.floorKey { result.append(UnguaranteedFloor("guests", index, key, of: guest.name, bridge)) }
            for (name, classes) in guest.protocols.sorted(by: { $0.key < $1.key }) {
                guard let key = classes.outbound.floorKey else { continue }
                result.append(UnguaranteedFloor("guests", index, key, of: guest.name, protocol: name, bridge))
            }
        }
        return result
    }
}

/// An outbound floor that nothing guarantees.
private struct UnguaranteedFloor {
    struct Floor: Hashable {
        let key: String
        let owner: String
        let knownProtocol: String?
        let bridge: String
        /// `groups` or `guests`.
        let list: String
    }

    let floor: Floor
    /// The place of its owner in the list.
    let index: Int

    init(_ list: String, _ index: Int, _ key: String, of owner: String, protocol knownProtocol: String? = nil, _ bridge: String) {
        floor = Floor(key: key, owner: owner, knownProtocol: knownProtocol, bridge: bridge, list: list)
        self.index = index
    }

    var problem: Problem {
        let (key, bridge) = (floor.key, floor.bridge)
        let path = "\(floor.list)[\(index)]" + (floor.knownProtocol.map { ".protocols.\($0)" } ?? ""), name = floor.owner + (floor.knownProtocol.map { "/\($0)" } ?? "")
        return Problem(
            "\(path).outbound.\(key)",
            "nothing guarantees the outbound \(key) of \(name): it holds where frames leave by a physical port, and bridge \(bridge) has no such port: add one with a rate, or leave the \(key) out")
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
