import ControlAPI
import ControlPlane
import Dispatch
import Foundation
import Testing

private func request(_ method: String, _ id: String = "1") -> String { #"{"jsonrpc":"2.0","id":\#(id),"method":"\#(method)"}"# }

@Suite struct ControlServerTests {
    @Test func aRequestIsAnswered() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        #expect(client.ask(request("hello")) == #"{"jsonrpc":"2.0","id":1,"result":"hello"}"#)
        #expect(client.ask(request("fail", "\"x\"")) == #"{"jsonrpc":"2.0","id":"x","error":{"code":-32000,"message":"refused, as asked"}}"#)
    }

    @Test func theHandlerIsToldWhoAsks() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        let command = try String(contentsOfFile: "/proc/self/comm", encoding: .utf8).dropLast()
        for line in [request("who"), "[\(request("who"))]"] { #expect(client.ask(line)?.contains("\"result\":\"uid \(getuid()) pid \(getpid()) \(command)\"") == true) }
    }

    @Test func malformedRequestsHarmNothing() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        #expect(client.ask("{nonsense")?.contains("\"id\":null,\"error\":{\"code\":-32700") == true)
        #expect(client.ask("[]")?.contains("-32600") == true)
        #expect(client.ask("\u{0}\u{1}\u{2}")?.contains("-32700") == true)
        client.send([0xff, 0xfe, 0x0a])
        #expect(client.line()?.contains("-32700") == true)
        client.send("\n  \n\r\n")
        #expect(client.ask(request("after"))?.contains("after") == true)
    }

    @Test func requestsInOneWriteAreAnsweredInOrder() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        client.send((0..<500).map { request("m\($0)", "\($0)") + "\n" }.joined())
        for number in 0..<500 { #expect(client.line() == #"{"jsonrpc":"2.0","id":\#(number),"result":"m\#(number)"}"#) }
    }

    @Test func aClientThatSendsNonsenseWithoutReadingIsHeldUp() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        let count = 30_000
        let sent = DispatchSemaphore(value: 0)
        nonisolated(unsafe) let sender = client
        Thread.detachNewThread {
            sender.send(String(repeating: "x\n", count: count))
            sent.signal()
        }
        for _ in 0..<count where client.line()?.contains("-32700") != true { Issue.record("an answer is missing"); break }
        sent.wait()
        #expect(client.ask(request("after"))?.contains("after") == true)
    }

    @Test func aRequestInPieces() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        for byte in Array((request("pieces") + "\n").utf8) { client.send([byte]) }
        #expect(client.line()?.contains("pieces") == true)
    }

    @Test func notificationsAreCarriedOutAndNotAnswered() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        client.send(#"{"jsonrpc":"2.0","method":"quiet"}"# + "\n")
        #expect(client.ask(request("count")) == #"{"jsonrpc":"2.0","id":1,"result":2}"#)
    }

    @Test func theLastLineNeedsNoLineFeed() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        client.send(request("one") + "\n" + request("two"))
        client.endSending()
        #expect(client.line()?.contains("one") == true)
        #expect(client.line()?.contains("two") == true)
        #expect(client.line() == nil)
    }

    /// The examples of section 7 of the JSON-RPC specification, as far as they apply.
    @Test func batches() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        let quiet = #"{"jsonrpc":"2.0","method":"quiet"}"#
        #expect(client.ask("[\(request("a")),\(quiet), \(request("fail", "\"]},[\"")) ,1,{\"foo\":\"boo\"}]") == "["
            + #"{"jsonrpc":"2.0","id":1,"result":"a"},"#
            + #"{"jsonrpc":"2.0","id":"]},[","error":{"code":-32000,"message":"refused, as asked"}},"#
            + #"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"this is not a JSON-RPC request: write {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}"}},"#
            + #"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"this is not a JSON-RPC request: jsonrpc must be \"2.0\""}}"# + "]")
        #expect(client.ask("[]")?.hasPrefix(#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600"#) == true)
        #expect(client.ask("[1")?.contains("-32700") == true)
        // A batch of notifications has no answer, so the next answer belongs to the next request. Five requests have been counted before.
        client.send("[\(quiet),\(quiet)]\n")
        #expect(client.ask(" [\(request("count"))]") == #"[{"jsonrpc":"2.0","id":1,"result":6}]"#)
        let many = (0..<5_000).map { request("m\($0)", "\($0)") }.joined(separator: ",")
        let answers = try #require(client.ask("[\(many)]"))
        #expect(try JSONDecoder().decode([Reply<String>].self, from: Data(answers.utf8)).map(\.result) == (0..<5_000).map { "m\($0)" })
    }

    /// Other clients are served while a batch is being answered, and the answers to a batch are limited in size.
    @Test func largeBatches() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path), other = try RawClient(echo.path)
        client.send("[" + (0..<20).map { request("large", "\($0)") }.joined(separator: ",") + "]\n")
        #expect(other.ask(request("meanwhile"))?.contains("meanwhile") == true)
        let answers = try JSONDecoder().decode([Reply<String>].self, from: Data(try #require(client.line()).utf8))
        #expect(answers.count == 20 && answers[0].result?.count == 8 << 20 && answers[19].error?.message.contains("send fewer requests at once") == true)
        #expect(client.ask("[" + String(repeating: "1,", count: 70_000) + "1]")?.contains("a batch of 70001 requests is too large: send at most 65536 at once") == true)
    }

    @Test func largeReplies() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        client.send(request("large") + "\n" + request("small") + "\n")
        #expect(client.line()?.count ?? 0 > 8 << 20)
        #expect(client.line()?.contains("small") == true)
    }

    @Test func aClientThatLeavesHarmsNothing() throws {
        let echo = try EchoServer()
        for text in ["", "{\"jsonrpc\":", request("left") + "\n", request("large") + "\n"] {
            let client = try RawClient(echo.path)
            client.send(text)
        }
        let client = try RawClient(echo.path)
        #expect(client.ask(request("still"))?.contains("still") == true)
    }

    @Test func manyClientsAreServedOneRequestAtATime() throws {
        let echo = try EchoServer()
        let clients = try (0..<100).map { _ in try RawClient(echo.path) }
        for client in clients { client.send(request("count") + "\n") }
        let counts = clients.compactMap { $0.line() }.compactMap { Int($0.dropFirst(#"{"jsonrpc":"2.0","id":1,"result":"#.count).dropLast()) }
        #expect(counts.sorted() == Array(1...100))
    }

    @Test func tooManyClientsAreToldSo() throws {
        var limits = ControlServer.Limits()
        limits.clients = 2
        limits.idleMilliseconds = 60_000
        let echo = try EchoServer(limits: limits)
        let first = try RawClient(echo.path), second = try RawClient(echo.path)
        #expect(first.ask(request("a")) != nil)
        #expect(second.ask(request("b")) != nil)
        let third = try RawClient(echo.path)
        #expect(third.line()?.contains("there are 2 clients already") == true)
        #expect(third.line() == nil)
        #expect(first.ask(request("c"))?.contains("\"c\"") == true)
    }

    /// Idle clients cannot keep others out, and a client that waits for an answer is not closed.
    @Test func idleClientsMakeRoom() throws {
        var limits = ControlServer.Limits()
        limits.clients = 3
        limits.idleMilliseconds = 0
        let echo = try EchoServer(limits: limits)
        let busy = try RawClient(echo.path), first = try RawClient(echo.path), second = try RawClient(echo.path)
        #expect(second.ask(request("a")) != nil)
        #expect(first.ask(request("b")) != nil)
        // An incomplete request does not count as activity.
        first.send("{\"jsonrpc\":")
        busy.send(request("slow") + "\n")
        #expect(first.ask("1}")?.contains("jsonrpc must be") == true)
        let third = try RawClient(echo.path)
        #expect(third.ask(request("c"))?.contains("\"c\"") == true)
        #expect(second.line()?.contains("closed to let another client in: there are 3, and this one was idle the longest, for 0 s; connect again") == true)
        #expect(second.line() == nil)
        let fourth = try RawClient(echo.path)
        #expect(fourth.ask(request("d"))?.contains("\"d\"") == true)
        #expect(first.line()?.contains("closed to let another client in") == true)
        echo.gate.signal()
        #expect(busy.line()?.contains("slow, and") == true)
    }

    /// A client that sends single bytes, but never a whole request, cannot keep others out.
    @Test func slowWritersMakeRoom() throws {
        var limits = ControlServer.Limits()
        limits.clients = 2
        limits.idleMilliseconds = 0
        let echo = try EchoServer(limits: limits)
        let slow = try RawClient(echo.path), other = try RawClient(echo.path)
        slow.send("{\"jsonrpc\":")
        #expect(other.ask(request("a")) != nil)
        slow.send(" ")
        let third = try RawClient(echo.path)
        #expect(third.ask(request("c"))?.contains("\"c\"") == true)
        #expect(slow.line()?.contains("closed to let another client in") == true)
        #expect(other.ask(request("d"))?.contains("\"d\"") == true)
    }

    @Test func whatIsReadElsewhereHoldsNobodyUp() throws {
        let echo = try EchoServer()
        let slow = try RawClient(echo.path), other = try RawClient(echo.path)
        slow.send("[\(request("slow")),\(request("count", "2"))]\n")
        for _ in 0..<3 { #expect(other.ask(request("quick"))?.contains("quick") == true) }
        echo.gate.signal()
        #expect(slow.line() == #"[{"jsonrpc":"2.0","id":1,"result":"slow, and 4 seen"},{"jsonrpc":"2.0","id":2,"result":5}]"#)
        // A long request is also parsed on another thread.
        let long = #"{"jsonrpc":"2.0","id":1,"method":"long","params":{"x":""# + String(repeating: "x", count: 1 << 20) + "\"}}"
        #expect(slow.ask(long) == #"{"jsonrpc":"2.0","id":1,"result":"long"}"#)
        #expect(slow.ask(request("count")) == #"{"jsonrpc":"2.0","id":1,"result":7}"#)
    }

    @Test func anAnswerWithoutEndIsNotSent() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        #expect(client.ask(request("huge"))?.contains("the answer has 65 MiB, and more than 64 are not sent: ask for one tree, or by name") == true)
    }

    @Test func aHundredMegabytesAreNotHeld() throws {
        let echo = try EchoServer()
        let client = try RawClient(echo.path)
        let megabyte = [UInt8](repeating: UInt8(ascii: "x"), count: 1 << 20)
        for _ in 0..<100 where !client.send(megabyte) { break }
        let answer = client.line()
        #expect(answer?.contains("\"code\":-32600") == true)
        #expect(answer?.contains("the request is larger than 16 MiB, the most this socket takes") == true)
        #expect(client.line() == nil)
        #expect(echo.server.peakPendingBytes <= 17 << 20)
        let other = try RawClient(echo.path)
        #expect(other.ask(request("still"))?.contains("still") == true)
    }

    @Test func theLargestRequestIsTaken() throws {
        var limits = ControlServer.Limits()
        limits.maximumRequest = 1 << 20
        let echo = try EchoServer(limits: limits)
        let client = try RawClient(echo.path)
        let bare = request("x")
        let padded = bare.dropLast() + #","params":""# + String(repeating: "y", count: limits.maximumRequest - bare.count - 12) + "\"}"
        #expect(padded.count == limits.maximumRequest)
        #expect(client.ask(String(padded)) == #"{"jsonrpc":"2.0","id":1,"result":"x"}"#)
        #expect(client.ask(padded + " ")?.contains("larger than 1 MiB") == true)
        #expect(client.line() == nil)
    }

    @Test func clientsTogetherHoldABoundedAmount() throws {
        var limits = ControlServer.Limits()
        limits.maximumRequest = 1 << 20
        limits.pending = 2 << 20
        let echo = try EchoServer(limits: limits)
        let clients = try (0..<4).map { _ in try RawClient(echo.path) }
        let bytes = [UInt8](repeating: UInt8(ascii: "x"), count: 900 << 10)
        for client in clients { client.send(bytes) }
        // Clients that exceed what all may send together are told so; the others are refused because their own requests get too large.
        for client in clients { client.send(bytes) }
        let answers = clients.compactMap { $0.line() }
        #expect(answers.count == 4)
        #expect(answers.allSatisfy { $0.contains("too much is being sent at once") || $0.contains("larger than 1 MiB") })
        #expect(echo.server.peakPendingBytes <= 2 << 20)
    }

    /// Clients that do not read their answers cannot keep others out.
    @Test func slowReadersMakeRoom() throws {
        var limits = ControlServer.Limits()
        limits.clients = 2
        limits.idleMilliseconds = 0
        let echo = try EchoServer(limits: limits)
        let slow = try (0..<2).map { _ in try RawClient(echo.path) }
        for client in slow {
            client.send(request("large") + "\n")
            // The answer has begun to come, and is larger than what a socket holds.
            #expect(client.bytes(1) == 1)
        }
        let others = try (0..<2).map { _ in try RawClient(echo.path) }
        for client in others { #expect(client.ask(request("a"))?.contains("\"a\"") == true) }
        #expect(slow.count { ($0.line()?.utf8.count ?? 0) < 8 << 20 } == 2)
    }

    @Test func answersThatNobodyReadsTakeABoundedAmount() throws {
        var limits = ControlServer.Limits()
        limits.answers = 20 << 20
        limits.idleMilliseconds = 0
        let echo = try EchoServer(limits: limits)
        let slow = try (0..<2).map { _ in try RawClient(echo.path) }
        for client in slow {
            client.send(request("large") + "\n")
            #expect(client.bytes(1) == 1)
        }
        let third = try RawClient(echo.path)
        #expect(third.ask(request("large"))?.contains("the answers that clients have not read yet take 20 MiB, and there is no room for this one") == true)
        #expect(echo.server.peakAnswerBytes <= 20 << 20)
        // Those who read nothing are closed then. Little answers are sent in any case.
        #expect(third.ask(request("small"))?.contains("small") == true)
        #expect(third.ask(request("large"))?.utf8.count ?? 0 > 8 << 20)
        let batch = third.ask("[\(request("count")),\(request("large")),\(request("large")),\(request("large")),\(request("count"))]")
        #expect(batch?.contains("from request 4 of 5 on: that one was carried out, and none behind it") == true)
        #expect(third.ask(request("large"))?.utf8.count ?? 0 > 8 << 20)
        #expect(echo.server.peakAnswerBytes <= 20 << 20)
        #expect(slow.count { ($0.line()?.utf8.count ?? 0) < 8 << 20 } == 2)
    }

    /// What large answers have taken goes back to the system, and does not stay with the process for ever. The process is one of its own: what other tests
    /// take at the same time would be counted with it.
    @Test func memoryIsGivenBack() async {
        await #expect(processExitsWith: .success) {
            func resident() throws -> Int {
                let status = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
                return try #require(status.split(separator: " ").dropFirst().first.flatMap { Int($0) }) * 4_096
            }
            let echo = try EchoServer()
            #expect(try RawClient(echo.path).ask(request("large"))?.utf8.count ?? 0 > 8 << 20)
            let before = try resident()
            let slow = try (0..<12).map { _ in try RawClient(echo.path) }
            for client in slow {
                client.send(request("large") + "\n")
                #expect(client.bytes(1) == 1)
            }
            #expect(try resident() > before + 64 << 20)
            for client in slow { client.end() }
            // No event tells when the system has got it.
            for _ in 0..<1_500 where try resident() > before + 24 << 20 { _ = poll(nil, 0, 20) }
            #expect(try resident() <= before + 24 << 20)
        }
    }

    /// A request counts until it is answered, not only until it is parsed.
    @Test func requestsInProgressTakeABoundedAmount() throws {
        var limits = ControlServer.Limits()
        limits.maximumRequest = 1 << 20
        limits.pending = 2 << 20
        let echo = try EchoServer(limits: limits)
        let padding = String(repeating: "x", count: 900 << 10)
        let large = #"{"jsonrpc":"2.0","id":1,"method":"slow","params":{"x":"\#(padding)"}}"#
        let busy = try (0..<2).map { _ in try RawClient(echo.path) }
        for client in busy { client.send(large + "\n") }
        let third = try RawClient(echo.path), little = try RawClient(echo.path)
        #expect(third.ask(large)?.contains("too much is being sent at once") == true)
        #expect(little.ask(request("little"))?.contains("little") == true)
        for _ in busy { echo.gate.signal() }
        for client in busy { #expect(client.line()?.contains("slow, and") == true) }
        #expect(echo.server.peakPendingBytes <= 2 << 20 + 256 << 10)
        #expect(busy[0].ask(large.replacing("slow", with: "fast"))?.contains("fast") == true)
    }

    /// Clients beyond the limit take descriptors for as long as they are told so, and that is bounded as well.
    @Test func notEveryClientTooManyIsTold() throws {
        var limits = ControlServer.Limits()
        limits.clients = 1
        limits.idleMilliseconds = 60_000
        let echo = try EchoServer(limits: limits)
        let first = try RawClient(echo.path)
        #expect(first.ask(request("a")) != nil)
        let others = try (0..<100).map { _ in try RawClient(echo.path) }
        let told = others.compactMap { $0.line() }
        #expect(told.count == 64 && told.allSatisfy { $0.contains("there are 1 clients already") })
        #expect(first.ask(request("b")) != nil)
    }

    /// However much others ask, between two requests of one client each of them has its turn about once.
    @Test func nobodyWaitsForMoreThanARequestOfEachOther() throws {
        let echo = try EchoServer()
        let many = try (0..<20).map { _ in try RawClient(echo.path) }
        for client in many { client.send(String(repeating: request("count") + "\n", count: 400)) }
        let client = try RawClient(echo.path)
        client.send(String(repeating: request("count") + "\n", count: 50))
        let counts = (0..<50).compactMap { _ in client.line() }.compactMap { Int($0.dropFirst(#"{"jsonrpc":"2.0","id":1,"result":"#.count).dropLast()) }
        #expect(counts.count == 50)
        for (before, after) in zip(counts, counts.dropFirst()) { #expect(after - before <= 2 * many.count + 1) }
    }

    @Test func theSocketIsTheGroups() throws {
        let echo = try EchoServer()
        var status = stat()
        #expect(stat(echo.path, &status) == 0)
        #expect(status.st_mode & 0o777 == 0o660)
        #expect(status.st_mode & S_IFMT == S_IFSOCK)
    }

    @Test func aSecondServerIsRefused() throws {
        let echo = try EchoServer()
        let second = ControlServer(path: echo.path, queue: echo.queue) { _ in .reply(0) }
        let sentence = "another sluiced (pid \(getpid())) answers on \(echo.path): stop it, or give another path with --socket"
        #expect { try second.start() } throws: { "\($0)" == sentence }
        #expect { try ControlServer.reserve(echo.path) } throws: { "\($0)" == sentence }
        let client = try RawClient(echo.path)
        #expect(client.ask(request("first"))?.contains("first") == true)
    }

    /// Datagram and seqpacket sockets refuse stream connections, but they still belong to another process.
    @Test(arguments: [SOCK_DGRAM, SOCK_SEQPACKET]) func aSocketOfAnotherKindIsLeftAlone(_ kind: __socket_type) throws {
        let folder = TemporaryFolder()
        let path = folder("theirs.sock")
        let theirs = socket(AF_UNIX, Int32(kind.rawValue), 0)
        defer { close(theirs) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(theirs, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        #expect(bound == 0)
        if kind == SOCK_SEQPACKET { #expect(listen(theirs, 1) == 0) }
        #expect { try ControlServer.reserve(path) } throws: { "\($0)".contains("is another process's socket") }
        #expect(access(path, F_OK) == 0)
    }

    @Test func aPathIsKeptBeforeItIsServed() throws {
        let folder = TemporaryFolder()
        let path = folder("control.sock")
        let reserved = try ControlServer.reserve(path)
        let other = ControlServer(path: path, queue: DispatchQueue(label: "other")) { .reply($0.method) }
        let sentence = "another sluiced (pid \(getpid())) holds \(path): stop it, or give another path with --socket"
        #expect { try ControlServer.reserve(path) } throws: { "\($0)" == sentence }
        #expect { try other.start() } throws: { "\($0)" == sentence }
        let server = ControlServer(path: path, queue: DispatchQueue(label: "kept")) { .reply($0.method) }
        try server.start(reserved)
        #expect(try RawClient(path).ask(request("mine"))?.contains("mine") == true)
        server.stop()
        // The reservation remains the caller's, which may have more to do before another daemon may start.
        #expect(access(path + ".lock", F_OK) == 0)
        reserved.release()
        #expect(access(path + ".lock", F_OK) != 0)
        try other.start()
        other.stop()
    }

    @Test func aSocketNobodyAnswersOnIsReplaced() throws {
        let folder = TemporaryFolder()
        let path = folder("control.sock")
        let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let bound = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size)) }
        }
        #expect(bound == 0)
        close(descriptor)
        let server = ControlServer(path: path, queue: DispatchQueue(label: "stale")) { .reply($0.method) }
        try server.start()
        #expect(try RawClient(path).ask(request("fresh"))?.contains("fresh") == true)
        server.stop()
        #expect(access(path, F_OK) != 0)
        #expect(access(path + ".lock", F_OK) != 0)
    }

    @Test func whatIsNoSocketStays() throws {
        let folder = TemporaryFolder()
        let path = folder("control.sock")
        try Data("precious".utf8).write(to: URL(fileURLWithPath: path))
        let server = ControlServer(path: path, queue: DispatchQueue(label: "file")) { .reply($0.method) }
        #expect { try server.start() } throws: {
            "\($0)" == "\(path) is there and is no socket: move it away, or give another path with --socket"
        }
        #expect(try String(contentsOfFile: path, encoding: .utf8) == "precious")
    }

    @Test func pathsThatAreTooLong() {
        let server = ControlServer(path: "/" + String(repeating: "x", count: 107), queue: DispatchQueue(label: "long")) { .reply($0.method) }
        #expect { try server.start() } throws: { "\($0)".contains("path has 108 bytes, and the system takes 107 at most") }
    }

    @Test func startsAgainAfterAStop() throws {
        let folder = TemporaryFolder()
        for round in 0..<5 {
            let server = ControlServer(path: folder("sub/control.sock"), queue: DispatchQueue(label: "again")) { .reply($0.method) }
            try server.start()
            #expect(try RawClient(folder("sub/control.sock")).ask(request("r\(round)"))?.contains("r\(round)") == true)
            server.stop()
        }
    }

    @Test func whatStandsInTheWayIsToldInsteadOfWaiting() throws {
        let folder = TemporaryFolder()
        let begun = DispatchSemaphore(value: 0), goOn = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var carriedOut: [String] = []
        let server = ControlServer(path: folder("s"), queue: DispatchQueue(label: "stuck"), obstacle: { "the loop on CPU 7 does not answer" }) { request in
            if request.method == "stuck" {
                begun.signal()
                goOn.wait()
            }
            carriedOut.append(request.method)
            return .reply(carriedOut)
        }
        try server.start()
        let first = try RawClient(folder("s")), second = try RawClient(folder("s"))
        first.send(request("stuck") + "\n")
        begun.wait()
        #expect(second.ask(request("behind"))?.contains("\"id\":1,\"error\":{\"code\":-32002,\"message\":\"the loop on CPU 7 does not answer; this was not done\"") == true)
        #expect(first.line()?.contains("the loop on CPU 7 does not answer; this is not done yet, and will be when it answers") == true)
        // Each request was answered exactly once, and the one that was given up is not carried out later.
        goOn.signal()
        #expect(first.ask(request("after"))?.contains(#""result":["stuck","after"]"#) == true)
        #expect(second.ask(request("last"))?.contains(#""result":["stuck","after","last"]"#) == true)
        server.stop()
    }

    @Test func stoppingWaitsForTheRequestInProgress() throws {
        let folder = TemporaryFolder()
        let begun = DispatchSemaphore(value: 0), goOn = DispatchSemaphore(value: 0), stopped = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var isDone = false
        let server = ControlServer(path: folder("s"), queue: DispatchQueue(label: "slow")) { _ in
            begun.signal()
            goOn.wait()
            isDone = true
            return .reply(1)
        }
        try server.start()
        let client = try RawClient(folder("s"))
        client.send(request("slow") + "\n")
        begun.wait()
        nonisolated(unsafe) var wasDone = false
        Thread.detachNewThread {
            server.stop()
            wasDone = isDone
            stopped.signal()
        }
        goOn.signal()
        stopped.wait()
        #expect(wasDone)
    }
}
