/// A frame on its way out. The scheduler never looks behind `handle`.
public struct ScheduledFrame {
    public var handle: UnsafeMutableRawPointer
    /// As given to `enqueue`.
    public var charge: Charge
    /// Given to `enqueue`; means nothing to the scheduler.
    public var tag: UInt32
    /// The leaf it was sent from.
    public var leaf: ClassID
    /// That leaf's output.
    public var output: UInt16

    @_noLocks @inlinable
    public init(handle: UnsafeMutableRawPointer, charge: Charge, tag: UInt32, leaf: ClassID, output: UInt16) {
        self.handle = handle
        self.charge = charge
        self.tag = tag
        self.leaf = leaf
        self.output = output
    }
}

/// A frame on its way in: see `ClassTree.enqueue`.
public struct OfferedFrame {
    public var handle: UnsafeMutableRawPointer
    /// What it costs, without the tree's overhead.
    public var charge: Charge
    /// Comes out with the frame; means nothing to the scheduler.
    public var tag: UInt32
    public var leaf: ClassID
    /// Set by `enqueue`.
    public var verdict: EnqueueVerdict
    /// For leaves that queue their flows apart (`ClassTree.queuesFlows`): a hash of what tells its flow. Others do not look at it.
    public var flow: UInt32

    @_noLocks @inlinable @inline(__always)
    public init(handle: UnsafeMutableRawPointer, charge: Charge, tag: UInt32, leaf: ClassID, flow: UInt32 = 0) {
        self.handle = handle
        self.charge = charge
        self.tag = tag
        self.leaf = leaf
        verdict = .queued
        self.flow = flow
    }
}

/// What became of a frame offered to a leaf. Whatever is not `queued` still belongs to the caller; all but `notALeaf` are counted.
public enum EnqueueVerdict: UInt8, Sendable {
    case queued
    /// No class has this id, or it has children.
    case notALeaf
    /// The leaf's own limit of frames or bytes.
    case queueLimit
    /// The leaf holds as much of the shared buffer as it may while others could need it.
    case bufferShare
    /// The shared buffer is full.
    case bufferFull
}

/// What became of a change to the tree. Anything but `done` changed nothing.
public enum ChangeVerdict: UInt8, Sendable, BitwiseCopyable {
    case done
    /// 0 names no class, and 1 is the root: it is neither added nor removed.
    case reservedID
    /// Beyond the number of classes the tree was created for.
    case idOutOfRange
    case unknownClass
    case alreadyExists
    case unknownParent
    /// A leaf would lie more than eight classes deep, root included.
    case tooDeep
    /// Remove the children first.
    case hasChildren
    /// A ceiling of 0, or an output the tree does not have.
    case badParameters
}

/// Frames of one leaf that follow one another in a burst: see `ClassTree.bypass`.
public struct LeafRun {
    public var leaf: ClassID
    /// Where they end in the burst; they begin where the run before ends.
    public var end: UInt32

    @_noLocks @inlinable @inline(__always)
    public init(leaf: ClassID, end: UInt32) {
        self.leaf = leaf
        self.end = end
    }
}
