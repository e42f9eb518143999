/// What a received frame was to the snooper.
public enum Verdict: Equatable, Sendable {
    /// A report of memberships; RFC 4541, 2.1.1, has it forwarded only to ports with routers.
    case report
    /// A leave or done message; forwarded as reports are.
    case leave
    /// A query; forwarded to all ports of the VLAN.
    case query
    /// Another sign of a router: PIM hello or the advertisement of RFC 4286.
    case router
    /// Nothing for the snooper, or a message that must have no effect.
    case ignored(Ignored)
    /// Against its protocol; no part of it took effect.
    case malformed(Malformed)
    /// A report of which at least one new group was more than a limit allows. The rest took effect.
    case refused(Limit)

    public enum Ignored: String, Hashable, Sendable, CaseIterable {
        /// The snooper does not know the port in this VLAN.
        case unknownPort
        /// Not to a group MAC address, or to all.
        case notMulticast
        /// Neither IGMP, MLD, a PIM hello nor a router's advertisement.
        case otherProtocol
        /// A fragment.
        case fragment
        /// Sent by this bridge: it came back over a loop.
        case own
        /// TTL or hop limit is not 1 (RFC 2236, 2; RFC 3376, 4; RFC 2710, 3; RFC 3810, 5), so another link may have sent it.
        case hopLimit
        /// The source of an MLD message or of an IPv6 PIM hello is not link-local (RFC 3810, 5.1.14 and 5.2.13).
        case source
        /// A message of an unknown type (RFC 3376, 4).
        case unknownType
        /// Only of groups that are never registered.
        case reservedGroup
    }

    public enum Malformed: String, Hashable, Sendable, CaseIterable {
        /// A header or message that ends too early.
        case truncated
        /// A version or length that cannot be in the IP header.
        case header
        case ipChecksum
        /// Of the IGMP, ICMPv6 or PIM message.
        case checksum
        /// A message's length that its type cannot have.
        case length
        /// A group that is not multicast, or a general query that is not to all hosts.
        case group
        /// A record or a source list that goes past the message's end.
        case record
    }

    public enum Limit: String, Hashable, Sendable, CaseIterable {
        /// `SnoopingSettings.groupLimit`.
        case groupsOfBridge
        /// `PortSnooping.groupLimit` or `SnoopingSettings.portGroupLimit`.
        case groupsOfPort
    }
}

/// How many frames (and of refusals: groups) there were of each kind since the snooper was made.
public struct SnoopingCounters: Equatable, Sendable {
    public var reports: UInt64 = 0
    public var leaves: UInt64 = 0
    public var queries: UInt64 = 0
    public var routerSigns: UInt64 = 0
    public var queriesSent: UInt64 = 0
    public var ignored: [Verdict.Ignored: UInt64] = [:]
    public var malformed: [Verdict.Malformed: UInt64] = [:]
    /// Groups refused.
    public var refused: [Verdict.Limit: UInt64] = [:]

    public init() {}
}

/// A frame to send: a query.
public struct Outgoing: Equatable, Sendable {
    /// The whole Ethernet frame, untagged, without frame check sequence, of at least 60 bytes.
    public var frame: [UInt8]
    public var vlan: UInt16
    /// nil: all ports of the VLAN.
    public var port: UInt16?
}
