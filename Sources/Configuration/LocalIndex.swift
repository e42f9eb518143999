import Packet

/// An index of where things stand in a model and its trees and of what floors sum to. With it, an edit of one guest or group needs to look only at that object
/// and what is around it.
///
/// Such an edit is carried out in the general way, but on a small model that contains only the guest, its port, its groups and its bridge. The result is
/// accepted only if every other class stays as it is, and if the floors beside and below still sum to no more than what the class above has
/// (`LocalIndex+Edits`).
struct LocalIndex: Sendable {
    var guests: Places<GuestSettings>
    var groups: Places<GroupSettings>
    var ports: Places<PortSettings>
    var bridges: [String: Bridge]
    var trees: [Tree]
    /// Whether a port schedules or pauses by priority. Then floors are also checked by traffic class, which the general way does.
    private(set) var isByPriority = false
    /// The number of classes, as `Validator.checkClassCount` counts them.
    var classCount = 0

    struct Bridge {
        var place: Int
        /// Places of the bridge's physical ports in the model, and the place of a port with the largest frames.
        var physical: [Int] = []
        var widest: Int?
        /// The guest that has each address; the addresses that have static entries; and the ports that have static entries.
        var owners: [MACAddress: String] = [:]
        var statics: Set<MACAddress> = []
        /// The tap port whose interface has each address.
        var taps: [MACAddress: String] = [:]
        var staticPorts: Set<String> = []
        /// Whether a port of the bridge names a VLAN. Then an address may belong to several guests, in different VLANs.
        var hasVLANs = false
    }

    /// - Returns: nil if `ids` holds ids of classes that the trees do not have.
    init?(_ model: Model, _ descriptions: [TreeDescription], _ ids: ClassIDs) {
        guard ids.trees.count == descriptions.count, descriptions.allSatisfy({ ids.trees[$0.name]?.count == $0.classes.count }) else { return nil }
        guests = Places(model.guests, \.name, in: \.port)
        groups = Places(model.groups, \.name, in: \.bridge)
        ports = Places(model.ports, \.name, in: \.bridge)
        bridges = [:]
        isByPriority = model.ports.contains(where: \.isByPriority)
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
            if let mac = port.kind.hostAddress { bridges[port.bridge]!.taps[mac] = port.name }
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

    /// - Parameters: `model` and `descriptions` as they are before the change.
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

    /// The effective guests of a port, with one guest replaced, added (no old one) or removed (no new one).
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

/// Where the elements of a list stand, by their names, and which elements belong to the same group. Looking up and appending cost little; removing an element
/// moves one word for each element behind it.
struct Places<Element>: Sendable {
    /// A number for each element of the list, given when it came; the numbers ascend.
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
    /// The places of a group's elements, in the order of the list.
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
