import Foundation

/// What follows an answer on its connection, until it ends or the client ends it; then the connection is closed.
public protocol AnswerStream: AnyObject, Sendable {
    /// The next bytes to be sent. It is called on one thread at a time, again and again until it returns `.end`.
    func next() -> AnswerStreamPiece
    /// Stops what the stream is about, as the client wants no more. What there is up to then is still asked for. It is called where the handler runs, perhaps
    /// more than once.
    func stop()
    /// Frees the stream, stopped or not, as nobody asks for more. It is called where the handler runs, perhaps more than once.
    func close()
}

public enum AnswerStreamPiece: Sendable {
    /// There is nothing to send yet.
    case nothing
    case bytes(Data)
    /// The last bytes.
    case end(Data)
}

extension Response {
    /// An answer that a stream follows.
    public static func stream(_ stream: any AnswerStream, of value: some Encodable) -> Response {
        switch reply(value) {
        case .result(let text): .stream(stream, text)
        case let other: other
        }
    }
}
