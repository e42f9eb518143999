import Glibc
import VhostUser

/// The socket of one connection: whole messages out of it, replies into it. Nothing here waits.
struct Connection {
    let socket: Int32
    let since: UInt64
    /// When a message that has begun must be complete, or a reply must be sent; nil: nothing is under way. Nanoseconds.
    private(set) var deadline: UInt64?

    /// The message under way: its header, then its payload.
    private var bytes: [UInt8] = []
    private var descriptors: [Int32] = []
    private var header: MessageHeader?
    private var unsent: [UInt8] = []

    /// How long a message or a reply may take.
    private static let patience: UInt64 = 1_000_000_000

    init(socket: Int32, now: UInt64) { (self.socket, since) = (socket, now) }

    /// Closes the socket and all that came with a message which is not complete.
    func end() {
        for descriptor in descriptors { close(descriptor) }
        close(socket)
    }

    enum Outcome {
        case message(MessageHeader, [UInt8], [Int32])
        /// Nothing more to read now.
        case nothing
        /// The other side has closed the connection.
        case end
        /// The connection is to be closed; the sentence says why.
        case failure(String)
    }

    /// Reads at most one message.
    mutating func receive(_ now: UInt64) -> Outcome {
        while true {
            let wanted = MessageHeader.size + Int(header?.payloadSize ?? 0) - bytes.count
            if wanted == 0 {
                if let header {
                    let payload = Array(bytes[MessageHeader.size...]), attached = descriptors
                    (bytes, descriptors, self.header, deadline) = ([], [], nil, nil)
                    return .message(header, payload, attached)
                }
                guard let read = MessageHeader(bytes) else { return .failure("a header was cut short") }
                if let fault = read.fault { return .failure(fault) }
                header = read
                continue
            }
            var outcome = Receiving.Outcome.nothing
            // A message is read by itself, so its descriptors cannot be taken for those of the next.
            let chunk = [UInt8](unsafeUninitializedCapacity: wanted) { room, count in
                outcome = Receiving.receive(socket, into: UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(room)[..<wanted]), &descriptors)
                if case .bytes(let read) = outcome { count = read }
            }
            if descriptors.count > MessageHeader.mostDescriptors {
                return .failure("a message came with \(descriptors.count) descriptors; at most \(MessageHeader.mostDescriptors) are possible")
            }
            switch outcome {
            case .bytes:
                bytes += chunk
                deadline = deadline ?? now + Self.patience
            case .nothing: return .nothing
            case .end: return bytes.isEmpty ? .end : .failure("the frontend closed the connection in the middle of a message")
            case .failure(let sentence): return .failure(sentence)
            }
        }
    }

    var hasUnsent: Bool { !unsent.isEmpty }

    /// Sends a reply, or as much of it as there is room for.
    /// - Returns: why the connection is to be closed; nil: it is not.
    mutating func send(_ reply: [UInt8], _ now: UInt64) -> String? {
        unsent += reply
        return flush(now)
    }

    mutating func flush(_ now: UInt64) -> String? {
        while !unsent.isEmpty {
            let count = unsent.withUnsafeBytes { bytes in uninterrupted { Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT)) } }
            if count < 0 {
                guard errno == EAGAIN || errno == EWOULDBLOCK else { return "a reply cannot be sent: \(errorText())" }
                deadline = deadline ?? now + Self.patience
                return nil
            }
            unsent.removeFirst(count)
        }
        deadline = nil
        return nil
    }

    /// What is to be said when the deadline is over.
    var impatience: String {
        hasUnsent ? "the frontend did not read a reply within a second" : "the frontend began a message and did not complete it within a second"
    }
}
