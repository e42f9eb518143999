import Configuration
import Scheduler

/// What the instances of a tree were told last.
struct TreeRecord {
    private(set) var description: TreeDescription
    /// The parameters of each class, by id.
    private var told: [UInt16: Scheduler.ClassParameters] = [:]
    /// How the root's rate is shared among traffic classes, and which leaves are in which; nil: it is not shared.
    private(set) var sharing: TreeSharing?
    private(set) var lossless = LosslessLeaves()

    /// The record of a tree that has nothing but its root.
    init(of description: TreeDescription) {
        self.description = description
        self.description.classes = []
    }

    /// The commands that bring the tree from what it has to `wanted`, in the order in which they must run: `before` must be carried out before the new leaves
    /// are used, and `after`, which holds removals, when the old ones are no longer used. `output` gives the port to which a leaf delivers.
    ///
    /// A leaf that is removed leaves its queue to the leaf that its traffic takes from then on. Until the loops know of that, frames that still come for the
    /// old leaf go there as well (`ClassTree.heir`). So no frame is without a class, and none overtakes another of its flow.
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
        // When a leaf gets children, the first child takes over its queue; that must be the leaf that its frames take from then on.
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
        // In a description, children come after their parents, so removals go backwards. A class that becomes a leaf again takes over the queue of its last
        // child.
        let after = (gone.filter { $0.protocolName != nil } + gone.filter { $0.protocolName == nil }.reversed())
            .filter { !hasLeft.contains($0.id) }.map { TreeStep.remove($0.id, heir: 0) }
        return (before, after)
    }

    /// The removals of leaves whose traffic has another leaf in `wanted`, and the changes that must come before them.
    private func leavings(_ gone: [ClassDescription], _ wanted: TreeDescription, _ output: (ClassDescription) -> PortIndex) -> [TreeStep] {
        let leaves = gone.filter { $0.isLeaf && $0.guest != nil }
        if leaves.isEmpty { return [] }
        let new = Dictionary(wanted.classes.filter(\.isLeaf).map { (Traffic($0), $0) }) { first, _ in first }
        let rests = Dictionary(leaves.filter { $0.protocolName == nil }.map { ($0.parent, $0.id) }) { first, _ in first }
        var changes: [TreeStep] = [], removals: [TreeStep] = []
        for leaf in leaves.filter({ $0.protocolName != nil }) + leaves.filter({ $0.protocolName == nil }) {
            guard let heir = new[Traffic(leaf)] ?? new[Traffic(leaf.guest)], var parameters = told[leaf.id] else { continue }
            // Queues can be joined only if they lead to the same port.
            let port = self.parameters(of: heir, output).output
            if parameters.output != port {
                parameters.output = port
                changes.append(.change(leaf.id, parameters))
            }
            // A parent becomes a leaf when its last child is removed, which is the child for all other protocols.
            let isParent = heir.id == leaf.parent
            let next = isParent && leaf.protocolName != nil ? rests[leaf.parent] ?? heir.id : heir.id
            removals.append(.remove(leaf.id, heir: next))
        }
        return changes + removals
    }

    /// The traffic that a leaf is for.
    private struct Traffic: Hashable {
        var guest: String?
        var protocolName: String?
        init(_ leaf: ClassDescription) { (guest, protocolName) = (leaf.guest, leaf.protocolName) }
        init(_ guest: String?) { self.guest = guest }
    }

    /// Records that the instances have been told what `wanted` says. Outputs are worked out anew, as a port that was opened anew has another index although its
    /// classes stay the same.
    mutating func adopt(_ wanted: TreeDescription, output: (ClassDescription) -> PortIndex) {
        let new = Dictionary(wanted.classes.map { ($0.id, parameters(of: $0, output)) }) { first, _ in first }
        description = wanted
        told = new
    }

    /// The commands of an edit: as `commands(to:output:)`, but for the classes alone that the edit concerns.
    func commands(of edit: LocalChange.TreeEdit, output: (ClassDescription) -> PortIndex) -> (before: [TreeStep], after: [TreeStep]) {
        let (old, new) = description.concerned(by: edit)
        var wanted = description
        wanted.classes = new
        return commands(from: old, to: wanted, output: output)
    }

    /// Records that the instances have been told what `edit` says.
    mutating func adopt(_ edit: LocalChange.TreeEdit, output: (ClassDescription) -> PortIndex) {
        let (old, new) = description.concerned(by: edit)
        let known = new.map { parameters(of: $0, output) }
        for item in old { told[item.id] = nil }
        for (item, parameters) in zip(new, known) { told[item.id] = parameters }
        description.adopt(edit)
    }

    /// The commands that bring the instances to another sharing, and have other leaves be lossless. They keep all queues.
    func commands(to new: TreeSharing?, _ lossless: LosslessLeaves, output: (ClassDescription) -> PortIndex) -> [TreeStep] {
        var other = self
        (other.sharing, other.lossless) = (new, lossless)
        let changes = description.classes.compactMap { item -> TreeStep? in
            let parameters = other.parameters(of: item, output)
            return told[item.id] == parameters ? nil : .change(item.id, parameters)
        }
        if new == sharing { return changes }
        guard let new else { return changes + [.share(nil)] }
        // Parts of outputs must be there before leaves have them.
        return [.share(new.shares)] + changes
    }

    /// Records that the instances have been told of a sharing, and of lossless leaves.
    mutating func adopt(_ new: TreeSharing?, _ lossless: LosslessLeaves, output: (ClassDescription) -> PortIndex) {
        (sharing, self.lossless) = (new, lossless)
        adopt(description, output: output)
    }

    /// Whether this record equals one of a tree that has been told of `wanted` and nothing else.
    func says(_ wanted: TreeDescription, output: (ClassDescription) -> PortIndex) -> Bool {
        var other = TreeRecord(of: wanted)
        other.adopt(wanted, output: output)
        return description == wanted && told == other.told
    }

    /// The scheduler's parameters for a class. A class that has become a parent delivers nowhere; it keeps the output that it had as a leaf, as its queue still
    /// has to go there.
    private func parameters(of item: ClassDescription, _ output: (ClassDescription) -> PortIndex) -> Scheduler.ClassParameters {
        var parameters = Scheduler.ClassParameters(item.settings, output: output(item))
        if !item.isLeaf { parameters.queuesFlows = false }
        sharing?.place(item, &parameters)
        lossless.place(item, &parameters)
        if !item.isLeaf, let old = told[item.id] { parameters.output = old.output }
        return parameters
    }

    /// The root's parameters. If the tree has no rate, the root has neither a floor nor a ceiling.
    static func root(_ description: TreeDescription) -> Scheduler.ClassParameters {
        var root = Scheduler.ClassParameters()
        root.floor = description.rate ?? 0
        root.ceiling = description.rate ?? .max
        root.burst = description.rootBurst
        root.ceilingBurst = description.rootBurst
        return root
    }
}

/// Tracks where the classes of a tree stand while it is changed.
private struct Places {
    private var parents: [UInt16: UInt16]
    private var children: [UInt16: [UInt16]]

    init(of classes: [ClassDescription]) {
        parents = Dictionary(classes.map { ($0.id, $0.parent) }) { first, _ in first }
        children = Dictionary(grouping: classes.map(\.id)) { [parents] id in parents[id] ?? ClassIDs.root }
    }

    /// The steps that move a class with everything below it under another parent. A class with children cannot be moved: the classes below it are first moved
    /// to the root one by one, the lowest first, and moved back when the class itself has moved. So each step costs the same, and a loop can do other work
    /// between them.
    mutating func move(_ id: UInt16, under parent: UInt16) -> [TreeStep] {
        guard let old = parents[id], old != parent else { return [] }
        let below = descendants(of: id)
        parents[id] = parent
        children[old]?.removeAll { $0 == id }
        children[parent, default: []].append(id)
        return below.reversed().map { .move($0, under: ClassIDs.root) } + [.move(id, under: parent)]
            + below.map { .move($0, under: parents[$0] ?? ClassIDs.root) }
    }

    /// All classes below a class; parents come before their children.
    private func descendants(of id: UInt16) -> [UInt16] { (children[id] ?? []).flatMap { [$0] + descendants(of: $0) } }
}
