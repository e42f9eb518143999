import Packet

/// Who listens to which multicast group behind which port of a bridge, told from IGMP (RFC 1112, 2236, 3376) and MLD (RFC 2710, 3810)
/// as RFC 4541 and the kernel's bridge (net/bridge/br_multicast.c) do it, and the bridge's own querier.
///
/// Frames and times go in, decisions and queries come out: it has no clock and does no input or output. Times are nanoseconds of any
/// clock that never goes back. It is for one bridge; each VLAN has its own memberships, routers and queriers. What is forwarded is a
/// matter of VLAN and group, whatever the source.
///
/// How forwarding uses it: while `hasQuerier(vlan:family:)` is false, all groups go to all ports. Otherwise a group goes to its
/// `membership` and to `routerPorts`, one that nobody is a member of goes to `routerPorts` alone, and groups that are never registered
/// (`GroupAddress.isNeverRegistered`) go to all ports. All of this stays as it is while `version` does.
public struct GroupSnooper: Sendable {
    public internal(set) var settings: SnoopingSettings
    public let mac: MACAddress
    public internal(set) var counters = SnoopingCounters()
    /// Grows whenever `membership`, `routerPorts` or `hasQuerier` change.
    public internal(set) var version: UInt64 = 0

    public init(settings: SnoopingSettings, mac: MACAddress, now: UInt64) {
        self.settings = settings
        self.mac = mac
    }

    /// Changes the settings. What is known stays; deadlines set before stay as they are.
    public mutating func set(_ settings: SnoopingSettings, now: UInt64) {}

    /// Tells of a port that is up, or how it takes part from now on. nil: the port is gone or down; what was learned by it is forgotten.
    public mutating func set(port: UInt16, _ snooping: PortSnooping?, now: UInt64) {}

    /// Tells which VLANs there are and which ports are in each; a bridge without VLANs has VLAN 0 with all its ports. What is known of
    /// other VLANs, or of ports that are no longer in one, is forgotten. Until this is called there are none.
    public mutating func set(vlans: [UInt16: Set<UInt16>], now: UInt64) {}

    /// Takes a whole Ethernet frame with up to two tags that came in by `port` and belongs to `vlan`. Queries that it leads to are due at
    /// once: see `nextDeadline`.
    public mutating func receive(_ frame: [UInt8], port: UInt16, vlan: UInt16, now: UInt64) -> Verdict { .ignored(.otherProtocol) }

    /// Lets time pass: what is due up to `now` ends, and the queries due are returned.
    public mutating func advance(to now: UInt64) -> [Outgoing] { [] }

    /// When to call `advance(to:)` next; nil: nothing is due ever. It may be early (a membership may have been renewed meanwhile), never late.
    public var nextDeadline: UInt64? { nil }

    /// All groups that have members, in no particular order.
    public var membership: [GroupPorts] { [] }

    /// The ports that listen to a group, ascending.
    public func ports(of group: GroupAddress, vlan: UInt16) -> [UInt16] { [] }

    /// The ports of a VLAN with routers behind them, ascending.
    public func routerPorts(vlan: UInt16, family: GroupFamily) -> [UInt16] { [] }

    /// Whether memberships can be relied upon: somebody asks, and hosts have had the time to answer (br_multicast_querier_exists).
    public func hasQuerier(vlan: UInt16, family: GroupFamily) -> Bool { false }

    /// All memberships, by VLAN, group and port.
    public func memberships(now: UInt64) -> [MembershipEntry] { [] }

    /// All ports with routers, by VLAN, family and port.
    public func routers(now: UInt64) -> [RouterEntry] { [] }

    /// The queriers of each VLAN, by VLAN and family.
    public func queriers(now: UInt64) -> [QuerierEntry] { [] }
}
