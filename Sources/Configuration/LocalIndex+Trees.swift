extension LocalIndex {
    /// The change, completed by what it does to the trees. nil: classes of other guests would come, go, move or change, or the floors would be oversubscribed.
    /// - Parameters:
    ///   - made: the guests of the port that are new or changed.
    ///   - before: all guests of the port before the change, in their order.
    ///   - after: all guests of the port after the change, in their order.
    ///   - edited: the small model after the change.
    func withTrees(
        _ change: LocalChange, _ made: [EffectiveGuest], _ before: [EffectiveGuest], _ after: [EffectiveGuest], _ edited: Model,
        _ descriptions: [TreeDescription], _ ids: ClassIDs
    ) -> LocalChange? {
        var change = change
        var own = ClassIDs()
        let small = Dictionary(Configuration.trees(of: edited, made, ids: &own).map { ($0.name, $0) }) { first, _ in first }
        let made = Set(made.map(\.settings.name))
        for (number, description) in descriptions.enumerated() {
            // Skips the trees of other bridges, and a physical port's own tree, in which its guests have no classes.
            guard let new = small[description.name], let first = before.first, trees[number].guests[first.settings.name] != nil else { continue }
            guard let edit = edit(number, new, made, before.map(\.settings.name), after.map(\.settings.name), description, ids),
                let finished = finished(edit, &change, description)
            else { return nil }
            if !finished.isEmpty { change.trees.append(finished) }
        }
        return change
    }

    private func edit(
        _ number: Int, _ small: TreeDescription, _ made: Set<String>, _ before: [String], _ after: [String], _ description: TreeDescription, _ ids: ClassIDs
    ) -> LocalChange.TreeEdit? {
        let tree = trees[number]
        func start(of guest: String) -> Int? { tree.guests[guest]?.first.flatMap(tree.place) }
        /// Whether no group's class and no `rest` stands directly before the place. Such a class stands before the first guest that needs it, so it would come,
        /// go or move with the guest at this place.
        func standsBehindAGuest(_ place: Int) -> Bool { place == 0 || description.classes[place - 1].guest != nil }
        func isThere(_ parent: UInt16, before place: Int, _ block: [ClassDescription]) -> Bool {
            parent == ClassIDs.root || block.contains { $0.id == parent } || tree.place(of: parent).map { $0 < place } ?? false
        }
        var edit = LocalChange.TreeEdit(name: description.name, tree: number)
        var namer = Namer(tree, description, small, ids, Set(before).subtracting(after).union(made))
        let kept = Set(after)
        var insertions: [LocalChange.TreeEdit.Splice] = []
        for guest in before where !kept.contains(guest) {
            guard let place = start(of: guest), let count = tree.guests[guest]?.count, standsBehindAGuest(place) else { return nil }
            edit.splices.append(.init(place: place, count: count, classes: []))
        }
        var end: Int?
        for guest in after {
            let count = tree.guests[guest]?.count
            if !made.contains(guest) {
                guard let place = start(of: guest), let count else { return nil }
                end = place + count
                continue
            }
            guard let block = namer.block(of: guest), let top = block.first else { return nil }
            guard let count, let place = start(of: guest) else {
                // A guest that becomes the first of its port takes the place of the one that was first.
                guard let place = end ?? before.first.flatMap(start), end != nil || standsBehindAGuest(place), isThere(top.parent, before: place, block) else { return nil }
                insertions.append(.init(place: place, count: 0, classes: block))
                continue
            }
            let old = description.classes[place..<place + count]
            if zip(old, block).allSatisfy({ $0.hasPlace(of: $1) }), old.count == block.count {
                edit.changed += block.enumerated().map { .init(place: place + $0, settings: $1.settings) }
            } else {
                if top.parent != old.first?.parent {
                    guard standsBehindAGuest(place), isThere(top.parent, before: place, block) else { return nil }
                }
                edit.splices.append(.init(place: place, count: count, classes: block))
            }
            end = place + count
        }
        // Classes that are inserted at a place come before those that stood there.
        edit.splices = (insertions + edit.splices.sorted { $0.place < $1.place }).stablySorted()
        return edit
    }

    /// Gives the classes of a small tree the ids that they have, or get, in the whole tree.
    private struct Namer {
        private let tree: Tree
        private let description: TreeDescription
        private let ids: ClassIDs
        /// Guests whose ids may be reused.
        private let guests: Set<String>
        private let blocks: [String: [ClassDescription]]
        private let paths: [UInt16: String]
        /// All ids below this one are taken.
        private var next = Int(ClassIDs.range.lowerBound)

        init(_ tree: Tree, _ description: TreeDescription, _ small: TreeDescription, _ ids: ClassIDs, _ guests: Set<String>) {
            self.tree = tree
            self.description = description
            self.ids = ids
            self.guests = guests
            blocks = Dictionary(grouping: small.classes.filter { $0.guest != nil }) { $0.guest! }
            paths = Dictionary(small.classes.map { ($0.id, $0.path) }) { first, _ in first }
        }

        /// The classes of a guest with their ids in the whole tree.
        /// - Returns: nil if the class above is not in the whole tree, an id belongs to another guest, or no id is free.
        mutating func block(of guest: String) -> [ClassDescription]? {
            guard var block = blocks[guest] else { return nil }
            var own: [String: UInt16] = [:]
            for index in block.indices {
                if let parent = paths[block[index].parent] {
                    guard let id = own[parent] ?? ids.id(tree: description.name, path: parent) else { return nil }
                    block[index].parent = id
                }
                if let id = ids.id(tree: description.name, path: block[index].path) {
                    guard let owner = tree[id, description]?.guest, guests.contains(owner) else { return nil }
                    block[index].id = id
                } else {
                    guard let id = tree.freeID(from: next) else { return nil }
                    block[index].id = id
                    next = Int(id) + 1
                }
                own[block[index].path] = block[index].id
            }
            return block
        }
    }

    // MARK: What it does to others

    /// The edit, completed by the limits of queues and by what floors leave to `rest`. nil: the queue limits of other classes would change, or the floors would
    /// be oversubscribed.
    func finished(_ edit: LocalChange.TreeEdit, _ change: inout LocalChange, _ description: TreeDescription) -> LocalChange.TreeEdit? {
        var edit = edit
        let tree = trees[edit.tree]
        let (old, new) = description.concerned(by: edit)
        guard let sums = floorsFit(old, new, tree, description) else { return nil }
        if let place = tree.restID.flatMap(tree.place), let rate = description.rate {
            let sum = sums[ClassIDs.root] ?? tree.promises[ClassIDs.root] ?? Promise()
            let rest = tree.rest.parameters(rate: rate, taken: UInt64(clamping: sum.floor), largestFrame: tree.largestFrame)
            if rest != description.classes[place].settings {
                edit.changed.insert(.init(place: place, settings: rest), at: 0)
                if rest.floor == 0 { change.lines.append(Plan.notice(ofRestIn: description.name)) }
            }
        }
        let (before, after) = description.concerned(by: edit)
        guard var limits = tree.limits.filled(before, after)?[...] else { return nil }
        for index in edit.changed.indices { edit.changed[index].settings.delayBytes = limits.removeFirst() }
        for splice in edit.splices.indices {
            for index in edit.splices[splice].classes.indices { edit.splices[splice].classes[index].settings.delayBytes = limits.removeFirst() }
        }
        edit.changed.removeAll { $0.settings == description.classes[$0.place].settings }
        return edit
    }

    /// The sums of floors below each class that the edit touches. nil: some class would promise more to its children than it is promised itself.
    private func floorsFit(_ old: [ClassDescription], _ new: [ClassDescription], _ tree: Tree, _ description: TreeDescription) -> [UInt16: Promise]? {
        let now = Dictionary(new.map { ($0.id, $0) }) { first, _ in first }
        let gone = Set(old.map(\.id)).subtracting(now.keys)
        var sums: [UInt16: Promise] = [:]
        func add(_ item: ClassDescription, _ sign: Int128, below parent: ClassDescription?) {
            if sums[item.parent] == nil { sums[item.parent] = tree.promises[item.parent] ?? Promise() }
            if !item.isRemainder(below: parent) { sums[item.parent]!.add(item.settings, sign) }
        }
        for item in old { add(item, -1, below: tree[item.parent, description]) }
        for item in new {
            add(item, 1, below: now[item.parent] ?? tree[item.parent, description])
            if sums[item.id] == nil { sums[item.id] = tree.promises[item.id] ?? Promise() }
        }
        for (id, sum) in sums where !gone.contains(id) {
            if id == ClassIDs.root {
                // Without a rate at the root, nothing can be promised.
                if sum.floor + Int128(tree.rest.floor ?? 0) > Int128(description.rate ?? 0) { return nil }
            } else if let own = now[id] ?? tree[id, description] {
                if own.isRest { continue }
                if sum.floor > Int128(own.settings.floor) || sum.packets > Int128(own.settings.floorPackets) { return nil }
            }
        }
        return sums
    }
}

extension [LocalChange.TreeEdit.Splice] {
    /// Sorted by place; splices of the same place keep their order.
    fileprivate func stablySorted() -> Self {
        enumerated().sorted { ($0.element.place, $0.offset) < ($1.element.place, $1.offset) }.map(\.element)
    }
}

extension ClassDescription {
    /// The last part of the class's path.
    var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// Whether the class is `rest`, or a guest's leaf for all protocols without one of their own: its floor is what others leave over, not a promise of its
    /// own.
    func isRemainder(below parent: ClassDescription?) -> Bool {
        if isRest { return true }
        guard let parent, let guest else { return false }
        return isLeaf && protocolName == nil && parent.guest == guest
    }

    /// Whether `other` is the same class at the same place in the tree, apart from its settings.
    fileprivate func hasPlace(of other: ClassDescription) -> Bool {
        id == other.id && path == other.path && parent == other.parent && isLeaf == other.isLeaf && protocolName == other.protocolName && port == other.port
    }
}
