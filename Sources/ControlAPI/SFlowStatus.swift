extension Methods {
    public static let sflowShow = Method<NoParams, SFlowStatus>("sflow.show", .shows)
}

/// What is sampled for sFlow, and what was sent of it since the daemon started.
public struct SFlowStatus: Codable, Equatable, Sendable {
    /// A port as the collector knows it.
    public struct Port: Codable, Equatable, Sendable {
        public var port: String
        public var ifIndex: Int
        /// Frames that came in by the port since sampling began, samples that were taken of them, and samples that were lost because they were not fetched in
        /// time.
        public var frames: UInt64 = 0
        public var samples: UInt64 = 0
        public var noRoom: UInt64 = 0
        public init(port: String, ifIndex: Int) { (self.port, self.ifIndex) = (port, ifIndex) }
    }

    /// Where datagrams are sent; nil: nothing is sampled.
    public var collector: String?
    /// The address by which the collector knows this switch; nil: it is not known yet.
    public var agent: String?
    /// One frame of so many is sampled; seconds from one sample of a port's counters to the next; and the most bytes of a frame that a sample has.
    public var sampling = 0
    public var polling = 0
    public var header = 0
    /// Samples of frames and of counters in datagrams that were sent.
    public var samples: UInt64 = 0
    public var counterSamples: UInt64 = 0
    public var datagrams: UInt64 = 0
    /// Samples that were lost, by reason: `no_room`, `not_sent`, `refused`. Only reasons that occurred are listed.
    public var lost: [String: UInt64] = [:]
    /// Why nothing can be sent, or nothing arrives; nil: nothing is known to be wrong.
    public var problem: String?
    public var ports: [Port] = []
    public init() {}
}
