import Packet

/// The priority that frames of an application are to have (IEEE 802.1Q-2014, D.2.12).
public struct ApplicationPriority: Hashable, Sendable {
    /// By what frames of the application are known.
    public enum Selector: UInt8, Sendable, CaseIterable {
        /// An EtherType; 0 stands for all frames that no other entry matches.
        case etherType = 1
        /// A port of TCP or SCTP.
        case stream
        /// A port of UDP or DCCP.
        case datagram
        /// A port of any of these.
        case anyPort
        /// A differentiated services code point.
        case dscp
    }

    public var selector: Selector
    public var identifier: UInt16
    /// The priority code point, 0 to 7.
    public var priority: UInt8

    public init(_ selector: Selector, _ identifier: UInt16, priority: UInt8) {
        self.selector = selector
        self.identifier = identifier
        self.priority = priority & 7
    }

    /// Reads an entry; nil if its selector is reserved or its identifier is impossible.
    init?(_ octets: Octets) {
        guard let selector = Selector(rawValue: octets.byte(0) & 7) else { return nil }
        self.init(selector, octets.bigEndian16(1), priority: octets.byte(0) >> 5)
        switch selector {
        // Numbers from 1 to 1535 are no EtherTypes but lengths.
        case .etherType: if 1..<1_536 ~= identifier { return nil }
        case .dscp: if identifier > 63 { return nil }
        case .stream, .datagram, .anyPort: break
        }
    }

    var octets: [UInt8] { [priority << 5 | selector.rawValue, UInt8(identifier >> 8), UInt8(identifier & 0xff)] }

    /// Whether two entries are about the same frames.
    func isAboutSame(as other: ApplicationPriority) -> Bool { selector == other.selector && identifier == other.identifier }
}

extension [ApplicationPriority] {
    /// The priority that the entries give to what a row of the protocol table matches; nil: none. Of several matches of a row, the first with an entry decides,
    /// so a row of TCP ports 3260 and 860 has the priority of (stream, 3260) even if 860 has another.
    public func priority(of matches: [ProtocolTable.Match]) -> UInt8? {
        for match in matches { if let priority = priority(of: match) { return priority } }
        return nil
    }

    /// The priority of all frames that no other entry matches; nil: none.
    public var standardPriority: UInt8? { first { $0.selector == .etherType && $0.identifier == 0 }?.priority }

    private func priority(of match: ProtocolTable.Match) -> UInt8? {
        func priority(_ selector: ApplicationPriority.Selector, _ range: ClosedRange<UInt16>) -> UInt8? {
            first { $0.selector == selector && range.contains($0.identifier) }?.priority
        }
        switch match {
        case .etherType(let type): return priority(.etherType, type...type)
        case .tcp(let port): return priority(.stream, port...port) ?? priority(.anyPort, port...port)
        case .udp(let port): return priority(.datagram, port...port) ?? priority(.anyPort, port...port)
        case .tcpRange(let ports): return priority(.stream, ports) ?? priority(.anyPort, ports)
        case .udpRange(let ports): return priority(.datagram, ports) ?? priority(.anyPort, ports)
        case .dscp(let dscp): return priority(.dscp, UInt16(dscp)...UInt16(dscp))
        case .pcp: return nil
        }
    }
}
