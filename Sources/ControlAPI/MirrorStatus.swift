/// A mirror: whose frames it copies, where to, and how many it did.
public struct MirrorStatus: Codable, Equatable, Sendable {
    /// Where copies go inside IP packets.
    public struct Tunnel: Codable, Equatable, Sendable {
        public var remote = ""
        public var local = ""
        /// The port that they leave by.
        public var via = ""
        public var mac = ""
        public var sourceMac = ""
        public var vlan: Int?
        /// ERSPAN: 0 to 1023.
        public var session: Int?
        public init() {}
    }

    public var name = ""
    /// One of these.
    public var port: String?
    public var guest: String?
    public var `class`: String?
    /// `in`, `out`, `inbound`, `outbound` or `both`.
    public var direction = ""
    /// nil: every frame.
    public var filter: String?
    /// Bytes of each frame that are copied; nil: all.
    public var truncate: Int?
    /// As it is written: `100mbit`, `1kpps`; nil: no limit.
    public var rate: String?
    /// One of these: a port's name, or a tunnel.
    public var to: String?
    public var gre: Tunnel?
    public var erspan: Tunnel?
    /// Copies that were queued for their port, headers of tunnels included.
    public var copied = Traffic()
    /// Frames that were not copied though they should have been, by reason; only reasons that occurred: `rate`, `no_buffer`, `queue_full`, `too_long`, `port_down`.
    public var drops: [String: UInt64] = [:]
    public init() {}
}
