extension Methods {
    /// The addresses of Fibre Channel that nodes have, on bridges with a port that has `fip-snooping`.
    public static let fipShow = Method<FDBParams, [FIPGrantStatus]>("fip.show", .shows)
}

/// An address of Fibre Channel that a node was granted or has claimed by FIP.
public struct FIPGrantStatus: Codable, Equatable, Sendable {
    public var bridge = ""
    public var port = ""
    public var guest: String?
    public var vlan: Int?
    /// What FCoE frames come from: 0e:fc:xx if a forwarder (FCF) granted it, 0e:fd:00 if the node has claimed it (VN2VN).
    public var address = ""
    /// The node's own address.
    public var node = ""
    /// The forwarder that granted the address; nil: the node has claimed it.
    public var fcf: String?
    /// Seconds since then, and seconds until it ends if it is not renewed.
    public var age: Double = 0
    public var timeLeft: Double = 0
    public init() {}
}
