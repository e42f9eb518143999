import Packet

extension LocalIndex {
    /// The change that a command comes to, worked out from the objects that it touches alone.
    /// - Returns: nil if the general way has to decide, because the change is not a local one, or is wrong.
    func change(_ object: EditObject, _ verb: String, _ words: [String], _ model: Model, _ descriptions: [TreeDescription], _ ids: ClassIDs) -> LocalChange? {
        if isByPriority { return nil }
        return switch object {
        case .class: classChange(verb, words, model, descriptions, ids)
        case .guest: guestChange(verb, words, model, descriptions, ids)
        default: nil
        }
    }

    // MARK: Classes

    private func classChange(_ verb: String, _ words: [String], _ model: Model, _ descriptions: [TreeDescription], _ ids: ClassIDs) -> LocalChange? {
        guard let path = words.first else { return nil }
        let parts = path.split(separator: "/").map(String.init)
        guard let last = parts.last else { return nil }
        let named = parts.count > 1 ? guests.place(of: parts[parts.count - 2]) : nil
        if named == nil, let group = groups.place(of: last) { return change(verb, words, group: group, model, descriptions, ids) }
        guard let place = named ?? guests.place(of: last), let port = ports.place(of: model.guests[place].port),
            // If a group is called like the protocol that the path ends with, the group is put into the small model as well, so that the ambiguity is resolved
            // there as in the whole one.
            var small = small(around: port, model.guests[place].group, model, and: groups.place(of: last))
        else { return nil }
        small.guests = [model.guests[place]]
        guard let edited = try? small.edited(EditObject.class.rawValue, verb, words), edited.guests.count == 1 else { return nil }
        return change((model.guests[place], edited.guests[0]), small, edited, model, descriptions, ids)
    }

    private func change(
        _ verb: String, _ words: [String], group place: Int, _ model: Model, _ descriptions: [TreeDescription], _ ids: ClassIDs
    ) -> LocalChange? {
        let name = model.groups[place].name
        // A group without a guest below it has no class in any tree.
        guard let guest = someGuest(below: name, model, descriptions), let port = ports.place(of: guest.port),
            var small = small(around: port, guest.group, model, and: place)
        else { return nil }
        small.guests = [guest]
        guard let edited = try? small.edited(EditObject.class.rawValue, verb, words), let settings = edited.groups.first(where: { $0.name == name })
        else { return nil }
        var change = LocalChange(lines: Self.lines(small, edited), warnings: edited.warnings(since: small))
        change.group = .init(place: place, settings: settings)
        var own = ClassIDs()
        let made = Dictionary(Configuration.trees(of: edited, ids: &own).map { ($0.name, $0) }) { first, _ in first }
        for (number, description) in descriptions.enumerated() {
            let new = made[description.name]?.classes.first { $0.guest == nil && $0.name == name }
            let place = trees[number].groups[name].flatMap(trees[number].place)
            guard let new, let place else {
                if new == nil, place == nil { continue }
                return nil
            }
            let old = description.classes[place], parent = made[description.name]?.classes.first { $0.id == new.parent }
            guard old.path == new.path, trees[number][old.parent, description]?.path == parent?.path else { return nil }
            var edit = LocalChange.TreeEdit(name: description.name, tree: number)
            edit.changed = [.init(place: place, settings: new.settings)]
            guard let finished = finished(edit, &change, description) else { return nil }
            if !finished.isEmpty { change.trees.append(finished) }
        }
        return change
    }

    /// A guest that has a class below the group's class.
    private func someGuest(below group: String, _ model: Model, _ descriptions: [TreeDescription]) -> GuestSettings? {
        for (tree, description) in zip(trees, descriptions) {
            guard let place = tree.groups[group].flatMap(tree.place) else { continue }
            // A class's descendants follow it directly, so the first guest's class after the group's class stands below it.
            let below = description.classes[place...].first { $0.guest != nil }
            if let name = below?.guest, let found = guests.place(of: name) { return model.guests[found] }
        }
        return nil
    }

    // MARK: Guests

    private func guestChange(_ verb: String, _ words: [String], _ model: Model, _ descriptions: [TreeDescription], _ ids: ClassIDs) -> LocalChange? {
        guard let name = words.first else { return nil }
        var alone = Model()
        let place = guests.place(of: name)
        if let place { alone.guests = [model.guests[place]] }
        guard let after = (try? alone.edit(EditObject.guest.rawValue, verb, words))?.model else { return nil }
        let (old, new) = (alone.guests.first, after.guests.first)
        guard let guest = new ?? old, old.map({ $0.port == guest.port }) ?? true, let port = ports.place(of: guest.port), isSound(old, new, model),
            var small = small(around: port, guest.group, model, and: nil)
        else { return nil }
        var edited = small
        small.guests = alone.guests
        edited.guests = after.guests
        guard edited.problems.isEmpty else { return nil }
        return change((old, new), small, edited, model, descriptions, ids)
    }

    /// Whether the guest can exist together with all others, as far as that does not depend on trees: names, addresses and the room for them.
    private func isSound(_ old: GuestSettings?, _ new: GuestSettings?, _ model: Model) -> Bool {
        guard let guest = new ?? old, let port = ports.place(of: guest.port).map({ model.ports[$0] }), let bridge = bridges[port.bridge], !bridge.hasVLANs, new?.vlan == nil
        else { return false }
        if let new {
            if groups.contains(new.name) || ports.contains(new.name) && new.port != new.name { return false }
            if old == nil, model.guests.count >= Model.mostGuests { return false }
            if new.macs.contains(where: { mac in bridge.owners[mac].map { $0 != new.name } ?? false }) { return false }
            if new.macs.contains(where: { mac in bridge.taps[mac].map { $0 != port.name } ?? false }) { return false }
            if new.macs.count + bridge.owners.count + bridge.statics.count > model.bridges[bridge.place].fdbSize { return false }
        }
        if ((old?.macs ?? []) + (new?.macs ?? [])).contains(where: bridge.statics.contains) { return false }
        let others = guests.places(in: port.name).map { model.guests[$0] }.filter { $0.name != guest.name }
        if let new, new.macs.isEmpty, others.contains(where: { $0.macs.isEmpty }) { return false }
        return !port.spoofCheck || !(new?.macs ?? []).isEmpty || others.contains { !$0.macs.isEmpty }
    }

    /// The change of a guest to other settings on the same port.
    /// - Parameters: `small` and `edited` are models that contain no guest but this one, before and after the change; both are free of problems.
    private func change(
        _ guest: (old: GuestSettings?, new: GuestSettings?), _ small: Model, _ edited: Model, _ model: Model, _ descriptions: [TreeDescription], _ ids: ClassIDs
    ) -> LocalChange? {
        guard let name = guest.new?.name ?? guest.old?.name, let port = (guest.new ?? guest.old)?.port, let place = ports.place(of: port),
            let bridge = bridges[model.ports[place].bridge]
        else { return nil }
        let before = effective(on: port, model), after = effective(on: port, model, with: guest)
        // A guest that gets its first address or loses its last one moves to another place among the port's guests; that is left to the general way.
        let (stayed, stay) = (Set(before.map(\.settings.name)), Set(after.map(\.settings.name)))
        guard before.map(\.settings.name).filter(stay.contains) == after.map(\.settings.name).filter(stayed.contains) else { return nil }
        let isSame = before.map(\.settings.name) == after.map(\.settings.name) && guest.old?.macs == guest.new?.macs
        var change = LocalChange(lines: Self.lines(small, edited), warnings: edited.warnings(since: small))
        let others = guests.place(of: name)
        switch (guest.old, guest.new) {
        case (nil, let new?): change.guest = .add(new)
        case (_?, let new?): change.guest = .set(.init(place: others!, settings: new))
        default: change.guest = .remove(place: others!)
        }
        if !isSame {
            let (old, new) = (guest.old?.macs ?? [], guest.new?.macs ?? [])
            guard let catchAll = after.last?.settings.name else { return nil }
            // Static entries belong to the port's catch-all guest, so they would change hands with it.
            if before.last?.settings.name != catchAll, bridge.staticPorts.contains(port) { return nil }
            change.port = .init(
                port: port, bridge: model.ports[place].bridge, all: after.map(\.settings.name), catchAll: catchAll, came: stay.subtracting(stayed).sorted(),
                gone: stayed.subtracting(stay).sorted(), removed: old.filter { !new.contains($0) }, added: new.filter { !old.contains($0) }, owner: name)
        }
        guard classCount + (count(after) - count(before)) * trees(on: model.ports[place].bridge) <= Model.mostClasses else { return nil }
        let made = after.filter { $0.settings.name == name || !stayed.contains($0.settings.name) }
        return withTrees(change, made, before, after, edited, descriptions, ids)
    }

    // MARK: The small model

    /// A model with only the parts that decide which classes a guest on this port has: the bridge, its physical ports, the protocols and the groups above. The
    /// guest itself is not in it.
    private func small(around port: Int, _ group: String?, _ model: Model, and other: Int?) -> Model? {
        guard let bridge = bridges[model.ports[port].bridge] else { return nil }
        var small = Model()
        small.bridges = [model.bridges[bridge.place]]
        small.bridges[0].staticEntries = []
        small.ports = Set([port] + bridge.physical + [bridge.widest].compactMap { $0 }).sorted().map { place in
            var settings = model.ports[place]
            // The spoof check needs the addresses of guests that are not in this model, and the filters are not in it either.
            settings.spoofCheck = false
            settings.filter = PortFilters()
            let hairpin = settings.rules.hairpin
            settings.rules = PortRules()
            settings.rules.hairpin = hairpin
            return settings
        }
        small.protocols = model.protocols
        var chain: [Int] = []
        var next = group
        while let name = next, let place = groups.place(of: name), chain.count < Model.deepestTree {
            chain.append(place)
            next = model.groups[place].parent
        }
        next = other.map { model.groups[$0].name }
        while let name = next, let place = groups.place(of: name), !chain.contains(place), chain.count < 2 * Model.deepestTree {
            chain.append(place)
            next = model.groups[place].parent
        }
        // A group on another bridge is left out; the general way reports what is wrong with it.
        small.groups = chain.sorted().map { model.groups[$0] }.filter { $0.bridge == small.bridges[0].name }
        return small
    }

    private static func lines(_ old: Model, _ new: Model) -> [String] {
        Plan(actions: actions(from: old, to: new), trees: []).lines(from: old, to: new)
    }
}
