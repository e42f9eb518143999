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

    /// Queues of the interface that an AF_XDP device string leaves out: what arrives there goes to the host. Without a string there are none.
    var warnings: [String] {
        guard let below, below.state != .gone else { return [] }
        let there = below.receiveQueues, first: Int, count: Int
        if device.hasPrefix("net_af_xdp") {
            func number(_ key: String) -> Int? { Self.value(of: key, in: device).flatMap { Int($0) } }
            (first, count) = (number("start_queue") ?? 0, number("queue_count") ?? 1)
        } else if driver == "net_af_xdp" {
            (first, count) = (0, queues)
        } else {
            return []
        }
        let bound = (0..<there).count { $0 >= first && $0 < first + count }
        if bound == there { return [] }
        return ["""
            only \(bound) of the \(there) receive queues of \(below.name) are read, what arrives by the others goes to the host: write `device \(below.name)`, \
            which reads all that are there when the port is opened, or give the interface fewer queues (`ethtool -L \(below.name)`)
            """]
    }

    private struct Below {
        enum State { case carrier, noCarrier, gone }

        let links: LinkSocket
        let name: String
        /// It may be renamed, and another interface may get its name.
        let index: Int
        let isVirtual: Bool
        private(set) var state = State.carrier
        private var missed: GrowingCount
        private var errors: GrowingCount

        init(_ links: LinkSocket, _ link: Link) {
            self.links = links
            name = link.name
            index = link.index
            isVirtual = link.kind != nil
            missed = GrowingCount(from: link.missed)
            errors = GrowingCount(from: link.receiveErrors)
        }

        /// What the interface itself could not receive, since the port was opened.
        var losses: LinkLosses { LinkLosses(missed: missed.total, errors: errors.total) }
        /// As many as it uses now.
        var receiveQueues: Int { links.activeReceiveQueues(of: name) }

        /// Asks the kernel. Where that does not say, for want of memory, what it said last holds.
        mutating func refresh() {
            do {
                let link = try links.link(index: index)
                state = link.hasCarrier ? .carrier : .noCarrier
                missed.note(link.missed)
                errors.note(link.receiveErrors)
            } catch .noSuchIndex {
                state = .gone
            } catch {}
        }
    }

    init(_ settings: PortSettings, device: String, queues: Int?, _ runtime: Runtime) throws(DataPlaneError) {
        self.device = device
        func open(_ devargs: [String], queues: Int) throws(DataPlaneError) -> EthernetDevice {
            // A memif's peer decides how many rings there are; frames given to others would never leave. Several devices are sent by as they receive.
            let transmitQueues = device.hasPrefix("net_memif") || devargs.count > 1 ? queues : max(queues, runtime.lcores.count)
            return try EthernetDevice(
                port: settings.name, devargs: devargs, queues: queues, mtu: settings.mtu, transmitQueues: transmitQueues,
                equalQueues: devargs.count > 1, runtime)
        }
        if device.hasPrefix("net_") || Self.isPCIAddress(device) {
            below = if let interface = Self.interface(of: device) { try Self.bringUp(interface, settings) } else { nil }
            ethernet = try open([device], queues: queues ?? 1)
        } else {
            let interface = try Self.bringUp(device, settings)
            below = interface
            ethernet = try Self.openInterface(interface, settings, queues, runtime, open)
        }
        // What a virtual interface's other side sends never was on a wire.
        if below?.isVirtual == true { ethernet.markUnfinished() }
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
    func readLosses() -> LinkLosses {
        below?.refresh()
        var losses = ethernet.readLosses()
        if let below { losses += below.losses }
        return losses
    }

    func close() {
        ethernet.close()
        if let below { closings.note(below.index) }
    }

    /// domain:bus:device.function, the domain optional.
    static func isPCIAddress(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, let last = parts.last?.split(separator: "."), last.count == 2 else { return false }
        return (parts.dropLast() + last).allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isHexDigit) }
    }

    /// The kernel interface that a device string names.
    private static func interface(of devargs: String) -> String? {
        value(of: "iface", in: devargs)
    }

    private static func value(of key: String, in devargs: String) -> String? {
        devargs.split(separator: ",").first { $0.hasPrefix("\(key)=") }.map { String($0.dropFirst(key.utf8.count + 1)) }
    }

    /// AF_XDP's copies are cheaper, but its frames must fit a page, its driver support is uneven, and what arrives by a receive queue that it is not
    /// bound to goes to the host instead. AF_PACKET works on every interface, and any number of its sockets gets all.
    private static func openInterface(
        _ interface: Below, _ settings: PortSettings, _ wanted: Int?, _ runtime: Runtime,
        _ open: ([String], Int) throws(DataPlaneError) -> EthernetDevice
    ) throws(DataPlaneError) -> EthernetDevice {
        let name = interface.name, there = min(interface.receiveQueues, maxQueuePairs), queues = wanted ?? there
        // A queue holds buffers at any time, of the quarter of the pool that poll loops leave to rings.
        let hasBuffers = queues * xdpRing <= runtime.bufferLimit / 4 || queues == 1
        if settings.mtu <= 3_000, queues == there, hasBuffers {
            // A device for each queue: the driver counts only queues that receive and send, which not all interfaces have, and does not close more than one.
            let devices = (0..<queues).map { "net_af_xdp_\(name)_\($0),iface=\(name),start_queue=\($0)" }
            closings.settle(interface.index)
            // Few tries: each that fails costs the pool the buffers that the driver had given to the kernel.
            for _ in 0..<3 {
                if let device = try? open(devices, 1) { return device }
                guard closings.wait(for: interface.index) else { break }
            }
        }
        // AF_PACKET's rings: a frame must fit a slot with its 128 bytes of header, slots must fit a block.
        let slot = settings.mtu > 1_800 ? 16_384 : 2_048
        return try open(["net_af_packet_\(name),iface=\(name),qpairs=\(queues),framesz=\(slot),blocksz=\(slot * 2),framecnt=512"], queues)
    }

    /// Buffers that an AF_XDP queue holds (ETH_AF_XDP_DFLT_NUM_DESCS of DPDK's driver).
    private static let xdpRing = 2_048

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
