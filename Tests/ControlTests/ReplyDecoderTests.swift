import ControlAPI
import Foundation
import Testing

/// Replies must be read as Foundation's decoder reads them.
@Suite struct ReplyDecoderTests {
    private func check<Value: Codable & Equatable>(_ value: Value) throws {
        guard case .result(let data) = Response.reply(value) else { Issue.record("not encoded"); return }
        #expect(try ReplyDecoder.decode(Value.self, from: data) == value)
        // Space between the parts changes nothing, nor does another order.
        #expect(try ReplyDecoder.decode(Value.self, from: try JSONRPC.encoder(pretty: true).encode(value)) == value)
    }

    @Test func everyReply() throws {
        for reply in Canned.replies { try check(reply) }
    }

    @Test func valuesAndTheirEdges() throws {
        try check((0..<0x300).compactMap { UnicodeScalar($0).map(String.init) } + ["\u{2028}", "\u{1F600}", "\u{7f}", "/", ""])
        try check([0, 1, -1, 0.1, 1e15, 1e16, 1e-7, 123_456.789, .greatestFiniteMagnitude] as [Double])
        try check([UInt64.max, 0])
        try check([Int64.min, .max, 0, -1])
        try check([Int]())
        try check([String: Int]())
        try check(["snake_case": 1, "camelCase": 2, "a b": 3, "\"\\": 4])
        try check(Dictionary(uniqueKeysWithValues: (0..<1_000).map { ("key\($0)", $0) }))
        try check([nil, 1, nil] as [Int?])
        try check(JSONValue.object([
            "camelCase": .array([.null, .bool(true), .integer(.min), .double(1.5), .object([:]), .array([])]), "floor-packets": .string("1kpps"),
            "snake_case": .object(["aB": .null]),
        ]))
        let escapes = Data(#"["\u00e9\ud83d\ude00\"\\\/\b\f\n\r\t","é😀"]"#.utf8)
        #expect(try ReplyDecoder.decode([String].self, from: escapes) == ["é😀\"\\/\u{8}\u{c}\n\r\t", "é😀"])
        #expect(try ReplyDecoder.decode([Int].self, from: Data("[1.0, 2e1, -0]".utf8)) == [1, 20, 0])
    }

    @Test(arguments: ["[1.5]", "[300]", "[-1]", "[null]", "[\"1\"]", "[true]", "{}", "1", "[1", "", "[1e400]", "[[]]"])
    func refusesWhatFoundationRefuses(_ text: String) {
        #expect(throws: (any Error).self) { try ReplyDecoder.decode([UInt8].self, from: Data(text.utf8)) }
        #expect(throws: (any Error).self) { try JSONRPC.decoder().decode([UInt8].self, from: Data(text.utf8)) }
    }

    @Test func readsErrorsAndRepliesWithoutResult() throws {
        let text = #"{"jsonrpc":"2.0","id":"x","error":{"code":-32000,"message":"no","data":[{"path":"a","sentence":"b"}]}}"#
        let reply = try ReplyDecoder.decode(Reply<[ClassStatus]>.self, from: Data(text.utf8))
        #expect(reply.result == nil && reply.id == .text("x"))
        #expect(reply.error == RPCError(-32_000, "no", data: [ProblemReport(line: nil, path: "a", sentence: "b")]))
    }

    @Test func laysOutAsFoundationDoes() throws {
        func check(_ value: some Encodable) throws {
            let lines = JSONLayout.lines(try JSONRPC.encoder().encode(value))
            #expect(String(decoding: lines, as: UTF8.self) == String(decoding: try JSONRPC.encoder(pretty: true).encode(value), as: UTF8.self))
        }
        try check(Canned.classes)
        try check(Canned.ports)
        try check(Canned.cores(listsStalls: true))
        try check(["a,b:{c}[\"\\\"d\\": [[Int]()], "": []])
    }

    /// The members of an object stand elsewhere than those of the one before it, and objects within it have members of the same names.
    @Test func membersInOtherPlaces() throws {
        var classes: [ClassStatus] = []
        for number in 0..<64 {
            var status = ClassStatus()
            (status.id, status.rate, status.tokens) = (UInt16(number), UInt64(number), -Int64(number))
            if number & 1 != 0 { status.drops = ["rate": 1_000, "tokens": 2_000] }
            if number & 2 != 0 { status.heldBy = [.init(id: 3, class: "id", waits: 4)] }
            if number & 4 != 0 { status.delay = DelayStatus(passed: 5, buckets: [[6, 7]]) }
            if number & 8 != 0 { status.ceiling = 8 }
            if number & 16 != 0 { status.guest = "guest" }
            if number & 32 != 0 { status.holds = ["floor": 9] }
            classes.append(status)
        }
        try check(classes)
        try check(classes.reversed() as [ClassStatus])
    }
}
