/// Nanoseconds on a clock that never goes back. The scheduler reads no clock; every call is passed the time.
public typealias Nanoseconds = UInt64

/// Identifies a class within its tree. 0 stands for no class; 1 is the root, which `ClassTree.create` makes.
public typealias ClassID = UInt16

/// What an operator can ask of one class. Rates count frame bytes without FCS plus the tree's overhead, as tc does; of a frame that leaves as several, all of
/// them (`Charge`).
public struct ClassParameters: Equatable, Sendable, BitwiseCopyable {
    /// Guaranteed rate in bit/s (HTB's `rate`). With 0 the class has none and lives on what others do not use; for the root 0 means all of its ceiling.
    public var floor: UInt64
    /// Greatest rate in bit/s, of own and borrowed credit together (HTB's `ceil`); `.max` means unlimited. 0 is refused.
    public var ceiling: UInt64
    /// A second limit in bit/s with a bucket of its own, usually for short times (TBF's peak rate); 0 if there is none.
    public var peak: UInt64
    /// Guaranteed frames on the wire per second; 0: none. Where `floor` is set as well, a frame is in the floor only if both buckets allow it.
    public var floorPackets: UInt64
    /// Most frames on the wire per second; 0: unlimited.
    public var ceilingPackets: UInt64
    /// Bytes that the class may send at once within its floor. As in HTB, the frame that empties the bucket is sent whole. No bucket holds less than its rate
    /// earns in 1 ns or more than 576 460 752 bytes; with 0 one frame at a time is sent.
    ///
    /// Credit that a class below the root has saved beyond 10 ms of its floor (or beyond 18 044 bytes, if that is more) is usable only while the root is not at
    /// its ceiling; it then comes before what others borrow. Where instances share rates, such credit is not saved at all. A class that can save more is served
    /// by slower paths.
    public var burst: UInt64
    /// Bytes that the class may send at once within its ceiling.
    public var ceilingBurst: UInt64
    /// Bytes that the class may send at once within its peak; 0 means one frame at a time.
    public var peakBurst: UInt64
    /// 0 (served first) to 7: the order among leaves within their floors, and among those that borrow. Larger values count as 7.
    public var priority: UInt8
    /// Bytes per turn among classes of equal priority; raised to `ClassParameters.leastQuantum` if it is smaller.
    public var quantum: UInt32
    /// Most frames in a leaf's queue, where a frame that leaves as several counts as one; 0 if only the shared buffer limits the queue.
    public var limitPackets: UInt32
    /// Most bytes in a leaf's queue, counted as they will be on the wire. 0, or any value above 2 147 483 647, stands for 2 147 483 647.
    public var limitBytes: UInt32
    /// Sojourn time in ns above which CoDel begins to drop (RFC 8289 suggests 5 ms); 0 for tail drop.
    public var codelTarget: UInt64
    /// CoDel's interval in ns (RFC 8289 suggests 100 ms); 0 for twenty times the target.
    public var codelInterval: UInt64
    /// Whether a leaf queues its flows separately, each with CoDel (FQ-CoDel, RFC 8290; a `codelTarget` of 0 means 5 ms then). `ClassTree.grantFlows` must have
    /// been called.
    public var queuesFlows: Bool
    /// Whether CoDel marks frames whose transport understands that, instead of dropping them (`CongestionTag`).
    public var marksForCoDel: Bool
    /// Such frames are marked, too, if more bytes than this wait with them as they leave (of their flow, where flows are queued separately), or if they have
    /// waited for longer than this, in ns; 0: they are not.
    public var markBytes: UInt32
    public var markDelay: UInt64
    /// The output that a leaf delivers to. Ignored while the class has children.
    public var output: UInt16

    /// Least quantum. Smaller ones would only add turns in which nothing is sent: a large frame would need hundreds of them.
    @inline(__always) public static var leastQuantum: UInt32 { @_noLocks get { 256 } }

    /// Creates the parameters of a class without a floor or a ceiling. The bursts are two full Ethernet frames, and the queue takes 1 000 frames.
    public init(
        floor: UInt64 = 0, ceiling: UInt64 = .max, burst: UInt64 = 3_028, ceilingBurst: UInt64 = 3_028, priority: UInt8 = 3,
        quantum: UInt32 = 1_514, output: UInt16 = 0
    ) {
        self.floor = floor
        self.ceiling = ceiling
        self.peak = 0
        self.floorPackets = 0
        self.ceilingPackets = 0
        self.burst = burst
        self.ceilingBurst = ceilingBurst
        self.peakBurst = 0
        self.priority = priority
        self.quantum = quantum
        self.limitPackets = 1_000
        self.limitBytes = 0
        self.codelTarget = 0
        self.codelInterval = 0
        self.queuesFlows = false
        self.marksForCoDel = false
        self.markBytes = 0
        self.markDelay = 0
        self.output = output
    }
}
