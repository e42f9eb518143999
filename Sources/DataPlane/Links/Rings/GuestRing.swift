import Synchronization
import VhostUser

/// A ring of buffers that a guest's driver and this switch share, called a virtqueue in virtio. Its driver is not trusted: whatever stands in its memory is read
/// once, into a variable here, and checked there.
///
/// One lcore uses a ring at a time. The control side changes it only while none does.
struct GuestRing {
    /// Why a ring was stopped. Only a driver with an error, or a hostile one, gets there.
    enum Fault: UInt8 {
        case none
        /// The driver says that it made more buffers available than the ring holds.
        case tooManyAvailable
        /// A descriptor's number, or that of the one behind it, is not below the size of its table.
        case noSuchDescriptor
        /// A buffer lies outside the memory that the guest shares.
        case outsideMemory
        /// A chain of descriptors is longer than any that is taken, or has no end.
        case endlessChain
        /// An indirect table that is empty, has no whole number of descriptors, or stands in another.
        case badTable
        /// A buffer that the driver gave to be written is in a ring that is only read, or the other way round.
        case wrongDirection
        /// The number by which a buffer of a packed ring is returned is not below the ring's size.
        case badIdentifier

        /// What the guest's driver does, as the rest of a sentence about it.
        var reason: String {
            switch self {
            case .none: "broke the rules of rings"
            case .tooManyAvailable: "says that it made more buffers available than the ring holds"
            case .noSuchDescriptor: "names a descriptor that the ring does not have"
            case .outsideMemory: "gives buffers outside the memory that the guest shares"
            case .endlessChain: "makes chains of descriptors that are too long, or endless"
            case .badTable: "names tables of descriptors that are none"
            case .wrongDirection: "gives buffers to be read where they are to be written, or the other way round"
            case .badIdentifier: "gives buffers identifiers that the ring does not have"
            }
        }
    }

    // Set by the control side.
    /// The ring's descriptors: 16 bytes each (virtio 1.2, 2.7.5 and 2.8.13).
    var descriptors = Self.nowhere
    /// Split: the available ring (2.7.6). Packed: the driver's event suppression area (2.8.14).
    var driverArea = Self.nowhere
    /// Split: the used ring (2.7.8). Packed: the device's event suppression area.
    var deviceArea = Self.nowhere
    /// The number of descriptors; 0: the ring is not in use. A split ring's is a power of two.
    var size: UInt16 = 0
    var isPacked = false
    /// Whether notifications are suppressed by event index (VIRTIO_F_EVENT_IDX).
    var hasEventIndex = false
    /// Whether buffers are used in the order in which they were made available (VIRTIO_F_IN_ORDER), as they always are here, and the driver counts on it.
    var isInOrder = false
    /// Whether a frame may be put into several buffers (VIRTIO_NET_F_MRG_RXBUF).
    var isMergeable = false
    /// Whether headers say anything about frames from the guest: only a driver may ask for something with whom offloads were agreed on.
    var hasOffloads = false
    /// Which frames the driver may leave to be segmented.
    var segmentation = Segmentation(rawValue: 0)
    /// The size of the header before each frame: 12 bytes, or 10 for a driver that knows neither version 1 nor mergeable buffers.
    var headerLength: UInt8 = 12
    /// Where what is written into guest memory is logged for a migration: a bit for each page of 4 096 bytes. nil: it is not.
    var logBits: UnsafeMutablePointer<UInt8>?
    var logLength: UInt64 = 0
    /// The descriptor that tells the guest of used buffers; -1: the driver polls.
    var call: Int32 = -1
    /// The descriptor by which the guest tells that it made buffers available, for a loop that sleeps; -1: there is none.
    var kick: Int32 = -1
    var memory = GuestMemory.none
    /// Packed: where it is noted how far the ring has been served.
    var journal = RingJournal.none

    // Written by the lcore that uses the ring.
    /// Where the next available buffer is, and where the next used one is noted.
    var next = RingPlace()
    var nextUsed = RingPlace()
    /// `nextUsed.index` when the guest was last told, if it ever was.
    var toldUsed: UInt16 = 0
    var hasTold = false
    /// Whether the guest was not told yet of buffers that the driver sees.
    var isUntold = false
    /// Whether buffers were returned that the driver does not see before `publish`, as frames may still refer to them.
    var isHeld = false
    /// Packed: the slot of the first of them, and what is to be written into its bytes 8 to 15.
    var heldSlot = Self.nowhere
    var heldWord: UInt64 = 0
    var fault = Fault.none

    @inline(__always)
    var isLogged: Bool { @_noLocks get { logBits != nil } }

    static var nowhere: UnsafeMutableRawPointer { @_noLocks get { UnsafeMutableRawPointer(bitPattern: 64).unsafelyUnwrapped } }

    /// How far the ring has been served, as vhost-user has it.
    var position: RingPosition {
        get {
            isPacked ? .packed(next: next.index, wrap: next.wrap, used: nextUsed.index, usedWrap: nextUsed.wrap) : .split(next: next.index)
        }
        set {
            switch newValue {
            case .split(let index): (next, nextUsed) = (RingPlace(index), RingPlace(index))
            case .packed(let next, let wrap, let used, let usedWrap): (self.next, nextUsed) = (RingPlace(next, wrap), RingPlace(used, usedWrap))
            }
        }
    }
}

/// A place in a ring. Split: an index that counts on beyond the ring's size. Packed: a slot, and the wrap counter of the pass through the ring, which is true at
/// first (virtio 1.2, 2.8.1).
struct RingPlace {
    var index: UInt16
    var wrap: Bool

    @inline(__always) @_noLocks
    init(_ index: UInt16 = 0, _ wrap: Bool = true) { (self.index, self.wrap) = (index, wrap) }

    /// Goes on by a number of slots of a packed ring, which is its size at most.
    @inline(__always) @_noLocks
    mutating func advance(_ slots: Int, size: UInt16) {
        let behind = Int(index) &+ slots
        if behind >= Int(size) {
            index = UInt16(truncatingIfNeeded: behind &- Int(size))
            wrap = !wrap
        } else {
            index = UInt16(truncatingIfNeeded: behind)
        }
    }
}

extension UnsafeMutablePointer<GuestRing> {
    /// How many buffers are available at most: of a packed ring it is known only whether there are any. If the driver claims more than the ring holds, the ring
    /// has a fault from then on.
    @inline(__always)
    var available: Int {
        @_noLocks get {
            if pointee.isPacked {
                let flags = (pointee.descriptors + Int(pointee.next.index) &* 16).acquire16(14)
                return GuestRing.isAvailable(flags, pointee.next.wrap) ? Int(pointee.size) : 0
            }
            let count = pointee.driverArea.acquire16(2) &- pointee.next.index
            if count <= pointee.size { return Int(count) }
            pointee.fault = .tooManyAvailable
            return 0
        }
    }
}

// What the driver may change at any time is read by these, exactly once each time.

extension UnsafeMutableRawPointer {
    @inline(__always) @_noLocks
    func read16(_ offset: Int) -> UInt16 { (self + offset).assumingMemoryBound(to: Atomic<UInt16>.self).pointee.load(ordering: .relaxed) }
    @inline(__always) @_noLocks
    func acquire16(_ offset: Int) -> UInt16 { (self + offset).assumingMemoryBound(to: Atomic<UInt16>.self).pointee.load(ordering: .acquiring) }
    @inline(__always) @_noLocks
    func read64(_ offset: Int) -> UInt64 { (self + offset).assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .relaxed) }
    @inline(__always) @_noLocks
    func acquire64(_ offset: Int) -> UInt64 { (self + offset).assumingMemoryBound(to: Atomic<UInt64>.self).pointee.load(ordering: .acquiring) }
    @inline(__always) @_noLocks
    func write16(_ offset: Int, _ value: UInt16) { (self + offset).assumingMemoryBound(to: Atomic<UInt16>.self).pointee.store(value, ordering: .relaxed) }
    @inline(__always) @_noLocks
    func release16(_ offset: Int, _ value: UInt16) { (self + offset).assumingMemoryBound(to: Atomic<UInt16>.self).pointee.store(value, ordering: .releasing) }
    @inline(__always) @_noLocks
    func write64(_ offset: Int, _ value: UInt64) { (self + offset).assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(value, ordering: .relaxed) }
    @inline(__always) @_noLocks
    func release64(_ offset: Int, _ value: UInt64) { (self + offset).assumingMemoryBound(to: Atomic<UInt64>.self).pointee.store(value, ordering: .releasing) }
}
