/// One step of a change. The steps of a `Plan` are ordered so that nothing is used before it is added or after it is removed.
public enum Action: Equatable, Sendable {
    case removeStaticEntry(bridge: String, StaticEntry)
    case removeGuest(String)
    case removeGroup(String)
    case removePort(String)
    case removeBridge(String)
    case addBridge(BridgeSettings)
    /// Any setting of the bridge may change, except its name. Static entries have actions of their own and are not compared.
    case changeBridge(BridgeSettings)
    case addPort(PortSettings)
    /// Only the port's options change. Any other change of a port is a removal and an addition.
    case changePort(PortSettings)
    case addGroup(GroupSettings)
    case changeGroup(GroupSettings)
    case addGuest(GuestSettings)
    case changeGuest(GuestSettings)
    /// The operator's rows of the protocol table; the table in force is `Model.protocolTable`.
    case setProtocols([ProtocolSettings])
    case addFilter(FilterSettings)
    case changeFilter(FilterSettings)
    case removeFilter(String)
    case addMirror(MirrorSettings)
    case changeMirror(MirrorSettings)
    case removeMirror(String)
    case addStaticEntry(bridge: String, StaticEntry)
    /// How poll loops wait and how fast CPUs must wake, and whether queues move by themselves: the daemon's settings that can change at run time.
    case setPolling(DaemonSettings)
    /// Daemon settings that cannot change at run time: `apply` refuses them, and they take effect at the next start.
    case setDaemon(DaemonSettings)
}

/// How one scheduling tree changes. Class ids are those of the `ids` argument of `diff`.
public struct TreeChange: Equatable, Sendable {
    /// Whether the tree is new, gone, or changed.
    public enum Kind: Equatable, Sendable { case added, removed, changed }
    public var name: String
    public var kind: Kind
    /// Whether the rate or the overhead of the root differs.
    public var rootChanged = false
    /// Classes that are new; parents come before their children.
    public var added: [ClassDescription] = []
    public var changed: [ClassDescription] = []
    /// Classes that are gone; children come before their parents.
    public var removed: [ClassDescription] = []
}

/// The steps that turn one model into another.
public struct Plan: Equatable, Sendable {
    public var actions: [Action] = []
    public var trees: [TreeChange] = []

    public var isEmpty: Bool { actions.isEmpty && trees.isEmpty }
    /// Whether settings of the daemon differ that take effect only after a restart.
    public var needsRestart: Bool { actions.contains { if case .setDaemon = $0 { true } else { false } } }
}

/// The difference of two models, which must both be free of problems. The order of their lists does not matter, as objects are compared by name.
public func diff(from old: Model, to new: Model) -> Plan {
    var ids = ClassIDs()
    _ = trees(of: old, ids: &ids)
    return diff(from: old, to: new, ids: &ids)
}

/// Does the same as `diff(from:to:)`, but with the class ids that are in use.
/// - Parameter ids: the ids of `old`'s classes; afterwards, those of `new`'s. If it holds ids of classes that `old` does not have, `new` gets them: when the
///   daemon starts, nothing runs yet, and these are the ids of its last run.
public func diff(from old: Model, to new: Model, ids: inout ClassIDs) -> Plan {
    var running = ids
    let before = trees(of: old, ids: &running)
    return diff(from: old, before, to: new, trees(of: new, ids: &ids))
}

/// Does the same for a caller that already has the trees of both models.
func diff(from old: Model, _ before: [TreeDescription], to new: Model, _ after: [TreeDescription]) -> Plan {
    Plan(actions: actions(from: old, to: new), trees: treeChanges(from: before, to: after))
}

func actions(from old: Model, to new: Model) -> [Action] {
    let bridges = ListDifference(old.bridges, new.bridges, key: \.name) { $0.withoutEntries == $1.withoutEntries }
    let ports = ListDifference(old.ports, new.ports, key: \.name) { $0 == $1 }
    let groups = ListDifference(old.groups, new.groups, key: \.name) { $0 == $1 }
    let guests = ListDifference(old.guests, new.guests, key: \.name) { $0 == $1 }
    let filters = ListDifference(old.filters, new.filters, key: \.name) { $0 == $1 }
    let mirrors = ListDifference(old.mirrors, new.mirrors, key: \.name) { $0 == $1 }
    let replaced = ports.changed.filter { !$0.old.canChangeInPlace(to: $0.new) }

    // A port that is replaced, because it is of another kind or on another bridge, loses its static entries; they are added again.
    let lostPorts = Set(ports.removed.map(\.name)).union(replaced.map(\.old.name))
    let oldEntries = old.bridges.flatMap { bridge in bridge.staticEntries.map { Entry(bridge: bridge.name, entry: $0) } }
    let newEntries = new.bridges.flatMap { bridge in bridge.staticEntries.map { Entry(bridge: bridge.name, entry: $0) } }
    let kept = Set(oldEntries).intersection(newEntries).filter { !lostPorts.contains($0.entry.port) }

    var result: [Action] = mirrors.removed.map { .removeMirror($0.name) }
    result += oldEntries.filter { !kept.contains($0) }.map { .removeStaticEntry(bridge: $0.bridge, $0.entry) }
    result += guests.removed.map { .removeGuest($0.name) }
    result += groups.removed.reversed().map { .removeGroup($0.name) }
    result += ports.removed.map { .removePort($0.name) }
    result += replaced.map { .removePort($0.old.name) }
    result += bridges.removed.map { .removeBridge($0.name) }
    result += bridges.added.map { .addBridge($0.withoutEntries) }
    result += bridges.changed.map { .changeBridge($0.new.withoutEntries) }
    result += filters.added.map { .addFilter($0) }
    result += filters.changed.map { .changeFilter($0.new) }
    result += replaced.map { .addPort($0.new) }
    result += ports.added.map { .addPort($0) }
    result += ports.changed.filter { $0.old.canChangeInPlace(to: $0.new) }.map { .changePort($0.new) }
    result += filters.removed.map { .removeFilter($0.name) }
    result += groups.added.map { .addGroup($0) }
    result += groups.changed.map { .changeGroup($0.new) }
    result += guests.added.map { .addGuest($0) }
    result += guests.changed.map { .changeGuest($0.new) }
    result += mirrors.added.map { .addMirror($0) }
    result += mirrors.changed.map { .changeMirror($0.new) }
    if old.protocolTable != new.protocolTable { result.append(.setProtocols(new.protocols)) }
    result += newEntries.filter { !kept.contains($0) }.map { .addStaticEntry(bridge: $0.bridge, $0.entry) }
    if old.daemon.changingInPlace(to: new.daemon) != new.daemon {
        result.append(.setDaemon(new.daemon))
    } else if old.daemon != new.daemon {
        result.append(.setPolling(new.daemon))
    }
    return result
}

private struct Entry: Hashable {
    var bridge: String
    var entry: StaticEntry
}

private struct ListDifference<Element> {
    var removed: [Element] = []
    var added: [Element] = []
    var changed: [(old: Element, new: Element)] = []

    init(_ old: [Element], _ new: [Element], key: (Element) -> String, same: (Element, Element) -> Bool) {
        let oldByKey = Dictionary(old.map { (key($0), $0) }) { first, _ in first }
        let newKeys = Set(new.map(key))
        removed = old.filter { !newKeys.contains(key($0)) }
        for element in new {
            guard let before = oldByKey[key(element)] else { added.append(element); continue }
            if !same(before, element) { changed.append((before, element)) }
        }
    }
}

private func treeChanges(from old: [TreeDescription], to new: [TreeDescription]) -> [TreeChange] {
    let trees = ListDifference(old, new, key: \.name) { $0 == $1 }
    var result = trees.removed.map { TreeChange(name: $0.name, kind: .removed, removed: $0.classes.reversed()) }
    for (before, after) in trees.changed {
        if before.kind != after.kind {
            result.append(TreeChange(name: before.name, kind: .removed, removed: before.classes.reversed()))
            result.append(TreeChange(name: after.name, kind: .added, added: after.classes))
            continue
        }
        let classes = ListDifference(before.classes, after.classes, key: \.path) { $0 == $1 }
        let rootChanged = before.rate != after.rate || before.overhead != after.overhead
        if !rootChanged, classes.removed.isEmpty, classes.added.isEmpty, classes.changed.isEmpty { continue }
        result.append(
            TreeChange(
                name: after.name, kind: .changed, rootChanged: rootChanged, added: classes.added,
                changed: classes.changed.map(\.new), removed: classes.removed.reversed()))
    }
    result += trees.added.map { TreeChange(name: $0.name, kind: .added, added: $0.classes) }
    return result
}

extension BridgeSettings {
    var withoutEntries: BridgeSettings {
        var copy = self
        copy.staticEntries = []
        return copy
    }
}

extension PortSettings {
    /// Whether `new` differs from this port in its options alone.
    func canChangeInPlace(to new: PortSettings) -> Bool { bridge == new.bridge && kind == new.kind }
}
