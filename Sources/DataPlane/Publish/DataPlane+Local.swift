import Bridge
import Configuration
import Packet
import Scheduler

extension DataPlane {
    /// Carries out the edit of one guest or group, at a cost that depends only on what it concerns.
    /// - Parameter change: a change of the running model and trees; no port may be lost, and no address unbound.
    public func apply(_ change: LocalChange) {
        // If frames lead to the same classes as before, only the parameters of these classes change, and no snapshot is published.
        let leadsElsewhere = change.port != nil || change.trees.contains { !$0.splices.isEmpty }
        if let guests = change.port { adoptNumbers(of: guests) }
        model.adopt(change)
        if let guests = change.port { adoptOwners(of: guests) }
        var edits: [LocalTreeEdit] = []
        for edit in change.trees {
            guard let tree = trees[edit.name] else { continue }
            edits.append(LocalTreeEdit(edit, tree) { item in outputIndex(of: item, tree.kind) })
        }
        for edit in edits { send(edit.before, to: edit.tree) }
        if edits.contains(where: { !$0.before.isEmpty }) { awaitCommands() }
        for edit in edits { edit.tree.tidy(after: edit.before) }
        for edit in edits { edit.tree.adopt(edit.edit) { item in outputIndex(of: item, edit.tree.kind) } }
        guard leadsElsewhere else { return }
        // Classes that stay where they are need no new rows, and are not all of their guest's classes.
        publish(change.port, edits.map { ($0.tree, $0.edit.splices.flatMap(\.classes)) })
        let isPlain = edits.allSatisfy { edit in edit.old.gathering.allSatisfy { item in edit.new.contains { $0.id == item.id } } }
        if isPlain {
            for edit in edits { send(edit.after, to: edit.tree) }
            if edits.contains(where: { !$0.after.isEmpty }) { awaitCommands() }
        } else {
            // Groups or `rest` lose their last guest, so their classes are removed and their counters kept.
            for edit in edits { remove(edit.after, from: edit.tree, of: edit.old, all: edit.old + edit.tree.description.classes) }
        }
        for edit in edits {
            edit.tree.tidy(after: edit.after)
            keepCounts(of: edit.old.guestClasses, in: edit.tree, but: edit.new.guestClasses)
        }
        if let guests = change.port { bind(guests) }
    }

    /// What the edit does to one tree.
    private struct LocalTreeEdit {
        let edit: LocalChange.TreeEdit
        let tree: Tree
        let old: [ClassDescription]
        let new: [ClassDescription]
        let before: [TreeStep]
        let after: [TreeStep]

        init(_ edit: LocalChange.TreeEdit, _ tree: Tree, output: (ClassDescription) -> PortIndex) {
            self.edit = edit
            self.tree = tree
            (old, new) = tree.description.concerned(by: edit)
            (before, after) = tree.commands(of: edit, output: output)
        }
    }

    /// Gives numbers to guests that come. Guests that go keep theirs until nothing leads to them any more.
    private func adoptNumbers(of guests: LocalChange.PortGuests) {
        if guestRows.grow(toHold: freeGuests.next + guests.came.count) { publish() }
        for name in guests.gone {
            if let index = guestIndices.removeValue(forKey: name) { closedGuests.append((Int(index), guests.port)) }
        }
        for name in guests.came { guestIndices[name] = freeGuests.allocate().map(GuestIndex.init) }
    }

    /// Does what `adoptOwners()` does, for the guests of one port.
    private func adoptOwners(of guests: LocalChange.PortGuests) {
        guard let port = index(of: guests.port), bridges[guests.bridge] != nil, !guests.removed.isEmpty || !guests.added.isEmpty else { return }
        for mac in guests.removed { bridges[guests.bridge]!.owned[Station(mac)] = nil }
        let binding = guestIndices[guests.owner].map { Binding(port: port, guest: $0) }
        for mac in guests.added { bridges[guests.bridge]!.owned[Station(mac)] = binding }
        let bridge = bridges[guests.bridge]!
        let added = binding.map { binding in guests.added.map { (mac: $0.value, value: FDBValue(staticPort: binding.port, guest: binding.guest)) } } ?? []
        guard let owners = bridge.owners.changed(removed: guests.removed.map(\.value), added: added, count: bridge.owned.count) else {
            return makeOwners(of: guests.bridge)
        }
        retiredOwners.append(bridge.owners)
        bridges[guests.bridge]!.owners = owners
    }

    /// As `bindAddresses` and `relabelAddresses`, for the guests of one port. The numbers of guests that have gone are free afterwards.
    private func bind(_ guests: LocalChange.PortGuests) {
        if let port = ports[guests.port], let fdb = bridges[guests.bridge]?.fdb {
            for mac in guests.removed where bridges[guests.bridge]!.bound.removeValue(forKey: Station(mac)) != nil { fdb.removeStatic(mac: mac.value) }
            for mac in guests.added where port.sight.isUp {
                guard let binding = bridges[guests.bridge]!.owned[Station(mac)] else { continue }
                if fdb.addStatic(mac: mac.value, port: binding.port, guest: binding.guest) {
                    bridges[guests.bridge]!.bound[Station(mac)] = binding
                } else {
                    unboundAddresses.append((guests.bridge, mac, nil))
                }
            }
            let known = LearnedFor(all: guests.all.compactMap { guestIndices[$0] }, catchAll: guestIndices[guests.catchAll] ?? 0)
            // A guest that comes has addresses of its own, which are bound; what was learned belongs to the port's catch-all guest. So entries are relabelled
            // only if the catch-all has changed or guests have gone.
            let isRelabelled = learnedFor[port.index].map { $0.catchAll != known.catchAll } ?? false || !guests.gone.isEmpty
            learnedFor[port.index] = known
            if isRelabelled { relabel([port.index: known]) }
        }
        for name in guests.gone { guestsSent[name] = nil }
        for guest in closedGuests { freeGuests.release(guest.index) }
        closedGuests = []
    }
}
