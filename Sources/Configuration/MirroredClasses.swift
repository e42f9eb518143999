import Filters

/// Which classes mirrors are about, and the class that their copies have.
extension ClassDescription {
    /// The path of the class that mirrors' copies to a port have in the tree that it takes its frames from. It is a leaf of its own, so that copies take no room in a
    /// queue of the port's other traffic; no guest has such a name.
    public static func mirrorPath(to port: String) -> String { port + mirrorSuffix }
    private static let mirrorSuffix = ":mirrors"
    public var isForMirrors: Bool { guest?.hasSuffix(Self.mirrorSuffix) ?? false }

    /// Whether a path, or the end of one, is this class's.
    func isCalled(_ words: [Substring]) -> Bool {
        if isForMirrors || words.isEmpty { return false }
        let parts = path.split(separator: "/")
        return parts.count >= words.count && parts.suffix(words.count).elementsEqual(words)
    }
}

extension Model {
    /// Mirrors may overlap: a frame that waits says in a few bits by which of them it is copied.
    public static let mostMirroredSets = 127

    /// Mirrors are about guests or classes, so that an edit of one may be one of theirs.
    var mirrorsNameClasses: Bool {
        mirrors.contains { if case .port = $0.source { false } else { true } }
    }

    /// Ports that mirrors' copies leave by.
    var mirrorTargets: Set<String> { Set(mirrors.map(\.target.port)) }

    /// By the id of each leaf of a tree that is mirrored: the names of its mirrors, in the order of `mirrors`.
    public func mirroredLeaves(of tree: TreeDescription) -> [UInt16: [String]] {
        var result: [UInt16: [String]] = [:]
        for mirror in mirrors { for leaf in leaves(of: mirror, in: tree) { result[leaf.id, default: []].append(mirror.name) } }
        return result
    }

    /// The leaves that a mirror of a class copies the frames of.
    func leaves(of mirror: MirrorSettings, in tree: TreeDescription) -> [ClassDescription] {
        guard case .class(let path) = mirror.source else { return [] }
        switch (tree.kind, mirror.direction) {
        case (_, .both), (.inbound, .inbound), (.outbound, .outbound): break
        default: return []
        }
        let words = path.split(separator: "/")
        // Parents come before their children.
        var inside: Set<UInt16> = []
        return tree.classes.filter { item in
            if item.isCalled(words) || inside.contains(item.parent) { inside.insert(item.id) }
            return item.isLeaf && !item.isForMirrors && inside.contains(item.id)
        }
    }
}

extension Validator {
    mutating func checkMirrors() {
        checkUnique(model.mirrors.map(\.name), "mirrors", "mirror")
        if model.mirrors.isEmpty { return }
        let names = model.ports.map(\.name), guests = model.effectiveGuests
        for (index, mirror) in model.mirrors.enumerated() {
            if problems.isFull { return }
            let path = "mirrors[\(index)]"
            checkName(mirror.name, path, reserved: ["none", "default"])
            checkDirection(of: mirror, path)
            if let filter = mirror.filter, let fault = PacketExpression.fault(of: filter) { add(path + ".filter", fault) }
            check(MirrorDraft(mirror), Fields.all.mirror, path)
            checkTarget(mirror.target, names, path)
            switch mirror.source {
            case .port(let name):
                checkReference(name, to: names, path + ".port", "port")
                if name == mirror.target.port { refuse(mirror.target, as: "they are the frames of", path) }
            case .guest(let name):
                checkReference(name, to: guests.map(\.settings.name), path + ".guest", "guest")
                if guests.contains(where: { $0.settings.name == name && $0.settings.port == mirror.target.port }) {
                    refuse(mirror.target, as: "guest \(name) is behind", path)
                }
            case .class: break
            }
        }
    }

    private mutating func refuse(_ target: MirrorTarget, as reason: String, _ path: String) {
        add("\(path).\(target.key)", "\(reason) port \(target.port), and copies may not go where they are made: name another port")
    }

    private mutating func checkDirection(of mirror: MirrorSettings, _ path: String) {
        switch (mirror.source, mirror.direction) {
        case (.port, .inbound), (.port, .outbound):
            add(path + ".direction", "of a port, direction is in (what comes in by it), out (what leaves by it) or both, not \(mirror.direction.rawValue)")
        case (.guest, .in), (.guest, .out), (.class, .in), (.class, .out):
            let noun = if case .guest = mirror.source { "guest" } else { "class" }
            add(path + ".direction", "of a \(noun), direction is inbound (towards the guest), outbound (from it) or both, not \(mirror.direction.rawValue)")
        default: break
        }
    }

    private mutating func checkTarget(_ target: MirrorTarget, _ names: [String], _ path: String) {
        checkReference(target.port, to: names, "\(path).\(target.key)", "port")
        if let tunnel = target.tunnel {
            let inner = "\(path).\(target.key.prefix { $0 != "." })"
            if tunnel.local.isIPv4 != tunnel.remote.isIPv4 { add(inner + ".local", "\(tunnel.local) and \(tunnel.remote) are of two families: write two IPv4 or two IPv6 addresses") }
            if tunnel.mac.value == 0 { add(inner + ".mac", "no station has the address \(tunnel.mac): write that of who is next on the way to \(tunnel.remote)") }
            if let mac = tunnel.sourceMAC, mac.value == 0 || mac.value >> 40 & 1 != 0 { add(inner + ".source-mac", "\(mac) is no station's address: write another, or leave it out") }
        }
    }

    /// What can only be told with the trees at hand.
    mutating func checkMirroredClasses(_ trees: [TreeDescription]) {
        for (index, mirror) in model.mirrors.enumerated() {
            guard case .class(let name) = mirror.source else { continue }
            let path = "mirrors[\(index)]", target = mirror.target
            var isThere = false
            for tree in trees {
                let leaves = model.leaves(of: mirror, in: tree)
                if leaves.isEmpty { continue }
                isThere = true
                let isOwn: Bool
                // Inside tunnels copies of what leaves by an uplink may leave there, too.
                if case .outbound(target.port) = tree.kind, target.tunnel == nil { isOwn = true } else { isOwn = leaves.contains { $0.port == target.port } }
                if isOwn { refuse(target, as: "frames of class \(name) go to", path) }
            }
            if isThere { continue }
            let direction = mirror.direction == .both ? "" : mirror.direction.rawValue + " "
            let all = Set(trees.flatMap(\.classes).filter { !$0.isForMirrors }.flatMap { [$0.path, $0.name] })
            add(path + ".class", "there is no \(direction)class \(name): \(hint(name, among: all.sorted(), none: "there is none at all"))")
        }
        let sets = Set(trees.flatMap { model.mirroredLeaves(of: $0).values })
        if sets.count > Model.mostMirroredSets {
            add("mirrors", "mirrors of classes overlap in \(sets.count) ways, and at most \(Model.mostMirroredSets) are told apart: leave some out")
        }
    }
}
