/// Floors must not be oversubscribed: a tree is refused where the floors of a class's children sum to more than the floor of the class itself, or, below the root, to more
/// than the tree's rate.
extension Validator {
    mutating func checkTrees(_ trees: [TreeDescription]) {
        for tree in trees {
            let most = Int(ClassIDs.range.count)
            if tree.classes.count > most {
                add(path(of: tree), "\(tree.name)'s tree would have \(tree.classes.count) classes: at most \(most) fit its 16-bit ids")
                continue
            }
            checkDepth(tree)
            checkFloors(tree)
            checkTrafficClasses(tree)
        }
    }

    private func path(of tree: TreeDescription) -> String {
        switch tree.kind {
        case .inbound(let name): "bridges[\(model.bridges.firstIndex { $0.name == name } ?? 0)]"
        case .outbound(let name): "ports[\(model.ports.firstIndex { $0.name == name } ?? 0)]"
        }
    }

    private mutating func checkDepth(_ tree: TreeDescription) {
        let inRest = tree.idsInRest
        for leaf in tree.classes where leaf.isLeaf {
            let levels = leaf.path.utf8.count { $0 == UInt8(ascii: "/") } + (inRest.contains(leaf.id) ? 3 : 2)
            guard levels > Model.deepestTree, let guest = leaf.guest, leaf.protocolName == nil else { continue }
            let index = model.guests.firstIndex { $0.name == guest } ?? 0
            add(
                "guests[\(index)].group",
                "the class \(leaf.path) of \(tree.name) stands \(levels) levels deep, \(inRest.contains(leaf.id) ? "the root and rest" : "the root") counted:"
                    + " at most \(Model.deepestTree) are kept; take away a group"
                    + (inRest.contains(leaf.id) ? ", or give \(leaf.path.prefix { $0 != "/" }) a floor" : ""))
        }
    }

    private mutating func checkFloors(_ tree: TreeDescription) {
        let byID = Dictionary(uniqueKeysWithValues: tree.classes.enumerated().map { ($1.id, $0) })
        let children = Dictionary(grouping: tree.classes.filter { item in !item.isRemainder(below: byID[item.parent].map { tree.classes[$0] }) }, by: \.parent)
        checkRoot(tree, (children[ClassIDs.root] ?? []) + writtenRest(of: tree))
        for parent in tree.classes {
            guard let below = children[parent.id] else { continue }
            check(below, under: parent, in: tree, .rate, \.floor, key: "floor")
            check(below, under: parent, in: tree, .packets, \.floorPackets, key: "floor-packets")
        }
    }

    /// The tree's class `rest` if the operator gave it a floor, as that floor is a promise like any other, even while no guest or group stands below `rest`.
    /// If the operator gave it none, the result is empty.
    private func writtenRest(of tree: TreeDescription) -> [ClassDescription] {
        let rest =
            switch tree.kind {
            case .inbound(let name): bridges[name]?.rest
            case .outbound(let name): ports[name]?.rest
            }
        guard let floor = rest?.floor else { return [] }
        var settings = ClassParameters()
        settings.floor = floor
        return [ClassDescription(id: 0, path: ClassDescription.restPath, parent: ClassIDs.root, isLeaf: false, settings: settings)]
    }

    private mutating func checkRoot(_ tree: TreeDescription, _ children: [ClassDescription]) {
        let promised = children.filter { $0.settings.floor > 0 }
        let total = promised.reduce(UInt64(0)) { $0.addingSaturating($1.settings.floor) }
        guard total > 0 else { return }
        let (noun, direction) =
            switch tree.kind {
            case .inbound: ("bridge", "inbound")
            case .outbound: ("port", "outbound")
            }
        guard let rate = tree.rate else {
            add(
                path(of: tree) + ".rate",
                "\(said(promised, .rate, \.floor)) cannot be guaranteed \(direction), as the \(noun) \(tree.name) has no rate:"
                    + " set its rate to what it can carry, at least \(Quantity.rate.format(total))")
            return
        }
        guard total > rate else { return }
        add(
            path(of: tree) + ".rate",
            "\(said(promised, .rate, \.floor)) \(sum(promised.count)) \(Quantity.rate.format(total)),"
                + " \(Quantity.rate.format(total - rate)) more than \(tree.name)'s rate \(Quantity.rate.format(rate))")
    }

    private mutating func check(
        _ children: [ClassDescription], under parent: ClassDescription, in tree: TreeDescription, _ quantity: Quantity,
        _ floor: KeyPath<ClassParameters, UInt64>, key: String
    ) {
        let promised = children.filter { $0.settings[keyPath: floor] > 0 }
        let total = promised.reduce(UInt64(0)) { $0.addingSaturating($1.settings[keyPath: floor]) }
        let own = parent.settings[keyPath: floor]
        guard total > own else { return }
        let name = parent.path.split(separator: "/").last.map(String.init) ?? parent.path
        let direction = if case .inbound = tree.kind { Direction.inbound } else { Direction.outbound }
        let list = parent.guest == nil ? "groups" : "guests"
        let index = parent.guest == nil ? model.groups.firstIndex { $0.name == name } : model.guests.firstIndex { $0.name == name }
        let place = "\(list)[\(index ?? 0)].\(direction).\(key)"
        // A group or guest has a class in the tree of every physical port of its bridge, so the same problem may be found in several trees; it is reported
        // once.
        if problems.problems.contains(where: { $0.path == place }) { return }
        let promise = "\(said(promised, quantity, floor)) \(sum(promised.count)) \(quantity.format(total))"
        add(
            place,
            own == 0
                ? "\(promise), but \(name) has no \(key) \(direction): set it to \(quantity.format(total)) or more"
                : "\(promise), \(quantity.format(total - own)) more than \(name)'s \(key) \(quantity.format(own))")
    }

    private func sum(_ count: Int) -> String { count == 1 ? "is" : "sum to" }

    /// The classes and their floors in words, such as `floors of vm1 (600mbit) and vm2 (500mbit)`.
    private func said(
        _ classes: [ClassDescription], _ quantity: Quantity, _ floor: KeyPath<ClassParameters, UInt64>
    ) -> String {
        let shown = classes.prefix(8).map { item in
            let name = item.path.split(separator: "/").last ?? "?"
            return "\(name) (\(quantity.format(item.settings[keyPath: floor])))"
        }
        let noun = classes.count == 1 ? "the floor of" : "floors of"
        if classes.count > shown.count {
            let rest = classes.dropFirst(8).reduce(UInt64(0)) { $0.addingSaturating($1.settings[keyPath: floor]) }
            return "\(noun) \(shown.joined(separator: ", ")) and \(classes.count - 8) more (\(quantity.format(rest)))"
        }
        if shown.count < 2 { return "\(noun) \(shown.joined())" }
        return "\(noun) \(shown.dropLast().joined(separator: ", ")) and \(shown[shown.count - 1])"
    }
}
