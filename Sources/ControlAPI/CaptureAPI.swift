import Configuration

extension Methods {
    /// Captures frames. Behind the answer the connection carries lines, `CaptureNotice`s, each followed by as many bytes of a pcapng file as it says, and at
    /// the end one `CaptureEnd`; then it is closed. The client ends the capture by closing its sending side, or by going away.
    public static let captureStart = Method<CaptureParams, CaptureReply>("capture.start", .changes)
}

/// The parameters of `capture.start`.
public struct CaptureParams: Codable, Sendable {
    public enum Kind: String, Codable, CaseIterable, Sendable { case guest, port, `class` }
    public enum Direction: String, Codable, CaseIterable, Sendable { case `in`, out, both }

    /// A guest, a port, or a class with all below it (its path or the end of it).
    public var name: String
    /// Which of them it is; nil: the first of these that has the name.
    public var kind: Kind?
    /// An expression of pcap-filter(7); nil: all frames.
    public var expression: String?
    /// `in`: what comes in by the port, from the guest, or the classes of traffic from guests; `out`: what leaves by the port, goes to the guest, or the
    /// classes of traffic towards guests; nil: both.
    public var direction: Direction?
    /// If true, frames that leave are captured before they wait in their class, otherwise after it.
    public var before: Bool?
    /// If true, only dropped frames are captured.
    public var dropped: Bool?
    /// Bytes of each frame that are kept at most, from 64.
    public var snaplen: Int?
    /// The capture ends after so many frames, or so many seconds; nil: when the client ends it.
    public var count: Int?
    public var seconds: Double?
    /// The most frames a second, 1 to 10 000 000; nil: 100 000.
    public var rate: Int?

    public init(name: String) { self.name = name }

    /// The least of `snaplen`: a record has at least all headers that most expressions are about.
    public static let leastBytes = 64
    public static let mostBytes = 65_535

    /// - Throws: a sentence if a number is out of its range.
    public func check() throws(RPCError) {
        func refuse(_ sentence: String) -> RPCError { RPCError(RPCError.invalidParams, sentence) }
        if let snaplen, !(Self.leastBytes...Self.mostBytes ~= snaplen) {
            throw refuse("snaplen is \(Self.leastBytes) to \(Self.mostBytes) bytes, not \(snaplen)")
        }
        if let count, count < 1 { throw refuse("count is a number of frames from 1, not \(count)") }
        if let seconds, !(seconds > 0 && seconds <= 86_400 * 365) { throw refuse("seconds is more than 0 and at most a year, not \(seconds)") }
        if let rate, !(1...10_000_000 ~= rate) { throw refuse("rate is 1 to 10000000 frames a second, not \(rate)") }
    }
}

/// The answer to `capture.start`.
public struct CaptureReply: Codable, Equatable, Sendable {
    /// What is captured, such as `guest vm1`.
    public var what: String
    public init(what: String) { self.what = what }
}

/// The line in front of a piece of the pcapng file.
public struct CaptureNotice: Codable, Equatable, Sendable {
    public struct Params: Codable, Equatable, Sendable {
        /// How many bytes of the file follow the line.
        public var bytes: Int
    }
    public var jsonrpc = "2.0"
    public var method = "capture"
    public var params: Params
    public init(bytes: Int) { params = Params(bytes: bytes) }
}

/// The last line of a capture.
public struct CaptureEnd: Codable, Equatable, Sendable {
    public struct Params: Codable, Equatable, Sendable {
        /// Frames in the file.
        public var frames: UInt64 = 0
        /// Frames that the capture was meant to have, and how many of them were not captured, as sentences say why.
        public var matched: UInt64 = 0
        public var lost: [Loss] = []
        /// Why the daemon has ended the capture, such as `guest vm1 was deleted`; nil: the client has, or it has all that it was meant to have.
        public var reason: String?
        public init() {}
    }
    public struct Loss: Codable, Equatable, Sendable {
        public var frames: UInt64
        public var reason: String
        public init(_ frames: UInt64, _ reason: String) { (self.frames, self.reason) = (frames, reason) }
    }
    public var jsonrpc = "2.0"
    public var method = "capture.end"
    public var params: Params
    public init(_ params: Params) { self.params = params }
}
