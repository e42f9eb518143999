import Configuration
import Packet

extension QEMUReply {
    /// The options that connect a QEMU guest to a vhost port.
    ///
    /// They leave the rings split: QEMU cannot restore the position of a packed ring when the daemon restarts (hw/virtio/virtio.c,
    /// virtio_queue_packed_restore_last_avail_idx).
    /// - Parameter guests: the guests of the port; the first address of the first guest that has one becomes the device's.
    /// - Throws: a sentence if the port is no vhost port.
    public init(port: PortSettings, guests: [GuestSettings]) throws(RPCError) {
        guard case .vhost(let socket, let mode, let queues) = port.kind else {
            throw RPCError(RPCError.refused, "\(port.name) is no vhost port: QEMU connects to ports of type vhost")
        }
        let mac = guests.lazy.flatMap(\.macs).first?.description
        var chardev = "socket,id=chr-\(port.name),path=\(socket.replacing(",", with: ",,"))"
        // If Sluice is the client, QEMU listens, and starts the guest without waiting for Sluice to connect.
        chardev += mode == .client ? ",server=on,wait=off" : ",reconnect=1"
        var device = "virtio-net-pci,netdev=net-\(port.name)"
        if let mac { device += ",mac=\(mac)" }
        // The device needs an interrupt vector for each queue of each pair, one for its configuration, and one for the control queue.
        if queues > 1 { device += ",mq=on,vectors=\(2 * queues + 2)" }
        if port.mtu != 1_500 { device += ",host_mtu=\(port.mtu)" }
        device += ",rx_queue_size=1024,tx_queue_size=1024"
        let arguments = [
            "-m", "1G",
            // Sluice has to share the guest's memory. Its size must be the one given by -m.
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
        // The mode in libvirt's XML is that of QEMU's end, so it is the opposite of the port's.
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
