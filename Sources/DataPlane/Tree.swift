import Configuration
import Scheduler

/// One scheduling tree: an instance for each poll loop, all built alike.
final class Tree {
    let name: String
    let kind: TreeDescription.Kind
    /// What the instances were told of each class last, by id.
    private var told: [UInt16: Scheduler.ClassParameters] = [:]
    private(set) var description: TreeDescription
    /// By lcore index.
    let instances: [UnsafeMutablePointer<ClassTree>]
    /// Where the instances of several loops lease their rates; nil for a single loop, which has them to itself.
    private let shared: SharedTree?

    init(_ description: TreeDescription, _ runtime: Runtime) {
        name = description.name
        kind = description.kind
        self.description = description
        self.description.classes = []
        let now = runtime.now
        let root = Self.root(description)
        let shared = runtime.lcores.count > 1 ? SharedTree.create() : nil
        self.shared = shared
        instances = runtime.lcores.indices.map { _ in
            ClassTree.create(root: root, frames: runtime.bufferLimit, outputs: maxPorts, overhead: description.overhead, now: now, shared: shared)
        }
    }

    /// No poll loop uses the tree, and no frame is left in it.
    func close() {
        for instance in instances { ClassTree.destroy(instance) }
        if let shared { SharedTree.destroy(shared) }
    }

    /// The commands that bring the tree from what it has to `wanted`, in the order in which they must run: additions and changes, to be done
    /// before leaves are used, and removals, to be done after they are no longer. `output` gives the port a leaf delivers to.
    func commands(to wanted: TreeDescription, output: (ClassDescription) -> PortIndex) -> (before: [Step], after: [Step]) {
        var before: [Step] = []
        var after: [Step] = []
        if wanted.overhead != description.overhead {
            before.append(Step(.overhead, 0, 0, Scheduler.ClassParameters(burst: UInt64(wanted.overhead))))
        }
        if wanted.rate != description.rate { before.append(Step(.change, ClassIDs.root, 0, Self.root(wanted))) }
        let new = Dictionary(wanted.classes.map { ($0.id, $0) }) { first, _ in first }
        // Children come after their parents in a description, so removals go backwards.
        let gone = description.classes.filter { old in new[old.id].map { $0.parent != old.parent } ?? true }
        // What a parent was as a leaf its last child is: see `ClassTree.heir`.
        after = (gone.filter { $0.protocolName != nil } + gone.filter { $0.protocolName == nil }.reversed())
            .filter { new[$0.id] == nil }.map { Step(.remove, $0.id, 0, .init()) }
        // A class that changes its parent cannot be in both places: it goes before it comes.
        before += gone.reversed().filter { new[$0.id] != nil }.map { Step(.remove, $0.id, 0, .init()) }
        let moved = Set(gone.map(\.id))
        // What a leaf holds goes to the first child it gets: that is to be the one its frames go to from then on.
        for item in wanted.classes.filter({ $0.protocolName == nil }) + wanted.classes.filter({ $0.protocolName != nil }) {
            let parameters = parameters(of: item, output)
            if let old = told[item.id], !moved.contains(item.id) {
                if old != parameters { before.append(Step(.change, item.id, item.parent, parameters)) }
            } else {
                before.append(Step(.add, item.id, item.parent, parameters))
            }
        }
        return (before, after)
    }

    /// The instances have been told what `wanted` says. A port that was opened anew has another index, though its classes stay the same.
    func adopt(_ wanted: TreeDescription, output: (ClassDescription) -> PortIndex) {
        description = wanted
        told = Dictionary(wanted.classes.map { ($0.id, parameters(of: $0, output)) }) { first, _ in first }
    }

    /// Gives the class at a place of the description other settings; what leads to it stays.
    /// - Returns: the command.
    func change(_ place: Int, to settings: Configuration.ClassParameters) -> Step {
        description.classes[place].settings = settings
        let item = description.classes[place]
        let parameters = Scheduler.ClassParameters(settings, output: told[item.id]?.output ?? 0)
        told[item.id] = parameters
        return Step(.change, item.id, item.parent, parameters)
    }

    /// A class that has become a parent delivers nowhere. It keeps the output it had, which is where its queue is to go.
    private func parameters(of item: ClassDescription, _ output: (ClassDescription) -> PortIndex) -> Scheduler.ClassParameters {
        var parameters = Scheduler.ClassParameters(item.settings, output: output(item))
        if !item.isLeaf, let old = told[item.id] { parameters.output = old.output }
        return parameters
    }

    struct Step {
        var operation: LcoreCommand.Operation
        var id: ClassID
        var parent: ClassID
        var parameters: Scheduler.ClassParameters

        init(_ operation: LcoreCommand.Operation, _ id: ClassID, _ parent: ClassID, _ parameters: Scheduler.ClassParameters) {
            self.operation = operation
            self.id = id
            self.parent = parent
            self.parameters = parameters
        }
    }

    /// An unlimited root has neither floor nor ceiling to be held to.
    private static func root(_ description: TreeDescription) -> Scheduler.ClassParameters {
        var root = Scheduler.ClassParameters()
        root.floor = description.rate ?? 0
        root.ceiling = description.rate ?? .max
        root.burst = description.rootBurst
        root.ceilingBurst = description.rootBurst
        return root
    }
}

extension Scheduler.ClassParameters {
    /// The scheduler's parameters of a configured class.
    init(_ settings: Configuration.ClassParameters, output: PortIndex) {
        self.init()
        floor = settings.floor
        ceiling = settings.ceiling
        burst = settings.burst
        ceilingBurst = settings.ceilingBurst
        peak = settings.peak
        peakBurst = settings.peak == 0 ? 0 : max(settings.peak / 80_000, 18_200)
        floorPackets = settings.floorPackets
        ceilingPackets = settings.ceilingPackets == .max ? 0 : settings.ceilingPackets
        priority = settings.priority
        quantum = settings.quantum
        limitPackets = UInt32(clamping: settings.limit)
        limitBytes = settings.limitBytes == .max ? 0 : UInt32(clamping: settings.limitBytes)
        codelTarget = settings.codelTarget * 1_000
        codelInterval = settings.codelInterval * 1_000
        self.output = output
    }
}

extension TreeDescription {
    /// Bytes the root may send at once: 10 ms of its rate, as long as a poll loop can be away without the link falling idle.
    public var rootBurst: UInt64 { max((rate ?? 0) / 800, 65_536) }
}
