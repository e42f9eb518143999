import Packet

/// A network interface as the kernel describes it.
public struct Link: Equatable, Sendable {
    public var index: Int
    public var name: String
    /// The kernel's kind of virtual interface ("veth", "tun", "bridge", "vlan", ...); nil for a physical one.
    public var kind: String?
    /// The driver's name as ethtool reports it ("veth", "ixgbe", "tun", ...); nil if the interface has none.
    public var driver: String?
    /// Size of the largest layer 3 packet, in bytes.
    public var mtu: Int
    /// Nil if the interface has no Ethernet address.
    public var mac: MACAddress?
    /// Whether the administrator has set the interface up (`ip link set NAME up`).
    public var isUp: Bool
    /// Whether the interface is up and the other side of the link is present.
    public var hasCarrier: Bool
    public var isLoopback: Bool
    /// Whether somebody had it receive frames for all addresses (IFF_PROMISC); a bridge does not set that of its ports.
    public var isPromiscuous: Bool
    public var receiveQueues: Int
    public var transmitQueues: Int
    /// Frames dropped for want of room in the receive queues since the interface was created.
    public var missed: UInt64
    /// Frames received with errors since the interface was created.
    public var receiveErrors: UInt64
    /// Index of the bridge or bond that the interface is a port of; nil if there is none.
    public var controller: Int?
}

/// The changes to make to an interface; nil leaves a property as it is.
public struct LinkChange: Equatable, Sendable {
    public var up: Bool?
    public var mtu: Int?
    public var mac: MACAddress?
    public var promiscuous: Bool?
    public init(up: Bool? = nil, mtu: Int? = nil, mac: MACAddress? = nil, promiscuous: Bool? = nil) {
        self.up = up
        self.mtu = mtu
        self.mac = mac
        self.promiscuous = promiscuous
    }

    var isEmpty: Bool { up == nil && mtu == nil && mac == nil && promiscuous == nil }

    /// The changes as words of an error message, such as "set the MTU to 9000 and bring up".
    var words: String {
        var parts: [String] = []
        if let mac { parts.append("set the MAC address to \(mac)") }
        if let mtu { parts.append("set the MTU to \(mtu)") }
        if let promiscuous { parts.append("set promiscuous mode \(promiscuous ? "on" : "off")") }
        if let up { parts.append(up ? "bring up" : "bring down") }
        return parts.joined(separator: " and ")
    }
}
