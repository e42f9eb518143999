import Packet

/// A frame of one sub-flow and size, with zeros in place of its signature. Its checksums are already those of the finished frame, but
/// for that of a frame which is left to be segmented.
public struct FrameTemplate: Equatable, Sendable {
    /// Bytes of the largest untagged frame, for an MTU of 9000.
    public static let mostSize = 9_014
    /// Bytes of the largest untagged frame that is left to be segmented: as long as IP has it.
    public static let mostSegmentedSize = 65_549
    public static let mostDistinctSizes = 16
    /// An FCoE frame ends in a CRC, EOF and three reserved bytes (FC-BB-5, 7.8); the signature stands before them.
    static let fcoeTrailer = 8

    public private(set) var bytes: [UInt8]
    public let signatureOffset: Int
    /// Bytes of the VLAN tag: 4 with an 802.1Q tag, otherwise 0.
    public let tagLength: Int

    public init(_ flow: FlowPlan, size: Int, source: MACAddress, destination: MACAddress, subflow: Int, lane: FrameLane) {
        var frame = FrameBytes()
        frame.append48(destination.value)
        frame.append48(source.value)
        if flow.vlan != nil || flow.pcp != nil {
            frame.append16(0x8100)
            frame.append16(Int(flow.pcp ?? 0) << 13 | Int(flow.vlan ?? 0))
        }
        tagLength = frame.count - 12
        let end = size + tagLength
        let start = frame.count + 2
        let trailer = flow.kind == .fcoe ? Self.fcoeTrailer : 0
        signatureOffset = end - trailer - Signature.size
        frame.append16(Self.etherType(flow))
        var checksum: (field: Int, pseudo: UInt32)?
        let room = signatureOffset
        switch flow.kind {
        case .udp, .tcp, .iscsi, .nvmeTCP, .rocev2:
            checksum = Self.appendTransport(&frame, flow, lane, subflow, payloadEnd: end)
            Self.appendUpper(&frame, flow, room: room, end: end)
        case .fcoe: Self.appendFCoE(&frame)
        case .fip: Self.appendFIP(&frame)
        case .roce: Self.appendRoCE(&frame, lane, subflow, end: end)
        case .etherType: break
        }
        for offset in frame.count..<signatureOffset { frame.append(Self.filler(offset)) }
        frame.appendZeros(Signature.size)
        if trailer > 0 { frame.append(0, 0, 0, 0, 0x41, 0, 0, 0) } // EOFn
        if let checksum, flow.segment != nil {
            // Whoever cuts the frame finishes the checksums; the field holds the sum of the pseudo-header (virtio 1.2, 5.1.6.2).
            let once = (checksum.pseudo & 0xffff) + (checksum.pseudo >> 16)
            frame.set16(checksum.field, UInt16(truncatingIfNeeded: (once & 0xffff) + (once >> 16)))
        } else if let checksum {
            let transport = checksum.field - (Self.isUDP(flow.kind) ? 6 : 16)
            var sum = checksum.pseudo + frame.sum(transport..<end)
            sum = (sum & 0xffff) + (sum >> 16)
            sum = (sum & 0xffff) + (sum >> 16)
            let value = ~UInt16(truncatingIfNeeded: sum)
            frame.set16(checksum.field, value == 0 && Self.isUDP(flow.kind) ? 0xffff : value)
        }
        precondition(start <= frame.count && frame.count == end)
        bytes = frame.bytes
    }

    /// The byte that fills offset `offset` of every frame. The bytes do not repeat after a power of two, so that a shifted or lost block is noticed.
    static func filler(_ offset: Int) -> UInt8 { UInt8(truncatingIfNeeded: (offset &* 167) ^ (offset >> 7)) }

    static func isUDP(_ kind: TrafficKind) -> Bool { kind == .udp || kind == .rocev2 }

    /// Whether frames have IP addresses and transport ports.
    static func hasTransport(_ kind: TrafficKind) -> Bool {
        switch kind {
        case .udp, .tcp, .iscsi, .nvmeTCP, .rocev2: true
        case .fcoe, .fip, .roce, .etherType: false
        }
    }

    /// Bytes of the smallest untagged frame that has room for headers and signature; at least Ethernet's 60.
    package static func leastSize(_ kind: TrafficKind, ipv6: Bool) -> Int {
        let network = 14 + (ipv6 ? 40 : 20)
        let headers = switch kind {
        case .udp: network + 8
        case .tcp, .iscsi, .nvmeTCP: network + 20
        case .rocev2: network + 8 + 12
        case .fcoe: 14 + 14 + 24 + fcoeTrailer
        case .fip: 14 + 10
        case .roce: 14 + 40 + 12
        case .etherType: 14
        }
        return max(60, headers + Signature.size)
    }

    static func etherType(_ flow: FlowPlan) -> Int {
        switch flow.kind {
        case .fcoe: 0x8906
        case .fip: 0x8914
        case .roce: 0x8915
        case .etherType(let type): Int(type)
        default: flow.ipv6 ? 0x86dd : 0x0800
        }
    }
}

/// The two of the scenario's ports between which a frame goes; its addresses follow from them.
public struct FrameLane: Equatable, Sendable {
    public var source: Int
    public var destination: Int
    public init(source: Int, destination: Int) { self.source = source; self.destination = destination }

    /// The IPv4 address 10.PORT.x.y. When the sub-flows have used all source ports of one address, they take the next one, counting up from 10.PORT.0.1.
    static func ipv4(_ port: Int, _ host: Int) -> UInt32 { 10 << 24 | UInt32(port + 1) << 16 | UInt32(host + 1) & 0xffff }
    /// Appends the IPv6 address fd00::PORT:HOST, a unique local address (RFC 4193).
    static func appendIPv6(_ frame: inout FrameBytes, _ port: Int, _ host: Int) {
        frame.append(0xfd)
        frame.appendZeros(11)
        frame.append16(port + 1)
        frame.append16(host + 1)
    }
}
