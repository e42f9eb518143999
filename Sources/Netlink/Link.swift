import Packet

/// A network interface as the kernel describes it.
public struct Link: Equatable, Sendable {
    public var index: Int
    public var name: String
    /// The kernel's kind of virtual interface ("veth", "tun", "bridge", "vlan", ...); nil for a physical one.
    public var kind: String?
    /// The driver ethtool names ("veth", "ixgbe", "tun", ...); nil where the interface has none.
    public var driver: String?
    /// Largest layer 3 packet in bytes.
    public var mtu: Int
    /// Nil for interfaces without an Ethernet address.
    public var mac: MACAddress?
    /// Set up by the administrator (`ip link set NAME up`).
    public var isUp: Bool
    /// Up, and the other side is there.
    public var hasCarrier: Bool
    public var isLoopback: Bool
    public var receiveQueues: Int
    public var transmitQueues: Int
    /// Frames that the interface had no room for, and that it found damaged, since it was made.
    public var missed: UInt64
    public var receiveErrors: UInt64
    /// Index of the bridge or bond the interface is a port of; nil: of none.
    public var controller: Int?
}

/// What is to change about an interface; nil leaves it as it is.
public struct LinkChange: Equatable, Sendable {
    public var up: Bool?
    public var mtu: Int?
    public var mac: MACAddress?
    public init(up: Bool? = nil, mtu: Int? = nil, mac: MACAddress? = nil) {
        self.up = up
        self.mtu = mtu
        self.mac = mac
    }

    var isEmpty: Bool { up == nil && mtu == nil && mac == nil }

    /// "set the MTU to 9000 and bring up"
    var words: String {
        var parts: [String] = []
        if let mac { parts.append("set the MAC address to \(mac)") }
        if let mtu { parts.append("set the MTU to \(mtu)") }
        if let up { parts.append(up ? "bring up" : "bring down") }
        return parts.joined(separator: " and ")
    }
}
