import Configuration
import DPDKShim
import Glibc
import Netlink
import Packet
import Synchronization

/// A NIC, given by a PCI address, by any DPDK device string, or by the name of a kernel interface, which is driven by AF_XDP where possible and by AF_PACKET
/// otherwise.
final class PhysicalLink: DeviceLink {
    let ethernet: EthernetDevice
    private(set) var device: String
    /// The kernel interface that the device is on; nil: there is none. The drivers for such devices always report their link as up.
    private var below: Below?
    /// The largest MTU that the open device carries.
    private var longestMTU: Int
    private let bufferSize: Int
    /// Whether the device is given by the name of a kernel interface, so that this port chooses the driver.
    private let isInterface: Bool

    private var mtu: Int

    var mac: MACAddress? { ethernet.mac }

    var warnings: [String] {
        guard isInterface, !fitsXDP(mtu) else { return queueWarnings }
        let most = DeviceString.longestXDPMTU(bufferSize: bufferSize)
        return queueWarnings + ["AF_PACKET drives \(device), which costs more: with buffers of \(bufferSize) bytes AF_XDP carries an mtu of \(most) at most"]
    }

    /// A warning if an AF_XDP device string, or the AF_XDP driver, leaves out queues of the interface: frames that arrive there go to the host. It is empty for
    /// other drivers.
    private var queueWarnings: [String] {
        guard let below, below.state != .gone else { return [] }
        let there = below.receiveQueues, first: Int, count: Int
        if device.hasPrefix("net_af_xdp") {
            func number(_ key: String) -> Int? { DeviceString(device).value(of: key).flatMap { Int($0) } }
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
        /// The name that the settings give the interface, and the name that it has now.
        private(set) var name: String
        private(set) var currentName: String
        /// The interface is identified by its index, as it may be renamed and another one may get its name.
        let index: Int
        let isVirtual: Bool
        private(set) var state = State.carrier
        private var missed: GrowingCount
        private var errors: GrowingCount
        private let user = raisedMTUs.newUser()

        init(_ links: LinkSocket, _ link: Link) {
            self.links = links
            name = link.name
            currentName = link.name
            index = link.index
            isVirtual = link.kind != nil
            missed = GrowingCount(from: link.missed)
            errors = GrowingCount(from: link.receiveErrors)
        }

        /// Gives the interface an MTU of at least `mtu`, or its own one back if that is enough.
        func carry(mtu: Int) throws(NetlinkError) { try raisedMTUs.carry(mtu, for: user, on: index, links) }

        /// Restores the interface's own MTU, unless somebody else has changed it or another port needs more.
        func restore() { raisedMTUs.release(user, on: index, links) }

        /// Frames that the interface itself could not receive since the port was opened.
        var losses: LinkLosses { LinkLosses(missed: missed.total, errors: errors.total) }
        /// The number of receive queues that the interface uses now.
        var receiveQueues: Int { links.activeReceiveQueues(of: currentName) }

        /// Records that the settings give the interface another name.
        mutating func rename(to name: String) { self.name = name }

        /// Asks the kernel about the interface. If the kernel cannot answer, for example for want of memory, the last answer stays.
        mutating func refresh() {
            do {
                let link = try links.link(index: index)
                state = link.hasCarrier ? .carrier : .noCarrier
                currentName = link.name
                missed.note(link.missed)
                errors.note(link.receiveErrors)
            } catch .noSuchIndex {
                state = .gone
            } catch {}
        }
    }

    init(_ settings: PortSettings, device: String, queues: Int?, _ runtime: Runtime) throws(DataPlaneError) {
        self.device = device
        bufferSize = runtime.bufferSize
        mtu = settings.mtu
        var opened = DeviceString(device)
        func open(_ texts: [String], queues: Int) throws(DataPlaneError) -> EthernetDevice {
            let strings = texts.map { DeviceString($0).carrying(mtu: settings.mtu) }
            opened = DeviceString(strings[0])
            if let socket = opened.memifServerSocket { SocketFile.removeStale(socket) }
            // The peer of a memif decides how many rings there are, and frames given to other rings would never leave. With several devices, as many transmit
            // as receive queues are used.
            let transmitQueues = opened.isMemif || texts.count > 1 ? queues : max(queues, runtime.lcores.count)
            return try EthernetDevice(
                port: settings.name, devargs: strings, queues: queues, mtu: opened.statesConstant ? min(settings.mtu, 1_500) : settings.mtu,
                transmitQueues: transmitQueues, equalQueues: texts.count > 1,
                pool: runtime.pool(holding: opened.bufferSize(mtu: settings.mtu), port: settings.name), runtime)
        }
        isInterface = Self.isInterface(device)
        if let interface = isInterface ? device : opened.value(of: "iface") { below = try Self.bringUp(interface, settings) }
        do {
            if isInterface, let below {
                ethernet = try Self.openInterface(below, settings, queues, runtime, open)
            } else {
                ethernet = try open([device], queues: queues ?? 1)
            }
        } catch {
            below?.restore()
            throw error
        }
        longestMTU = max(settings.mtu, opened.longestMTU(bufferSize: bufferSize) ?? 0)
        // Frames from the other side of a virtual interface have never been on a wire, so their checksums may be unfinished.
        if below?.isVirtual == true { ethernet.markUnfinished() }
        refresh()
    }

    var condition: String {
        if let below, below.state == .gone { return "the interface \(below.name) is gone" }
        if isRenamed, let below { return Renaming.sentence(below.name, below.currentName, "device \(deviceOf(below.currentName))") }
        return ethernet.isUp ? "up" : "down"
    }
    var isGone: Bool { below?.state == .gone }
    var isRenamed: Bool { below.map { $0.state != .gone && $0.currentName != $0.name } ?? false }

    /// The device as it would be written if the interface had another name.
    private func deviceOf(_ name: String) -> String { isInterface ? name : DeviceString(device).on(interface: name) }

    func adopts(_ new: PortSettings) -> Bool {
        guard let below, below.state != .gone, case .physical(let newDevice, _) = new.kind, newDevice != device else { return false }
        // The kernel is asked, as the interface may have been renamed just now.
        return newDevice == (try? below.links.link(index: below.index).name).map(deviceOf)
    }

    func refresh() {
        below?.refresh()
        // The interface is asked by its index: the driver asks by name, and may be asking about another interface.
        ethernet.isUp = below.map { $0.state == .carrier && $0.currentName == $0.name } ?? ethernet.link.isUp
    }
    func readLosses() -> LinkLosses {
        below?.refresh()
        var losses = ethernet.readLosses()
        if let below { losses += below.losses }
        return losses
    }

    func close(_ reason: CloseReason) {
        ethernet.close()
        if let below { closings.note(below.index) }
        below?.restore()
    }

    func way(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) -> PortChange.Way {
        guard case .physical(let newDevice, let newQueues) = new.kind else { return .beside }
        let isAdopted = if case .physical(_, newQueues) = old.kind { adopts(new) } else { false }
        if newDevice == device && old.kind == new.kind || isAdopted, below?.state != .gone {
            if new.mtu <= longestMTU { return isInterface && fitsXDP(new.mtu) && !fitsXDP(old.mtu) ? .beside : .inPlace }
            if Self.isPCIAddress(device) {
                let most = ethernet.longestMTU
                guard new.mtu <= most else { throw DataPlaneError("port \(new.name): \(device) carries an mtu of \(most) at most: write that or less") }
                // Some drivers can change the MTU while the device runs. Trying it does no harm even if the change is refused for another reason.
                if ethernet.setMTU(new.mtu) { longestMTU = new.mtu }
                return new.mtu <= longestMTU ? .inPlace : .anew
            }
        }
        if newDevice == device, isInterface {
            // Only one AF_XDP socket can have a queue, so the old one must be closed first; AF_PACKET sockets can be opened beside the old device.
            return driver == "net_af_xdp" && fitsXDP(new.mtu) && below?.state != .gone ? .anew : .beside
        }
        guard new.kind.resource == old.kind.resource else { return .beside }
        if let interface = Self.isInterface(newDevice) ? newDevice : DeviceString(newDevice).value(of: "iface") {
            let other = try Self.find(interface, new)
            do {
                try other.carry(mtu: new.mtu)
            } catch {
                throw DataPlaneError("port \(new.name): \(error)")
            }
            other.restore()
        }
        return .anew
    }

    func change(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) {
        do {
            try below?.carry(mtu: new.mtu)
            mtu = new.mtu
            guard case .physical(let newDevice, _) = new.kind, newDevice != device else { return }
            below?.rename(to: isInterface ? newDevice : DeviceString(newDevice).value(of: "iface") ?? newDevice)
            device = newDevice
            refresh()
        } catch {
            throw Self.tooLong(new, error)
        }
    }

    private func fitsXDP(_ mtu: Int) -> Bool { mtu <= DeviceString.longestXDPMTU(bufferSize: bufferSize) }

    private static func isInterface(_ device: String) -> Bool { !device.hasPrefix("net_") && !isPCIAddress(device) }

    private static func tooLong(_ settings: PortSettings, _ error: NetlinkError) -> DataPlaneError {
        DataPlaneError("port \(settings.name): its interface does not take an mtu of \(settings.mtu), so write a smaller one for the port: \(error)")
    }

    /// Whether the text is a PCI address: domain:bus:device.function, with an optional domain.
    static func isPCIAddress(_ text: String) -> Bool {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2 || parts.count == 3, let last = parts.last?.split(separator: "."), last.count == 2 else { return false }
        return (parts.dropLast() + last).allSatisfy { !$0.isEmpty && $0.allSatisfy(\.isHexDigit) }
    }

    /// Opens a kernel interface with the better driver that works. AF_XDP copies more cheaply, but its frames must fit in one buffer, drivers support it
    /// unevenly, and frames that arrive on a receive queue to which it is not bound go to the host instead. AF_PACKET works on every interface, and its sockets
    /// get all frames, however many of them there are.
    private static func openInterface(
        _ interface: Below, _ settings: PortSettings, _ wanted: Int?, _ runtime: Runtime,
        _ open: ([String], Int) throws(DataPlaneError) -> EthernetDevice
    ) throws(DataPlaneError) -> EthernetDevice {
        let name = interface.name, there = min(interface.receiveQueues, maxQueuePairs), queues = wanted ?? there
        // Each queue holds buffers at all times, out of the quarter of the pool that poll loops leave to rings.
        let hasBuffers = queues * xdpRing <= runtime.bufferLimit / 4 || queues == 1
        // A port may be opened beside the one that it replaces, and DPDK knows devices by their names, so every name has a number of its own.
        let number = opened.add(1, ordering: .relaxed).newValue
        if settings.mtu <= DeviceString.longestXDPMTU(bufferSize: runtime.bufferSize), queues == there, hasBuffers {
            // Each queue gets a device of its own: the driver counts only queues that both receive and send, which not all interfaces have, and it does not
            // close more than one queue.
            closings.waitForRemoval(on: interface.index)
            let devices = (0..<queues).map { "net_af_xdp_\(number)_\($0),iface=\(name),start_queue=\($0)" }
            // There are few attempts, as each that fails costs the pool the buffers that the driver had already given to the kernel.
            for _ in 0..<3 {
                if let device = try? open(devices, 1) { return device }
                guard closings.wait(for: interface.index) else { break }
            }
        }
        return try open(["net_af_packet_\(number),iface=\(name),qpairs=\(queues)"], queues)
    }

    private static let opened = Atomic<Int>(0)

    /// The number of buffers that an AF_XDP queue holds (ETH_AF_XDP_DFLT_NUM_DESCS of DPDK's driver).
    private static let xdpRing = 2_048

    private static func bringUp(_ interface: String, _ settings: PortSettings) throws(DataPlaneError) -> Below {
        let below = try find(interface, settings)
        do {
            try below.links.setUp(interface)
        } catch {
            throw DataPlaneError("port \(settings.name): \(error)")
        }
        do {
            try below.carry(mtu: settings.mtu)
        } catch {
            throw tooLong(settings, error)
        }
        return below
    }

    private static func find(_ interface: String, _ settings: PortSettings) throws(DataPlaneError) -> Below {
        do {
            let links = try LinkSocket()
            return Below(links, try links.link(named: interface))
        } catch {
            throw DataPlaneError("port \(settings.name): \(error)")
        }
    }
}
