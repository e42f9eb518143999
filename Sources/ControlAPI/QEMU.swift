import Configuration
import Packet

extension QEMUReply {
    /// What connects a QEMU guest to a vhost port.
    ///
    /// The rings stay split: QEMU cannot restore a packed ring's place when the daemon restarts
    /// (hw/virtio/virtio.c, virtio_queue_packed_restore_last_avail_idx).
    /// - Parameter guests: the port's; the first address of the first one becomes the device's.
    /// - Throws: a sentence if the port takes no guest.
    public init(port: PortSettings, guests: [GuestSettings]) throws(RPCError) {
        guard case .vhost(let socket, let mode, let queues) = port.kind else {
            throw RPCError(RPCError.refused, "\(port.name) is no vhost port: QEMU connects to ports of type vhost")
        }
        let mac = guests.lazy.flatMap(\.macs).first?.description
        var chardev = "socket,id=chr-\(port.name),path=\(socket.replacing(",", with: ",,"))"
        // The switch being the client, QEMU listens, and does not wait for it to start the guest.
        chardev += mode == .client ? ",server=on,wait=off" : ",reconnect=1"
        var device = "virtio-net-pci,netdev=net-\(port.name)"
        if let mac { device += ",mac=\(mac)" }
        // A vector for each queue of each pair, one for the configuration and one for the control queue.
        if queues > 1 { device += ",mq=on,vectors=\(2 * queues + 2)" }
        if port.mtu != 1_500 { device += ",host_mtu=\(port.mtu)" }
        device += ",rx_queue_size=1024,tx_queue_size=1024"
        let arguments = [
            "-m", "1G",
            // The guest's memory has to be shared with the switch; its size is -m's.
            "-object", "memory-backend-memfd,id=mem,size=1G,share=on",
            "-machine", "memory-backend=mem",
            "-chardev", chardev,
            "-netdev", "vhost-user,id=net-\(port.name),chardev=chr-\(port.name)" + (queues > 1 ? ",queues=\(queues)" : ""),
            "-device", device,
        ]
        self.init(
            port: port.name, arguments: arguments,
            libvirt: Self.libvirt(socket: socket, mode: mode, queues: queues, mtu: port.mtu, mac: mac))
    }

    private static func libvirt(socket: String, mode: VhostMode, queues: Int, mtu: Int, mac: String?) -> String {
        let path = socket.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing("'", with: "&apos;")
        // libvirt's mode is QEMU's side of it.
        let source =
            mode == .client
            ? "  <source type='unix' path='\(path)' mode='server'/>"
            : "  <source type='unix' path='\(path)' mode='client'>\n    <reconnect enabled='yes' timeout='1'/>\n  </source>"
        let lines: [String?] = [
            "<memoryBacking>", "  <source type='memfd'/>", "  <access mode='shared'/>", "</memoryBacking>",
            "<interface type='vhostuser'>",
            mac.map { "  <mac address='\($0)'/>" },
            source,
            "  <model type='virtio'/>",
            "  <driver\(queues > 1 ? " queues='\(queues)'" : "") rx_queue_size='1024' tx_queue_size='1024'/>",
            mtu == 1_500 ? nil : "  <mtu size='\(mtu)'/>",
            "</interface>",
        ]
        return lines.compactMap { $0 }.joined(separator: "\n")
    }
}
