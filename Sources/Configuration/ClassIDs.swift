/// The 16-bit ids of every tree's classes, by class path. A class keeps its id across changes and restarts, for as long as its path exists; the ids are saved
/// in the state file.
public struct ClassIDs: Codable, Equatable, Sendable {
    /// The id of every tree's root.
    public static let root: UInt16 = 1
    /// Ids that classes below the root may have. As in tc, 0 means that there is no class.
    public static let range: ClosedRange<UInt16> = 2...65_535

    /// Ids by the tree's name, then by the class's path.
    public private(set) var trees: [String: [String: UInt16]] = [:]

    public init() {}

    /// The id of a class in a tree; nil: the tree has no class with this path.
    public func id(tree: String, path: String) -> UInt16? { trees[tree]?[path] }

    /// Gives every path of a tree an id: the one that it has, else the lowest free one. Paths of the tree that are not in `paths` lose theirs.
    /// Ids that this call frees are given to other classes only when no other id is left, so that within one change an id never means two classes.
    /// - Returns: the ids in the order of `paths`; nil for paths that came when all ids were taken.
    mutating func assign(tree: String, paths: [String]) -> [UInt16?] {
        let old = trees[tree] ?? [:]
        var new: [String: UInt16] = [:]
        new.reserveCapacity(paths.count)
        for path in paths { new[path] = old[path] }
        var free = FreeIDs(avoiding: Set(old.values), butThen: Set(new.values))
        for path in paths where new[path] == nil {
            guard let id = free.next() else { break }
            new[path] = id
        }
        trees[tree] = new
        return paths.map { new[$0] }
    }

    mutating func set(_ id: UInt16?, tree: String, path: String) { trees[tree, default: [:]][path] = id }

    /// Forgets the ids of all trees but the named ones.
    mutating func keep(trees names: Set<String>) { trees = trees.filter { names.contains($0.key) } }

    /// Reads what was saved. A tree that gives one id to two classes, or an id outside `range`, is refused with a `DecodingError`, so that a damaged file
    /// cannot make an id ambiguous.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        trees = try container.decode([String: [String: UInt16]].self, forKey: .trees)
        for (name, classes) in trees {
            guard Set(classes.values).count == classes.count, classes.values.allSatisfy(Self.range.contains) else {
                throw DecodingError.dataCorruptedError(
                    forKey: .trees, in: container, debugDescription: "tree \(name) gives one id to two classes, or an id below 2")
            }
        }
    }
}

/// Yields ids in ascending order: first those in neither set, then those that only the first set has.
private struct FreeIDs {
    let old: Set<UInt16>
    let kept: Set<UInt16>
    var candidate = Int(ClassIDs.range.lowerBound)
    var reusing = false

    init(avoiding old: Set<UInt16>, butThen kept: Set<UInt16>) { self.old = old; self.kept = kept }

    mutating func next() -> UInt16? {
        while true {
            while candidate <= Int(ClassIDs.range.upperBound) {
                let id = UInt16(candidate)
                candidate += 1
                if reusing ? old.contains(id) && !kept.contains(id) : !old.contains(id) { return id }
            }
            if reusing { return nil }
            reusing = true
            candidate = Int(ClassIDs.range.lowerBound)
        }
    }
}
