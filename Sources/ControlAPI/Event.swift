extension Methods {
    /// Has events sent to the client from now on, each as a notification of the method `event` (`EventNotice`) on the same connection, between the answers to
    /// whatever else the client asks. Asking again takes the place of what was asked before.
    public static let eventsSubscribe = Method<SubscribeParams, SubscribeReply>("events.subscribe", .shows)
}

/// The parameters of `events.subscribe`.
public struct SubscribeParams: Codable, Sendable {
    /// The kinds of events that are wanted; nil: all.
    public var kinds: [String]?
    public init(kinds: [String]? = nil) { self.kinds = kinds }
}

/// The answer to `events.subscribe`: the kinds of events that are sent.
public struct SubscribeReply: Codable, Equatable, Sendable {
    public var kinds: [Event.Kind]
    public init(kinds: [Event.Kind]) { self.kinds = kinds }
}

/// Something that has happened on the switch. The log tells of the same events, in the same sentences.
public struct Event: Codable, Equatable, Sendable {
    public enum Kind: String, Codable, CaseIterable, Sendable {
        /// The carrier of a port was lost or is back, or a guest has taken its link down.
        case link
        /// A guest has connected or is gone.
        case guest
        /// A port cannot be opened, is broken, or works again.
        case port
        /// A class with frames waiting does not get its floor, or gets it again.
        case floor
        /// A port drops many frames, or has stopped to.
        case drops
        /// The configuration has changed.
        case config
        /// A poll loop does not answer, or answers again.
        case core
        /// Samples for sFlow are lost, or no more are.
        case sflow
        /// The client did not read in time, and events for it were left out: `count` tells how many.
        case lost
    }

    /// Seconds since 1970.
    public var time: Double = 0
    public var kind: Kind
    /// How important it is, in the words of syslog: `info`, `notice`, `warning` or `error`.
    public var level: String
    /// What has happened, as a sentence.
    public var text: String
    // What it is about; nil: that has no such thing.
    public var port: String?
    public var tree: String?
    /// A class's path.
    public var `class`: String?
    public var guest: String?
    /// Why frames were dropped.
    public var reason: String?
    /// Frames or events, whichever the kind is about.
    public var count: UInt64?
    /// Rates in bit/s.
    public var floor: UInt64?
    public var rate: UInt64?
    /// What was done to the configuration, such as `port add`, and the changes, one line each.
    public var change: String?
    public var lines: [String]?
    /// Who did it; nil: the daemon itself.
    public var uid: UInt32?
    public var pid: Int32?
    public var command: String?

    public init(_ kind: Kind, level: String, _ text: String) { (self.kind, self.level, self.text) = (kind, level, text) }
}

/// An event as it is sent to a client.
public struct EventNotice: Codable, Sendable {
    public var jsonrpc = "2.0"
    public var method = "event"
    public var params: Event
    public init(_ event: Event) { params = event }
}

extension Response {
    /// Tells a client that events of these kinds are sent to it from now on.
    public static func subscription(to kinds: [Event.Kind]) -> Response {
        switch reply(SubscribeReply(kinds: kinds)) {
        case .result(let text): .subscribed(Set(kinds).union([.lost]), text)
        case let other: other
        }
    }
}

extension Event.Kind {
    /// The kinds that can be asked for; a client is told in any case that it has lost events.
    public static let wanted = allCases.filter { $0 != .lost }

    /// - Parameter names: names of kinds; nil or none: all.
    /// - Throws: a sentence if a name is unknown.
    public static func named(_ names: [String]?) throws(RPCError) -> [Event.Kind] {
        guard let names, !names.isEmpty else { return wanted }
        return try names.map { (name) throws(RPCError) in
            guard let kind = Event.Kind(rawValue: name), kind != .lost else {
                throw RPCError(RPCError.invalidParams, "there are no events of kind '\(name)'; there are \(wanted.map(\.rawValue).joined(separator: ", "))")
            }
            return kind
        }
    }
}
