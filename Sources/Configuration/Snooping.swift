import Filters

/// How a bridge follows who has joined which groups (IGMP and MLD snooping, RFC 4541), in the words of bridge(8) and ip-link(8).
public struct SnoopingSettings: Equatable, Sendable {
    /// Frames for a group go to its members and to routers only; off: to every port.
    public var isOn = false
    /// Whether the bridge itself asks for members.
    public var querier = QuerierMode.auto
    /// The IPv4 address that it asks from; nil: 0.0.0.0, from which it does not take part in elections (RFC 4541, 2.1.1).
    public var querierAddress: IPPrefix?
    /// Most groups of the bridge, over all VLANs.
    public var maxGroups = 4_096

    public init() {}
}

/// Who asks the hosts of a bridge for the groups they are in.
public enum QuerierMode: String, Equatable, Sendable, CaseIterable {
    /// A router or another switch does, or else groups are not followed.
    case off
    /// The bridge does, whoever else does.
    case on
    /// The bridge does as long as nobody else does.
    case auto
}

/// What a port has to do with groups.
public struct PortSnooping: Equatable, Sendable {
    /// A port that leaves a group leaves it at once: behind it is one host.
    public var fastLeave = false
    public var router = RouterMode.auto
    /// Most groups joined behind it; nil: as many as its bridge may have.
    public var maxGroups: Int?

    public init() {}
}

/// Whether a multicast router is behind a port, which gets the frames of all groups then.
public enum RouterMode: String, Equatable, Sendable, CaseIterable {
    /// If queries, PIM hellos or router advertisements come in by it.
    case auto
    case never, always
}

extension SnoopingSettings {
    static let groupLimits = 1...32_768
}

extension Field<BridgeSettings> {
    static var snooping: [Field] {
        let standard = SnoopingSettings()
        return [
            .flag("mcast-snooping", \.snooping.isOn, standard: false),
            Field(
                key: "mcast-querier", unset: { $0.snooping.querier = standard.querier },
                read: { if let value = $2.choice($1, QuerierMode.self) { $0.snooping.querier = value } },
                write: { $0.snooping.querier == standard.querier ? nil : .text($0.snooping.querier.rawValue) }),
            Field(
                key: "mcast-querier-address", unset: { $0.snooping.querierAddress = nil },
                read: { bridge, element, problems in
                    guard let text = problems.text(element, example: "192.0.2.1") else { return }
                    guard let address = IPPrefix(text), address.isIPv4, address.length == 32, !(224...255).contains(address.bytes[0]) else {
                        problems.add(element, "'\(text)' is no IPv4 address of a host: write one such as 192.0.2.1")
                        return
                    }
                    bridge.snooping.querierAddress = address
                },
                write: { $0.snooping.querierAddress.map { .text($0.description) } }),
            .integer("mcast-max-groups", \.snooping.maxGroups, SnoopingSettings.groupLimits, standard: standard.maxGroups),
        ]
    }
}

extension Field<PortDraft> {
    static var snooping: [Field] {
        let standard = PortSnooping()
        return [
            .flag("mcast-fast-leave", \.rules.snooping.fastLeave, standard: false),
            Field(
                key: "mcast-router", unset: { $0.rules.snooping.router = standard.router },
                read: { if let value = $2.choice($1, RouterMode.self) { $0.rules.snooping.router = value } },
                write: { $0.rules.snooping.router == standard.router ? nil : .text($0.rules.snooping.router.rawValue) }),
            .optionalInteger("mcast-max-groups", \.rules.snooping.maxGroups, SnoopingSettings.groupLimits),
        ]
    }
}

extension Validator {
    mutating func checkSnooping(of bridge: BridgeSettings, _ path: String) {
        let snooping = bridge.snooping
        if snooping == SnoopingSettings() { return }
        checkInteger(snooping.maxGroups, SnoopingSettings.groupLimits, path + ".mcast-max-groups")
        if snooping.querier == .off, snooping.querierAddress != nil {
            add(path + ".mcast-querier-address", "a bridge with mcast-querier off asks nobody: leave mcast-querier-address out, or write mcast-querier: auto")
        }
    }

    mutating func checkSnooping(of port: PortSettings, _ path: String) {
        let snooping = port.rules.snooping
        if snooping == PortSnooping() { return }
        checkInteger(snooping.maxGroups, SnoopingSettings.groupLimits, path + ".mcast-max-groups")
    }
}
