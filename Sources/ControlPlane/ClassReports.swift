import Configuration
import ControlAPI
import DataPlane
import Scheduler

/// The counters of one class, summed over all poll loops' instances of the tree.
struct ClassFigures {
    var sent = Traffic()
    var backlog = Traffic()
    var drops: [String: UInt64] = [:]
    var holds: [String: UInt64] = [:]
    var marked: UInt64 = 0
    var cycles: UInt64 = 0
    var lends: UInt64 = 0
    var borrows: UInt64 = 0
    var borrowedBytes: UInt64 = 0
    var tokens: Int64 = 0
    var ceilingTokens: Int64 = 0
    var newFlows = 0
    var oldFlows = 0

    init(_ instances: [ClassCounters]) {
        for counters in instances {
            sent += Traffic(frames: counters.sentFrames, bytes: counters.sentBytes)
            backlog += Traffic(frames: UInt64(counters.backlogFrames), bytes: UInt64(counters.backlogBytes))
            for row in ClassCounters.rows {
                switch row.kind {
                case .drop: count(&drops, row.name, counters[keyPath: row.value])
                case .hold: count(&holds, row.name, counters[keyPath: row.value])
                case .amount: break
                }
            }
            marked &+= counters.markedFrames
            cycles &+= counters.cycles
            lends &+= counters.lentFrames
            newFlows += Int(counters.newFlows)
            oldFlows += Int(counters.oldFlows)
            borrows &+= counters.borrowedFrames
            borrowedBytes &+= counters.borrowedBytes
            tokens &+= counters.floorTokens
            ceilingTokens &+= counters.ceilingTokens
        }
    }

    private func count(_ table: inout [String: UInt64], _ name: String, _ value: UInt64) {
        if value != 0 { table[name, default: 0] &+= value }
    }
}

/// The counters of classes at one moment. They are turned into statuses later, on another thread.
struct ClassSnapshot: Sendable {
    /// The classes of one tree.
    struct Part: Sendable {
        var tree: TreeDescription
        var items: [ClassDescription]
        var figures: [[ClassCounters]]
        var ancestors: [Int: Ancestors] = [:]
        /// The delays of each class and those below it; nil: they are not counted.
        var delays: [ClassID: DelayHistogram]?
    }
    /// What a class waited for or borrowed from the classes above it.
    struct Ancestors: Sendable {
        var heldBy: [ClassStatus.AncestorWaits] = []
        var borrowedFrom: [ClassStatus.AncestorLoan] = []
    }
    var parts: [Part] = []
    var rates: RateBook

    func statuses() -> [ClassStatus] {
        parts.flatMap { part in
            part.items.indices.map { place in
                var status = Self.status(of: part.items[place], in: part.tree, ClassFigures(part.figures[place]))
                if let ancestors = part.ancestors[place] { (status.heldBy, status.borrowedFrom) = (ancestors.heldBy, ancestors.borrowedFrom) }
                if let delays = part.delays { status.delay = DelayStatus(delays[part.items[place].id] ?? DelayHistogram()) }
                rates.fill(&status)
                return status
            }
        }
    }
}

extension DelayStatus {
    init(_ histogram: DelayHistogram) { self.init(passed: histogram.passed, buckets: histogram.byDelay.map { [$0.highest, $0.frames] }) }
}

extension Engine {
    /// Copies the counters and nothing more, as other clients have to wait while this is done.
    func classes(_ params: ClassParams) throws -> ClassSnapshot {
        var snapshot = ClassSnapshot(rates: classRates)
        for tree in try select(dataPlane.treeDescriptions, params.tree, \.name, "tree") {
            // The paths of classes below `rest` do not contain it, so these classes are found by their parents, which come before their children.
            var inRest: Set<UInt16> = []
            let items = ([ClassSnapshot.root(tree)] + tree.classes).filter { item in
                guard let path = params.path else { return true }
                if item.isRest ? path == ClassDescription.restPath : inRest.contains(item.parent) { inRest.insert(item.id) }
                return inRest.contains(item.id) || Self.matches(item.path, path)
            }
            if items.isEmpty { continue }
            let counters = dataPlane.classCounters(tree: tree.name)
            var ancestors = ClassAncestors(tree, counters)
            var part = ClassSnapshot.Part(tree: tree, items: items, figures: items.map { counters.of($0.id) + (counters.earlier($0.path).map { [$0] } ?? []) })
            for (place, figures) in part.figures.enumerated() {
                let isHeld = figures.contains { $0.waitsAncestor != 0 }, borrows = figures.contains { $0.borrowedBytes != 0 }
                guard isHeld || borrows else { continue }
                let item = items[place]
                part.ancestors[place] = .init(heldBy: isHeld ? ancestors.waits(of: item) : [], borrowedFrom: borrows ? ancestors.loans(of: item) : [])
            }
            part.delays = dataPlane.delays(tree: tree.name)
            snapshot.parts.append(part)
        }
        if snapshot.parts.isEmpty, let path = params.path {
            throw RPCError(RPCError.notFound, "no class '\(path)'\(params.tree.map { " in tree \($0)" } ?? ""); `sluice class show` lists all")
        }
        return snapshot
    }

    /// Whether the words of `wanted` follow each other somewhere in the path: then the class is the one that is wanted, or stands below it.
    private static func matches(_ path: String, _ wanted: String) -> Bool {
        let parts = path.split(separator: "/")
        let words = wanted.split(separator: "/")
        guard !words.isEmpty, parts.count >= words.count else { return false }
        return (0...(parts.count - words.count)).contains { Array(parts[$0..<($0 + words.count)]) == words }
    }
}

extension ClassSnapshot {
    static func root(_ tree: TreeDescription) -> ClassDescription {
        var settings = Configuration.ClassParameters()
        settings.floor = tree.rate ?? 0
        settings.ceiling = tree.rate ?? .max
        settings.burst = tree.rootBurst
        settings.ceilingBurst = tree.rootBurst
        return ClassDescription(
            id: ClassIDs.root, path: "", parent: 0, isLeaf: false, settings: settings, guest: nil, protocolName: nil, port: nil)
    }

    private static func status(of item: ClassDescription, in tree: TreeDescription, _ figures: ClassFigures) -> ClassStatus {
        var status = ClassStatus()
        status.tree = tree.name
        if case .inbound = tree.kind { status.direction = "inbound" } else { status.direction = "outbound" }
        status.id = item.id
        status.parent = item.id == ClassIDs.root ? nil : item.parent
        status.path = item.path
        status.leaf = item.isLeaf
        status.guest = item.guest
        status.protocol = item.protocolName
        status.port = item.port
        let settings = item.settings
        status.floor = settings.floor == 0 ? nil : settings.floor
        status.ceiling = settings.ceiling == .max ? nil : settings.ceiling
        status.peak = settings.peak == 0 ? nil : settings.peak
        status.burst = settings.burst
        status.ceilingBurst = settings.ceilingBurst
        status.floorPackets = settings.floorPackets == 0 ? nil : settings.floorPackets
        status.ceilingPackets = settings.ceilingPackets == .max ? nil : settings.ceilingPackets
        status.priority = Int(settings.priority)
        status.quantum = settings.quantum
        status.limit = settings.limit
        status.limitBytes = settings.limitBytes == .max ? nil : settings.limitBytes
        if item.isLeaf, settings.delayBytes != .max {
            status.limitDelayMicroseconds = settings.limitDelay
            status.limitDelayBytes = settings.delayBytes
        }
        if item.isLeaf, settings.codelTarget != 0 {
            status.codelTargetMicroseconds = settings.codelTarget
            status.codelIntervalMicroseconds = settings.codelInterval
            if settings.queuesFlows { (status.newFlows, status.oldFlows) = (figures.newFlows, figures.oldFlows) }
        }
        if item.isLeaf {
            status.ecn = settings.codelTarget != 0 ? settings.marksForCoDel : nil
            status.ecnThresholdBytes = settings.markBytes == 0 ? nil : settings.markBytes
            status.ecnDelayMicroseconds = settings.markDelay == 0 ? nil : settings.markDelay
        }
        if item.isRest, settings.floor == 0 {
            status.note = "floors take all of \(tree.name)'s rate \(Quantity.rate.format(tree.rate ?? 0)): classes without a floor have only what others do not use"
        }
        status.sent = figures.sent
        status.backlog = figures.backlog
        status.drops = figures.drops
        status.dropped = Traffic(frames: figures.drops.values.reduce(0, &+), bytes: 0)
        status.holds = figures.holds
        status.overlimits = figures.holds.values.reduce(0, &+)
        status.marked = figures.marked
        status.cycles = figures.cycles
        status.lends = figures.lends
        status.borrows = figures.borrows
        status.borrowedBytes = figures.borrowedBytes
        status.tokens = figures.tokens
        status.ctokens = figures.ceilingTokens
        return status
    }
}
