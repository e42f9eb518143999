import Configuration
import ControlAPI
import Foundation
import Testing

@Suite struct JSONRPCTests {
    private func parse(_ text: String) -> Result<Request, RequestFailure> { Request.parse(Data(text.utf8)) }

    @Test func requests() throws {
        let request = try parse(#"{"jsonrpc":"2.0","id":7,"method":"class.show","params":{"tree":"br0"}}"#).get()
        #expect(request.id == .number(7))
        #expect(request.method == "class.show")
        #expect(try request.params(ClassParams.self).tree == "br0")
        #expect(try parse(#"{"jsonrpc":"2.0","id":"a","method":"x"}"#).get().id == .text("a"))
        #expect(try parse(#"{"jsonrpc":"2.0","id":null,"method":"x"}"#).get().id == .null)
        #expect(try parse(#"{"jsonrpc":"2.0","method":"x"}"#).get().id == nil)
        #expect(try parse(#"{"jsonrpc":"2.0","method":"x","id":1}"#).get().params(NameParams.self).name == nil)
    }

    @Test func whatIsSentIsRead() throws {
        let line = try Request.encode(Methods.configApply.name, ApplyParams(yaml: "a: \"\u{1F600}\"\n", dryRun: true), id: .number(1))
        #expect(line.last == 0x0a)
        #expect(line.dropLast().contains(0x0a) == false)
        let params = try Request.parse(line).get().params(ApplyParams.self)
        #expect(params.yaml == "a: \"\u{1F600}\"\n")
        #expect(params.dryRun == true)
        // A misspelt parameter would otherwise be ignored, and the request carried out without it.
        #expect(throws: RPCError(RPCError.invalidParams, "x has no parameter 'dev': there are bridge, port, vlan")) {
            try parse(#"{"jsonrpc":"2.0","method":"x","id":1,"params":{"dev":"vm1"}}"#).get().params(FDBParams.self)
        }
        #expect(throws: RPCError(RPCError.invalidParams, "x has no parameter 'all': it has none")) {
            try parse(#"{"jsonrpc":"2.0","method":"x","id":1,"params":{"all":true}}"#).get().noParams()
        }
    }

    @Test(arguments: ["{", "", "nonsense", "{\"a\":}", "\u{0}", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"x\"} trailing"])
    func whatIsNotJSON(_ text: String) {
        guard case .failure(let failure) = parse(text) else { Issue.record("accepted"); return }
        #expect(failure.error.code == -32_700)
        #expect(failure.error.message.hasPrefix("this is not JSON: "))
        #expect(failure.id == .null)
    }

    @Test(arguments: [
        ("5", #"this is not a JSON-RPC request: write {"jsonrpc":"2.0","id":1,"method":"status"}"#),
        (#"{"id":1,"method":"x"}"#, "this is not a JSON-RPC request: jsonrpc must be \"2.0\""),
        (#"{"jsonrpc":"2.0","id":1}"#, "this is not a JSON-RPC request: method is missing"),
        (#"{"jsonrpc":"2.0","id":1,"method":5}"#, "this is not a JSON-RPC request: method is missing"),
    ])
    func whatIsNoRequest(_ text: String, _ sentence: String) {
        guard case .failure(let failure) = parse(text) else { Issue.record("accepted"); return }
        #expect(failure.error.code == -32_600)
        #expect(failure.error.message == sentence)
    }

    /// At a depth of 513, Foundation's parser ends the process.
    @Test(arguments: ["[", "{\"a\":", "[{\"a\":[", #"{"jsonrpc":"2.0","id":1,"method":"x","params":["#])
    func deepNestingIsRefused(_ opening: String) {
        for count in Array(1...1_100) + [100_000] {
            guard case .failure(let failure) = parse(String(repeating: opening, count: count)) else { Issue.record("accepted"); return }
            #expect(failure.error.code == -32_700)
        }
        let deepest = String(repeating: "[", count: 63) + String(repeating: "]", count: 63)
        #expect(throws: Never.self) { try parse(#"{"jsonrpc":"2.0","id":1,"method":"x","params":"# + deepest + "}").get() }
    }

    @Test(arguments: ["true", "1.5", "{}", "[1]", "1e300", "18446744073709551616"])
    func idsThatCannotBeRepeated(_ id: String) {
        guard case .failure(let failure) = parse(#"{"jsonrpc":"2.0","id":\#(id),"method":"x"}"#) else { Issue.record("accepted"); return }
        #expect(failure.error.code == -32_600)
        #expect(failure.error.message == "the id of a request must be a string, a whole number of up to 64 bits, or null")
        #expect(failure.id == .null)
    }

    @Test(arguments: [
        (#"{"jsonrpc":"2.0","id":1,"method":"edit"}"#, "edit needs params"),
        (#"{"jsonrpc":"2.0","id":1,"method":"edit","params":{"object":"port"}}"#, "edit needs the parameter 'verb'"),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"edit","params":{"object":"port","verb":"add","words":[],"dry-run":true}}"#,
            "edit has no parameter 'dry-run': there are object, verb, words"
        ),
        (#"{"jsonrpc":"2.0","id":1,"method":"edit","params":[1]}"#, "params of edit must be an object"),
        (
            #"{"jsonrpc":"2.0","id":1,"method":"edit","params":{"object":"port","verb":"add","words":7}}"#,
            "the parameter 'words' of edit has the wrong type"
        ),
    ])
    func parameters(_ text: String, _ sentence: String) throws {
        let request = try parse(text).get()
        #expect { try request.params(EditParams.self) } throws: { ($0 as? RPCError)?.code == -32_602 && ($0 as? RPCError)?.message == sentence }
    }

    @Test func replies() throws {
        struct Numbers: Codable, Equatable { var sentBytes: UInt64; var drops: [String: UInt64] }
        let numbers = Numbers(sentBytes: .max, drops: ["queue_limit": 3, "noRoom": 1])
        let line = Response.reply(numbers).encoded(id: .text("a\"b"))
        #expect(String(decoding: line, as: UTF8.self).contains("\"sent_bytes\":18446744073709551615"))
        let reply = try JSONRPC.decoder().decode(Reply<Numbers>.self, from: line)
        #expect(reply.id == .text("a\"b"))
        #expect(reply.result == numbers)
        let error = RPCError(ConfigurationError([Problem("ports[0].mtu", "no", line: 3), Problem("", "never")]))
        let refusal = try JSONRPC.decoder().decode(Reply<Numbers>.self, from: Response.failure(error).encoded(id: .number(1)))
        #expect(refusal.error?.message == "line 3: ports[0].mtu: no\nnever")
        #expect(refusal.error?.data?.map(\.path) == ["ports[0].mtu", ""])
        #expect(refusal.error?.code == -32_000)
    }

    @Test func configurationsAsJSON() throws {
        let yaml = "bridges:\n  - {name: br0, rate: 1gbit, overhead: 24}\n"
        let expected = JSONValue.object([
            "bridges": .array([.object(["name": .string("br0"), "rate": .string("1gbit"), "overhead": .integer(24)])])
        ])
        #expect(try JSONValue(yaml: yaml) == expected)
        let coded = try JSONDecoder().decode(JSONValue.self, from: JSONEncoder().encode(expected))
        #expect(coded == expected)
    }

    @Test func totalsAddUp() {
        var stats = StatsReply()
        stats.received.frames = 100
        stats.copied.frames = 20
        stats.delivered.frames = 90
        stats.queued.frames = 10
        stats.dropped = ["queue_limit": 15, "spoofed": 5]
        #expect(stats.missing == 0)
        stats.delivered.frames = 91
        #expect(stats.missing == -1)
    }
}
