extension FrameTemplate {
    /// How many source ports an address uses before further sub-flows take the next address.
    private static let portsAnAddress = 4_096
    private static let firstPort = 10_000

    static func destinationPort(_ flow: FlowPlan) -> Int {
        switch flow.kind {
        case .iscsi: 3_260 // RFC 7143
        case .nvmeTCP: 4_420 // NVMe/TCP transport
        case .rocev2: 4_791 // InfiniBand architecture, annex A17
        case .tcp: Int(flow.port ?? 5_201)
        default: Int(flow.port ?? 5_001)
        }
    }

    /// Appends the IP header and the UDP or TCP header.
    /// - Returns: the offset of the UDP or TCP checksum, and what the pseudo-header adds to it.
    static func appendTransport(
        _ frame: inout FrameBytes, _ flow: FlowPlan, _ lane: FrameLane, _ subflow: Int, payloadEnd end: Int
    ) -> (field: Int, pseudo: UInt32) {
        let udp = isUDP(flow.kind)
        let host = subflow / portsAnAddress
        let network = frame.count
        let addresses: Int
        if flow.ipv6 {
            frame.append32(6 << 28 | UInt32(flow.dscp) << 22)
            frame.append16(end - network - 40)
            frame.append(udp ? 17 : 6, 64)
            addresses = frame.count
            FrameLane.appendIPv6(&frame, lane.source, host)
            FrameLane.appendIPv6(&frame, lane.destination, 0)
        } else {
            frame.append(0x45, flow.dscp << 2)
            frame.append16(end - network)
            frame.append16(0)
            frame.append16(0x4000) // do not fragment
            frame.append(64, udp ? 17 : 6)
            frame.append16(0)
            addresses = frame.count
            frame.append32(FrameLane.ipv4(lane.source, host))
            frame.append32(FrameLane.ipv4(lane.destination, 0))
            frame.set16(network + 10, ~UInt16(truncatingIfNeeded: frame.sum(network..<frame.count)))
        }
        let transport = frame.count
        let pseudo = frame.sum(addresses..<transport) + UInt32(udp ? 17 : 6) + UInt32(end - transport)
        frame.append16(firstPort + subflow % portsAnAddress)
        frame.append16(destinationPort(flow))
        if udp {
            frame.append16(end - transport)
            frame.append16(0)
            return (transport + 6, pseudo)
        }
        frame.append32(1)
        frame.append32(1)
        frame.append(0x50, 0x18) // five words; PSH, ACK
        frame.append16(0xffff)
        frame.append16(0)
        frame.append16(0)
        return (transport + 16, pseudo)
    }

    /// Appends the protocol's own header if there is room for it. In a small frame, the signature directly follows the transport header, as if the frame were a
    /// segment in the middle of a message.
    static func appendUpper(_ frame: inout FrameBytes, _ flow: FlowPlan, room: Int, end: Int) {
        let payload = end - frame.count
        switch flow.kind {
        case .rocev2: appendBTH(&frame)
        case .iscsi where frame.count + 48 <= room:
            // A SCSI Data-Out PDU (RFC 7143, 11.7), without padding.
            frame.append(0x05, 0x80, 0, 0, 0)
            frame.append(UInt8(truncatingIfNeeded: (payload - 48) >> 16))
            frame.append16((payload - 48) & 0xffff)
            frame.appendZeros(8)
            frame.append32(1)
            frame.append32(0xffff_ffff)
            frame.appendZeros(24)
        case .nvmeTCP where frame.count + 24 <= room:
            // An H2CData PDU (NVMe/TCP transport, 3.6.2.10): a header of 24 bytes, directly followed by data.
            frame.append(0x06, 0x04, 24, 24)
            frame.append16((payload & 0xff) << 8 | payload >> 8 & 0xff)
            frame.append16(0)
            frame.append16(0x0100)
            frame.append16(0)
            frame.appendZeros(4)
            let data = payload - 24
            frame.append16((data & 0xff) << 8 | data >> 8 & 0xff)
            frame.appendZeros(6)
        default: break
        }
    }

    /// Appends a base transport header: UD send only, the default partition, queue pair 17.
    private static func appendBTH(_ frame: inout FrameBytes) {
        frame.append(0x64, 0)
        frame.append16(0xffff)
        frame.append32(17)
        frame.append32(0)
    }

    /// Appends a global route header, whose addresses are those of IPv6, and a base transport header (RoCE, annex A16).
    static func appendRoCE(_ frame: inout FrameBytes, _ lane: FrameLane, _ subflow: Int, end: Int) {
        frame.append32(6 << 28)
        frame.append16(end - frame.count - 2 - 34)
        frame.append(0x1b, 64)
        FrameLane.appendIPv6(&frame, lane.source, subflow)
        FrameLane.appendIPv6(&frame, lane.destination, 0)
        appendBTH(&frame)
    }

    /// Appends the FCoE header (version 0, SOFn3) and a Fibre Channel header of solicited SCSI data (FC-BB-5, 7.8; FC-FS).
    static func appendFCoE(_ frame: inout FrameBytes) {
        frame.appendZeros(13)
        frame.append(0x36)
        frame.append32(0x01_01_00_02)
        frame.append32(0x00_01_00_01)
        frame.append32(0x08_00_00_00)
        frame.append32(0)
        frame.append32(0x1000_ffff)
        frame.append32(0)
    }

    /// Appends a FIP header (version 1) of a vendor-specific operation without descriptors (FC-BB-5, 7.9).
    static func appendFIP(_ frame: inout FrameBytes) {
        frame.append(0x10, 0)
        frame.append16(0xfff8)
        frame.append(0, 1)
        frame.append16(0)
        frame.append16(0)
    }
}
