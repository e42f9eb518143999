import Packet

/// What one run plays: ports, the flows between them, and what is expected of the switch. Times are nanoseconds from the
/// start of the run.
public struct Scenario: Equatable, Sendable {
    public var ports: [PortPlan] = []
    public var flows: [FlowPlan] = []
    public var steps: [Step] = []
    public var expectations: [Expectation] = []
    /// nil: until a signal or `quit`.
    public var duration: UInt64?
    /// Between two lines of the live table or the stream.
    public var reportEvery: UInt64 = 1_000_000_000
    /// Width of the windows in which received and sent bytes are kept.
    public var bin: UInt64 = 10_000_000
    /// Most time that frames still on their way are waited for after the last was sent.
    public var drain: UInt64 = 2_000_000_000
    /// Time by which a flow that was held up may exceed its rate to catch up; what it is behind beyond that is not offered.
    public var catchUp: UInt64 = 20_000_000
    /// Announce every source address before the run, so that the switch knows where it is.
    public var learn = false
    /// Most time that ports are waited for.
    public var connect: UInt64 = 10_000_000_000
    public init() {}
}

public struct PortPlan: Equatable, Sendable {
    public var name: String
    /// `virtio_user:SOCKET`, or any DPDK device string or PCI address.
    public var device: String
    /// virtio_user only: listen on the socket, as QEMU does when the switch is in vhost-user client mode.
    public var server = false
    public var mac: MACAddress
    /// Queue pairs.
    public var queues = 1
    /// virtio_user only: the packed ring layout.
    public var packed = true
    /// Descriptors of each queue.
    public var ring = 1024
    public init(name: String, device: String, mac: MACAddress) { self.name = name; self.device = device; self.mac = mac }
}

/// What a flow's frames are. Checksums of IPv4 headers, UDP and TCP are valid in every frame; the CRC inside FCoE and the
/// invariant CRC of RoCE are not computed.
public enum TrafficKind: Hashable, Sendable {
    case udp, tcp, iscsi, fcoe, fip, roce, rocev2, nvmeTCP
    case etherType(UInt16)

    static let names: [(String, TrafficKind)] = [
        ("udp", .udp), ("tcp", .tcp), ("iscsi", .iscsi), ("fcoe", .fcoe), ("fip", .fip), ("roce", .roce), ("rocev2", .rocev2),
        ("nvme-tcp", .nvmeTCP),
    ]

    public var name: String {
        if case .etherType(let type) = self { return "0x" + String(type, radix: 16) }
        return Self.names.first { $0.1 == self }?.0 ?? "unknown"
    }
}

public struct FlowPlan: Equatable, Sendable {
    public enum Destination: Equatable, Sendable {
        case port(String)
        /// `at` is the port that should receive it; nil: arrivals are counted, but nothing is expected.
        case mac(MACAddress, at: String?)
    }
    public var name: String
    public var from: String
    public var to: Destination
    public var kind: TrafficKind = .udp
    /// Frame bytes without FCS and without a VLAN tag, sent in turn.
    public var sizes: [Int] = [60]
    public var rate: Rate = .maximum
    public var vlan: UInt16?
    /// The pairs of addresses take turns among so many VLANs, from `vlan` up.
    public var vlans = 1
    public var pcp: UInt8?
    public var dscp: UInt8 = 0
    /// Destination port of UDP or TCP; nil: the protocol's own.
    public var port: UInt16?
    public var ipv6 = false
    /// Differing in source port and address.
    public var subflows = 1
    /// Address pairs that differ, each with all sub-flows.
    public var pairs: Int { max(macs, toMACs) }
    /// Source addresses, each with all sub-flows. The first is `mac`, or the port's own.
    public var macs = 1
    public var mac: MACAddress?
    /// Destination addresses, counted up from the destination. The n-th of the `max(macs, toMACs)` pairs has the n-th of each, which
    /// start again when there are fewer; consecutive frames go between different pairs.
    public var toMACs = 1
    /// The VLAN of the n-th pair.
    func vlan(ofPair number: Int) -> UInt16? { vlan.map { $0 + UInt16(number % vlans) } }
    public var start: UInt64 = 0
    public var stop: UInt64?
    /// The guarantee this flow (or its guest) has at the switch: shown beside what is delivered.
    public var floor: UInt64?
    /// A flow whose row in the table, and whose floor, this one belongs to as well: one protocol of a guest's traffic.
    public var partOf: String?
    public init(name: String, from: String, to: Destination) { self.name = name; self.from = from; self.to = to }

    /// 7 : 4 : 1 of 60, 590 and 1514 bytes, interleaved.
    public static let internetMix = [60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 60, 590]
}

/// A change of rates during the run.
public struct Step: Equatable, Sendable {
    public var at: UInt64
    public var flows: [String]
    public var rate: Rate
    /// Said above the table.
    public var note: String?
    public init(at: UInt64, flows: [String], rate: Rate, note: String? = nil) {
        self.at = at; self.flows = flows; self.rate = rate; self.note = note
    }
}

/// Something the run is judged by.
public struct Expectation: Equatable, Sendable {
    public var name: String
    /// Judged together.
    public var flows: [String]
    public var from: UInt64 = 0
    public var to: UInt64?
    /// bit/s delivered in the interval.
    public var atLeast: UInt64?
    public var atMost: UInt64?
    /// By which a rate may miss.
    public var within = 0.01
    /// Nothing reordered, duplicated, corrupted or misdelivered in the whole run.
    public var intact = false
    /// Of the frames sent in the whole run.
    public var lossAtMost: Double?
    public init(name: String, flows: [String]) { self.name = name; self.flows = flows }
}

/// A scenario or a command that cannot be obeyed, and what to write instead.
public struct ScenarioError: Error, Equatable, CustomStringConvertible, Sendable {
    public var description: String
    public init(_ description: String) { self.description = description }
}
