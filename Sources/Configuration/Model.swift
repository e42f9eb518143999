/// Everything that an operator can configure, in one declarative document. The running state always corresponds to one `Model`; a change is described by a
/// second one, and what has to be done is the difference of the two.
public struct Model: Equatable, Sendable {
    public var daemon = DaemonSettings()
    public var bridges: [BridgeSettings] = []
    public var ports: [PortSettings] = []
    public var groups: [GroupSettings] = []
    public var guests: [GuestSettings] = []
    /// The operator's own protocol rows and changes to built-in ones. The built-in rows themselves are `ProtocolSettings.builtIn`.
    public var protocols: [ProtocolSettings] = []
    public var filters: [FilterSettings] = []
    public var mirrors: [MirrorSettings] = []

    public init() {}
}
