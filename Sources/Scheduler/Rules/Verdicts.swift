/// A frame that leaves. The scheduler never looks at what `handle` points to.
public struct ScheduledFrame {
    public var handle: UnsafeMutableRawPointer
    /// The charge that was given to `enqueue`.
    public var charge: Charge
    /// The value given to `enqueue`, which means nothing to the scheduler.
    public var tag: UInt32
    /// The leaf that sent it.
    public var leaf: ClassID
    /// The output of that leaf.
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

/// A frame to be queued: see `ClassTree.enqueue`.
public struct OfferedFrame {
    public var handle: UnsafeMutableRawPointer
    /// What it costs, without the tree's overhead.
    public var charge: Charge
    /// Is returned with the frame; it means nothing to the scheduler, but for leaves that mark frames (`CongestionTag`).
    public var tag: UInt32
    public var leaf: ClassID
    /// Written by `enqueue`.
    public var verdict: EnqueueVerdict
    /// A hash that identifies the frame's flow, for leaves that queue their flows separately (`ClassTree.queuesFlows`). Other leaves do not look at it.
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

/// The result of offering a frame to a leaf. Unless it is `queued`, the frame still belongs to the caller. All results but `notALeaf` are counted.
public enum EnqueueVerdict: UInt8, Sendable {
    case queued
    /// There is no class with this id, or it has children.
    case notALeaf
    /// The leaf has reached its own limit of frames or bytes.
    case queueLimit
    /// The leaf holds as much of the shared buffer as it may while others could need room.
    case bufferShare
    /// The shared buffer is full.
    case bufferFull
}

/// The result of a change to the tree. Unless it is `done`, nothing was changed.
public enum ChangeVerdict: UInt8, Sendable, BitwiseCopyable {
    case done
    /// The id is 0, which stands for no class, or 1, the root, which can be neither added nor removed.
    case reservedID
    /// The id is beyond the number of classes for which the tree was created.
    case idOutOfRange
    case unknownClass
    case alreadyExists
    case unknownParent
    /// A leaf would be more than eight classes deep, counting the root.
    case tooDeep
    /// The class has children, which must be removed first.
    case hasChildren
    /// The ceiling is 0, the tree does not have the output, or memory for flow queues was not granted (`ClassTree.grantFlows`).
    case badParameters
}

/// Consecutive frames of a burst that belong to the same leaf: see `ClassTree.bypass`.
public struct LeafRun {
    public var leaf: ClassID
    /// Index behind the run's last frame; the run begins where the one before it ends.
    public var end: UInt32

    @_noLocks @inlinable @inline(__always)
    public init(leaf: ClassID, end: UInt32) {
        self.leaf = leaf
        self.end = end
    }
}
