import Synchronization

/// Whether a device keeps its promise to tell of frames by interrupts. Some drivers accept the request and never deliver (DPDK's for the 82574 on
/// vfio-pci leaves the vector of received frames unset, drivers/net/e1000/em_ethdev.c): a loop that believed them would find frames only when it
/// looks anyway, up to a tenth of a second late. Written by the loops that poll the device, as they go to sleep and wake; read by anyone.
struct Announcements: ~Copyable {
    /// The device woke a loop at least once: it does keep it.
    let heard = Atomic<Bool>(false)
    /// Times a loop that had asked, slept and was woken by something else found frames there that it had not been told of.
    private let missed = Atomic<UInt32>(0)
    /// So many, none ever having been told of, are no coincidence: such a device is looked at instead.
    @inline(__always) private static var enough: UInt32 { @_noLocks get { 4 } }

    /// The device never told of the frames it had.
    @inline(__always) var fail: Bool { @_noLocks get { missed.load(ordering: .relaxed) >= Self.enough } }
    /// Neither is known yet.
    @inline(__always) var areOpen: Bool { @_noLocks get { !heard.load(ordering: .relaxed) && !fail } }

    /// Returns true when that was once too often.
    @_noLocks
    func noteMissed() -> Bool { missed.add(1, ordering: .relaxed).newValue == Self.enough }
}
