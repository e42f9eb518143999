import DPDKShim
import Glibc

/// The kernel's sockets that a port's devices opened by DPDK's AF_XDP and AF_PACKET drivers.
///
/// The AF_XDP driver (22.11, eth_dev_close) leaves its own open, so that nobody can bind their queues again as long as the process lives, and never
/// frees the buffers in their rings. The AF_PACKET driver does not tell what the kernel had no room for.
struct DeviceSockets {
    private var xdp: Set<CInt>
    private var packet: Set<CInt>
    private var descriptors: UInt16 = 0

    /// All of this process.
    static var all: DeviceSockets { DeviceSockets(xdp: sockets(44 /* AF_XDP, linux/socket.h */), packet: sockets(AF_PACKET)) }

    private init(xdp: Set<CInt>, packet: Set<CInt>) { (self.xdp, self.packet) = (xdp, packet) }

    private static func sockets(_ family: CInt) -> Set<CInt> {
        var found = [CInt](repeating: 0, count: maxPorts * maxQueuePairs)
        let count = sluice_sockets(family, &found, UInt32(found.count))
        return Set(found.prefix(Int(count)))
    }

    /// Those that were opened since there were `before`, AF_XDP's with rings as `setup` has them.
    init(since before: DeviceSockets, _ setup: sluice_device_setup?) {
        let now = Self.all
        xdp = now.xdp.subtracting(before.xdp)
        packet = now.packet.subtracting(before.packet).filter { sluice_packet_socket_interface($0) > 0 }
        descriptors = setup?.receive_ring ?? 0
    }

    /// Frames that the kernel had no room for since it was last asked.
    func takeMissed() -> UInt64 { packet.reduce(0) { $0 &+ sluice_packet_socket_missed($1) } }

    /// Closes the devices by `remove`, and what that leaves.
    func close(_ pool: OpaquePointer, _ remove: () -> Void) {
        let rings = xdp.map { sluice_xdp_hold($0, descriptors) }
        remove()
        for rings in rings { sluice_xdp_release(rings, pool) }
    }
}
