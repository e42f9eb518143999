import Configuration
import DPDKShim
import Glibc
import Netlink
import Packet

/// A host interface: vhost-net accelerated through virtio_user where the kernel offers that, the tap driver otherwise.
final class TapPort: PortBackend {
    private let ethernet: EthernetDevice
    let device: String
    /// By which the interface is known, whatever it is called and wherever it is; nil: it cannot be watched.
    private let queue: TapDescriptor?
    private let index: Int?
    private var interfaceState = TapDescriptor.State.up

    init(_ settings: PortSettings, interface: String, netns: String?, mac: MACAddress?, _ runtime: Runtime) throws(DataPlaneError) {
        let name = settings.name
        let namespace = netns.map { NetworkNamespace($0) } ?? .current
        let exists: Bool
        do {
            // Opening the namespace shows that it is there before anything is made.
            let inside = try LinkSocket(in: namespace)
            exists = try LinkSocket().exists(interface) || inside.exists(interface)
        } catch {
            throw DataPlaneError("port \(name): \(error)")
        }
        guard !exists else {
            throw DataPlaneError("port \(name): interface \(interface) exists already: choose another name, or remove it with `ip link del \(interface)`")
        }
        let lcores = runtime.lcores.count
        let accelerated = access("/dev/vhost-net", R_OK | W_OK) == 0
        let devargs = accelerated
            ? "net_virtio_user_\(interface),path=/dev/vhost-net,iface=\(interface),queues=\(lcores),queue_size=1024"
            : "net_tap_\(interface),iface=\(interface)"
        device = interface
        ethernet = try EthernetDevice(
            port: name, devargs: [devargs], queues: lcores, mtu: settings.mtu, transmitQueues: lcores, equalQueues: true, runtime)
        queue = TapDescriptor(named: interface)
        index = try? LinkSocket().link(named: interface).index
        do {
            // A move takes an interface down, so it comes first.
            if namespace != .current { try LinkSocket().move(interface, to: namespace) }
            try LinkSocket(in: namespace).change(interface, LinkChange(up: true, mtu: settings.mtu, mac: mac))
        } catch {
            ethernet.close()
            throw DataPlaneError("port \(name): \(error)")
        }
        ethernet.isUp = true
    }

    var state: UnsafeMutablePointer<PortState> { ethernet.state }
    var queues: Int { ethernet.queues }
    var driver: String { ethernet.driver }
    var numaNode: Int { ethernet.numaNode }
    var wakes: Bool { ethernet.wakes }
    var condition: String {
        switch interfaceState {
        case .up: "up"
        case .down: "down"
        case .gone: "the interface \(device) is gone: delete this port and add it again to have a new one"
        }
    }

    func refresh() {
        guard interfaceState != .gone, let state = queue?.state, state != interfaceState else { return }
        interfaceState = state
        ethernet.isUp = state == .up
    }

    func readLosses() -> LinkLosses { ethernet.readLosses() }

    func close() {
        // The driver sets what has the interface's name down, even if that is another's by now.
        let links = try? LinkSocket(), other = try? links?.link(named: device)
        let isOther = other.map { $0.isUp && $0.index != index } ?? false
        ethernet.close()
        if isOther { try? links?.setUp(device) }
    }
}
