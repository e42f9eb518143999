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
    /// Of a host, IPv4.
    fileprivate static var querierAddress: Self {
        ValueKind(
            takes: .text(.ipv4),
            read: { element, problems in
                guard let text = problems.text(element, example: "192.0.2.1") else { return nil }
                guard let address = IPPrefix(text), address.isIPv4, address.length == 32, !(224...255).contains(address.bytes[0]) else {
                    problems.add(element, "'\(text)' is no IPv4 address of a host: write one such as 192.0.2.1")
                    return nil
                }
                return address
            },
            write: { .text($0.description) })
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

    mutating func checkSnooping(of port: PortSettings, _ path: String) {
        let snooping = port.rules.snooping
        if snooping == PortSnooping() { return }
    }
}
