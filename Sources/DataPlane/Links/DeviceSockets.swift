import DPDKShim
import Glibc

/// The kernel's sockets that DPDK's AF_XDP and AF_PACKET drivers have opened for a port's devices.
///
/// They are tracked because the AF_XDP driver (22.11, eth_dev_close) does not close its sockets, so that their queues could not be bound again as long as the
/// process lives, and never frees the buffers in their rings; and because the AF_PACKET driver does not report the frames for which the kernel had no room.
struct DeviceSockets {
    private var xdp: Set<CInt>
    private var packet: Set<CInt>
    private var descriptors: UInt16 = 0

    /// All such sockets of this process.
    static var all: DeviceSockets { DeviceSockets(xdp: sockets(44 /* AF_XDP, linux/socket.h */), packet: sockets(AF_PACKET)) }

    private init(xdp: Set<CInt>, packet: Set<CInt>) { (self.xdp, self.packet) = (xdp, packet) }

    private static func sockets(_ family: CInt) -> Set<CInt> {
        var found = [CInt](repeating: 0, count: maxPorts * maxQueuePairs)
        let count = sluice_sockets(family, &found, UInt32(found.count))
        return Set(found.prefix(Int(count)))
    }

    /// The sockets that were opened since `before`. The rings of AF_XDP sockets have the size that `setup` says.
    init(since before: DeviceSockets, _ setup: sluice_device_setup?) {
        let now = Self.all
        xdp = now.xdp.subtracting(before.xdp)
        packet = now.packet.subtracting(before.packet).filter { sluice_packet_socket_interface($0) > 0 }
        descriptors = setup?.receive_ring ?? 0
    }

    /// The number of frames for which the kernel had no room since the last call.
    func takeMissed() -> UInt64 { packet.reduce(0) { $0 &+ sluice_packet_socket_missed($1) } }

    /// Closes the devices by calling `remove`, then the sockets that the driver has left open, and frees the buffers in their rings.
    func close(_ pool: OpaquePointer, _ remove: () -> Void) {
        let rings = xdp.map { sluice_xdp_hold($0, descriptors) }
        remove()
        for rings in rings { sluice_xdp_release(rings, pool) }
    }
}
