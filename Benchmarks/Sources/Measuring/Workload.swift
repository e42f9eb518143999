/// What a benchmark plays, in the same way for every peer: ports in pairs, the addresses behind them, frames and flows.
public struct Workload: Sendable {
    /// The number of connected ports. The first sends to the second and back, the third to the fourth, and so on.
    public var ports = 2
    /// The number of additional ports that the switch polls although nothing is connected to them.
    public var idlePorts = 0
    public var size = FrameSize.bytes(60)
    /// The number of guests behind each port. Each has three classes: two protocols and the rest.
    public var guestsPerPort = 1
    /// The number of addresses behind each port, which are divided evenly among its guests.
    public var macsPerPort = 1
    /// The number of flows for each pair of addresses; they differ in source port and IP address.
    public var subflows = 1
    /// Whether traffic goes to all three classes of each guest; otherwise it goes to one.
    public var allClasses = false
    /// The number of VLANs that the addresses use in turn; all ports are trunks of them. 0: frames have no tags.
    public var vlans = 0
    /// Whether the switch filters by VLAN; otherwise tags pass unchanged.
    public var filtersVLANs = true
    /// Whether each port has the ten `Workload.rules`; no frame matches any of them.
    public var hasRules = false
    public var mtu = 1_500
    /// Of TCP segments that guests leave to be cut: how many bytes of data each has then; nil: frames are not cut. `size` is that of the whole.
    public var segment: Int?
    /// Whether switches connect to the sockets of guests, as Open vSwitch offers segmentation on no others; if not, guests connect to those of switches.
    public var switchesConnect: Bool { segment != nil }
    /// The number of CPUs that switch.
    public var cores = 1
    /// The rate in bit/s that all guests share; nil: nothing limits it.
    public var link: Double?
    /// Guests behind the second port with rates of their own and one address each, in place of guests with three classes.
    public var shapes: [Shape] = []
    /// Additional lines for the daemon's section of Sluice's configuration.
    public var daemon: [String] = []

    public init() {}

    /// The floor and the ceiling of a guest, in bit/s.
    public struct Shape: Sendable {
        public var floor: Double?
        public var ceiling: Double
        public init(floor: Double? = nil, ceiling: Double) { self.floor = floor; self.ceiling = ceiling }
    }

    public enum FrameSize: Sendable, Equatable {
        /// All frames have this many bytes, without FCS.
        case bytes(Int)
        /// Frames of 60, 590 and 1514 bytes in the proportion 7 : 4 : 1.
        case imix
    }

    /// The mean number of bytes of a frame, without FCS.
    public var meanBytes: Double {
        switch size {
        case .bytes(let bytes): Double(bytes)
        case .imix: (7 * 60 + 4 * 590 + 1514) / 12
        }
    }

    /// The size in KiB of a buffer that holds a whole frame with tag and FCS; nil: 2 KiB are enough. Open vSwitch chooses such buffers by itself.
    public var bufferKibibytes: Int? { mtu > 2_000 ? (mtu + 22 + 1_023) / 1_024 : nil }

    /// The number of leaf classes of all guests.
    public var classes: Int { ports * guestsPerPort * 3 }

    /// The n-th address of a port; addresses are consecutive.
    public static func mac(port: Int, _ number: Int = 0) -> String {
        let value = 0x5254_0000_0000 + UInt64(port + 1) << 24 + UInt64(number)
        return (0..<6).map { byte in
            let text = String(value >> UInt64(40 - 8 * byte) & 0xff, radix: 16)
            return text.count < 2 ? "0" + text : text
        }.joined(separator: ":")
    }

    /// The number of the first VLAN.
    public static let firstVLAN = 10
    /// The VLAN of the n-th address of a port.
    public func vlan(_ number: Int) -> Int { Self.firstVLAN + number % vlans }

    /// The traffic that the rules refuse, in the words of pcap-filter(7) and of ovs-fields(7).
    public static let rules = [
        ("tcp dst port 25", "tcp,tp_dst=25"), ("tcp dst port 445", "tcp,tp_dst=445"), ("udp dst port 161", "udp,tp_dst=161"),
        ("udp src port 67", "udp,tp_src=67"), ("tcp src port 179", "tcp,tp_src=179"), ("src net 192.168.0.0/16", "ip,nw_src=192.168.0.0/16"),
        ("dst net 172.16.0.0/12", "ip,nw_dst=172.16.0.0/12"), ("icmp", "icmp"), ("ip proto 47", "ip,nw_proto=47"), ("dst host 10.9.9.9", "ip,nw_dst=10.9.9.9"),
    ]

    /// UDP ports that stand for protocols with classes of their own.
    public static let protocols = [("bulk", 5_002), ("media", 5_003)]
}

/// How the generator reaches a port of a switch.
public struct GeneratorPort: Sendable {
    /// The device as the generator's scenario names it.
    public var device: String
    public init(device: String) { self.device = device }
}

/// A scenario for `sluice-gen`.
public struct ScenarioText {
    private var lines: [String] = []

    /// - Parameters:
    ///   - duration: the duration in seconds; nil: until the generator is told to end.
    ///   - learn: whether all source addresses are announced first.
    ///   - isSegmented: whether frames are TCP segments that are left to be cut. Their rings are shorter, as they take much memory, and switches connect to the
    ///     generator (`Workload.switchesConnect`).
    public init(ports: [GeneratorPort], duration: Double? = nil, binMilliseconds: Int = 10, learn: Bool = true, isSegmented: Bool = false) {
        if let duration { lines.append("duration: \(Int((duration * 1e3).rounded()))ms") }
        lines += ["bin: \(binMilliseconds)ms", "learn: \(learn)", "drain: 1s", "connect: 30s", "ports:"]
        for (index, port) in ports.enumerated() {
            // With many ports, the rings have QEMU's default size, because the generator has buffers for all descriptors.
            let ring = port.device.hasPrefix("virtio_user") ? ", packed: true, ring: \(ports.count > 8 || isSegmented ? 256 : 1_024)" : ""
            let mode = isSegmented ? ", server: true" : ""
            lines.append("  - {name: p\(index), device: \"\(port.device)\", mac: \"\(Workload.mac(port: index))\"\(ring)\(mode)}")
        }
        lines.append("flows:")
    }

    /// Adds a flow from all addresses of one port to all addresses of another.
    public mutating func flow(
        _ name: String, from: Int, to: Int, _ workload: Workload, rate: String, port: Int? = nil, firstMAC: Int = 0, extra: String = ""
    ) {
        let size = switch workload.size { case .bytes(let bytes): String(bytes); case .imix: "imix" }
        let macs = workload.macsPerPort
        lines.append(
            "  - {name: \(name), from: p\(from), to: \"\(Workload.mac(port: to, firstMAC))\", at: p\(to), mac: \"\(Workload.mac(port: from, firstMAC))\""
                + ", macs: \(macs), to-macs: \(macs), subflows: \(workload.subflows), size: \(size), rate: \(rate)"
                + (port.map { ", port: \($0)" } ?? "") + (workload.vlans > 0 ? ", vlan: \(Workload.firstVLAN), vlans: \(workload.vlans)" : "")
                + (workload.segment.map { ", protocol: tcp, segment: \($0)" } ?? "") + extra + "}")
    }

    public mutating func line(_ line: String) { lines.append(line) }

    /// Adds flows between every pair of ports in both directions, and for every class if the workload wants that. Returns the number of flows.
    public mutating func bothWays(_ workload: Workload, rate: (Int) -> String) -> Int {
        let kinds: [Int?] = workload.allClasses ? [nil] + Workload.protocols.map { $0.1 } : [nil]
        let count = workload.ports * kinds.count
        for first in stride(from: 0, to: workload.ports, by: 2) {
            for (kind, port) in kinds.enumerated() {
                flow("f\(first)k\(kind)", from: first, to: first + 1, workload, rate: rate(count), port: port)
                flow("f\(first + 1)k\(kind)", from: first + 1, to: first, workload, rate: rate(count), port: port)
            }
        }
        return count
    }

    public var text: String { lines.joined(separator: "\n") + "\n" }
}
