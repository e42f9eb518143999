/// Explicit congestion notification (RFC 3168): a frame whose transport understands it is marked where CoDel would have dropped it, or where the queue is
/// longer than a threshold (as DCTCP wants it, RFC 8257, 3.1). The caller says which frames those are and writes the marks; what it has to know is in tags.
public enum CongestionTag {
    /// In the tag of an offered frame: its transport understands marks. Only leaves that mark look at this bit, and no frame that they send has it.
    @inlinable @inline(__always) public static var capable: UInt32 { @_noLocks get { 0x20 } }
    /// In the tag of a frame that leaves: it is to be marked.
    @inlinable @inline(__always) public static var marked: UInt32 { @_noLocks get { 0x10 } }
}

extension ClassParameters {
    /// Whether the queue is looked at when frames leave it.
    var managesQueue: Bool { @_noLocks get { codelTarget != 0 || queuesFlows || hasMarkThreshold } }
    var marks: Bool { @_noLocks get { marksForCoDel && (codelTarget != 0 || queuesFlows) || hasMarkThreshold } }
    private var hasMarkThreshold: Bool { @_noLocks get { markBytes != 0 || markDelay != 0 } }
}

extension CoDelState {
    /// A target that no frame's delay reaches, for queues that only mark: about 18 minutes.
    @inline(__always) static var noTarget: Nanoseconds { @_noLocks get { 1 << 40 } }
}

extension ClassTree {
    /// Whether there are leaves that mark frames.
    @inline(__always) public var mayMark: Bool { @_noLocks get { markingClasses != 0 } }

    /// Whether the frames of a leaf have to be offered with `CongestionTag.capable`.
    @_noLocks @inline(__always)
    public func marks(_ id: ClassID) -> Bool { states[Int(id)].flags & ClassFlags.codel != 0 && codels[Int(id)].marks }

    /// Has the first frame of a queue leave with a mark, instead of being dropped.
    /// - Returns: false: its transport would not understand that, or the leaf does not mark for CoDel.
    @_noLocks
    mutating func markInsteadOfDropping(_ leaf: ClassID, _ queue: FrameQueue) -> Bool {
        guard codels[Int(leaf)].marksForCoDel else { return false }
        let index = Int(queue.first(frames))
        if frames[index].tag & CongestionTag.capable == 0 { return false }
        mark(index, leaf)
        return true
    }

    /// Marks the first frame of a queue, which leaves now, if the queue is above a threshold.
    @_noLocks
    mutating func markAboveThreshold(_ leaf: ClassID, _ queue: FrameQueue, at now: Nanoseconds) {
        let state = codels[Int(leaf)], index = Int(queue.first(frames))
        if frames[index].tag & CongestionTag.capable == 0 { return }
        if frames[index].tag & CongestionTag.marked == 0, queue.allBytes(frames) > state.markBytes || now &- frames[index].since > state.markDelay { mark(index, leaf) }
        frames[index].tag &= ~CongestionTag.capable
    }

    @_noLocks
    private mutating func mark(_ index: Int, _ leaf: ClassID) {
        frames[index].tag |= CongestionTag.marked
        codels[Int(leaf)].marked &+= 1
    }
}
