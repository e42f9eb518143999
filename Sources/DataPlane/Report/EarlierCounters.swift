import Configuration
import Scheduler

/// What the classes of groups, and `rest`, had counted in one tree when they were removed. Such a class exists only while there are guests below it. When it
/// comes back, it continues to count from here, as its group existed all the time.
struct EarlierCounters {
    /// Sums over the poll loops, by the class's path.
    private(set) var counters: [String: ClassCounters] = [:]
    /// Bytes borrowed, by the class's path and then by the lender's path; the root's path is empty.
    private(set) var loans: [String: [String: UInt64]] = [:]

    /// What was sent, by group. A group may occur several times, if it had several paths.
    var sentByGroup: [(group: String, DataPlane.Amount)] {
        counters.compactMap { path, counters in
            path == ClassDescription.restPath ? nil : (path.lastPart, DataPlane.Amount(frames: counters.sentFrames, bytes: counters.sentBytes))
        }
    }

    /// Keeps what classes have counted that are about to be removed, when no class is below them any more.
    /// - Parameters:
    ///   - now: the counters of the tree.
    ///   - paths: the paths of all classes of the tree, by id, including those that are removed.
    mutating func record(_ classes: [ClassDescription], _ now: DataPlane.TreeCounters, _ paths: [UInt16: String]) {
        for item in classes {
            for instance in now.of(item.id) { counters[item.path, default: ClassCounters()].addCounts(of: instance) }
            for (lender, bytes) in now.loans(of: item.id).joined() { loans[item.path, default: [:]][paths[lender] ?? "", default: 0] &+= bytes }
        }
    }

    /// Forgets groups that no longer exist.
    mutating func keepOnly(groups: Set<String>) {
        counters = counters.filter { $0.key == ClassDescription.restPath || groups.contains($0.key.lastPart) }
        loans = loans.filter { counters[$0.key] != nil }
    }
}
