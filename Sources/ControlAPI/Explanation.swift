extension Methods {
    /// What would happen to a frame that comes in by a port. Nothing is learned, counted or sent.
    public static let frameExplain = Method<ExplainParams, Explanation>("frame.explain", .shows)
}

/// The parameters of `frame.explain`.
public struct ExplainParams: Codable, Sendable {
    /// The port that the frame comes in by.
    public var port: String
    /// The frame without FCS, in hexadecimal digits.
    public var frame: String
    public init(port: String, frame: String) { self.port = port; self.frame = frame }

    /// The most bytes of a frame.
    static let longest = 65_535

    /// The frame's bytes.
    /// - Throws: a sentence if `frame` is no frame.
    public func bytes() throws(RPCError) -> [UInt8] {
        let digits = frame.utf8.compactMap { byte -> UInt8? in
            switch byte {
            case 0x30...0x39: byte - 0x30
            case 0x41...0x46: byte - 0x37
            case 0x61...0x66: byte - 0x57
            default: nil
            }
        }
        guard digits.count == frame.utf8.count, digits.count % 2 == 0, !digits.isEmpty, digits.count <= 2 * Self.longest else {
            throw RPCError(RPCError.invalidParams, "'frame' of frame.explain is 1 to \(Self.longest) bytes in hexadecimal digits, two for each byte")
        }
        return stride(from: 0, to: digits.count, by: 2).map { digits[$0] << 4 | digits[$0 + 1] }
    }
}

/// What would happen to a frame, in the order in which it would.
public struct Explanation: Codable, Equatable, Sendable {
    /// A filter that was asked.
    public struct Filtering: Codable, Equatable, Sendable {
        /// nil: the port's own `addresses` or guards.
        public var filter: String?
        /// The rule that decided, as it is written.
        public var rule: String
        public init(filter: String?, rule: String) { self.filter = filter; self.rule = rule }
    }

    /// What FIP snooping makes of a frame.
    public struct Snooping: Codable, Equatable, Sendable {
        /// `passes`, `asks`, `claims`, `grants`, `ends`, `renews` or `granted`; or why it may not pass: `not_granted`, `taken`, `cannot_be_claimed`, `no_room`,
        /// `forwarders_only`, `unknown`, `malformed`, `wrong_source`, `wrong_destination` or `wrong_protocol`; or `busy`, if it could not be judged.
        public var verdict = ""
        /// The same as a sentence.
        public var sentence = ""
        /// The address of Fibre Channel that the frame is about.
        public var address: String?
        /// Who has that address when the frame has passed or was dropped; nil: nobody.
        public var grant: FIPGrantStatus?
        public init() {}
    }

    /// A port that the frame would leave by.
    public struct Exit: Codable, Equatable, Sendable {
        public var port = ""
        public var guest: String?
        public var tree = ""
        /// The path of the class that it would wait in; nil: it would not get that far.
        public var `class`: String?
        /// The class's id.
        public var id: UInt16?
        public var filtering: [Filtering] = []
        /// What would be done to its tag: `none`, `push`, `pop` or `rewrite`, and the tag that is written.
        public var action = "none"
        public var vlan: Int?
        public var pcp: Int?
        /// Why it would not leave after all, as in the counters; nil: it would.
        public var drop: String?
        /// What would hold it now, as sentences; empty: it would leave at once.
        public var holds: [String] = []
        public init() {}
    }

    public var port = ""
    public var bridge = ""
    public var length = 0
    /// The VLAN that the frame is in; nil: its bridge has none, or it would not enter.
    public var vlan: Int?
    public var guest: String?
    public var `protocol`: String?
    /// nil: FIP snooping does not look at it.
    public var fip: Snooping?
    public var filtering: [Filtering] = []
    /// Why it would not be forwarded to anybody, as in the counters; nil: it would.
    public var drop: String?
    /// For `spoofed_source`, whose the source address is, as a sentence.
    public var owner: String?
    /// Whether it goes to all ports of its bridge or VLAN that take it, or only to those that have joined its group.
    public var flooded = false
    public var followsGroup = false
    public var exits: [Exit] = []
    public init() {}
}
