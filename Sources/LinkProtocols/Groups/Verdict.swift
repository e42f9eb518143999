/// What the snooper made of a received frame.
public enum Verdict: Equatable, Sendable {
    /// A report of memberships, which is forwarded to ports with routers only (RFC 4541, 2.1.1).
    case report
    /// A leave or done message, which is forwarded as reports are.
    case leave
    /// A query, which is forwarded to all ports of the VLAN.
    case query
    /// Another sign of a router: a PIM hello or the advertisement of RFC 4286.
    case router
    /// Not a message for the snooper, or one that must have no effect.
    case ignored(Ignored)
    /// The message violates its protocol; no part of it took effect.
    case malformed(Malformed)
    /// A report with at least one new group that exceeded a limit. The rest of it took effect.
    case refused(Limit)

    public enum Ignored: String, Hashable, Sendable, CaseIterable {
        /// The snooper does not know the port in this VLAN.
        case unknownPort
        /// The destination is not a group MAC address, or it is broadcast.
        case notMulticast
        /// Neither IGMP, MLD, a PIM hello nor a router advertisement.
        case otherProtocol
        /// An IPv4 fragment.
        case fragment
        /// The frame was sent by this bridge and came back through a loop.
        case own
        /// The TTL or hop limit is not 1 (RFC 2236, 2; RFC 3376, 4; RFC 2710, 3; RFC 3810, 5), so the message may come from another link.
        case hopLimit
        /// The source of an MLD message or an IPv6 PIM hello is not link-local (RFC 3810, 5.1.14 and 5.2.13).
        case source
        /// An IGMP message of an unknown type (RFC 3376, 4).
        case unknownType
        /// All groups of the message are ones that are never registered.
        case reservedGroup
    }

    public enum Malformed: String, Hashable, Sendable, CaseIterable {
        /// A header or the message ends too early.
        case truncated
        /// The IP header states an impossible version or length.
        case header
        case ipChecksum
        /// The checksum of the IGMP, ICMPv6 or PIM message is wrong.
        case checksum
        /// The message has a length that its type does not allow.
        case length
        /// A group address is not multicast, or a general query is not addressed to all hosts.
        case group
        /// A record or source list extends beyond the message's end.
        case record
    }

    public enum Limit: String, Hashable, Sendable, CaseIterable {
        /// `SnoopingSettings.groupLimit`.
        case groupsOfBridge
        /// `PortSnooping.groupLimit` or `SnoopingSettings.portGroupLimit`.
        case groupsOfPort
    }
}

/// How many frames of each kind there were since the snooper was created.
public struct SnoopingCounters: Equatable, Sendable {
    public var reports: UInt64 = 0
    public var leaves: UInt64 = 0
    public var queries: UInt64 = 0
    public var routerSigns: UInt64 = 0
    public var queriesSent: UInt64 = 0
    public var ignored: [Verdict.Ignored: UInt64] = [:]
    public var malformed: [Verdict.Malformed: UInt64] = [:]
    /// Number of groups refused, not frames.
    public var refused: [Verdict.Limit: UInt64] = [:]

    public init() {}
}

/// A frame for the bridge to send: a query.
public struct Outgoing: Equatable, Sendable {
    /// The whole Ethernet frame: untagged, without FCS, and at least 60 bytes long.
    public var frame: [UInt8]
    public var vlan: UInt16
    /// The port by which to send it; nil for all ports of the VLAN.
    public var port: UInt16?
}
