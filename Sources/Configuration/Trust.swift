import Packet

/// Which mark of a frame that comes in by a port says its priority.
public enum TrustMode: String, Equatable, Sendable, CaseIterable {
    /// None: the frame's protocol decides.
    case none
    /// The PCP of its outer tag; of frames without a tag, the protocol decides.
    case pcp
    /// Its DSCP; of frames that are not IP, the protocol decides.
    case dscp
}

extension ProtocolSettings {
    /// The row for frames whose port is trusted to say their priority, if their protocol has another one.
    static func ofPriority(_ priority: Int) -> ProtocolSettings { ProtocolSettings(name: nameOfPriority(priority), matches: [], pcp: priority) }

    /// The row's name.
    public static func nameOfPriority(_ priority: Int) -> String { "priority-\(priority)" }

    static let namesOfPriorities = (0..<8).map(nameOfPriority)
}

extension Model {
    /// Whether some port is trusted to say the priorities of frames. Then the protocol table has a row for each priority.
    public var hasTrust: Bool { ports.contains { $0.trust != .none } }
}

extension Field<PortDraft> {
    static var trust: [Field] {
        [
            .choice("trust", \.trust, standard: .none, help: "which mark of frames that come in says their priority: none (their protocol does), pcp, or dscp"),
            .list("dscp-prio", \.dscpPriorities, of: .dscp, example: "[26:3]", help: "priorities of DSCPs with trust: dscp; by default RFC 8325's"),
        ]
    }
}
