import Configuration
import Scheduler

/// What the classes of groups, and `rest`, counted in one tree before they were gone. Such a class is there while there are guests below it; when it is there
/// again it goes on counting from here, as its group was there all the time.
struct EarlierCounters {
    /// Sums over the poll loops, by path.
    private(set) var counters: [String: ClassCounters] = [:]
    /// Bytes borrowed, by path and by the lender's path; the root's is empty.
    private(set) var loans: [String: [String: UInt64]] = [:]

    /// What was sent, by group: it may have had several paths.
    var sentByGroup: [(group: String, DataPlane.Amount)] {
        counters.compactMap { path, counters in
            path == ClassDescription.restPath ? nil : (path.lastPart, DataPlane.Amount(frames: counters.sentFrames, bytes: counters.sentBytes))
        }
    }

    /// Notes what classes have counted that are about to be removed, when nothing is below them any more.
    /// - Parameters:
    ///   - now: the tree's counters.
    ///   - paths: of all classes of the tree, those that go included.
    mutating func keep(_ classes: [ClassDescription], _ now: DataPlane.TreeCounters, _ paths: [UInt16: String]) {
        for item in classes {
            for instance in now.of(item.id) { counters[item.path, default: ClassCounters()].addCounts(of: instance) }
            for (lender, bytes) in now.loans(of: item.id).joined() { loans[item.path, default: [:]][paths[lender] ?? "", default: 0] &+= bytes }
        }
    }

    /// Forgets groups that are no more.
    mutating func keepOnly(groups: Set<String>) {
        counters = counters.filter { $0.key == ClassDescription.restPath || groups.contains($0.key.lastPart) }
        loans = loans.filter { counters[$0.key] != nil }
    }
}

extension ClassCounters {
    /// Adds what only grows.
    mutating func addCounts(of other: ClassCounters) {
        for path in Self.counts { self[keyPath: path] &+= other[keyPath: path] }
    }

    private static var counts: [WritableKeyPath<ClassCounters, UInt64>] {
        [
            \.sentFrames, \.sentBytes, \.droppedQueueLimit, \.droppedBufferShare, \.droppedBufferFull, \.droppedCoDel, \.droppedByRemoval, \.lentFrames, \.lentBytes,
            \.borrowedFrames, \.borrowedBytes, \.waitsCeiling, \.waitsPeak, \.waitsPackets, \.waitsAncestor, \.waitsNothingToLend, \.waitsOutput,
        ]
    }
}
