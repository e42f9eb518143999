import Configuration
import DPDKShim
import Glibc
import Netlink

/// A NIC: a PCI address, any DPDK device string, or a kernel interface by name, which AF_XDP drives where it can and AF_PACKET otherwise.
final class PhysicalPort: PortBackend {
    private let ethernet: EthernetDevice
    let device: String
    /// The kernel interface below. The drivers for these call their link up whatever becomes of it.
    private var below: Below?

    private struct Below {
        enum State { case carrier, noCarrier, gone }

        let links: LinkSocket
        let name: String
        /// It may be renamed, and another interface may get its name.
        let index: Int
        private(set) var state = State.carrier

        init(_ links: LinkSocket, _ link: Link) {
            self.links = links
            name = link.name
            index = link.index
        }

        /// Asks the kernel. Where that does not say, for want of memory, what it said last holds.
        mutating func refresh() {
            do {
                state = try links.link(index: index).hasCarrier ? .carrier : .noCarrier
            } catch .noSuchIndex {
                state = .gone
            } catch {}
        }
    }

    init(_ settings: PortSettings, device: String, queues: Int, _ runtime: Runtime) throws(DataPlaneError) {
        self.device = device
        // A memif's peer decides how many rings there are; frames given to others would never leave.
        let transmitQueues = device.hasPrefix("net_memif") ? queues : max(queues, runtime.lcores.count)
        func open(_ devargs: String, queues: Int) throws(DataPlaneError) -> EthernetDevice {
            try EthernetDevice(
                port: settings.name, devargs: devargs, queues: queues, mtu: settings.mtu, transmitQueues: transmitQueues, equalQueues: false,
                runtime)
        }
        if device.hasPrefix("net_") || Self.isPCIAddress(device) {
            below = if let interface = Self.interface(of: device) { try Self.bringUp(interface, settings) } else { nil }
            ethernet = try open(device, queues: queues)
        } else {
            below = try Self.bringUp(device, settings)
            ethernet = try Self.openInterface(device, settings, queues, open)
        }
        refresh()
    }

    var state: UnsafeMutablePointer<PortState> { ethernet.state }
    var queues: Int { ethernet.queues }
    var driver: String { ethernet.driver }
    var numaNode: Int { ethernet.numaNode }
    var wakes: Bool { ethernet.wakes }
    var condition: String {
        if ethernet.isUp { return "up" }
        guard let below, below.state == .gone else { return "down" }
        return "the interface \(below.name) is gone: when it is back, delete this port and add it again"
    }
    func refresh() {
        below?.refresh()
        ethernet.isUp = ethernet.link.isUp && (below.map { $0.state == .carrier } ?? true)
    }
    func close() { ethernet.close() }

    /// domain:bus:device.function, the domain optional.
    static func isPCIAddress(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, let last = parts.last?.split(separator: "."), last.count == 2 else { return false }
        return (parts.dropLast() + last).allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isHexDigit) }
    }

    /// The kernel interface that a device string names.
    private static func interface(of devargs: String) -> String? {
        devargs.split(separator: ",").first { $0.hasPrefix("iface=") }.map { String($0.dropFirst(6)) }
    }

    /// AF_XDP's copies are cheaper, but its frames must fit a page and its driver support is uneven; AF_PACKET works on every interface.
    private static func openInterface(
        _ interface: String, _ settings: PortSettings, _ queues: Int,
        _ open: (String, Int) throws(DataPlaneError) -> EthernetDevice
    ) throws(DataPlaneError) -> EthernetDevice {
        if settings.mtu <= 3_000, queues == 1, let device = try? open("net_af_xdp_\(interface),iface=\(interface)", 1) { return device }
        // AF_PACKET's rings: a frame must fit a slot with its 128 bytes of header, slots must fit a block.
        let slot = settings.mtu > 1_800 ? 16_384 : 2_048
        return try open("net_af_packet_\(interface),iface=\(interface),qpairs=\(queues),framesz=\(slot),blocksz=\(slot * 2),framecnt=512", queues)
    }

    private static func bringUp(_ interface: String, _ settings: PortSettings) throws(DataPlaneError) -> Below {
        do {
            let links = try LinkSocket()
            try links.setUp(interface)
            return Below(links, try links.link(named: interface))
        } catch {
            throw DataPlaneError("port \(settings.name): \(error)")
        }
    }
}
