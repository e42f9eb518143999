/// Everything an operator can configure: one declarative document. The running state is always one `Model`;
/// a change is a second one, and what has to be done is their difference.
public struct Model: Equatable, Sendable {
    public var daemon = DaemonSettings()
    public var bridges: [BridgeSettings] = []
    public var ports: [PortSettings] = []
    public var groups: [GroupSettings] = []
    public var guests: [GuestSettings] = []
    /// The operator's own rows and changes to the built-in ones; the built-in rows are `ProtocolSettings.builtIn`.
    public var protocols: [ProtocolSettings] = []
    public var filters: [FilterSettings] = []
    public var mirrors: [MirrorSettings] = []

    public init() {}
}
