import Configuration
import Scheduler

/// One scheduling tree. Each poll loop has an instance of it, and all instances have the same classes.
final class Tree {
    let name: String
    let kind: TreeDescription.Kind
    private var record: TreeRecord
    var description: TreeDescription { record.description }
    /// The instances, by lcore index.
    let instances: [UnsafeMutablePointer<ClassTree>]
    var earlier = EarlierCounters()
    /// The leaf for each guest and protocol, from which `TreeView.leaves` is made.
    var leaves: [ClassID] = []
    /// What each leaf had sent when delays began to be counted; nil: they are not counted.
    private(set) var delayBase: [ClassID: UInt64]?
    /// Where the instances of several loops lease their rates; nil: there is one loop only, which has all rates to itself.
    private let shared: SharedTree?

    init(_ description: TreeDescription, _ runtime: Runtime) {
        name = description.name
        kind = description.kind
        record = TreeRecord(of: description)
        let now = runtime.now
        let root = TreeRecord.root(description)
        let shared = runtime.lcores.count > 1 ? SharedTree.create() : nil
        self.shared = shared
        // A physical port may have a part for each priority, which can be paused.
        let outputs = if case .outbound = description.kind { 9 * maxPorts } else { maxPorts }
        instances = runtime.lcores.indices.map { _ in
            ClassTree.create(root: root, frames: runtime.bufferLimit, outputs: outputs, overhead: description.overhead, now: now, shared: shared)
        }
    }

    /// Frees the tree. No poll loop may use it any more, and no frame may be left in it.
    func close() {
        for instance in instances { ClassTree.destroy(instance) }
        if let shared { SharedTree.destroy(shared) }
    }

    /// The commands that bring the instances from what they have to `wanted`; see `TreeRecord`.
    func commands(to wanted: TreeDescription, output: (ClassDescription) -> PortIndex) -> (before: [TreeStep], after: [TreeStep]) {
        record.commands(to: wanted, output: output)
    }

    /// Records that the instances have been told what `wanted` says.
    func adopt(_ wanted: TreeDescription, output: (ClassDescription) -> PortIndex) { record.adopt(wanted, output: output) }

    /// The commands that carry out an edit; see `TreeRecord`.
    func commands(of edit: LocalChange.TreeEdit, output: (ClassDescription) -> PortIndex) -> (before: [TreeStep], after: [TreeStep]) {
        record.commands(of: edit, output: output)
    }

    /// Records that the instances have been told what `edit` says.
    func adopt(_ edit: LocalChange.TreeEdit, output: (ClassDescription) -> PortIndex) { record.adopt(edit, output: output) }

    var sharing: TreeSharing? { record.sharing }

    var lossless: LosslessLeaves { record.lossless }

    /// The commands that bring the instances to another sharing of the root's rate, and other lossless leaves; see `TreeRecord`.
    func commands(to sharing: TreeSharing?, _ lossless: LosslessLeaves, output: (ClassDescription) -> PortIndex) -> [TreeStep] {
        record.commands(to: sharing, lossless, output: output)
    }

    /// Records that the instances have been told of a sharing and of lossless leaves.
    func adopt(_ sharing: TreeSharing?, _ lossless: LosslessLeaves, output: (ClassDescription) -> PortIndex) {
        record.adopt(sharing, lossless, output: output)
    }

    /// Gives the instances the memory that a step needs, before they are told of the step.
    func prepare(_ step: TreeStep) {
        if case .countDelays(true) = step { for instance in instances { instance.pointee.grantDelays() } }
        guard let given = step.given, given.parameters.queuesFlows else { return }
        for instance in instances { instance.pointee.grantFlows(to: given.id) }
    }

    /// Takes back memory that the instances no longer need after they have carried out the steps.
    func tidy(after steps: [TreeStep]) {
        var keeps: [ClassID: Bool] = [:]
        for step in steps {
            if let given = step.given { keeps[given.id] = given.parameters.queuesFlows }
            if let removed = step.removed {
                keeps[removed] = false
                if delayBase != nil { delayBase![removed] = nil }
            }
            if case .countDelays(false) = step { for instance in instances { instance.pointee.reclaimDelays() } }
        }
        for (id, keeps) in keeps where !keeps { for instance in instances { instance.pointee.reclaimFlows(of: id) } }
    }
}

extension Tree {
    /// Records whether the instances count delays, after they have been told.
    func adopt(countsDelays: Bool) {
        guard countsDelays else { return delayBase = nil }
        delayBase = Dictionary(description.classes.lazy.filter(\.isLeaf).map { ($0.id, self.framesSent(byLeaf: $0.id)) }) { first, _ in first }
    }

    private func framesSent(byLeaf id: ClassID) -> UInt64 { instances.reduce(0) { $0 &+ $1.pointee.framesSent(byLeaf: id) } }

    /// How long frames waited in each leaf, in all instances together; nil: that is not counted.
    func delays() -> [ClassID: DelayHistogram]? {
        guard let delayBase else { return nil }
        var result: [ClassID: DelayHistogram] = [:]
        for item in description.classes where item.isLeaf {
            var sum = DelayHistogram()
            for instance in instances { sum += instance.pointee.delays(of: item.id) }
            let sent = framesSent(byLeaf: item.id) &- (delayBase[item.id] ?? 0), waited = sum.waited
            // What is read together may be some frames apart.
            sum.passed = sent > waited && sent < 1 << 63 ? sent - waited : 0
            result[item.id] = sum
        }
        return result
    }
}

extension Scheduler.ClassParameters {
    /// The scheduler's parameters for a configured class.
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
        let bytes = min(settings.limitBytes, settings.delayBytes)
        limitBytes = bytes == .max ? 0 : UInt32(clamping: bytes)
        codelTarget = settings.codelTarget * 1_000
        codelInterval = settings.codelInterval * 1_000
        queuesFlows = settings.queuesFlows
        marksForCoDel = settings.marksForCoDel
        markBytes = UInt32(clamping: settings.markBytes)
        markDelay = settings.markDelay * 1_000
        self.output = output
    }
}

extension TreeDescription {
    /// Bytes that the root may send at once: what its rate amounts to in 10 ms, but at least 64 KiB. A poll loop may be away for that long without the link
    /// falling idle.
    public var rootBurst: UInt64 { max((rate ?? 0) / 800, 65_536) }
}
