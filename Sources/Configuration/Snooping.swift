import Filters

/// How a bridge follows which hosts have joined which groups (IGMP and MLD snooping, RFC 4541). Names are those of bridge(8) and ip-link(8).
public struct SnoopingSettings: Equatable, Sendable {
    /// Whether frames to a group go only to its members and to routers; if not, they go to every port.
    public var isOn = false
    /// Whether the bridge itself queries hosts for their groups.
    public var querier = QuerierMode.auto
    /// The IPv4 address that the bridge's queries come from; nil: 0.0.0.0, with which it takes no part in querier elections (RFC 4541, 2.1.1).
    public var querierAddress: IPPrefix?
    /// The most groups that the bridge follows, over all VLANs.
    public var maxGroups = 4_096

    public init() {}
}

/// Whether the bridge queries its hosts for the groups that they have joined.
public enum QuerierMode: String, Equatable, Sendable, CaseIterable {
    /// The bridge never does. If no router and no other switch does either, groups are not followed.
    case off
    /// The bridge always does, even if somebody else does too.
    case on
    /// The bridge does as long as nobody else does.
    case auto
}

/// How a port takes part in snooping.
public struct PortSnooping: Equatable, Sendable {
    /// When a host leaves a group, the port leaves it at once, without a query to others; for ports with a single host behind them.
    public var fastLeave = false
    public var router = RouterMode.auto
    /// The most groups that may be joined behind the port; nil: as many as its bridge may have.
    public var maxGroups: Int?

    public init() {}
}

/// Whether a multicast router is behind a port. Such a port gets the frames to all groups.
public enum RouterMode: String, Equatable, Sendable, CaseIterable {
    /// A router is assumed while queries, PIM hellos or multicast router advertisements come in by the port.
    case auto
    case never, always
}

extension Field<BridgeSettings> {
    static var snooping: [Field] {
        let standard = SnoopingSettings()
        return [
            .flag("mcast-snooping", \.snooping.isOn, standard: standard.isOn, help: "frames for a group go to its members and to routers only"),
            .choice("mcast-querier", \.snooping.querier, standard: standard.querier, help: "whether the bridge asks for members; auto: as long as nobody else does"),
            .optional("mcast-querier-address", \.snooping.querierAddress, .querierAddress, help: "what it asks from; by default 0.0.0.0, which takes no part in elections"),
            .integer("mcast-max-groups", \.snooping.maxGroups, SnoopingSettings.groupLimits, standard: standard.maxGroups, help: "most groups, over all VLANs"),
        ]
    }
}

extension Field<PortDraft> {
    static var snooping: [Field] {
        let standard = PortSnooping()
        let rows: [Field] = [
            .flag("mcast-fast-leave", \.rules.snooping.fastLeave, standard: standard.fastLeave, help: "it leaves a group at once, as behind it is one host"),
            .choice("mcast-router", \.rules.snooping.router, standard: standard.router, help: "whether a router is behind it, which gets the frames of all groups"),
            .optionalInteger(
                "mcast-max-groups", \.rules.snooping.maxGroups, SnoopingSettings.groupLimits, help: "most groups joined behind it; by default as many as its bridge may have"),
        ]
        return rows.map(\.shown)
    }
}

extension SnoopingSettings {
    fileprivate static let groupLimits = 1...32_768
}

extension ValueKind<IPPrefix> {
    /// The IPv4 address of a host, from which queries can come.
    fileprivate static var querierAddress: Self {
        .host("IPv4 address", example: "192.0.2.1", .ipv4) { $0.isIPv4 && $0.length == 32 && !(224...255).contains($0.bytes[0]) }
    }
}

extension Validator {
    mutating func checkSnooping(of bridge: BridgeSettings, _ path: String) {
        let snooping = bridge.snooping
        if snooping == SnoopingSettings() { return }
        if snooping.querier == .off, snooping.querierAddress != nil {
            add(path + ".mcast-querier-address", "a bridge with mcast-querier off asks nobody: leave mcast-querier-address out, or write mcast-querier: auto")
        }
    }
}
