/// Messages as a frontend sends them. Sluice itself is the backend: this is for programs that play guests.
public struct FrontendMessage: Sendable, Equatable {
    public let request: Request
    public let payload: [UInt8]

    private init(_ request: Request, _ write: (inout PayloadWriter) -> Void = { _ in }) {
        self.request = request
        var writer = PayloadWriter()
        write(&writer)
        payload = writer.bytes
    }

    /// A request without a payload, such as GET_FEATURES.
    public static func plain(_ request: Request) -> Self { Self(request) }

    /// A request with one number of 64 bits, such as SET_FEATURES. SET_VRING_KICK and SET_VRING_CALL have the ring's number.
    public static func number(_ request: Request, _ number: UInt64) -> Self { Self(request) { $0.append(number) } }

    /// A request with a number about a ring ("A vring state description"), such as SET_VRING_NUM.
    public static func ring(_ request: Request, _ index: Int, _ number: UInt32) -> Self {
        Self(request) {
            $0.append(UInt32(truncatingIfNeeded: index))
            $0.append(number)
        }
    }

    /// SET_VRING_ADDR: user addresses of a ring's parts. The driver area is the available ring of a split ring, the device area the used ring.
    public static func ringAddresses(_ index: Int, descriptors: UInt64, driverArea: UInt64, deviceArea: UInt64) -> Self {
        Self(.setVringAddress) {
            $0.append(UInt32(truncatingIfNeeded: index))
            $0.append(0 as UInt32)
            for number in [descriptors, deviceArea, driverArea, 0] { $0.append(number) }
        }
    }

    /// SET_MEM_TABLE with one region that the guest sees where this process does, from the start of its file. The file's descriptor goes with it.
    public static func memory(at address: UInt64, size: UInt64) -> Self {
        Self(.setMemoryTable) {
            $0.append(1 as UInt32)
            $0.append(0 as UInt32)
            for number in [address, size, address, 0] { $0.append(number) }
        }
    }

    /// The message with its header.
    /// - Parameter needsReply: whether an answer is wanted from a request that has none of its own; this must have been agreed on (`replyAck`).
    public func bytes(needsReply: Bool) -> [UInt8] {
        var writer = PayloadWriter()
        for number in [request.rawValue, MessageHeader.version | (needsReply ? MessageHeader.needReply : 0), UInt32(truncatingIfNeeded: payload.count)] {
            writer.append(number)
        }
        return writer.bytes + payload
    }

    /// The number in a reply; nil: it answers another request, or has no such number.
    public static func number(inReply bytes: [UInt8], to request: Request) -> UInt64? {
        guard let header = MessageHeader(bytes), header.request == request.rawValue, header.payloadSize == 8 else { return nil }
        var reader = PayloadReader(bytes.dropFirst(MessageHeader.size))
        return reader.number64()
    }
    /// Bytes of a reply with a number.
    public static let replySize = MessageHeader.size + 8
}
