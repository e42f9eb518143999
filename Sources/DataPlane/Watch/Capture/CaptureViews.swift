import DPDKShim
import Scheduler
import Synchronization

/// Where a frame was when it was captured.
enum CapturePoint: UInt8 {
    /// It came in by the port, and nothing had been decided about it.
    case entering
    /// It was about to be queued in its class.
    case queued
    /// It was about to be given to the port, in the form in which it leaves.
    case leaving
}

/// What a capture looks for at some place.
struct CapturePoints: OptionSet {
    var rawValue: UInt8
    /// Frames that come in.
    static let entering = CapturePoints(rawValue: 1)
    /// Frames that are about to be queued.
    static let queued = CapturePoints(rawValue: 2)
    /// Frames that leave.
    static let leaving = CapturePoints(rawValue: 4)
    /// Frames that are dropped.
    static let dropped = CapturePoints(rawValue: 8)

    @inline(__always) @_noLocks
    func has(_ point: UInt8) -> Bool { rawValue & point != 0 }
    @inline(__always) var enters: Bool { @_noLocks get { has(1) } }
    @inline(__always) var queues: Bool { @_noLocks get { has(2) } }
    @inline(__always) var leaves: Bool { @_noLocks get { has(4) } }
    @inline(__always) var drops: Bool { @_noLocks get { has(8) } }
}

/// A capture on one poll loop: its ring, and what only that loop uses or writes.
struct CaptureState: ~Copyable {
    let ring: CaptureRing
    /// Room for the filter's verdicts on a burst.
    let verdicts: UnsafeMutablePointer<UInt16> = .zeroed(burstSize)
    /// The token bucket of the capture's rate, which all loops share.
    let bucket: UnsafeMutablePointer<CaptureBucket>

    // Fields that only the loop uses.
    /// The captured frames of the burst that came in last, and the places of their records, so that it can be noted there if they are dropped.
    var recent = InlineArray<32, Frame?>(repeating: nil)
    var places = InlineArray<32, Int>(repeating: 0)
    var recentCount = 0
    /// The turn in which that was.
    var recentTurn: UInt64 = 0

    // Fields that the loop writes and any thread may read.
    /// Frames that the capture is meant to have, and those among them that it does not have: the ring was full, or the rate was reached.
    var matched: UInt64 = 0
    var full: UInt64 = 0
    var limited: UInt64 = 0

    init(size: Int, bucket: UnsafeMutablePointer<CaptureBucket>) {
        ring = CaptureRing(size: size)
        self.bucket = bucket
    }

    deinit {
        ring.deallocate()
        verdicts.free()
    }
}

/// A token bucket in the form of those in `StormBuckets`.
struct CaptureBucket: ~Copyable { let tokens = Atomic<UInt64>(0) }

/// One capture at one place, such as what comes in by a port, as one lcore runs it.
struct CaptureTap {
    var state: UnsafeMutablePointer<CaptureState>
    /// Frames that the first rule of this filter matches are captured; nil: all are.
    var filter: sluice_filter?
    /// How many bytes of each frame are kept at most.
    var longest: UInt32
    var limit: StormLimit
    var points: CapturePoints
    /// If the port has several guests, the guest whose frames are captured; 0: all frames are.
    var guest: GuestIndex = 0
    /// Which leaves' frames are captured, a byte for each id; nil: all leaves'.
    var leaves: UnsafeMutablePointer<UInt8>?
}

/// The captures at one place.
struct CaptureTaps {
    var first: UnsafeMutablePointer<CaptureTap>?
    var count: Int

    static var none: CaptureTaps { CaptureTaps(first: nil, count: 0) }
}

/// The captures of a snapshot.
struct CaptureTables {
    /// The taps of all places; those of one place are consecutive.
    let taps: UnsafeMutableBufferPointer<CaptureTap>
    /// By `PortIndex`: those of frames that come in by a port, and of frames towards it.
    let entering: UnsafeMutableBufferPointer<CaptureTaps>
    let leaving: UnsafeMutableBufferPointer<CaptureTaps>
    /// The state of each capture on this lcore.
    let states: UnsafeMutableBufferPointer<UnsafeMutablePointer<CaptureState>>
    /// The tables that taps refer to.
    let leaves: UnsafeMutableBufferPointer<UnsafeMutablePointer<UInt8>>
    /// The flag of frames on which it is noted when they were queued, and in which class.
    let noteFlag: UInt64

    func deallocate() {
        taps.deallocate()
        entering.deallocate()
        leaving.deallocate()
        states.deallocate()
        for table in leaves { table.free() }
        leaves.deallocate()
    }
}
