import Packet

/// What one run plays: ports, the flows between them, and what is expected of the switch. Times are in nanoseconds since the start of the run.
public struct Scenario: Equatable, Sendable {
    public var ports: [PortPlan] = []
    public var flows: [FlowPlan] = []
    public var steps: [Step] = []
    public var expectations: [Expectation] = []
    /// How long flows send; nil: until a signal or `quit`.
    public var duration: UInt64?
    /// The time between two outputs of the live table or the stream.
    public var reportEvery: UInt64 = 1_000_000_000
    /// The width of the windows for which sent and received bytes are kept.
    public var bin: UInt64 = 10_000_000
    /// The longest time to wait, after the last frame was sent, for frames that are still on their way.
    public var drain: UInt64 = 2_000_000_000
    /// The time by which a flow that was held up may exceed its rate to catch up. What it is behind beyond that is not sent any more.
    public var catchUp: UInt64 = 20_000_000
    /// Whether to announce every source address before the run, so that the switch knows where it is.
    public var learn = false
    /// The longest time to wait for ports to connect.
    public var connect: UInt64 = 10_000_000_000
    public init() {}
}

/// A port that the generator opens.
public struct PortPlan: Equatable, Sendable {
    public var name: String
    /// `virtio_user:SOCKET`, any DPDK device string, or a PCI address.
    public var device: String
    /// virtio_user only: whether to listen on the socket, as QEMU does when the switch is in vhost-user client mode.
    public var server = false
    public var mac: MACAddress
    /// The number of queue pairs.
    public var queues = 1
    /// virtio_user only: whether to use the packed ring layout.
    public var packed = true
    /// The number of descriptors of each queue.
    public var ring = 1024
    public init(name: String, device: String, mac: MACAddress) { self.name = name; self.device = device; self.mac = mac }
}

/// The kind of a flow's frames. The checksums of IPv4, UDP and TCP are valid in every frame; the CRC inside FCoE and the invariant CRC of RoCE are not
/// computed.
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

/// A flow: frames of one kind from a port to a destination, at a rate.
public struct FlowPlan: Equatable, Sendable {
    /// Where a flow's frames are addressed to.
    public enum Destination: Equatable, Sendable {
        case port(String)
        /// `at` is the port that should receive the frames; nil: frames that arrive are counted, but nothing is expected.
        case mac(MACAddress, at: String?)
    }
    public var name: String
    public var from: String
    public var to: Destination
    public var kind: TrafficKind = .udp
    /// The lengths of frames without FCS and without a VLAN tag, used in turn.
    public var sizes: [Int] = [60]
    public var rate: Rate = .maximum
    public var vlan: UInt16?
    /// The number of VLANs, counted up from `vlan`, that the pairs of addresses use in turn.
    public var vlans = 1
    public var pcp: UInt8?
    public var dscp: UInt8 = 0
    /// The destination port of UDP or TCP; nil: the protocol's own.
    public var port: UInt16?
    public var ipv6 = false
    /// Of frames that are left to the switch to be cut into TCP segments (TCP segmentation offload): how many bytes of data each segment has. nil: they are
    /// not.
    public var segment: Int?
    /// The number of sub-flows, which differ in source port and source IP address.
    public var subflows = 1
    /// The number of different address pairs, each of which has all sub-flows.
    public var pairs: Int { max(macs, toMACs) }
    /// The number of source addresses, counted up from `mac`, or from the port's own address.
    public var macs = 1
    public var mac: MACAddress?
    /// The number of destination addresses, counted up from the destination. There are `max(macs, toMACs)` pairs: the n-th has the n-th address of each kind,
    /// which start again if there are fewer. Consecutive frames go between different pairs.
    public var toMACs = 1
    /// The VLAN of the n-th pair.
    func vlan(ofPair number: Int) -> UInt16? { vlan.map { $0 + UInt16(number % vlans) } }
    public var start: UInt64 = 0
    public var stop: UInt64?
    /// The rate in bit/s that this flow, or its guest, is guaranteed by the switch. It is shown beside the rate that is delivered.
    public var floor: UInt64?
    /// The name of a flow whose row in the table, and whose floor, includes this one as well, such as one protocol of a guest's traffic.
    public var partOf: String?
    public init(name: String, from: String, to: Destination) { self.name = name; self.from = from; self.to = to }

    /// Frames of 60, 590 and 1514 bytes in the proportion 7 : 4 : 1, interleaved.
    public static let internetMix = [60, 590, 60, 60, 590, 60, 1514, 60, 590, 60, 60, 590]
}

/// A change of flows' rates during the run.
public struct Step: Equatable, Sendable {
    public var at: UInt64
    public var flows: [String]
    public var rate: Rate
    /// A line that is printed above the table.
    public var note: String?
    public init(at: UInt64, flows: [String], rate: Rate, note: String? = nil) {
        self.at = at; self.flows = flows; self.rate = rate; self.note = note
    }
}

/// A condition by which the run is judged.
public struct Expectation: Equatable, Sendable {
    public var name: String
    /// The flows, which are judged together.
    public var flows: [String]
    public var from: UInt64 = 0
    public var to: UInt64?
    /// Limits of the rate delivered in the interval, in bit/s.
    public var atLeast: UInt64?
    public var atMost: UInt64?
    /// The fraction by which a rate may miss its limit.
    public var within = 0.01
    /// Whether no frame may be reordered, duplicated, corrupted or misdelivered in the whole run.
    public var intact = false
    /// The largest fraction of the frames sent in the whole run that may be lost.
    public var lossAtMost: Double?
    public init(name: String, flows: [String]) { self.name = name; self.flows = flows }
}

/// Why a scenario or a command cannot be carried out, and what to write instead.
public struct ScenarioError: Error, Equatable, CustomStringConvertible, Sendable {
    public var description: String
    public init(_ description: String) { self.description = description }
}
