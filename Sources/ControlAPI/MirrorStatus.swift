extension Methods {
    public static let mirrorShow = Method<NameParams, [MirrorStatus]>("mirror.show", .shows)
}

/// A mirror: whose frames it copies, where the copies go, and how many there were.
public struct MirrorStatus: Codable, Equatable, Sendable {
    /// The tunnel in whose IP packets the copies are sent.
    public struct Tunnel: Codable, Equatable, Sendable {
        public var remote = ""
        public var local = ""
        /// The port by which the packets leave.
        public var via = ""
        public var mac = ""
        public var sourceMac = ""
        public var vlan: Int?
        /// ERSPAN's session, 0 to 1023.
        public var session: Int?
        public init() {}
    }

    public var name = ""
    /// What is mirrored: exactly one of these is set.
    public var port: String?
    public var guest: String?
    public var `class`: String?
    /// `in`, `out`, `inbound`, `outbound` or `both`.
    public var direction = ""
    /// Which frames are copied, as a pcap expression; nil: every frame.
    public var filter: String?
    /// The number of bytes copied of each frame; nil: all of them.
    public var truncate: Int?
    /// The highest rate of the copies as it is written, such as `100mbit` or `1kpps`; nil: no limit.
    public var rate: String?
    /// Where the copies go: exactly one of these is set, a port's name or a tunnel.
    public var to: String?
    public var gre: Tunnel?
    public var erspan: Tunnel?
    /// Copies that were queued for their port. Bytes include the headers of tunnels.
    public var copied = Traffic()
    /// Frames that should have been copied and were not, by reason: `rate`, `no_buffer`, `queue_full`, `too_long`, `port_down`. Only reasons that occurred are
    /// listed.
    public var drops: [String: UInt64] = [:]
    public init() {}
}
