import Foundation

/// One line of the control socket: a request, or a list of them (JSON-RPC's batch).
public struct RequestLine: Sendable {
    /// The most requests in one batch.
    public static let most = 65_536

    public let isBatch: Bool
    public let requests: [Result<Request, RequestFailure>]

    public init(_ line: Data) {
        guard line.first(where: { $0 != 0x20 && $0 != 0x09 }) == UInt8(ascii: "[") else {
            isBatch = false
            requests = [Request.parse(line)]
            return
        }
        func refused(_ kind: RequestFailure.Kind, _ sentence: String) -> [Result<Request, RequestFailure>] { [.failure(RequestFailure(kind, sentence))] }
        do throws(JSONText.Flaw) {
            try JSONText.check(line)
        } catch {
            (isBatch, requests) = (false, refused(.parse, "this is not JSON: \(error)"))
            return
        }
        let items = Self.items(line)
        // JSON-RPC demands that an empty list is answered as one invalid request.
        if items.isEmpty {
            (isBatch, requests) = (false, refused(.invalidRequest, "an empty list asks for nothing: write [{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}]"))
        } else if items.count > Self.most {
            (isBatch, requests) = (false, refused(.invalidRequest, "a batch of \(items.count) requests is too large: send at most \(Self.most) at once"))
        } else {
            (isBatch, requests) = (true, items.map { Request.parse($0) })
        }
    }

    /// The texts of the items of a list that is known to be valid JSON.
    private static func items(_ line: Data) -> [Data] {
        var result: [Data] = []
        var depth = 0, isString = false, isEscaped = false
        var start: Data.Index?
        for index in line.indices {
            let byte = line[index]
            if isString {
                if isEscaped { isEscaped = false } else if byte == UInt8(ascii: "\\") { isEscaped = true } else if byte == UInt8(ascii: "\"") { isString = false }
                continue
            }
            switch byte {
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                if depth == 1 { continue }
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            case UInt8(ascii: "\""): isString = true
            default: break
            }
            let isEnd = depth == 0 || depth == 1 && byte == UInt8(ascii: ",")
            if isEnd, let from = start {
                result.append(Data(line[from..<index]))
                start = nil
            } else if start == nil, !isEnd, byte != 0x20, byte != 0x09, byte != 0x0d, byte != 0x0a {
                start = index
            }
            if depth == 0, byte == UInt8(ascii: "]") { break }
        }
        return result
    }
}
