import Foundation

/// JSON-RPC 2.0 (https://www.jsonrpc.org/specification). A line, ended by LF, holds one object or a list of objects (`RequestLine`). A request without an id is
/// a notification: it is carried out but not answered.
public enum JSONRPC {
    /// The encoder of all messages. Keys are written in snake case (`sentBytes` becomes `sent_bytes`), which is also how metrics are named, and in alphabetical
    /// order, so that equal replies are equal texts.
    public static func encoder(pretty: Bool = false) -> JSONEncoder {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = pretty ? [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted] : [.sortedKeys, .withoutEscapingSlashes]
        return encoder
    }

    /// The decoder of all messages; it turns keys in snake case back into names of fields.
    public static func decoder() -> JSONDecoder {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return decoder
    }
}

/// The id of a request, which its reply repeats.
public enum RequestID: Codable, Hashable, Sendable {
    case number(Int64)
    case text(String)
    case null

    public init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() { self = .null; return }
        if let number = try? container.decode(Int64.self) { self = .number(number); return }
        self = .text(try container.decode(String.self))
    }

    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .number(let value): try container.encode(value)
        case .text(let value): try container.encode(value)
        case .null: try container.encodeNil()
        }
    }
}

/// An error as JSON-RPC carries it. `message` is a sentence; if there are several problems, it has one on each line.
public struct RPCError: Error, Codable, Equatable, Sendable, CustomStringConvertible {
    public var code: Int
    public var message: String
    /// The problems one by one, if a configuration was refused.
    public var data: [ProblemReport]?

    public init(_ code: Int, _ message: String, data: [ProblemReport]? = nil) {
        self.code = code
        self.message = message
        self.data = data
    }

    public var description: String { message }

    /// The text is not JSON.
    public static let parse = -32_700
    /// The text is JSON, but not a request.
    public static let invalidRequest = -32_600
    public static let methodNotFound = -32_601
    public static let invalidParams = -32_602
    public static let `internal` = -32_603
    /// The configuration, or the change to it, is refused; nothing has changed.
    public static let refused = -32_000
    /// What the request names does not exist.
    public static let notFound = -32_001
    /// A device or the system refused; nothing has changed.
    public static let failed = -32_002
    /// Whoever asks may not do what the request asks for; nothing has changed.
    public static let forbidden = -32_003
}

/// `Configuration.Problem` on the wire.
public struct ProblemReport: Codable, Equatable, Sendable {
    public var line: Int?
    public var path: String
    public var sentence: String
    public init(line: Int?, path: String, sentence: String) { self.line = line; self.path = path; self.sentence = sentence }
}

/// A request as the server hands it to its handler.
public struct Request: Sendable {
    /// The request's id; nil if the request is a notification, which gets no reply.
    public var id: RequestID?
    public var method: String
    /// Who sent it; nil: that is not known.
    public var peer: Peer?
    /// The whole line, from which `params` are read when they are asked for.
    private let line: Data

    /// Reads one line. A failure holds the error to answer with, and the id to answer to.
    public static func parse(_ line: Data) -> Result<Request, RequestFailure> {
        do throws(JSONText.Flaw) {
            try JSONText.check(line)
        } catch {
            return .failure(RequestFailure(.parse, "this is not JSON: \(error)"))
        }
        let head: Head
        do {
            head = try JSONDecoder().decode(Head.self, from: line)
        } catch {
            return .failure(
                RequestFailure(
                    .invalidRequest, "this is not a JSON-RPC request: write {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}"))
        }
        // A request whose id cannot be repeated in the reply is refused, as the client could not tell which request was answered.
        if head.hasID, head.id == nil {
            return .failure(RequestFailure(.invalidRequest, "the id of a request must be a string, a whole number of up to 64 bits, or null"))
        }
        guard head.jsonrpc == "2.0", let method = head.method else {
            let what = head.jsonrpc == "2.0" ? "method is missing" : "jsonrpc must be \"2.0\""
            return .failure(RequestFailure(id: head.id ?? .null, .invalidRequest, "this is not a JSON-RPC request: \(what)"))
        }
        return .success(Request(id: head.hasID ? head.id ?? .null : nil, method: method, line: line))
    }

    /// The parameters, decoded. A method without parameters takes `NoParams`, and then `params` may be absent.
    /// - Throws: an `RPCError` that names a parameter that is missing, unknown or of the wrong type.
    public func params<Params: Decodable>(_ type: Params.Type) throws(RPCError) -> Params {
        do {
            let params = try JSONRPC.decoder().decode(ParamsOnly<Params>.self, from: line).params
            try refuseOthers(than: Mirror(reflecting: params).children.compactMap(\.label))
            return params
        } catch let error as RPCError {
            throw error
        } catch DecodingError.keyNotFound(let key, let context) where context.codingPath.isEmpty && key.stringValue == "params" {
            if let none = try? JSONRPC.decoder().decode(Params.self, from: Data("{}".utf8)) { return none }
            throw RPCError(RPCError.invalidParams, "\(method) needs params")
        } catch DecodingError.keyNotFound(let key, _) {
            throw RPCError(RPCError.invalidParams, "\(method) needs the parameter '\(key.stringValue)'")
        } catch DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context) {
            let name = context.codingPath.dropFirst().map(\.stringValue).joined(separator: ".")
            throw name.isEmpty ? noObject : RPCError(RPCError.invalidParams, "the parameter '\(name)' of \(method) has the wrong type")
        } catch {
            throw RPCError(RPCError.invalidParams, "the parameters of \(method) cannot be read")
        }
    }

    /// Refuses any parameter, for a method that takes none.
    public func noParams() throws(RPCError) { try refuseOthers(than: []) }

    /// Refuses unknown parameters. If they were ignored, a misspelled one could make the request do more than was meant.
    private func refuseOthers(than names: [String]) throws(RPCError) {
        let all = try object()
        // The names in snake case, as the decoder reads them.
        let known = names.map { $0.reduce(into: "") { $0 += $1.isUppercase ? "_\($1.lowercased())" : String($1) } }
        guard let other = all.keys.sorted().first(where: { !known.contains($0) && !names.contains($0) }) else { return }
        let advice = known.isEmpty ? "it has none" : "there \(known.count == 1 ? "is" : "are") \(known.joined(separator: ", "))"
        throw RPCError(RPCError.invalidParams, "\(method) has no parameter '\(other)': \(advice)")
    }

    /// `params` with their keys as they were written; an empty object if there are none.
    public func object() throws(RPCError) -> [String: JSONValue] {
        struct Body: Decodable { var params: JSONValue? }
        let params: JSONValue?
        do {
            params = try JSONDecoder().decode(Body.self, from: line).params
        } catch {
            throw RPCError(RPCError.invalidParams, "the parameters of \(method) cannot be read")
        }
        guard case .object(let all) = params ?? .object([:]) else { throw noObject }
        return all
    }

    private var noObject: RPCError { RPCError(RPCError.invalidParams, "params of \(method) must be an object") }

    /// A request as the line to send, LF included.
    public static func encode<Params: Encodable>(_ method: String, _ params: Params, id: RequestID) throws -> Data {
        try JSONRPC.encoder().encode(OutgoingRequest(id: id, method: method, params: params)) + [0x0a]
    }

    private struct Head: Decodable {
        var jsonrpc: String?
        var method: String?
        var id: RequestID?
        var hasID: Bool

        enum Key: String, CodingKey { case jsonrpc, method, id }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Key.self)
            jsonrpc = try? container.decode(String.self, forKey: .jsonrpc)
            method = try? container.decode(String.self, forKey: .method)
            hasID = container.contains(.id)
            id = try? container.decode(RequestID.self, forKey: .id)
        }
    }
}

private struct ParamsOnly<Params: Decodable>: Decodable {
    var params: Params
}

private struct OutgoingRequest<Params: Encodable>: Encodable {
    var jsonrpc = "2.0"
    var id: RequestID
    var method: String
    var params: Params
}

/// A line that is not a request, and the error to answer with.
public struct RequestFailure: Error, Equatable, Sendable {
    /// Whether the line is not JSON, or is JSON but not a request.
    public enum Kind: Sendable { case parse, invalidRequest }
    public var id: RequestID
    public var error: RPCError

    init(id: RequestID = .null, _ kind: Kind, _ message: String) {
        self.id = id
        error = RPCError(kind == .parse ? RPCError.parse : RPCError.invalidRequest, message)
    }
}

/// What a handler answers to a request.
public enum Response: Sendable {
    /// A result that is JSON already.
    case result(Data)
    case failure(RPCError)
    /// The result is known, but still has to be encoded; the closure does that on a thread where nobody waits for it.
    case later(@Sendable () -> Response)
    /// The result is JSON already, and events of these kinds are sent to the client behind it.
    case subscribed(Set<Event.Kind>, Data)
    /// The result is JSON already, and behind it the connection carries a stream, with which it ends.
    case stream(any AnswerStream, Data)
    /// Work that has to be done first, on a thread where nobody waits for it. The handler then continues with its outcome.
    case first(@Sendable () -> Continuation)

    /// The rest of a handler's work, which runs only where the handler itself runs.
    public struct Continuation: @unchecked Sendable {
        public let run: () -> Response
        public init(_ run: @escaping () -> Response) { self.run = run }
    }

    /// Encodes a typed reply.
    public static func reply(_ value: some Encodable) -> Response {
        do {
            return .result(try ReplyEncoder.encode(value))
        } catch {
            return .failure(RPCError(RPCError.internal, "the reply cannot be encoded: \(error)"))
        }
    }

    /// The same as `reply`, but the value is encoded later on another thread, so that the caller does not wait for that.
    public static func shown(_ value: some Encodable & Sendable) -> Response { .later { .reply(value) } }

    /// The reply as the line to send, LF included.
    public func encoded(id: RequestID) -> Data {
        let encoder = JSONRPC.encoder()
        let key: String
        let body: Data
        switch self {
        case .later(let make): return make().encoded(id: id)
        case .first(let work): return work().run().encoded(id: id)
        case .result(let data), .subscribed(_, let data), .stream(_, let data): (key, body) = ("result", data)
        case .failure(let error):
            // Integers and strings always encode.
            (key, body) = ("error", (try? encoder.encode(error)) ?? Data(#"{"code":-32603,"message":"internal error"}"#.utf8))
        }
        let identifier = (try? encoder.encode(id)) ?? Data("null".utf8)
        var line = Data()
        line.reserveCapacity(body.count + 64)
        line.append(contentsOf: Data("{\"jsonrpc\":\"2.0\",\"id\":".utf8))
        line.append(identifier)
        line.append(contentsOf: Data(",\"\(key)\":".utf8))
        line.append(body)
        line.append(contentsOf: [UInt8(ascii: "}"), 0x0a])
        return line
    }
}

/// A reply as a client reads it.
public struct Reply<Value: Decodable>: Decodable {
    public var id: RequestID?
    public var result: Value?
    public var error: RPCError?
}
