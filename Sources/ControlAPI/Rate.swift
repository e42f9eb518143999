/// A measured rate, of Ethernet frames without FCS.
public struct Rate: Codable, Equatable, Sendable {
    /// In bit/s.
    public var bits: UInt64
    /// In packets per second.
    public var packets: UInt64
    public init(bits: UInt64 = 0, packets: UInt64 = 0) { self.bits = bits; self.packets = packets }
}

/// What of a frame is counted where a rate is shown, as people who compare figures often mean different ones.
public enum Layer: String, CaseIterable, Sendable {
    /// What TCP over IPv4 carries in it, as iperf3 tells: without the 14 bytes of Ethernet's header, 20 of IPv4's, and 32 of TCP's with time stamps.
    case payload
    /// The Ethernet frame without FCS, as all counters have it.
    case l2
    /// With preamble, FCS and the gap behind it: 24 bytes more (IEEE 802.3, 4.4.2), or what a link's speed has room for.
    case wire

    private var bytesMore: Int64 {
        switch self {
        case .payload: -66
        case .l2: 0
        case .wire: 24
        }
    }

    /// The bit/s of this layer.
    public func bits(_ rate: Rate) -> UInt64 {
        let more = Int64(clamping: rate.packets).multipliedReportingOverflow(by: bytesMore * 8).partialValue
        return UInt64(max(0, Int64(clamping: rate.bits) + more))
    }
}
