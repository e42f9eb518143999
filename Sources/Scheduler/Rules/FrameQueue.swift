/// A queue of frames in order: a ring in which the last frame leads to the first.
struct FrameQueue {
    /// The last frame; `FrameNode.none` if the queue is empty, or 0, which is what memory that was never written holds.
    var tail: UInt32
    /// Number of frames ahead of the last one, and their bytes.
    var count: UInt32
    var bytes: UInt32

    @_noLocks @inline(__always)
    init(tail: UInt32 = FrameNode.none, count: UInt32 = 0, bytes: UInt32 = 0) {
        self.tail = tail
        self.count = count
        self.bytes = bytes
    }

    @inline(__always) var isEmpty: Bool { @_noLocks get { tail <= FrameNode.none } }

    @_noLocks @inline(__always)
    func first(_ frames: UnsafeMutablePointer<FrameNode>) -> UInt32 { isEmpty ? FrameNode.none : frames[Int(tail)].next }

    /// Bytes of all frames, the last one included.
    @_noLocks @inline(__always)
    func allBytes(_ frames: UnsafeMutablePointer<FrameNode>) -> UInt32 { isEmpty ? 0 : bytes &+ frames[Int(tail)].length }

    @inline(__always) var allFrames: UInt32 { @_noLocks get { isEmpty ? 0 : count &+ 1 } }

    @_noLocks @inline(__always)
    mutating func append(_ index: UInt32, _ frames: UnsafeMutablePointer<FrameNode>) {
        frames[Int(index)].next = index
        append(FrameQueue(tail: index), frames)
    }

    /// Appends all frames of another queue.
    @_noLocks @inline(__always)
    mutating func append(_ other: FrameQueue, _ frames: UnsafeMutablePointer<FrameNode>) {
        if other.isEmpty { return }
        if isEmpty {
            self = other
            return
        }
        let head = frames[Int(tail)].next
        frames[Int(tail)].next = frames[Int(other.tail)].next
        frames[Int(other.tail)].next = head
        bytes &+= frames[Int(tail)].length &+ other.bytes
        count &+= 1 &+ other.count
        tail = other.tail
    }

    /// Removes and returns the first frame; the queue must not be empty.
    @_noLocks @inline(__always)
    mutating func removeFirst(_ frames: UnsafeMutablePointer<FrameNode>) -> UInt32 {
        let index = frames[Int(tail)].next
        if index == tail {
            self = FrameQueue()
            return index
        }
        frames[Int(tail)].next = frames[Int(index)].next
        count &-= 1
        bytes &-= frames[Int(index)].length
        return index
    }
}

extension ClassTree {
    /// The queue of a leaf that has only one.
    @_noLocks @inline(__always)
    func queue(of leaf: ClassID) -> FrameQueue {
        FrameQueue(tail: states[Int(leaf)].tail, count: nodes[Int(leaf)].framesAhead, bytes: nodes[Int(leaf)].bytesAhead)
    }

    @_noLocks @inline(__always)
    mutating func setQueue(_ queue: FrameQueue, of leaf: ClassID) {
        states[Int(leaf)].tail = queue.tail
        nodes[Int(leaf)].framesAhead = queue.count
        nodes[Int(leaf)].bytesAhead = queue.bytes
    }
}
