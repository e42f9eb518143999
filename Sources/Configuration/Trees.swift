/// One scheduling tree as the data plane has to build it.
public struct TreeDescription: Equatable, Sendable {
    /// Which frames the tree schedules.
    public enum Kind: Hashable, Sendable {
        /// Schedules frames towards the guests and taps of a bridge.
        case inbound(bridge: String)
        /// Schedules frames that leave by a physical port.
        case outbound(port: String)
    }
    /// The name of the bridge or the port. A bridge and a port never have the same name.
    public var name: String
    public var kind: Kind
    /// The rate of the root (`ClassIDs.root`) in bit/s; nil: unlimited.
    public var rate: UInt64?
    /// Bytes added to each frame's length when it is charged.
    public var overhead: Int
    /// All classes but the root; parents come before their children.
    public var classes: [ClassDescription]
}

/// One class of a tree as the data plane has to build it.
public struct ClassDescription: Equatable, Sendable {
    /// The class's id, unique within the tree, 2 to 65 535. 0: the tree has more classes than there are ids (`Model.problems` refuses such a model).
    public var id: UInt16
    /// The class's path, such as `tenant-a/vm1/iscsi`. For a guest with protocol classes, the leaf of all other protocols is `vm1/default`.
    public var path: String
    public var parent: UInt16
    public var isLeaf: Bool
    public var settings: ClassParameters
    /// The guest whose traffic the class carries; nil for a group and for `rest`.
    public var guest: String?
    /// The protocol that the leaf is for; nil: all protocols that have no leaf of their own.
    public var protocolName: String?
    /// Inbound leaves: the port to which they deliver. nil otherwise.
    public var port: String?

    public init(
        id: UInt16, path: String, parent: UInt16, isLeaf: Bool, settings: ClassParameters, guest: String? = nil, protocolName: String? = nil,
        port: String? = nil
    ) {
        self.id = id
        self.path = path
        self.parent = parent
        self.isLeaf = isLeaf
        self.settings = settings
        self.guest = guest
        self.protocolName = protocolName
        self.port = port
    }
}

extension ClassDescription {
    /// The path of the class below which all others without a floor stand, in trees that have a rate. No guest or group may have this name. The paths of the
    /// classes below it do not contain it, so that a class keeps its path, and with it its id, when it gets or loses a floor.
    public static let restPath = "rest"
    public var isRest: Bool { path == Self.restPath }
}

extension TreeDescription {
    /// The ids of all classes below `rest`.
    var idsInRest: Set<UInt16> {
        guard let rest = classes.first(where: \.isRest) else { return [] }
        return classes.reduce(into: []) { found, item in
            if item.parent == rest.id || found.contains(item.parent) { found.insert(item.id) }
        }
    }
}

/// A class's settings with every default filled in.
public struct ClassParameters: Equatable, Sendable {
    /// Guaranteed rate in bit/s; 0: none.
    public var floor: UInt64 = 0
    /// The most that the class may send, in bit/s; `.max`: no limit of its own.
    public var ceiling: UInt64 = .max
    /// Bytes that the class may send at once within its floor.
    public var burst: UInt64 = 0
    /// Bytes that the class may send at once within its ceiling.
    public var ceilingBurst: UInt64 = 0
    /// The highest rate of bursts in bit/s; 0: no limit.
    public var peak: UInt64 = 0
    /// Guaranteed packets per second; 0: none.
    public var floorPackets: UInt64 = 0
    /// The most packets per second; `.max`: no limit.
    public var ceilingPackets: UInt64 = .max
    public var priority: UInt8 = 3
    /// Bytes that the class may borrow in one turn among borrowers of equal priority.
    public var quantum: UInt32 = 1_600
    /// The most frames in a leaf's queue.
    public var limit: Int = 1_000
    /// The most bytes in a leaf's queue; `.max`: no such limit is set.
    public var limitBytes: Int = .max
    /// The longest time in microseconds that a leaf's full queue may take to drain at the rate that the class can count on.
    public var limitDelay: UInt64 = Self.limitDelay
    /// The bytes that `limitDelay` amounts to in the class's tree (`QueueLimits`); `.max`: no time limit.
    public var delayBytes: Int = .max
    /// Bytes of the largest frame that the class may carry.
    var largestFrame = 1_522
    /// Whether the floor was not written but is what others leave: that of `rest`.
    public var floorIsRemainder = false
    /// Whether the class was not written: it is a guest's leaf for a protocol at a port that schedules or pauses by priority. Such a leaf takes nothing from what
    /// others can count on.
    var isBare = false
    /// CoDel's target and interval in microseconds; a target of 0: no CoDel.
    public var codelTarget: UInt64 = 0
    public var codelInterval: UInt64 = 0
    /// Whether each flow has a queue of its own (FQ-CoDel).
    public var queuesFlows = false
    /// Whether CoDel marks frames instead of dropping them, where it can; and the bytes, and microseconds, above which such frames are marked in any case; 0: none.
    public var marksForCoDel = false
    public var markBytes = 0
    public var markDelay: UInt64 = 0

    public init() {}

    /// - Parameters:
    ///   - settings: the settings as they are written.
    ///   - rootRate: the rate of the tree's root in bit/s; nil: unlimited.
    ///   - largestFrame: bytes of the largest frame that the class may carry.
    init(_ settings: ClassSettings, rootRate: UInt64?, largestFrame: Int) {
        floor = settings.floor ?? 0
        ceiling = settings.ceiling ?? .max
        burst = settings.burst ?? Self.defaultBurst(rate: settings.floor, largestFrame: largestFrame)
        ceilingBurst = settings.ceilingBurst ?? Self.defaultBurst(rate: settings.ceiling, largestFrame: largestFrame)
        peak = settings.peak ?? 0
        floorPackets = settings.floorPackets ?? 0
        ceilingPackets = settings.ceilingPackets ?? .max
        priority = UInt8(clamping: settings.priority ?? 3)
        quantum = settings.quantum.map { UInt32(clamping: $0) } ?? Self.defaultQuantum(floor: floor, rootRate: rootRate)
        limit = settings.limit ?? 1_000
        limitBytes = settings.limitBytes ?? .max
        limitDelay = settings.limitDelay ?? Self.limitDelay
        self.largestFrame = largestFrame
        queuesFlows = settings.queue == .fqCodel
        if settings.queue?.hasCoDel ?? false {
            codelTarget = settings.codelTarget ?? Self.codelTarget
            codelInterval = settings.codelInterval ?? 20 * codelTarget
            marksForCoDel = settings.ecn ?? true
        }
        (markBytes, markDelay) = (settings.ecnThreshold ?? 0, settings.ecnDelay ?? 0)
    }

    /// The default of `limitDelay` in microseconds: long enough for one flow across a continent to fill the link (RFC 3439, 2.4), and shorter than people
    /// notice.
    static let limitDelay: UInt64 = 50_000

    /// CoDel's default target in microseconds (RFC 8289, section 4.4).
    static let codelTarget: UInt64 = 5_000

    /// The bytes that the rate amounts to in 10 ms, but at least two of the largest frames.
    static func defaultBurst(rate: UInt64?, largestFrame: Int) -> UInt64 {
        max((rate ?? 0) / 800, UInt64(2 * largestFrame))
    }

    /// The default quantum in bytes, in proportion to the floor: a floor as high as the root's rate would get 256 KiB. It is at least 1 600 bytes (also without
    /// a floor or a root rate), so that most frames need one turn only, and at most 200 000, as in tc, so that no turn lasts long.
    static func defaultQuantum(floor: UInt64, rootRate: UInt64?) -> UInt32 {
        guard let rootRate, rootRate > 0, floor > 0 else { return 1_600 }
        let (quotient, _) = rootRate.dividingFullWidth(min(floor, rootRate - 1).multipliedFullWidth(by: 256 << 10))
        return UInt32(min(max(quotient, 1_600), 200_000))
    }
}

/// A direction as the guest sees it: towards it, or from it.
public enum Direction: String, Codable, CaseIterable, Sendable {
    case inbound, outbound
}

/// The trees of a model: one inbound tree for each bridge, in order, then one outbound tree for each physical port. Classes that had an id keep it, new classes
/// get one, and classes that are gone lose theirs.
///
/// A guest is a leaf. If it has protocol classes with settings, it is instead the parent of one leaf for each of them, in the order of their names, and of the
/// leaf `default`, which has what these leave of the guest's floor. In an inbound tree, the guests of physical ports have no classes, as frames to a physical
/// port are scheduled by that port's own tree. In a physical port's tree stand the guests of all other ports of its bridge, and the port's own guests if frames
/// may leave by the port that they came in by (`hairpin`). A group without guests in a tree has no class there.
///
/// In the tree of a port that schedules or pauses by priority, every guest has a leaf for each protocol, and in the tree of a bridge if some priorities of one
/// of its physical ports must lose nothing.
///
/// In a tree that has a rate, guests and groups without a floor that are in no group stand below the class `rest`, whose floor is what the floors beside it
/// leave. `rest` exists only while some class stands below it.
///
/// A port by which mirrors' copies leave has a leaf for them (`ClassDescription.mirrorPath`).
public func trees(of model: Model, ids: inout ClassIDs) -> [TreeDescription] { trees(of: model, model.effectiveGuests, ids: &ids) }

/// - Parameter guests: the guests that get classes.
func trees(of model: Model, _ guests: [EffectiveGuest], ids: inout ClassIDs) -> [TreeDescription] {
    let targets = model.mirrorTargets
    var result = model.bridges.map { bridge in
        let isLossless = model.ports.contains { $0.bridge == bridge.name && $0.isPhysical && $0.isLossless }
        var tree = TreeBuilder(
            model, .inbound, rate: bridge.rate, rest: bridge.rest, bridge: bridge.name, apart: isLossless ? model.protocolTable.map(\.name) : [])
        for guest in guests { tree.add(guest, unless: { $0.isPhysical }) }
        for port in model.ports where port.bridge == bridge.name && !port.isPhysical && targets.contains(port.name) { tree.addMirrors(to: port) }
        return tree.description(
            name: bridge.name, kind: .inbound(bridge: bridge.name), overhead: bridge.overhead, ids: &ids)
    }
    for port in model.ports where port.isPhysical {
        let apart = port.isByPriority ? model.protocolTable.map(\.name) : []
        var tree = TreeBuilder(model, .outbound, rate: port.rate, rest: port.rest, bridge: port.bridge, apart: apart)
        for guest in guests { tree.add(guest, unless: { !port.sends(from: $0.name) }) }
        if targets.contains(port.name) { tree.addMirrors(to: port) }
        result.append(tree.description(name: port.name, kind: .outbound(port: port.name), overhead: port.overhead, ids: &ids))
    }
    ids.keep(trees: Set(result.map(\.name)))
    return result
}

extension PortSettings {
    /// Whether frames that come in by the port `name` of the same bridge may leave by this one.
    func sends(from name: String?) -> Bool { self.name != name || options.rules.hairpin }
}

/// Collects the classes of one tree.
private struct TreeBuilder {
    let direction: Direction
    let rate: UInt64?
    let rest: RestSettings
    let bridge: String
    private let ports: [String: PortSettings]
    private let groups: [String: GroupSettings]
    private let largestFrame: Int
    /// The protocols for which every guest has a leaf.
    private let apart: [String]
    private var classes: [ClassDescription] = []
    private var parents: [String?] = []
    private var groupPaths: [String: String] = [:]
    /// The paths of `rest` and of all classes below it.
    private var restPaths: Set<String> = []

    init(_ model: Model, _ direction: Direction, rate: UInt64?, rest: RestSettings, bridge: String, apart: [String] = []) {
        self.direction = direction
        self.rate = rate
        self.rest = rest
        self.bridge = bridge
        ports = Dictionary(model.ports.map { ($0.name, $0) }) { first, _ in first }
        groups = Dictionary(model.groups.map { ($0.name, $0) }) { first, _ in first }
        largestFrame = model.ports.lazy.filter { $0.bridge == bridge }.map(\.largestFrame).max() ?? PortSettings.usualLargestFrame
        self.apart = apart
    }

    mutating func add(_ guest: EffectiveGuest, unless excluded: (PortSettings) -> Bool) {
        guard let port = ports[guest.settings.port], port.bridge == bridge, !excluded(port) else { return }
        let parent = guest.settings.group.flatMap { addGroup($0, depth: 0) }
        let path = (parent.map { $0 + "/" } ?? "") + guest.settings.name
        let own = guest.settings.settings(direction)
        var protocols = guest.settings.protocols.map { ($0.key, $0.value.settings(direction)) }
            .filter { $0.1 != ClassSettings() }
        let bare = apart.filter { name in !protocols.contains { $0.0 == name } }
        protocols += bare.map { ($0, bareLeaf(of: own)) }
        protocols.sort { $0.0 < $1.0 }
        append(path, under: parent, own, leafOf: protocols.isEmpty ? port : nil, guest: guest.settings.name, port.largestFrame)
        guard !protocols.isEmpty else { return }
        for (name, settings) in protocols {
            append(
                path + "/" + name, under: path, settings, leafOf: port, guest: guest.settings.name, port.largestFrame,
                protocolName: name)
            classes[classes.count - 1].settings.isBare = bare.contains(name)
        }
        let rest = defaultLeaf(of: own, protocols: protocols.map(\.1))
        append(path + "/default", under: path, rest, leafOf: port, guest: guest.settings.name, port.largestFrame)
    }

    /// Mirrors' copies get a leaf without a floor and with the last priority, so that they take only bandwidth that no other class wants.
    mutating func addMirrors(to port: PortSettings) {
        let path = ClassDescription.mirrorPath(to: port.name)
        var settings = ClassSettings()
        settings.priority = 7
        append(path, under: nil, settings, leafOf: port, guest: path, port.largestFrame)
    }

    /// - Returns: the group's path; nil if there is no such group on this bridge.
    private mutating func addGroup(_ name: String, depth: Int) -> String? {
        if let path = groupPaths[name] { return path }
        // The depth ends the recursion for models whose groups form a cycle, which validation refuses.
        guard let group = groups[name], group.bridge == bridge, depth < Model.deepestTree else { return nil }
        let parent = group.parent.flatMap { addGroup($0, depth: depth + 1) }
        let path = (parent.map { $0 + "/" } ?? "") + name
        guard groupPaths[name] == nil else { return groupPaths[name] }
        groupPaths[name] = path
        append(path, under: parent, direction == .inbound ? group.inbound : group.outbound, leafOf: nil, guest: nil, largestFrame)
        return path
    }

    private mutating func append(
        _ path: String, under parent: String?, _ settings: ClassSettings, leafOf port: PortSettings?, guest: String?,
        _ largestFrame: Int, protocolName: String? = nil
    ) {
        var parent = parent, settings = settings
        if parent == nil, rate != nil, settings.floor == nil, settings.floorPackets == nil, path != ClassDescription.restPath {
            let rest = ClassDescription.restPath
            // The settings of `rest` are filled in later, as its floor depends on all other classes.
            if restPaths.insert(rest).inserted { append(rest, under: nil, ClassSettings(), leafOf: nil, guest: nil, largestFrame) }
            parent = rest
        }
        if let parent, restPaths.contains(parent) {
            restPaths.insert(path)
            settings.priority = settings.priority ?? rest.priority
        }
        parents.append(parent)
        classes.append(
            ClassDescription(
                id: 0, path: path, parent: ClassIDs.root, isLeaf: port != nil,
                settings: ClassParameters(settings, rootRate: rate, largestFrame: largestFrame), guest: guest,
                protocolName: protocolName, port: direction == .inbound ? port?.name : nil))
    }

    func description(name: String, kind: TreeDescription.Kind, overhead: Int, ids: inout ClassIDs) -> TreeDescription {
        var classes = classes
        if let index = classes.firstIndex(where: \.isRest), let rate {
            let taken = zip(classes, parents).reduce(UInt64(0)) { sum, item in
                item.1 == nil && !item.0.isRest ? sum.addingSaturating(item.0.settings.floor) : sum
            }
            classes[index].settings = rest.parameters(rate: rate, taken: taken, largestFrame: largestFrame)
        }
        let assigned = ids.assign(tree: name, paths: classes.map(\.path))
        for index in classes.indices {
            classes[index].id = assigned[index] ?? 0
            if let parent = parents[index] { classes[index].parent = ids.id(tree: name, path: parent) ?? ClassIDs.root }
        }
        QueueLimits.fill(&classes, rate: rate)
        return TreeDescription(name: name, kind: kind, rate: rate, overhead: overhead, classes: classes)
    }
}

extension RestSettings {
    /// The parameters of the class `rest`. Without a floor of its own, it gets what the floors beside it leave of the tree's rate; if that is less than a token
    /// bucket can keep exactly, it gets no floor.
    ///
    /// - Parameters:
    ///   - rate: the tree's rate in bit/s.
    ///   - taken: the sum of the floors beside it in bit/s.
    ///   - largestFrame: bytes of the largest frame on the bridge.
    func parameters(rate: UInt64, taken: UInt64, largestFrame: Int) -> ClassParameters {
        var settings = ClassSettings()
        settings.ceiling = ceiling
        settings.priority = priority
        settings.floor = floor
        if floor == nil, rate > taken, rate - taken >= Validator.rates.lowerBound { settings.floor = min(rate - taken, ceiling ?? .max) }
        var parameters = ClassParameters(settings, rootRate: rate, largestFrame: largestFrame)
        parameters.floorIsRemainder = floor == nil
        return parameters
    }
}

/// The settings of a guest's leaf for a protocol that has none of its own: those of the guest, without a floor.
private func bareLeaf(of guest: ClassSettings) -> ClassSettings {
    var leaf = defaultLeaf(of: guest, protocols: [])
    (leaf.floor, leaf.floorPackets) = (nil, nil)
    return leaf
}

/// The settings of a guest's leaf for all protocols without one of their own. Its floors are what the protocols' floors leave of the guest's; the guest's
/// ceiling and peak hold at the guest's own class, above this leaf; everything else is taken from the guest.
private func defaultLeaf(of guest: ClassSettings, protocols: [ClassSettings]) -> ClassSettings {
    func rest(_ key: (ClassSettings) -> UInt64?) -> UInt64? {
        let taken = protocols.reduce(UInt64(0)) { $0.addingSaturating(key($1) ?? 0) }
        let floor = key(guest) ?? 0
        return floor > taken ? floor - taken : nil
    }
    var leaf = ClassSettings()
    leaf.floor = rest(\.floor)
    leaf.floorPackets = rest(\.floorPackets)
    leaf.priority = guest.priority
    leaf.quantum = guest.quantum
    leaf.limit = guest.limit
    leaf.limitBytes = guest.limitBytes
    leaf.limitDelay = guest.limitDelay
    leaf.queue = guest.queue
    leaf.codelTarget = guest.codelTarget
    leaf.codelInterval = guest.codelInterval
    (leaf.ecn, leaf.ecnThreshold, leaf.ecnDelay) = (guest.ecn, guest.ecnThreshold, guest.ecnDelay)
    return leaf
}

extension GuestSettings {
    public func settings(_ direction: Direction) -> ClassSettings { direction == .inbound ? inbound : outbound }
}

extension GroupSettings {
    public func settings(_ direction: Direction) -> ClassSettings { direction == .inbound ? inbound : outbound }
}

extension ProtocolClasses {
    public func settings(_ direction: Direction) -> ClassSettings { direction == .inbound ? inbound : outbound }
}

extension Model {
    /// The most levels of a tree, counting the root's and the leaves' (HTB's TC_HTB_MAXDEPTH).
    public static let deepestTree = 8
}

extension UInt64 {
    func addingSaturating(_ other: UInt64) -> UInt64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? .max : sum
    }
}
