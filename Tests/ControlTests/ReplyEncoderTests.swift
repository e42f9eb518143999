import ControlAPI
import Foundation
import Testing

/// Replies must be the texts that Foundation's encoder would produce.
@Suite struct ReplyEncoderTests {
    private func check(_ value: some Encodable) throws {
        guard case .result(let data) = Response.reply(value) else { Issue.record("not encoded"); return }
        #expect(String(decoding: data, as: UTF8.self) == String(decoding: try JSONRPC.encoder().encode(value), as: UTF8.self))
    }

    @Test func everyReply() throws {
        for reply in Canned.replies { try check(reply) }
        try check(VersionReply(version: "1", dpdk: ""))
    }

    @Test func valuesAndTheirEdges() throws {
        try check((0..<0x300).compactMap { UnicodeScalar($0).map(String.init) } + ["\u{2028}", "\u{1F600}", "\u{7f}", "/"])
        try check([0, 1, -1, 0.1, 1e15, 1e16, 1e-7, 123_456.789, -0.0, .greatestFiniteMagnitude] as [Double])
        try check([UInt64.max, 0])
        try check("text")
        try check(5)
        try check([Int]())
        try check([String: Int]())
        let json: JSONValue = .object([
            "camelCase": .array([.null, .bool(true), .integer(.min), .double(1.5), .object([:]), .array([])]), "floor-packets": .string("1kpps"), "snake_case": .object(["aB": .null]),
        ])
        try check(json)
        try check(ConfigReply(yaml: "a: b\n", json: json))
        guard case .failure = Response.reply([Double.nan]) else { Issue.record("JSON has no NaN"); return }
    }
}
