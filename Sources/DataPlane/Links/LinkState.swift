import DPDKShim
import Glibc
import Packet
import Synchronization

/// How poll loops receive from a link and send to it. A `device` is anything that DPDK drives as an Ethernet device.
enum LinkMechanism: UInt8 {
    case vhost, device
}

/// The most queue pairs of a link; each has a bit in `LinkState.receiveRings`.
let maxQueuePairs = 64

/// What changes about a link while it is open. It stays at the same address until a grace period after the link was closed.
struct LinkState: ~Copyable {
    let mechanism: LinkMechanism
    /// The port that the link belongs to. Set before any loop is given the link.
    var port = UnsafeMutablePointer<PortState>(bitPattern: MemoryLayout<PortState>.alignment).unsafelyUnwrapped

    /// `.vhost`: 0 while a guest is connected and its driver ready, -1 otherwise. `.device`: 0 while up, -1 while down. Written by the thread of vhost-user
    /// or the control thread, read by lcores.
    let connection = Atomic<Int32>(-1)
    /// The queue pairs whose ring from the guest to the switch is enabled, as bits. Written by the thread of vhost-user (for a `.device`, once).
    let receiveRings = Atomic<UInt64>(0)
    /// The queue pairs whose ring from the switch to the guest is enabled, as bits.
    let transmitRings = Atomic<UInt64>(0)
    /// `.vhost`: the queue pairs whose ring from the guest, or towards it, was stopped because the guest's driver broke its rules; `GuestRing.fault` says how.
    /// Set by lcores; cleared when the guest enables the ring again.
    let stoppedReceiveRings = Atomic<UInt64>(0)
    let stoppedTransmitRings = Atomic<UInt64>(0)
    /// `.vhost`: how many rings were stopped so since the link was opened, and the `GuestRing.Fault` of the last one.
    let ringFaults = Atomic<UInt64>(0)
    let lastFault = Atomic<UInt8>(0)
    /// Grows with every change of the rings, and when a device comes up or goes down, so that an lcore notices changes by a single comparison.
    let ringChanges = Atomic<UInt32>(0)
    /// Whether the receiver cannot take frames with unfinished checksums, so that the switch has to finish them.
    let finishChecksums = Atomic<Bool>(false)
    /// `Segmentation` of frames that the receiver takes as they are; 0: the switch has to segment them all.
    let takesSegmentation = Atomic<UInt8>(0)
    /// `.device`: what it wants of such frames. Set before any loop is given the link.
    var segmentation = sluice_segmentation()
    /// Whether the link only sends frames that lie in one buffer of their own, so that clones and chains have to be flattened. Set before any loop is given the
    /// link.
    var wantsFlat = false
    /// How many times a guest has connected.
    let connections = Atomic<UInt64>(0)

    /// `.vhost`: each ring, by its number in the virtio device. Changed by the control side only while no loop uses the ring.
    let rings: UnsafeMutablePointer<GuestRing>
    /// `.vhost`: whom the guest's network has to be told of by an announcement: the MAC address, with bit 48 set; 0: nobody (VHOST_USER_SEND_RARP).
    let announcement = Atomic<UInt64>(0)

    // `.device`: these are set before any loop is given the link.
    /// The device's queue pairs, by queue pair of the link.
    let deviceQueues: UnsafeMutablePointer<DeviceQueue>
    /// For each receive queue the descriptor that announces frames; -1: there is none.
    let interrupts: UnsafeMutablePointer<Int32>
    /// Whether the descriptors count interrupts, which have to be requested one by one. If not, they are readable as long as there are frames.
    var armsInterrupts = false
    /// Whether the device really announces frames by interrupts.
    let announcements: Announcements

    /// A lock for each queue pair, which is taken if several lcores share a transmit queue.
    let transmitLocks: UnsafeMutablePointer<sluice_lock>
    /// A table for each receive queue, used only by the poll loop that polls the queue.
    let fragments: UnsafeMutablePointer<FragmentTable>
    private let fragmentMemory: UnsafeMutableRawPointer

    init(mechanism: LinkMechanism) {
        self.mechanism = mechanism
        deviceQueues = .allocate(capacity: maxQueuePairs)
        deviceQueues.initialize(repeating: DeviceQueue(device: 0, queue: 0), count: maxQueuePairs)
        interrupts = .allocate(capacity: maxQueuePairs)
        interrupts.initialize(repeating: -1, count: maxQueuePairs)
        announcements = Announcements()
        rings = .onOwnLines(2 * maxQueuePairs)
        rings.initialize(repeating: GuestRing(), count: 2 * maxQueuePairs)
        transmitLocks = .allocate(capacity: maxQueuePairs)
        for queue in 0..<maxQueuePairs { sluice_lock_init(transmitLocks + queue) }
        // The memory that calloc returns takes no physical page until a fragment is stored there.
        fragmentMemory = calloc(maxQueuePairs, FragmentTable.byteCount)!
        fragments = .allocate(capacity: maxQueuePairs)
        for queue in 0..<maxQueuePairs { (fragments + queue).initialize(to: FragmentTable(in: fragmentMemory + queue * FragmentTable.byteCount)) }
    }

    deinit {
        deviceQueues.deallocate()
        rings.deallocate()
        interrupts.deallocate()
        transmitLocks.deallocate()
        fragments.deallocate()
        free(fragmentMemory)
    }
}
