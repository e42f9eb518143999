import ControlAPI
import Foundation
import Testing
import TestSupport

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

    /// Objects of one type that lack some members, or have others between, must not be taken for each other.
    @Test func randomReplies() throws {
        var random = Seeded(19)
        for _ in 0..<200 {
            try check((0..<Int.random(in: 0..<8, using: &random)).map { _ in Self.classStatus(&random) })
            try check(Self.port(&random))
            try check(Self.json(&random, depth: 4))
        }
    }

    /// More kinds of objects than are remembered.
    @Test func objectsOfManyShapes() throws {
        var random = Seeded(7)
        for _ in 0..<4 {
            try check((0..<1_500).map { _ in
                var port = PortStatus()
                for _ in 0..<4 { port.counts["counter\(Int.random(in: 0..<5_000, using: &random))"] = 1 }
                return port
            })
        }
    }

    /// Names of which one is the beginning of the other, and characters on both sides of a quote in the alphabet.
    @Test func orderOfKeys() throws {
        try check(["a": 1, "a!": 2, "a b": 3, "a_b": 4, "aB": 5, "": 6, "ab": 7, "a\"": 8, "a\\": 9, "é": 10, "\u{1F600}": 11, "a\t": 12, "A": 13, "a10": 14, "a9": 15] as [String: UInt64])
    }

    private static func number(_ random: inout Seeded) -> UInt64 {
        let edges: [UInt64] = [0, 1, 9, 10, 99, 100, .max, .max - 1, 10_000_000_000_000_000_000, 9_999_999_999_999_999_999]
        return Bool.random(using: &random) ? edges.randomElement(using: &random)! : UInt64.random(in: 0...(.max >> UInt64.random(in: 0..<64, using: &random)), using: &random)
    }

    private static func word(_ random: inout Seeded) -> String {
        let parts = ["vm1", "/", "iscsi", "_", "B", "\"", "\\", "\u{1}", "ü", " ", "longer than a word of fifteen bytes"]
        return (0..<Int.random(in: 0..<4, using: &random)).map { _ in parts.randomElement(using: &random)! }.joined()
    }

    private static func table(_ random: inout Seeded) -> [String: UInt64] {
        (0..<Int.random(in: 0..<4, using: &random)).reduce(into: [:]) { table, _ in table[["queue_limit", "spoofedSource", "tail", "x"].randomElement(using: &random)!] = number(&random) }
    }

    private static func maybe<Value>(_ value: Value, _ random: inout Seeded) -> Value? { Bool.random(using: &random) ? value : nil }

    private static func classStatus(_ random: inout Seeded) -> ClassStatus {
        var status = ClassStatus()
        (status.tree, status.path, status.leaf, status.id) = (word(&random), word(&random), .random(using: &random), .random(in: 0...(.max), using: &random))
        (status.parent, status.guest, status.port) = (maybe(7, &random), maybe(word(&random), &random), maybe(word(&random), &random))
        (status.floor, status.ceiling, status.peak) = (maybe(number(&random), &random), maybe(number(&random), &random), maybe(number(&random), &random))
        (status.limitBytes, status.ecn, status.newFlows) = (maybe(-5, &random), maybe(true, &random), maybe(3, &random))
        (status.drops, status.holds) = (table(&random), table(&random))
        (status.tokens, status.ctokens) = (Int64(bitPattern: number(&random)), .min)
        status.rateSeconds = Double(number(&random)) / 1_000
        status.sent = Traffic(frames: number(&random), bytes: number(&random))
        status.heldBy = (0..<Int.random(in: 0..<3, using: &random)).map { .init(id: UInt16($0), class: word(&random), waits: number(&random)) }
        status.delay = maybe(DelayStatus(passed: 3, buckets: [[1, 2], [3, 4]]), &random)
        return status
    }

    private static func port(_ random: inout Seeded) -> PortStatus {
        var port = PortStatus()
        (port.name, port.counts, port.drops) = (word(&random), table(&random).filter { $0.key != "queue_limit" }, table(&random))
        return port
    }

    private static func json(_ random: inout Seeded, depth: Int) -> JSONValue {
        let items = (0..<Int.random(in: 0..<4, using: &random)).map { _ in depth > 0 ? json(&random, depth: depth - 1) : .null }
        switch Int.random(in: 0..<6, using: &random) {
        case 0: return .bool(.random(using: &random))
        case 1: return .integer(Int64(bitPattern: number(&random)))
        case 2: return .string(word(&random))
        case 3: return .double(Double.random(in: -1e6...1e6, using: &random))
        case 4: return .array(items)
        default: return .object(Dictionary(items.enumerated().map { (word(&random) + String($0.offset), $0.element) }) { first, _ in first })
        }
    }
}
