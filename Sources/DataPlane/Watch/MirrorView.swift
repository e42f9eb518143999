import DPDKShim
import Scheduler
import Synchronization

/// A mirror as one lcore runs it.
struct MirrorView {
    /// Which frames: those that match the first rule; nil: all.
    var filter: sluice_filter?
    /// Bytes of each frame that are copied.
    var longest: UInt32
    /// What copies may take.
    var limit: StormLimit
    /// The port they leave by, and their leaf in its tree.
    var target: PortIndex
    var leaf: ClassID
    /// What is put in front of each copy; nil: nothing.
    var header: UnsafeMutablePointer<TunnelHeader>?
    /// All lcores'.
    var state: UnsafeMutablePointer<MirrorState>
    /// The lcore's own.
    var counters: UnsafeMutablePointer<MirrorCounters>
}

/// What all loops change of a mirror.
struct MirrorState: ~Copyable {
    /// As those of `StormBuckets`.
    let bucket = Atomic<UInt64>(0)
    /// Of ERSPAN's packets.
    let sequence = Atomic<UInt32>(0)
}

/// What one lcore counted of one mirror.
struct MirrorCounters {
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
    /// By `MirrorDrop.rawValue`.
    var drops: InlineArray<5, UInt64> = .init(repeating: 0)
}

/// Why a frame was not copied.
enum MirrorDrop: Int, CaseIterable {
    /// Copies took what they may.
    case rate
    /// There was no buffer, or so few that others need them.
    case noBuffer
    /// As many copies waited for the port as may.
    case queueFull
    /// With what is in front of it, it is longer than the port's frames may be.
    case tooLong
    /// The port that it should have left by is down.
    case portDown

    var name: String {
        switch self {
        case .rate: "rate"
        case .noBuffer: "no_buffer"
        case .queueFull: "queue_full"
        case .tooLong: "too_long"
        case .portDown: "port_down"
        }
    }
}

/// One mirror of what passes a place.
struct MirrorTap {
    var mirror: UnsafeMutablePointer<MirrorView>
    /// Of a port with several guests: the one whose frames are copied; 0: all are.
    var guest: GuestIndex
}

/// The mirrors of what passes a place.
struct MirrorTaps {
    var first: UnsafeMutablePointer<MirrorTap>?
    var count: Int

    static var none: MirrorTaps { MirrorTaps(first: nil, count: 0) }
}

/// What is done with all that a port receives, ahead of admission.
struct IngressView {
    var mirrors: MirrorTaps
    var filters: UnsafeMutablePointer<FilterView>?
}

/// The mirrors of a snapshot.
struct MirrorTables {
    let views: UnsafeMutableBufferPointer<MirrorView>
    /// Those of one place follow one another.
    let taps: UnsafeMutableBufferPointer<MirrorTap>
    /// By `PortIndex`: of what comes in and what leaves.
    let entering: UnsafeMutableBufferPointer<MirrorTaps>
    let leaving: UnsafeMutableBufferPointer<MirrorTaps>
    /// By `EgressTag.watch`: of frames of classes.
    let sets: UnsafeMutableBufferPointer<MirrorTaps>
    /// By the tree's place in the snapshot: the set of each leaf, by its id; nil: no leaf of the tree has one.
    let leaves: UnsafeMutableBufferPointer<UnsafeMutablePointer<UInt8>?>

    /// The set of a leaf; 0: none.
    @inline(__always) @_noLocks
    func watch(_ leaf: ClassID, of tree: UInt16) -> UInt8 { leaves[unchecked: Int(tree)]?[Int(leaf)] ?? 0 }

    func deallocate() {
        for view in views { view.header?.deallocate() }
        for leaves in leaves { leaves?.deallocate() }
        views.deallocate()
        taps.deallocate()
        entering.deallocate()
        leaving.deallocate()
        sets.deallocate()
        leaves.deallocate()
    }
}
