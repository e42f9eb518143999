/// The 16-bit ids of every tree's classes, by class path. An id stays with its path across changes and restarts, for as long
/// as the class exists; saved in the state file.
public struct ClassIDs: Codable, Equatable, Sendable {
    /// The root of every tree.
    public static let root: UInt16 = 1
    /// Ids a class may have; 0 means no class, as in tc.
    public static let range: ClosedRange<UInt16> = 2...65_535

    /// Tree name, class path, id.
    public private(set) var trees: [String: [String: UInt16]] = [:]

    public init() {}

    public func id(tree: String, path: String) -> UInt16? { trees[tree]?[path] }

    /// Gives every path of a tree its id: the one it has, else the lowest free one. Paths that are not named lose theirs.
    /// An id that is set free here is not given to another class in the same step while there are others, so that within
    /// one change an id never means two classes.
    /// - Returns: the ids in the order of `paths`; nil where there were more paths than ids.
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

    /// Forgets trees that are gone.
    mutating func keep(trees names: Set<String>) { trees = trees.filter { names.contains($0.key) } }

    /// State that breaks the rules is refused when it is read, so that a damaged file cannot give one id to two classes.
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

/// Ascending ids that are in neither set, then those only in the first.
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
