/// What FIP snooping makes of a frame of FIP or FCoE. The first cases may pass, the others not.
public enum FIPVerdict: UInt8, CaseIterable, Sendable {
    /// It is none that snooping looks at.
    case isOther
    /// Nothing follows from it.
    case passes
    /// A node asks a forwarder for an address, or gives one up: the answer decides.
    case asks
    /// A node without a forwarder has the address from now on.
    case claims
    /// A forwarder grants the address.
    case grants
    /// Addresses end: a logout was accepted, or the forwarder has cleared links.
    case ends
    /// Who has the address is still there.
    case renews
    /// An FCoE frame from an address that the port has.
    case isGranted

    /// It comes from, or speaks for, an address that the port does not have.
    case notGranted
    /// A node claims an address that another port has.
    case isTaken
    /// What a node claims is not one address of its own, of those that nodes may claim.
    case cannotBeClaimed
    /// The port, or the bridge, has as many addresses as it may have.
    case hasNoRoom
    /// Only forwarders say this.
    case isForwarders
    /// No node says this, or FIP does not know it.
    case isUnknown
    /// It ends too early, or contradicts itself.
    case isMalformed
    /// An FCoE frame that does not come from an address of Fibre Channel.
    case isFromElsewhere
    /// An FCoE frame to somebody whom this node does not talk to: nodes with a forwarder talk to it alone, and nodes without one to each other.
    case isForElsewhere
    /// A frame of another protocol from an address of Fibre Channel.
    case isAnotherProtocol
    /// Other threads have changed the grants all the time.
    case cannotBeJudged

    /// Whether the frame may pass.
    public var mayPass: Bool { @inline(__always) @_noLocks get { rawValue < Self.notGranted.rawValue } }

    /// The name for programs.
    public var name: String {
        switch self {
        case .isOther: "other"
        case .passes: "passes"
        case .asks: "asks"
        case .claims: "claims"
        case .grants: "grants"
        case .ends: "ends"
        case .renews: "renews"
        case .isGranted: "granted"
        case .notGranted: "not_granted"
        case .isTaken: "taken"
        case .cannotBeClaimed: "cannot_be_claimed"
        case .hasNoRoom: "no_room"
        case .isForwarders: "forwarders_only"
        case .isUnknown: "unknown"
        case .isMalformed: "malformed"
        case .isFromElsewhere: "wrong_source"
        case .isForElsewhere: "wrong_destination"
        case .isAnotherProtocol: "wrong_protocol"
        case .cannotBeJudged: "busy"
        }
    }
}

/// An address that a node was granted or has claimed. Times are in ns.
public struct FIPGrant: Equatable, Sendable {
    public var address: UInt64
    public var vlan: UInt16
    public var port: UInt16
    /// The address of the node itself.
    public var node: UInt64
    /// The forwarder that granted the address; nil: the node has claimed it (VN2VN).
    public var forwarder: UInt64?
    /// How long the node has had it, and how long it keeps it if it is not renewed.
    public var age: UInt64
    public var timeLeft: UInt64
}
