import DPDKShim
import Scheduler
import Synchronization

/// A mirror in the form in which one lcore runs it.
struct MirrorView {
    /// The mirror copies frames that the first rule of this filter matches; nil: it copies all.
    var filter: sluice_filter?
    /// How many bytes of each frame are copied at most.
    var longest: UInt32
    /// The limit on the rate of copies.
    var limit: StormLimit
    /// The port that copies leave by, and their leaf in its tree.
    var target: PortIndex
    var leaf: ClassID
    /// The header that is put in front of each copy; nil: none.
    var header: UnsafeMutablePointer<TunnelHeader>?
    /// What the mirror shares between all lcores.
    var state: UnsafeMutablePointer<MirrorState>
    /// The counters of this lcore.
    var counters: UnsafeMutablePointer<MirrorCounters>
}

/// What all poll loops change of a mirror.
struct MirrorState: ~Copyable {
    /// The token bucket of the mirror's limit, in the form of those in `StormBuckets`.
    let bucket = Atomic<UInt64>(0)
    /// The sequence number of the next ERSPAN packet.
    let sequence = Atomic<UInt32>(0)
}

/// What one lcore has counted of one mirror.
struct MirrorCounters {
    var frames: UInt64 = 0
    var bytes: UInt64 = 0
    /// The number of frames not copied, by `MirrorDrop.rawValue`.
    var drops: InlineArray<5, UInt64> = .init(repeating: 0)
}

/// Why a frame was not copied.
enum MirrorDrop: Int, CaseIterable {
    /// The copies had reached the mirror's rate limit.
    case rate
    /// There was no buffer, or there were so few that they are kept for other frames.
    case noBuffer
    /// The leaf for copies already held as many as it may.
    case queueFull
    /// The copy, together with its header, is longer than its port's frames may be.
    case tooLong
    /// The port that the copy should have left by is down.
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

/// One mirror that copies frames at some place, such as frames that come in by a port.
struct MirrorTap {
    var mirror: UnsafeMutablePointer<MirrorView>
    /// If the port has several guests, the guest whose frames are copied; 0: all frames are.
    var guest: GuestIndex
}

/// The mirrors that copy frames at the same place.
struct MirrorTaps {
    var first: UnsafeMutablePointer<MirrorTap>?
    var count: Int

    static var none: MirrorTaps { MirrorTaps(first: nil, count: 0) }
}

/// What is done with all frames that a port receives, before admission.
struct IngressView {
    var mirrors: MirrorTaps
    var captures: CaptureTaps
    var filters: UnsafeMutablePointer<FilterView>?
    /// The addresses that Fibre Channel's nodes were granted, if the port's frames are looked at for that; and whether the port is a guest's that is watched.
    var fip: UnsafeMutablePointer<FIPGuard>?
    var isWatched: Bool
    /// The sampling of this lcore; nil: nothing is sampled.
    var samples: UnsafeMutablePointer<SampleState>?
    /// Whether anything but sampling is done, which makes a frame whole only if it takes it.
    var looksAtWholeFrames: Bool
}

/// The mirrors of a snapshot.
struct MirrorTables {
    let views: UnsafeMutableBufferPointer<MirrorView>
    /// The taps of all places; those of one place are consecutive.
    let taps: UnsafeMutableBufferPointer<MirrorTap>
    /// By `PortIndex`, the mirrors of frames that come in by a port (`entering`) and that leave by it (`leaving`).
    let entering: UnsafeMutableBufferPointer<MirrorTaps>
    let leaving: UnsafeMutableBufferPointer<MirrorTaps>
    /// By `EgressTag.watch`, the mirrors of classes.
    let sets: UnsafeMutableBufferPointer<MirrorTaps>
    /// For each tree, by its index in the snapshot, the set of mirrors of each leaf, by the leaf's id; nil: no leaf of the tree has any.
    let leaves: UnsafeMutableBufferPointer<UnsafeMutablePointer<UInt8>?>

    /// The number of the set of mirrors of a leaf; 0: it has none.
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
