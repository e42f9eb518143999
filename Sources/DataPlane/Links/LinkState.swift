import DPDKShim
import Glibc
import Packet
import Synchronization

/// How the poll loop receives from and sends to a link. A device is whatever DPDK drives as an Ethernet device.
enum LinkMechanism: UInt8 {
    case vhost, device
}

/// Most queue pairs of a link: one bit each in `LinkState.receiveRings`.
let maxQueuePairs = 64

/// What changes about a link while it is open. Its address is the same from then until a grace period after it was closed.
struct LinkState: ~Copyable {
    let mechanism: LinkMechanism
    /// The port that it is a link of. Set before any loop is given the link.
    var port = UnsafeMutablePointer<PortState>(bitPattern: MemoryLayout<PortState>.alignment).unsafelyUnwrapped

    /// `.vhost`: the connected guest's id in librte_vhost, -1 without one. `.device`: 0 while up, -1 while down.
    /// Written by librte_vhost's threads or the control thread, read by lcores.
    let connection = Atomic<Int32>(-1)
    /// Queue pairs whose guest-to-switch ring is enabled. Written by librte_vhost's threads (`.device`: once).
    let receiveRings = Atomic<UInt64>(0)
    /// Queue pairs whose switch-to-guest ring is enabled.
    let transmitRings = Atomic<UInt64>(0)
    /// `.vhost`: queue pairs whose ring was stopped, from the guest and towards it, because its driver says that it made more buffers available than the
    /// ring holds. Set by lcores; cleared when the guest enables the ring anew.
    let stoppedReceiveRings = Atomic<UInt64>(0)
    let stoppedTransmitRings = Atomic<UInt64>(0)
    /// Counts changes of the rings, and a device's coming up and going down, so that an lcore notices them by one comparison.
    let ringChanges = Atomic<UInt32>(0)
    /// The receiver cannot take unfinished checksums.
    let finishChecksums = Atomic<Bool>(false)
    /// The link sends frames of one buffer of their own alone: clones and chains are made flat. Set before any loop is given the port.
    var wantsFlat = false
    /// Times a guest connected.
    let connections = Atomic<UInt64>(0)

    /// `.vhost`: what is checked of each ring, by its number in the virtio device. Written by librte_vhost's threads.
    let rings: UnsafeMutablePointer<sluice_ring>

    // `.device`: set before any loop is given the port.
    /// By queue pair.
    let deviceQueues: UnsafeMutablePointer<DeviceQueue>
    /// The descriptor that tells of frames, by receive queue; -1: none.
    let interrupts: UnsafeMutablePointer<Int32>
    /// The descriptors count interrupts, which are asked for one by one; otherwise they are readable as long as there are frames.
    var armsInterrupts = false
    /// Whether the device's interrupts are to be believed.
    let announcements: Announcements

    /// A lock for each queue pair, taken where several lcores share a transmit queue.
    let transmitLocks: UnsafeMutablePointer<sluice_lock>
    /// By receive queue; each is its poll loop's.
    let fragments: UnsafeMutablePointer<FragmentTable>
    private let fragmentMemory: UnsafeMutableRawPointer

    init(mechanism: LinkMechanism) {
        self.mechanism = mechanism
        deviceQueues = .allocate(capacity: maxQueuePairs)
        deviceQueues.initialize(repeating: DeviceQueue(device: 0, queue: 0), count: maxQueuePairs)
        interrupts = .allocate(capacity: maxQueuePairs)
        interrupts.initialize(repeating: -1, count: maxQueuePairs)
        announcements = Announcements()
        rings = .allocate(capacity: 2 * maxQueuePairs)
        rings.initialize(repeating: sluice_ring(), count: 2 * maxQueuePairs)
        transmitLocks = .allocate(capacity: maxQueuePairs)
        for queue in 0..<maxQueuePairs { sluice_lock_init(transmitLocks + queue) }
        // Pages that no fragment has been to are the kernel's page of zeros.
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
