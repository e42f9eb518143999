/// New settings of one guest's or group's classes, in trees that keep their shapes.
public struct ClassChange: Equatable, Sendable {
    /// What is changed in the model; one of the two, by its place.
    public var guest: Placed<GuestSettings>?
    public var group: Placed<GroupSettings>?
    public var classes: [Item]
    /// As `Plan.lines`; empty: nothing changes.
    public var lines: [String]

    public struct Placed<Settings: Equatable & Sendable>: Equatable, Sendable {
        public var place: Int
        public var settings: Settings
    }
    public struct Item: Equatable, Sendable {
        /// Its tree's name.
        public var name: String
        /// The place of its tree among the trees, and its own among the tree's classes.
        public var tree: Int
        public var place: Int
        public var settings: ClassParameters
    }
}

extension Model {
    public mutating func adopt(_ change: ClassChange) {
        if let guest = change.guest { guests[guest.place] = guest.settings }
        if let group = change.group { groups[group.place] = group.settings }
    }
}

/// Where things are in a model and its trees, and what floors sum to, so that the change of one class's settings looks at that class and those around it
/// alone.
///
/// Such a change is carried out in the general way on a small model: the guest (or a guest of the group), its port, its groups, its bridge. What that gives
/// is taken over only where each class stands where it stood, and where the floors beside and below it still sum to no more than what is above them.
struct ClassIndex: Sendable {
    private var guests: [String: Int] = [:]
    private var groups: [String: Int] = [:]
    private var ports: [String: Int] = [:]
    private var bridges: [String: Bridge] = [:]
    private var trees: [Tree] = []

    private struct Bridge {
        var place: Int
        /// Places of its physical ports, and of one with the largest frames.
        var physical: [Int] = []
        var widest: Int?
    }

    private struct Tree {
        /// Places of classes by id, of guests' by guest, and of groups' by group.
        var places: [UInt16: Int] = [:]
        var guests: [String: [Int]] = [:]
        var groups: [String: Int] = [:]
        /// By the id of the class above: what it promises to those below.
        var promises: [UInt16: Promise] = [:]
        /// What was written of `rest`, its place if there is anybody in it, and the bytes of the largest frame there.
        var rest = RestSettings()
        var restPlace: Int?
        var largestFrame = 0
        var limits: QueueLimits
    }

    /// Sums that may pass 64 bits.
    private struct Promise {
        var floor: Int128 = 0
        var packets: Int128 = 0

        mutating func add(_ settings: ClassParameters, _ sign: Int128) {
            floor += sign * Int128(settings.floor)
            packets += sign * Int128(settings.floorPackets)
        }
    }

    init(_ model: Model, _ descriptions: [TreeDescription]) {
        guests = Self.places(model.guests, \.name)
        groups = Self.places(model.groups, \.name)
        ports = Self.places(model.ports, \.name)
        bridges = Self.places(model.bridges, \.name).mapValues { Bridge(place: $0) }
        for (place, port) in model.ports.enumerated() {
            guard var bridge = bridges[port.bridge] else { continue }
            if port.isPhysical { bridge.physical.append(place) }
            if bridge.widest.map({ model.ports[$0].largestFrame < port.largestFrame }) ?? true { bridge.widest = place }
            bridges[port.bridge] = bridge
        }
        trees = descriptions.map { description in
            var tree = Tree(limits: QueueLimits(description.classes, rate: description.rate))
            (tree.rest, tree.largestFrame) = rest(of: description, model)
            tree.restPlace = description.classes.firstIndex(where: \.isRest)
            tree.places = Dictionary(description.classes.enumerated().map { ($1.id, $0) }) { first, _ in first }
            for (place, item) in description.classes.enumerated() {
                if let guest = item.guest { tree.guests[guest, default: []].append(place) } else { tree.groups[item.name] = place }
                if !Self.isRemainder(item, tree, description) { tree.promises[item.parent, default: Promise()].add(item.settings, 1) }
            }
            return tree
        }
    }

    private func rest(of description: TreeDescription, _ model: Model) -> (RestSettings, largestFrame: Int) {
        let bridge: Bridge?, rest: RestSettings?
        switch description.kind {
        case .inbound(let name):
            bridge = bridges[name]
            rest = bridge.map { model.bridges[$0.place].rest }
        case .outbound(let name):
            bridge = ports[name].flatMap { bridges[model.ports[$0].bridge] }
            rest = ports[name].map { model.ports[$0].rest }
        }
        return (rest ?? RestSettings(), bridge?.widest.map { model.ports[$0].largestFrame } ?? PortSettings.usualLargestFrame)
    }

    private static func places<Object>(_ list: [Object], _ key: KeyPath<Object, String>) -> [String: Int] {
        Dictionary(list.enumerated().map { ($1[keyPath: key], $0) }) { first, _ in first }
    }

    private static func isRemainder(_ item: ClassDescription, _ tree: Tree, _ description: TreeDescription) -> Bool {
        item.isRemainder(below: tree.places[item.parent].map { description.classes[$0] })
    }

    // MARK: A change

    /// - Returns: nil where the general way has to decide.
    func change(_ verb: String, _ words: [String], _ model: Model, _ descriptions: [TreeDescription]) -> ClassChange? {
        guard let path = words.first else { return nil }
        let parts = path.split(separator: "/").map(String.init)
        guard let last = parts.last else { return nil }
        if parts.count > 1, let guest = guests[parts[parts.count - 2]] {
            return change(verb, words, guest: guest, last, model, descriptions)
        }
        if let group = groups[last] { return change(verb, words, group: group, model, descriptions) }
        return guests[last].flatMap { change(verb, words, guest: $0, last, model, descriptions) }
    }

    private func change(
        _ verb: String, _ words: [String], guest place: Int, _ last: String, _ model: Model, _ descriptions: [TreeDescription]
    ) -> ClassChange? {
        let guest = model.guests[place]
        // A group may be called like the protocol that the path ends with, and what names what is for the small model to find.
        guard let port = ports[guest.port], var small = small(around: port, guest.group, model, and: groups[last]) else { return nil }
        small.guests = [guest]
        guard let edited = try? small.edited(EditObject.class.rawValue, verb, words), edited.guests.count == 1 else { return nil }
        var change = ClassChange(classes: [], lines: Self.lines(small, edited))
        change.guest = .init(place: place, settings: edited.guests[0])
        return taken(change, of: { $0.guest == guest.name }, was: { $0.guests[guest.name] ?? [] }, small, edited, descriptions)
    }

    private func change(_ verb: String, _ words: [String], group place: Int, _ model: Model, _ descriptions: [TreeDescription]) -> ClassChange? {
        let name = model.groups[place].name
        // Without a guest in it a group has no class.
        guard let guest = someGuest(below: place, model, descriptions), let port = ports[guest.port],
            var small = small(around: port, guest.group, model, and: place)
        else { return nil }
        small.guests = [guest]
        guard let edited = try? small.edited(EditObject.class.rawValue, verb, words), let settings = edited.groups.first(where: { $0.name == name })
        else { return nil }
        var change = ClassChange(classes: [], lines: Self.lines(small, edited))
        change.group = .init(place: place, settings: settings)
        return taken(change, of: { $0.guest == nil && $0.name == name }, was: { $0.groups[name].map { [$0] } ?? [] }, small, edited, descriptions)
    }

    /// A guest whose classes stand below the group's.
    private func someGuest(below group: Int, _ model: Model, _ descriptions: [TreeDescription]) -> GuestSettings? {
        for (tree, description) in zip(trees, descriptions) {
            guard let place = tree.groups[model.groups[group].name] else { continue }
            // Parents stand before their children, and the first class behind a group's is below it.
            let below = description.classes[place...].first { $0.guest != nil }
            if let name = below?.guest, let found = guests[name] { return model.guests[found] }
        }
        return nil
    }

    /// The part of the model that the classes of a guest on a port follow from, but for the guest.
    private func small(around port: Int, _ group: String?, _ model: Model, and other: Int?) -> Model? {
        guard let bridge = bridges[model.ports[port].bridge] else { return nil }
        var small = Model()
        small.bridges = [model.bridges[bridge.place]]
        small.bridges[0].staticEntries = []
        small.ports = Set([port] + bridge.physical + [bridge.widest].compactMap { $0 }).sorted().map { place in
            var settings = model.ports[place]
            // It needs the addresses of guests who are not here.
            settings.spoofCheck = false
            return settings
        }
        small.protocols = model.protocols
        var chain: [Int] = []
        var next = group
        while let name = next, let place = groups[name], chain.count < Model.deepestTree {
            chain.append(place)
            next = model.groups[place].parent
        }
        next = other.map { model.groups[$0].name }
        while let name = next, let place = groups[name], !chain.contains(place), chain.count < 2 * Model.deepestTree {
            chain.append(place)
            next = model.groups[place].parent
        }
        // What is wrong at another bridge is not to be told here.
        small.groups = chain.sorted().map { model.groups[$0] }.filter { $0.bridge == small.bridges[0].name }
        return small
    }

    private static func lines(_ old: Model, _ new: Model) -> [String] {
        Plan(actions: actions(from: old, to: new), trees: []).lines(from: old, to: new)
    }

    // MARK: What comes of it

    /// The change with the classes that the edited small model gives; nil if any of them would come, go or move, or if floors would not be admitted.
    private func taken(
        _ change: ClassChange, of isMeant: (ClassDescription) -> Bool, was: (Tree) -> [Int], _ small: Model, _ edited: Model, _ descriptions: [TreeDescription]
    ) -> ClassChange? {
        var change = change
        var ids = ClassIDs()
        let made = Dictionary(Configuration.trees(of: edited, ids: &ids).map { ($0.name, $0) }) { first, _ in first }
        for (number, description) in descriptions.enumerated() {
            let places = was(trees[number])
            let new = made[description.name].map { tree in (tree, tree.classes.filter(isMeant)) }
            guard places.count == new?.1.count ?? 0 else { return nil }
            guard let (tree, classes) = new else { continue }
            // The small model does not know who else is there.
            guard let settings = trees[number].limits.filled(zip(places, classes).map { (description.classes[$0], $1.settings) }) else { return nil }
            for ((place, item), settings) in zip(zip(places, classes), settings) {
                let old = description.classes[place]
                guard old.path == item.path, old.isLeaf == item.isLeaf, old.protocolName == item.protocolName, old.port == item.port,
                    path(of: old.parent, number, descriptions) == tree.classes.first(where: { $0.id == item.parent })?.path
                else { return nil }
                if old.settings != settings { change.classes.append(.init(name: description.name, tree: number, place: place, settings: settings)) }
            }
        }
        guard isAdmitted(change, descriptions) else { return nil }
        adjustRests(&change, descriptions)
        return keepsLimits(change, descriptions) ? change : nil
    }

    /// Whether the queues of those in `rest` stay as long as they are.
    private func keepsLimits(_ change: ClassChange, _ descriptions: [TreeDescription]) -> Bool {
        Dictionary(grouping: change.classes, by: \.tree).allSatisfy { number, items in
            guard let rest = trees[number].restPlace, items.contains(where: { $0.place == rest }) else { return true }
            let changes = items.map { (old: descriptions[number].classes[$0.place], new: $0.settings) }.filter { $0.old.parent == ClassIDs.root }
            return trees[number].limits.filled(changes) != nil
        }
    }

    /// What changed floors leave to the classes without one.
    private func adjustRests(_ change: inout ClassChange, _ descriptions: [TreeDescription]) {
        for (number, items) in Dictionary(grouping: change.classes, by: \.tree).sorted(by: { $0.key < $1.key }) {
            let tree = trees[number], description = descriptions[number]
            guard let place = tree.restPlace, let rate = description.rate else { continue }
            var sum = tree.promises[ClassIDs.root] ?? Promise()
            for item in items {
                let old = description.classes[item.place]
                guard old.parent == ClassIDs.root else { continue }
                sum.add(old.settings, -1)
                sum.add(item.settings, 1)
            }
            let rest = tree.rest.parameters(rate: rate, taken: UInt64(clamping: sum.floor), largestFrame: tree.largestFrame)
            if rest == description.classes[place].settings { continue }
            change.classes.append(.init(name: description.name, tree: number, place: place, settings: rest))
            if rest.floor == 0 { change.lines.append(Plan.notice(ofRestIn: description.name)) }
        }
    }

    /// nil for the root.
    private func path(of id: UInt16, _ tree: Int, _ descriptions: [TreeDescription]) -> String? {
        trees[tree].places[id].map { descriptions[tree].classes[$0].path }
    }

    /// Whether floors beside and below the changed classes still sum to no more than what is promised to the class above them.
    private func isAdmitted(_ change: ClassChange, _ descriptions: [TreeDescription]) -> Bool {
        for (number, items) in Dictionary(grouping: change.classes, by: \.tree) {
            let description = descriptions[number], tree = trees[number]
            var promises: [UInt16: Promise] = [:]
            var settings: [UInt16: ClassParameters] = [:]
            for item in items {
                let old = description.classes[item.place]
                settings[old.id] = item.settings
                if promises[old.id] == nil { promises[old.id] = tree.promises[old.id] ?? Promise() }
                guard !Self.isRemainder(old, tree, description) else { continue }
                var sum = promises[old.parent] ?? tree.promises[old.parent] ?? Promise()
                sum.add(old.settings, -1)
                sum.add(item.settings, 1)
                promises[old.parent] = sum
            }
            for (id, sum) in promises {
                if id == ClassIDs.root {
                    // Without a rate nothing can be promised.
                    if sum.floor + Int128(tree.rest.floor ?? 0) > Int128(description.rate ?? 0) { return false }
                } else if let place = tree.places[id] {
                    let own = settings[id] ?? description.classes[place].settings
                    if sum.floor > Int128(own.floor) || sum.packets > Int128(own.floorPackets) { return false }
                }
            }
        }
        return true
    }

    /// - Parameter descriptions: as they are before the change.
    mutating func adopt(_ change: ClassChange, _ descriptions: [TreeDescription]) {
        for (tree, items) in Dictionary(grouping: change.classes, by: \.tree) {
            trees[tree].limits.adopt(items.map { (descriptions[tree].classes[$0.place], $0.settings) })
        }
        for item in change.classes {
            let description = descriptions[item.tree], old = description.classes[item.place]
            guard !Self.isRemainder(old, trees[item.tree], description) else { continue }
            trees[item.tree].promises[old.parent, default: Promise()].add(old.settings, -1)
            trees[item.tree].promises[old.parent, default: Promise()].add(item.settings, 1)
        }
    }
}

extension ClassDescription {
    /// The last part of its path.
    var name: String { path.split(separator: "/").last.map(String.init) ?? path }

    /// `rest`, or the leaf for what a guest's protocols leave over: its floor is a remainder, not a promise of its own.
    func isRemainder(below parent: ClassDescription?) -> Bool {
        if isRest { return true }
        guard let parent, let guest else { return false }
        return isLeaf && protocolName == nil && parent.guest == guest
    }
}
