import DPDKShim

/// The AF_XDP sockets that a port's devices opened. DPDK's driver (22.11, eth_dev_close) leaves them open, so that nobody can bind their queues again
/// as long as the process lives, and never frees the buffers in their rings.
struct XDPSockets {
    private let sockets: [CInt]
    private let descriptors: UInt16

    /// All of this process.
    static var all: Set<CInt> {
        var sockets = [CInt](repeating: 0, count: maxPorts * maxQueuePairs)
        let count = sluice_xdp_sockets(&sockets, UInt32(sockets.count))
        return Set(sockets.prefix(Int(count)))
    }

    /// Those that were opened since there were `before`, with rings as `setup` has them.
    init(since before: Set<CInt>, _ setup: sluice_device_setup?) {
        sockets = Self.all.subtracting(before).sorted()
        descriptors = setup?.receive_ring ?? 0
    }

    /// Closes the devices by `remove`, and what that leaves.
    func close(_ pool: OpaquePointer, _ remove: () -> Void) {
        let rings = sockets.map { sluice_xdp_hold($0, descriptors) }
        remove()
        for rings in rings { sluice_xdp_release(rings, pool) }
    }
}
