/// What one class did and waited for since it was added; what it sent and dropped with all below it, those that are gone included. Frames and bytes that were
/// sent, lent and borrowed are those on the wire; what waits or was dropped is counted in frames as they were offered (`Charge`).
public struct ClassCounters: Equatable, Sendable {
    public var sentFrames: UInt64 = 0
    public var sentBytes: UInt64 = 0
    public var backlogFrames: UInt32 = 0
    /// The number of waiting bytes, counted as they will be on the wire.
    public var backlogBytes: UInt32 = 0
    public var droppedQueueLimit: UInt64 = 0
    public var droppedBufferShare: UInt64 = 0
    public var droppedBufferFull: UInt64 = 0
    public var droppedCoDel: UInt64 = 0
    /// Dropped with the queue of a class that was removed, or that became a parent of leaves on another output.
    public var droppedByRemoval: UInt64 = 0
    /// Marked as they left, as the queue was long (`CongestionTag`).
    public var markedFrames: UInt64 = 0
    /// Cycles that the poll loop spent on receiving the class's frames, until they were sent on or queued.
    public var cycles: UInt64 = 0
    /// For a leaf that queues its flows separately: the number of flows with frames that began recently, and of the others.
    public var newFlows: UInt32 = 0
    public var oldFlows: UInt32 = 0
    /// Sent by descendants on this class's floor.
    public var lentFrames: UInt64 = 0
    public var lentBytes: UInt64 = 0
    /// Sent on an ancestor's floor.
    public var borrowedFrames: UInt64 = 0
    public var borrowedBytes: UInt64 = 0
    /// How often the class had to wait while it had a frame to send, by cause.
    public var waitsCeiling: UInt64 = 0
    public var waitsPeak: UInt64 = 0
    public var waitsPackets: UInt64 = 0
    /// An ancestor was at its ceiling.
    public var waitsAncestor: UInt64 = 0
    /// No ancestor was within its floor.
    public var waitsNothingToLend: UInt64 = 0
    /// The output was full.
    public var waitsOutput: UInt64 = 0
    /// Credit in bytes, rounded towards zero; negative if it is owed; 0 if the class has no such rate.
    public var floorTokens: Int64 = 0
    public var ceilingTokens: Int64 = 0

    public init() {}
}

/// How the counters are shown.
extension ClassCounters {
    /// A counter that only grows. A new one needs its field and its row, and is then shown among the drops or holds of its class, and kept while a group's class
    /// does not exist.
    public struct Row: Sendable {
        public enum Kind: Sendable {
            /// Frames dropped, shown among a class's drops.
            case drop
            /// How often the class waited, shown among its holds.
            case hold
            /// Shown in a place of its own.
            case amount
        }

        public let kind: Kind
        /// The name in the command line and in JSON.
        public let name: String
        public let value: WritableKeyPath<ClassCounters, UInt64> & Sendable
    }

    public static let rows = [
        Row(kind: .amount, name: "sent_frames", value: \.sentFrames),
        Row(kind: .amount, name: "sent_bytes", value: \.sentBytes),
        Row(kind: .amount, name: "lent_frames", value: \.lentFrames),
        Row(kind: .amount, name: "lent_bytes", value: \.lentBytes),
        Row(kind: .amount, name: "borrowed_frames", value: \.borrowedFrames),
        Row(kind: .amount, name: "borrowed_bytes", value: \.borrowedBytes),
        Row(kind: .amount, name: "marked_frames", value: \.markedFrames),
        Row(kind: .amount, name: "cycles", value: \.cycles),
        Row(kind: .drop, name: "queue_limit", value: \.droppedQueueLimit),
        Row(kind: .drop, name: "buffer_share", value: \.droppedBufferShare),
        Row(kind: .drop, name: "buffer_full", value: \.droppedBufferFull),
        Row(kind: .drop, name: "codel", value: \.droppedCoDel),
        Row(kind: .drop, name: "class_removed", value: \.droppedByRemoval),
        Row(kind: .hold, name: "own_ceiling", value: \.waitsCeiling),
        Row(kind: .hold, name: "peak", value: \.waitsPeak),
        Row(kind: .hold, name: "packet_ceiling", value: \.waitsPackets),
        Row(kind: .hold, name: "ancestor_ceiling", value: \.waitsAncestor),
        Row(kind: .hold, name: "nothing_to_lend", value: \.waitsNothingToLend),
        Row(kind: .hold, name: "output_full", value: \.waitsOutput),
    ]

    /// Adds the counters that only grow, so not the levels.
    public mutating func addCounts(of other: ClassCounters) {
        for row in Self.rows { self[keyPath: row.value] &+= other[keyPath: row.value] }
    }
}

extension ClassTree {
    /// Counts cycles that the poll loop spent on receiving a leaf's frames.
    @inline(__always) @_noLocks
    public mutating func addCycles(_ cycles: UInt64, to leaf: ClassID) { blocks[Int(leaf)].cycles &+= cycles }

    /// A class's counters; all zero if there is no such class. Any thread may call this: only the owning lcore writes, and it writes each number in one piece,
    /// but numbers that are read together may be a few frames apart.
    ///
    /// For an inner class this looks at all classes. Whoever wants the counters of many classes should compute their `totals` once.
    public func counters(of id: ClassID) -> ClassCounters { counters(of: id, totals: nil) }

    /// - Parameter totals: recent totals of this tree.
    public func counters(of id: ClassID, in totals: ClassTotals) -> ClassCounters { counters(of: id, totals: totals) }

    private func counters(of id: ClassID, totals: ClassTotals?) -> ClassCounters {
        var result = ClassCounters()
        guard Int(id) < classes, id != 0, Self.has(existing, id) else { return result }
        let state = states[Int(id)], kept = keptCounts(of: id)
        // They serve both the amounts and the drops, since those of an inner class are computed from all other classes.
        let totals = totals ?? (Self.has(leaves, id) ? nil : self.totals())
        let drops = drops(of: id, totals)
        result.backlogFrames = queued(id)
        result.backlogBytes = queuedBytes(id)
        result.droppedQueueLimit = drops.queueLimit
        result.droppedBufferShare = drops.bufferShare
        result.droppedBufferFull = drops.bufferFull
        result.droppedCoDel = drops.codel
        result.markedFrames = drops.marked
        result.cycles = drops.cycles
        result.droppedByRemoval = drops.removal
        result.waitsCeiling = nodes[Int(id)].waitsCeiling
        result.waitsAncestor = waitsForAncestors(of: id)
        result.waitsNothingToLend = nodes[Int(id)].waitsNothingToLend
        result.waitsOutput = blocks[Int(id)].waitsOutput
        result.waitsPeak = kept.waitsPeak
        result.waitsPackets = kept.waitsPackets
        if state.flags & ClassFlags.codel != 0 { (result.newFlows, result.oldFlows) = (codels[Int(id)].newFlows, codels[Int(id)].oldFlows) }
        if state.flags & ClassFlags.extra != 0 {
            result.waitsPeak &+= extras[Int(id)].waitsPeak
            result.waitsPackets &+= extras[Int(id)].waitsPackets
        }
        if state.flags & ClassFlags.meteredFloor != 0 { result.floorTokens = state.floorTokens / Credit.perByte }
        if state.flags & ClassFlags.meteredCeiling != 0 { result.ceilingTokens = state.ceilingTokens / Credit.perByte }
        let amounts = amounts(of: id, totals), own = ownLevel(of: id)
        result.sentFrames = amounts[0].frames
        result.sentBytes = amounts[0].bytes
        if own != 0 {
            result.lentFrames = amounts[own].frames
            result.lentBytes = amounts[own].bytes
        } else if nodes[Int(id)].lenders & 1 != 0 {
            // The class is so deep that it can have no children, but it had some where it was before.
            result.lentFrames = loans[Int(id)].frames
            result.lentBytes = loans[Int(id)].bytes
        }
        for lender in (own + 1)..<8 {
            result.borrowedFrames &+= amounts[lender].frames
            result.borrowedBytes &+= amounts[lender].bytes
        }
        return result
    }
}
