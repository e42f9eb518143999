import Configuration

/// What a configuration asks of its host.
public struct Needs: Equatable, Sendable {
    /// CPUs for poll loops; empty: every CPU but the first.
    public var cpus: [Int]
    /// Bytes of hugepages on each NUMA node in use; 0: none.
    public var memory: UInt64
    public var hasTaps: Bool
    public var pciAddresses: [String]
    /// Interfaces of this host that are to be driven.
    public var interfaces: [String]
    /// Folders of the sockets that QEMU makes (mode client).
    public var folders: [String]
    /// DPDK's drivers for the ports, such as "net_tap".
    public var drivers: Set<String>

    public init(_ model: Model) {
        let daemon = model.daemon
        cpus = daemon.cpus
        // As much as the daemon asks for when it starts: a buffer's own header, and 48 MiB for rings and tables.
        let buffers = UInt64(daemon.buffers) * UInt64(daemon.bufferSize + 512) + 48 << 20
        memory = daemon.hugepages ? (daemon.memory > 0 ? daemon.memory : buffers) : 0
        hasTaps = false
        (pciAddresses, interfaces, folders) = ([], [], [])
        drivers = ["bus_vdev", "mempool_ring"]
        for port in model.ports {
            switch port.kind {
            case .vhost(let socket, .client, _):
                let folder = String(socket[..<(socket.lastIndex(of: "/") ?? socket.startIndex)])
                if !folders.contains(folder) { folders.append(folder) }
            case .vhost: break
            case .tap: hasTaps = true
            case .physical(let device, _):
                let name = String(device.prefix { $0 != "," })
                if Self.isPCIAddress(name) {
                    pciAddresses.append(name.utf8.count == 7 ? "0000:" + name : name)
                    drivers.insert("bus_pci")
                } else if name.hasPrefix("net_") {
                    // The number behind a driver's name tells its devices apart.
                    let driver = String(name.reversed().drop { $0.isNumber }.reversed())
                    drivers.insert(driver == "net_virtio_user" ? "net_virtio" : driver)
                } else {
                    interfaces.append(name)
                    drivers.formUnion(["net_af_xdp", "net_af_packet"])
                }
            }
        }
        if hasTaps { drivers.formUnion(["net_tap", "net_virtio"]) }
    }

    /// Whether it is an address such as 0000:01:00.0 or 01:00.0.
    static func isPCIAddress(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, parts.last?.utf8.count == 4 else { return false }
        return text.allSatisfy { $0.isHexDigit || $0 == ":" || $0 == "." } && parts.last!.contains(".")
    }
}
