import Filters

/// Which classes a mirror copies the frames of, and the class that the copies themselves are sent in.
extension ClassDescription {
    /// The path of the leaf in which mirrors' copies leave by a port, in the tree that schedules the port's frames. They have a leaf of their own so that they
    /// take no room in the queues of other traffic. No guest can have such a name.
    public static func mirrorPath(to port: String) -> String { port + mirrorSuffix }
    private static let mirrorSuffix = ":mirrors"
    public var isForMirrors: Bool { guest?.hasSuffix(Self.mirrorSuffix) ?? false }

    /// Whether `words` are this class's path or the end of it.
    func isCalled(_ words: [Substring]) -> Bool {
        if isForMirrors || words.isEmpty { return false }
        let parts = path.split(separator: "/")
        return parts.count >= words.count && parts.suffix(words.count).elementsEqual(words)
    }
}

extension Model {
    /// The most different combinations of mirrors that leaves may have. Mirrors may overlap, and a waiting frame stores in a few bits which combination copies
    /// it.
    public static let mostMirroredSets = 127

    /// Whether some mirror copies a guest's or a class's frames, so that an edit of a guest or class may concern a mirror.
    var mirrorsNameClasses: Bool {
        mirrors.contains { if case .port = $0.source { false } else { true } }
    }

    /// The ports that mirrors' copies leave by.
    var mirrorTargets: Set<String> { Set(mirrors.map(\.target.port)) }

    /// The mirrors of each leaf of a tree that is mirrored, by the leaf's id: their names in the order of `mirrors`.
    public func mirroredLeaves(of tree: TreeDescription) -> [UInt16: [String]] {
        var result: [UInt16: [String]] = [:]
        for mirror in mirrors { for leaf in leaves(of: mirror, in: tree) { result[leaf.id, default: []].append(mirror.name) } }
        return result
    }

    /// The leaves whose frames a mirror of a class copies.
    func leaves(of mirror: MirrorSettings, in tree: TreeDescription) -> [ClassDescription] {
        guard case .class(let path) = mirror.source else { return [] }
        switch (tree.kind, mirror.direction) {
        case (_, .both), (.inbound, .inbound), (.outbound, .outbound): break
        default: return []
        }
        return tree.leaves(of: path)
    }
}

extension TreeDescription {
    /// The leaves at and below the classes that have this path, or whose paths end with it. Those of mirrors' copies are not among them.
    public func leaves(of path: String) -> [ClassDescription] {
        let words = path.split(separator: "/")
        // Parents come before their children, so one pass finds all descendants.
        var inside: Set<UInt16> = []
        return classes.filter { item in
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

    /// Checks what depends on the trees: that a mirrored class exists, and that its copies do not go where its frames go.
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
                // Copies inside a tunnel may leave by the very uplink whose outgoing frames they copy.
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
