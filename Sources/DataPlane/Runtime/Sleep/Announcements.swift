import Synchronization

/// Whether a device really announces received frames by interrupts. Some drivers accept the request and never deliver (DPDK's driver for the 82574 on vfio-pci
/// leaves the vector of received frames unset, drivers/net/e1000/em_ethdev.c). A loop that relied on them would find frames only when it looks anyway, up to a
/// tenth of a second late. The loops that poll the device write this when they go to sleep and wake; any thread may read it.
struct Announcements: ~Copyable {
    /// The device has woken a loop at least once, so it does announce frames.
    let heard = Atomic<Bool>(false)
    /// How often a loop asked for interrupts, slept, was woken by something else, and then found frames that the device had not announced.
    private let missed = Atomic<UInt32>(0)
    /// So many misses without a single announcement are no coincidence: such a device is polled regularly instead.
    @inline(__always) private static var enough: UInt32 { @_noLocks get { 4 } }

    /// Whether the device is known not to announce frames.
    @inline(__always) var fail: Bool { @_noLocks get { missed.load(ordering: .relaxed) >= Self.enough } }
    /// Whether it is not known yet if the device announces frames.
    @inline(__always) var areOpen: Bool { @_noLocks get { !heard.load(ordering: .relaxed) && !fail } }

    /// Counts a miss.
    /// - Returns: true if the limit is reached with this one.
    @_noLocks
    func noteMissed() -> Bool { missed.add(1, ordering: .relaxed).newValue == Self.enough }
}
