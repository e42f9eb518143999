import Configuration
import Scheduler

/// What a tree's instances were told last.
struct TreeRecord {
    private(set) var description: TreeDescription
    /// By id.
    private var told: [UInt16: Scheduler.ClassParameters] = [:]

    /// Of a tree that has its root and nothing else.
    init(of description: TreeDescription) {
        self.description = description
        self.description.classes = []
    }

    /// The commands that bring the tree from what it has to `wanted`, in the order in which they must run: those to be carried out before leaves
    /// are used, and removals, to be done after they are no longer. `output` gives the port a leaf delivers to.
    ///
    /// A leaf that goes leaves its queue to the leaf that its traffic takes from then on, and until the loops know of that, what still comes for it as well
    /// (`ClassTree.heir`): so no frame is without a class, and none overtakes another of its flow.
    func commands(to wanted: TreeDescription, output: (ClassDescription) -> PortIndex) -> (before: [TreeStep], after: [TreeStep]) {
        commands(from: description.classes, to: wanted, output: output)
    }

    private func commands(
        from classes: [ClassDescription], to wanted: TreeDescription, output: (ClassDescription) -> PortIndex
    ) -> (before: [TreeStep], after: [TreeStep]) {
        var before: [TreeStep] = []
        if wanted.overhead != description.overhead {
            before.append(.overhead(bytes: wanted.overhead))
        }
        if wanted.rate != description.rate { before.append(.change(ClassIDs.root, Self.root(wanted))) }
        var places = Places(of: classes)
        // What a leaf holds goes to the first child it gets: that is to be the one its frames go to from then on.
        for item in wanted.classes.filter({ $0.protocolName == nil }) + wanted.classes.filter({ $0.protocolName != nil }) {
            let parameters = parameters(of: item, output)
            guard let old = told[item.id] else {
                before.append(.add(item.id, under: item.parent, parameters))
                continue
            }
            before += places.move(item.id, under: item.parent)
            if old != parameters { before.append(.change(item.id, parameters)) }
        }
        let kept = Set(wanted.classes.map(\.id))
        let gone = classes.filter { !kept.contains($0.id) }
        let left = leavings(gone, wanted, output)
        before += left
        let hasLeft = Set(left.lazy.compactMap(\.removed))
        // Children come after their parents in a description, so removals go backwards. What a parent was as a leaf its last child is.
        let after = (gone.filter { $0.protocolName != nil } + gone.filter { $0.protocolName == nil }.reversed())
            .filter { !hasLeft.contains($0.id) }.map { TreeStep.remove($0.id, heir: 0) }
        return (before, after)
    }

    /// The removals of leaves whose traffic has another leaf in `wanted`.
    private func leavings(_ gone: [ClassDescription], _ wanted: TreeDescription, _ output: (ClassDescription) -> PortIndex) -> [TreeStep] {
        let leaves = gone.filter { $0.isLeaf && $0.guest != nil }
        if leaves.isEmpty { return [] }
        let new = Dictionary(wanted.classes.filter(\.isLeaf).map { (Traffic($0), $0) }) { first, _ in first }
        let rests = Dictionary(leaves.filter { $0.protocolName == nil }.map { ($0.parent, $0.id) }) { first, _ in first }
        var changes: [TreeStep] = [], removals: [TreeStep] = []
        for leaf in leaves.filter({ $0.protocolName != nil }) + leaves.filter({ $0.protocolName == nil }) {
            guard let heir = new[Traffic(leaf)] ?? new[Traffic(leaf.guest)], var parameters = told[leaf.id] else { continue }
            // Queues are joined where they lead to the same port.
            let port = self.parameters(of: heir, output).output
            if parameters.output != port {
                parameters.output = port
                changes.append(.change(leaf.id, parameters))
            }
            // A parent becomes a leaf with its last child, which is the one for everything else.
            let isParent = heir.id == leaf.parent
            let next = isParent && leaf.protocolName != nil ? rests[leaf.parent] ?? heir.id : heir.id
            removals.append(.remove(leaf.id, heir: next))
        }
        return changes + removals
    }

    /// What a leaf is for.
    private struct Traffic: Hashable {
        var guest: String?
        var protocolName: String?
        init(_ leaf: ClassDescription) { (guest, protocolName) = (leaf.guest, leaf.protocolName) }
        init(_ guest: String?) { self.guest = guest }
    }

    /// The instances have been told what `wanted` says. A port that was opened anew has another index, though its classes stay the same.
    mutating func adopt(_ wanted: TreeDescription, output: (ClassDescription) -> PortIndex) {
        let new = Dictionary(wanted.classes.map { ($0.id, parameters(of: $0, output)) }) { first, _ in first }
        description = wanted
        told = new
    }

    /// The commands of an edit: as `commands(to:output:)`, of the classes that it concerns alone.
    func commands(of edit: LocalChange.TreeEdit, output: (ClassDescription) -> PortIndex) -> (before: [TreeStep], after: [TreeStep]) {
        let (old, new) = description.concerned(by: edit)
        var wanted = description
        wanted.classes = new
        return commands(from: old, to: wanted, output: output)
    }

    /// The instances have been told what `edit` says.
    mutating func adopt(_ edit: LocalChange.TreeEdit, output: (ClassDescription) -> PortIndex) {
        let (old, new) = description.concerned(by: edit)
        let known = new.map { parameters(of: $0, output) }
        for item in old { told[item.id] = nil }
        for (item, parameters) in zip(new, known) { told[item.id] = parameters }
        description.adopt(edit)
    }

    /// Whether it is what one is that has been told of `wanted` alone.
    func says(_ wanted: TreeDescription, output: (ClassDescription) -> PortIndex) -> Bool {
        var other = TreeRecord(of: wanted)
        other.adopt(wanted, output: output)
        return description == wanted && told == other.told
    }

    /// A class that has become a parent delivers nowhere. It keeps the output it had, which is where its queue is to go.
    private func parameters(of item: ClassDescription, _ output: (ClassDescription) -> PortIndex) -> Scheduler.ClassParameters {
        var parameters = Scheduler.ClassParameters(item.settings, output: output(item))
        if !item.isLeaf { parameters.queuesFlows = false }
        if !item.isLeaf, let old = told[item.id] { parameters.output = old.output }
        return parameters
    }

    /// An unlimited root has neither floor nor ceiling to be held to.
    static func root(_ description: TreeDescription) -> Scheduler.ClassParameters {
        var root = Scheduler.ClassParameters()
        root.floor = description.rate ?? 0
        root.ceiling = description.rate ?? .max
        root.burst = description.rootBurst
        root.ceilingBurst = description.rootBurst
        return root
    }
}

/// Where the classes of a tree stand while it is changed.
private struct Places {
    private var parents: [UInt16: UInt16]
    private var children: [UInt16: [UInt16]]

    init(of classes: [ClassDescription]) {
        parents = Dictionary(classes.map { ($0.id, $0.parent) }) { first, _ in first }
        children = Dictionary(grouping: classes.map(\.id)) { [parents] id in parents[id] ?? ClassIDs.root }
    }

    /// The steps that take a class with all below it under another parent. A class with children is not moved: they go to the root one by one, lowest first,
    /// and come back when their parent has moved, so that each step costs the same and a loop goes on between them.
    mutating func move(_ id: UInt16, under parent: UInt16) -> [TreeStep] {
        guard let old = parents[id], old != parent else { return [] }
        let below = descendants(of: id)
        parents[id] = parent
        children[old]?.removeAll { $0 == id }
        children[parent, default: []].append(id)
        return below.reversed().map { .move($0, under: ClassIDs.root) } + [.move(id, under: parent)]
            + below.map { .move($0, under: parents[$0] ?? ClassIDs.root) }
    }

    /// Parents before their children.
    private func descendants(of id: UInt16) -> [UInt16] { (children[id] ?? []).flatMap { [$0] + descendants(of: $0) } }
}
