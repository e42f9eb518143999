/// The header of a message (section "Header"): request, flags and the payload's size, each of 32 bits in the machine's byte order.
public struct MessageHeader: Sendable, Equatable {
    /// Bytes of a header.
    public static let size = 12
    /// The longest payload that is read: far more than any request to a network device has. What is longer cannot be a message.
    public static let largestPayload = 4096
    /// The most descriptors that any request may bring: one for each memory slot.
    public static let mostDescriptors = MemoryTable.mostSlots

    /// The version of the protocol, in the lower two bits of the flags.
    public static let version: UInt32 = 1
    /// The flag of a sender that waits for an answer.
    public static let needReply: UInt32 = 1 << 3

    private static let versionMask: UInt32 = 0b11
    private static let replyFlag: UInt32 = 1 << 2

    public var request: UInt32
    public var flags: UInt32
    /// Bytes of the payload that follows.
    public var payloadSize: UInt32

    public init(request: UInt32, flags: UInt32 = MessageHeader.version, payloadSize: Int) {
        self.request = request
        self.flags = flags
        self.payloadSize = UInt32(truncatingIfNeeded: payloadSize)
    }

    /// Reads a header; nil: there are fewer than 12 bytes.
    public init?(_ bytes: some Collection<UInt8>) {
        var reader = PayloadReader(bytes)
        guard let request = reader.number32(), let flags = reader.number32(), let size = reader.number32() else { return nil }
        (self.request, self.flags, payloadSize) = (request, flags, size)
    }

    /// Whether the sender waits for an answer although the request has none of its own (section "REPLY_ACK").
    public var needsReply: Bool { flags & Self.needReply != 0 }

    /// Why no message can follow this header; nil: one can. The connection is useless then, as nobody knows where the next message begins.
    public var fault: String? {
        if flags & Self.versionMask != Self.version {
            return "a message of version \(flags & Self.versionMask) came; only version 1 is spoken"
        }
        if flags & Self.replyFlag != 0 { return "a reply came (request \(request)), but nothing was asked" }
        if payloadSize > Self.largestPayload { return "a message of \(payloadSize) bytes was announced; the longest has \(Self.largestPayload)" }
        return nil
    }

    /// A reply with its payload.
    static func reply(to request: Request, payload: [UInt8]) -> [UInt8] { reply(to: request.rawValue, payload: payload) }

    private static func reply(to request: UInt32, payload: [UInt8]) -> [UInt8] {
        var writer = PayloadWriter()
        writer.append(request)
        writer.append(version | replyFlag)
        writer.append(UInt32(truncatingIfNeeded: payload.count))
        return writer.bytes + payload
    }

    /// The answer to whoever set NEED_REPLY: 0 if all went well.
    static func acknowledgement(_ request: UInt32, isRefused: Bool) -> [UInt8] {
        var payload = PayloadWriter()
        payload.append(isRefused ? 1 : 0 as UInt64)
        return reply(to: request, payload: payload.bytes)
    }
}
