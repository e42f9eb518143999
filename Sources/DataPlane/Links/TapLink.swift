import Configuration
import DPDKShim
import Glibc
import Netlink
import Packet
import Synchronization

/// A tap interface of this host. Where the kernel offers vhost-net, it is driven through virtio_user and accelerated by it, and
/// TCP segments pass whole in both directions; otherwise by DPDK's tap driver.
final class TapLink: DeviceLink {
    let ethernet: EthernetDevice
    private(set) var device: String
    /// The interface's name when it was made, by which the driver knows it to the end.
    private let firstName: String
    /// A descriptor of the interface, which identifies it whatever it is called and wherever it is; nil: the interface cannot be watched.
    private let queue: TapDescriptor?
    private let index: Int?
    private var interfaceState = TapDescriptor.State.up
    /// The name that somebody else has given the interface; nil: it has the name of the settings.
    private var otherName: String?
    /// The network namespace that the interface was moved to.
    private var namespace: NetworkNamespace
    /// The largest MTU that the driver sends.
    private let longestMTU: Int
    /// Whether the interface outlives the daemon.
    private var isPersistent: Bool
    /// Whether the interface existed before the port was opened.
    private let wasThere: Bool

    init(_ settings: PortSettings, interface: String, netns: String?, mac: MACAddress?, _ runtime: Runtime) throws(DataPlaneError) {
        let name = settings.name
        namespace = netns.map { NetworkNamespace($0) } ?? .current
        isPersistent = settings.persistent
        let kept: Link?
        do {
            // The namespace is opened before anything is made, as that shows whether it exists.
            let inside = try LinkSocket(in: namespace), links = try LinkSocket()
            if inside.exists(interface) || links.exists(interface) {
                if let obstacle = Self.obstacle(settings, interface, links) { throw DataPlaneError("port \(name): interface \(interface) \(obstacle)") }
                kept = try links.link(named: interface)
            } else {
                kept = nil
            }
        } catch {
            throw error as? DataPlaneError ?? DataPlaneError("port \(name): \(error)")
        }
        wasThere = kept != nil
        // An interface that was there keeps its address, as neighbours know it.
        let address = mac ?? kept?.mac ?? MACAddress.stable(interface: interface, namespace: netns)
        let lcores = runtime.lcores.count
        // DPDK knows devices by their names, and an interface that was renamed leaves its first name to others, so every name has a number of its own.
        let number = Self.opened.add(1, ordering: .relaxed).newValue
        let accelerated = access("/dev/vhost-net", R_OK | W_OK) == 0
        let devargs = accelerated
            ? "net_virtio_user_\(number),path=/dev/vhost-net,iface=\(interface),queues=\(lcores),queue_size=1024"
            // The driver makes a pool that is called "mp_" and this name, and the pool's name may have 25 characters at most. It gives the interface an
            // address, for a moment a random one if it is told none.
            : "net_tap\(number),iface=\(interface)" + (address.map { ",mac=\($0)" } ?? "")
        device = interface
        firstName = interface
        ethernet = try EthernetDevice(
            port: name, devargs: [devargs], queues: lcores, mtu: accelerated ? settings.mtu : Self.statedMTU, transmitQueues: lcores, equalQueues: true,
            joined: true, runtime)
        longestMTU = accelerated || ethernet.liftMTU(to: PortSettings.mtus.upperBound) ? PortSettings.mtus.upperBound : Self.statedMTU
        queue = TapDescriptor(named: interface)
        index = try? LinkSocket().link(named: interface).index
        if !accelerated, wasThere { queue?.takeNoOffloads() }
        do {
            // Moving an interface to another namespace takes it down, so it is done before the interface is set up.
            if namespace != .current { try LinkSocket().move(interface, to: namespace) }
            try LinkSocket(in: namespace).change(interface, LinkChange(up: true, mtu: settings.mtu, mac: address))
            try checkMTU(settings)
            if isPersistent { try setPersistent(true, port: name) }
        } catch {
            ethernet.close()
            if wasThere, kept?.isUp == true { try? LinkSocket().setUp(interface) }
            throw error as? DataPlaneError ?? DataPlaneError("port \(name): \(error)")
        }
        ethernet.isUp = true
    }

    /// Why an interface that exists cannot be the port's, as the rest of a sentence; nil: it is one that an earlier daemon or `ip tuntap` has left, and is taken
    /// up with the addresses and routes that it has.
    private static func obstacle(_ settings: PortSettings, _ interface: String, _ links: LinkSocket) -> String? {
        let flags = TapFlags(of: interface)
        // Other interfaces may be the host's only way to the network.
        guard let flags, flags.contains(.tap) else { return "exists already\(settings.persistent ? " and is no tap" : ""): choose another name" }
        let remedy = "choose another name, or remove it with `ip link del \(interface)`"
        guard settings.persistent else {
            // Most likely the key was set by a command and is missing in the file.
            let isKept = flags.isSuperset(of: [.tap, .multiQueue, .persistent])
            return "exists already: \(isKept ? "write `persistent: true` to take it up with its addresses, " : "")\(remedy)"
        }
        // The kernel attaches queues of this kind only to an interface that was made with it (tun_set_iff in drivers/net/tun.c).
        guard flags.contains(.multiQueue) else { return "exists already and has one queue only (made by `ip tuntap` without multi_queue): \(remedy)" }
        guard (try? links.hasCarrier(interface)) != true else {
            return "is held by another process, which `grep -lw \(interface) /proc/[0-9]*/fdinfo/*` finds: end that, or choose another name"
        }
        return nil
    }

    private func setPersistent(_ isPersistent: Bool, port: String) throws(DataPlaneError) {
        guard let queue else { throw DataPlaneError("port \(port): the interface \(device) cannot be made persistent, as its descriptor is not found in /proc/self/fd") }
        do {
            try queue.setPersistent(isPersistent)
        } catch {
            throw DataPlaneError("port \(port): the kernel does not make the interface \(device) \(isPersistent ? "persistent" : "end with the daemon"): \(error)")
        }
    }

    var condition: String {
        switch interfaceState {
        case .gone: "the interface \(device) is gone"
        case _ where otherName != nil: Renaming.sentence(device, otherName!, "interface \(otherName!)")
        case .up: "up"
        case .down: "down"
        }
    }
    var isRenamed: Bool { interfaceState != .gone && otherName != nil }

    private static let opened = Atomic<Int>(0)

    /// The MTU that the tap driver states, whatever MTU the interface has.
    private static let statedMTU = 1_500

    private func checkMTU(_ settings: PortSettings) throws(DataPlaneError) {
        guard settings.mtu > longestMTU else { return }
        throw DataPlaneError("port \(settings.name): this DPDK's tap driver sends no frame for an mtu of \(settings.mtu): write mtu \(longestMTU) or less")
    }

    func way(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) -> PortChange.Way {
        guard case .tap(let interface, let netns, _) = new.kind, interface == device || adopts(new), interfaceState != .gone else { return .beside }
        try checkMTU(new)
        let target = netns.map { NetworkNamespace($0) } ?? .current
        guard target != namespace else { return .inPlace }
        let isTaken: Bool
        do {
            isTaken = try LinkSocket(in: target).exists(currentName)
        } catch {
            throw DataPlaneError("port \(new.name): \(error)")
        }
        guard !isTaken else {
            throw DataPlaneError("port \(new.name): there is an interface \(currentName) in \(netns ?? "this namespace") already: choose another name, or remove it")
        }
        return .inPlace
    }

    /// The name that the interface has now. The kernel is asked, as it may have been renamed just now.
    private var currentName: String { queue?.name ?? device }

    func adopts(_ new: PortSettings) -> Bool {
        guard case .tap(let interface, _, _) = new.kind else { return false }
        return interface != device && interface == currentName
    }

    /// Changes the interface, which stays the same one: it keeps its index and, unless it has to move to another namespace, its addresses.
    func change(from old: PortSettings, to new: PortSettings) throws(DataPlaneError) {
        guard case .tap(let interface, let netns, let mac) = new.kind else { return }
        let target = netns.map { NetworkNamespace($0) } ?? .current, origin = namespace, current = currentName
        if new.persistent != isPersistent { try setPersistent(new.persistent, port: new.name) }
        do throws(NetlinkError) {
            let links = try LinkSocket(in: namespace)
            let before = try links.link(named: current)
            let change = LinkChange(mtu: new.mtu == before.mtu ? nil : new.mtu, mac: mac == before.mac ? nil : mac)
            do throws(NetlinkError) {
                try links.change(current, change)
                if target != namespace {
                    try links.move(current, to: target)
                    namespace = target
                    try LinkSocket(in: target).setUp(current)
                }
            } catch {
                if namespace != origin {
                    try? LinkSocket(in: namespace).move(current, to: origin)
                    namespace = origin
                }
                try? links.change(current, LinkChange(up: before.isUp, mtu: before.mtu, mac: before.mac))
                throw error
            }
        } catch {
            if new.persistent != isPersistent { try? queue?.setPersistent(isPersistent) }
            throw DataPlaneError("port \(new.name): \(error)")
        }
        isPersistent = new.persistent
        device = interface
        refresh()
    }

    var isGone: Bool { interfaceState == .gone }

    func refresh() {
        guard interfaceState != .gone, let queue else { return }
        interfaceState = queue.state
        otherName = queue.name.flatMap { $0 == device ? nil : $0 }
        ethernet.isUp = interfaceState == .up && otherName == nil
    }

    func readLosses() -> LinkLosses { ethernet.readLosses() }

    func close(_ reason: CloseReason) {
        if isPersistent {
            switch reason {
            // The driver would set the interface down, and routes and IPv6 addresses would go. The process ends in a moment, and the kernel closes its queues.
            case .ended: return
            case .takenBack where wasThere, .reopened: break
            // The kernel's refusal means that the interface is gone already.
            case .takenBack, .removed: try? queue?.setPersistent(false)
            }
        }
        // The driver sets down whatever interface has this one's first name, even if that is another interface by now, which is then set up again.
        let links = try? LinkSocket(), other = try? links?.link(named: firstName)
        let isOther = other.map { $0.isUp && ($0.index != index || isPersistent) } ?? false
        ethernet.close()
        if isOther { try? links?.setUp(firstName) }
    }
}
