import Packet

/// Where things are in a model and its trees, and what floors sum to, so that an edit of one guest or group looks at that and what is around it alone.
///
/// Such an edit is carried out in the general way on a small model: the guest, its port, its groups, its bridge. What that gives is taken over only where
/// every other class stays as it is, and where the floors beside and below still sum to no more than what is above them (`LocalIndex+Edits`).
struct LocalIndex: Sendable {
    var guests: Places<GuestSettings>
    var groups: Places<GroupSettings>
    var ports: Places<PortSettings>
    var bridges: [String: Bridge]
    var trees: [Tree]
    /// Classes as `Validator.checkClassCount` counts them.
    var classCount = 0

    struct Bridge {
        var place: Int
        /// Places of its physical ports, and of one with the largest frames.
        var physical: [Int] = []
        var widest: Int?
        /// Whose each guest's address is; the addresses with static entries, and the ports that have some.
        var owners: [MACAddress: String] = [:]
        var statics: Set<MACAddress> = []
        var staticPorts: Set<String> = []
        /// An address may be several guests' there.
        var hasVLANs = false
    }

    /// - Returns: nil where ids are kept of classes that the trees do not have.
    init?(_ model: Model, _ descriptions: [TreeDescription], _ ids: ClassIDs) {
        guard ids.trees.count == descriptions.count, descriptions.allSatisfy({ ids.trees[$0.name]?.count == $0.classes.count }) else { return nil }
        guests = Places(model.guests, \.name, in: \.port)
        groups = Places(model.groups, \.name, in: \.bridge)
        ports = Places(model.ports, \.name, in: \.bridge)
        bridges = [:]
        for (place, settings) in model.bridges.enumerated() {
            var bridge = Bridge(place: place)
            for entry in settings.staticEntries {
                bridge.statics.insert(entry.mac)
                bridge.staticPorts.insert(entry.port)
            }
            bridges[settings.name] = bridge
        }
        for (place, port) in model.ports.enumerated() where bridges[port.bridge] != nil {
            if port.vlan != nil { bridges[port.bridge]!.hasVLANs = true }
            if port.isPhysical { bridges[port.bridge]!.physical.append(place) }
            if bridges[port.bridge]!.widest.map({ model.ports[$0].largestFrame < port.largestFrame }) ?? true { bridges[port.bridge]!.widest = place }
        }
        for guest in model.guests {
            guard let bridge = ports.place(of: guest.port).map({ model.ports[$0].bridge }) else { continue }
            for mac in guest.macs { bridges[bridge]?.owners[mac] = guest.name }
        }
        trees = []
        for group in model.groups { classCount += trees(on: group.bridge) }
        for port in model.ports {
            let own = guests.places(in: port.name).map { model.guests[$0] }
            classCount += count(Model.effectiveGuests(of: port.name, own)) * trees(on: port.bridge)
        }
        trees = descriptions.map { description in
            let (rest, largestFrame) = rest(of: description, model)
            return Tree(description, rest, largestFrame)
        }
    }

    private func rest(of description: TreeDescription, _ model: Model) -> (RestSettings, largestFrame: Int) {
        let bridge: Bridge?, rest: RestSettings?
        switch description.kind {
        case .inbound(let name):
            bridge = bridges[name]
            rest = bridge.map { model.bridges[$0.place].rest }
        case .outbound(let name):
            let port = ports.place(of: name).map { model.ports[$0] }
            bridge = port.flatMap { bridges[$0.bridge] }
            rest = port?.rest
        }
        return (rest ?? RestSettings(), bridge?.widest.map { model.ports[$0].largestFrame } ?? PortSettings.usualLargestFrame)
    }

    func trees(on bridge: String) -> Int { 1 + (bridges[bridge]?.physical.count ?? 0) }

    func count(_ guests: [EffectiveGuest]) -> Int {
        guests.reduce(0) { $0 + ($1.settings.protocols.isEmpty ? 1 : $1.settings.protocols.count + 2) }
    }

    // MARK: A change is taken over

    /// - Parameters: as they are before the change.
    mutating func adopt(_ change: LocalChange, _ model: Model, _ descriptions: [TreeDescription]) {
        for edit in change.trees { trees[edit.tree].adopt(edit, descriptions[edit.tree]) }
        guard let edit = change.guest else { return }
        let old: GuestSettings?, new: GuestSettings?
        switch edit {
        case .add(let settings): (old, new) = (nil, settings)
        case .set(let guest): (old, new) = (model.guests[guest.place], guest.settings)
        case .remove(let place): (old, new) = (model.guests[place], nil)
        }
        guard let port = (new ?? old)?.port, let bridge = ports.place(of: port).map({ model.ports[$0].bridge }) else { return }
        for mac in old?.macs ?? [] { bridges[bridge]?.owners[mac] = nil }
        for mac in new?.macs ?? [] { bridges[bridge]?.owners[mac] = new?.name }
        classCount += (count(effective(on: port, model, with: (old, new))) - count(effective(on: port, model))) * trees(on: bridge)
        switch edit {
        case .add(let settings): guests.append(settings.name, in: port)
        case .set: break
        case .remove(let place): guests.remove(model.guests[place].name, in: port)
        }
    }

    /// The guests of a port; with a guest in place of another, or one that comes or goes.
    func effective(on port: String, _ model: Model, with change: (old: GuestSettings?, new: GuestSettings?) = (nil, nil)) -> [EffectiveGuest] {
        var own = guests.places(in: port).map { model.guests[$0] }
        switch change {
        case (nil, let new?): own.append(new)
        case (let old?, nil): own.removeAll { $0.name == old.name }
        case (let old?, let new?): if let place = own.firstIndex(where: { $0.name == old.name }) { own[place] = new }
        case (nil, nil): break
        }
        return Model.effectiveGuests(of: port, own)
    }
}

/// Where the elements of a list stand, by name; and which of them belong together. At constant cost, but for the removal of one, which moves a word for each of
/// those behind it.
struct Places<Element>: Sendable {
    /// Ascending: what each element of the list was given when it came.
    private var serials: [Int]
    private var byName: [String: Int]
    private var groups: [String: [Int]] = [:]
    private var next: Int

    init(_ list: [Element], _ name: (Element) -> String, in group: (Element) -> String) {
        serials = Array(list.indices)
        byName = Dictionary(list.enumerated().map { (name($1), $0) }) { first, _ in first }
        for (serial, element) in list.enumerated() { groups[group(element), default: []].append(serial) }
        next = list.count
    }

    func contains(_ name: String) -> Bool { byName[name] != nil }
    func place(of name: String) -> Int? { byName[name].map(place) }
    /// In the order of the list.
    func places(in group: String) -> [Int] { (groups[group] ?? []).map(place) }

    private func place(of serial: Int) -> Int {
        var low = 0, high = serials.count
        while low < high {
            let middle = (low + high) / 2
            if serials[middle] < serial { low = middle + 1 } else { high = middle }
        }
        return low
    }

    mutating func append(_ name: String, in group: String) {
        serials.append(next)
        byName[name] = next
        groups[group, default: []].append(next)
        next += 1
    }

    mutating func remove(_ name: String, in group: String) {
        guard let serial = byName.removeValue(forKey: name) else { return }
        serials.remove(at: place(of: serial))
        groups[group]?.removeAll { $0 == serial }
        if groups[group]?.isEmpty ?? false { groups[group] = nil }
    }
}
