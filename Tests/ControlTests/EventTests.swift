import ControlAPI
import ControlPlane
import Dispatch
import Foundation
import Logging
import Synchronization
import Testing

/// What clients that have subscribed are sent.
@Suite struct EventTests {
    /// A server that lets anybody subscribe, and answers everything else with the method's name.
    private func server(_ folder: TemporaryFolder, limits: ControlServer.Limits = ControlServer.Limits()) throws -> ControlServer {
        let server = ControlServer(path: folder("control.sock"), queue: DispatchQueue(label: "events"), limits: limits) { request in
            guard request.method == Methods.eventsSubscribe.name else { return .reply(request.method == "large" ? String(repeating: "x", count: 8 << 20) : request.method) }
            do {
                return .subscription(to: try Event.Kind.named(try request.params(SubscribeParams.self).kinds))
            } catch {
                return .failure(error as? RPCError ?? RPCError(RPCError.internal, "\(error)"))
            }
        }
        try server.start()
        return server
    }

    private func subscription(_ kinds: String = "") -> String { #"{"jsonrpc":"2.0","id":1,"method":"events.subscribe","params":{\#(kinds.isEmpty ? "" : #""kinds":[\#(kinds)]"#)}}"# }

    private func event(_ kind: Event.Kind, _ text: String, _ number: Int = 0) -> Event {
        var event = Event(kind, level: "notice", text)
        (event.time, event.count) = (Double(number), UInt64(number))
        return event
    }

    @Test func eventsComeBehindTheAnswerAndBetweenOthers() throws {
        let folder = TemporaryFolder(), server = try server(folder)
        defer { server.stop() }
        let client = try RawClient(folder("control.sock")), other = try RawClient(folder("control.sock"))
        #expect(client.ask(subscription())?.contains(#""result":{"kinds":["link","guest","port","floor","drops","config","core","sflow"]}"#) == true)
        #expect(other.ask(subscription(#""floor""#))?.contains(#"{"kinds":["floor"]}"#) == true)
        server.publish(event(.guest, "a guest is connected"))
        server.publish(event(.floor, "a floor is missed"))
        #expect(client.line() == #"{"jsonrpc":"2.0","method":"event","params":{"count":0,"kind":"guest","level":"notice","text":"a guest is connected","time":0}}"#)
        #expect(client.line()?.contains("a floor is missed") == true)
        // The other one did not ask for guests.
        #expect(other.line()?.contains("a floor is missed") == true)
        // The connection still answers, and asking again takes the place of what was asked before.
        #expect(client.ask(#"{"jsonrpc":"2.0","id":7,"method":"status"}"#)?.contains(#""result":"status""#) == true)
        #expect(client.ask(subscription(#""config""#))?.contains(#"{"kinds":["config"]}"#) == true)
        server.publish(event(.guest, "not wanted"))
        server.publish(event(.config, "wanted"))
        #expect(client.line()?.contains(#""text":"wanted""#) == true)
        #expect(client.ask(subscription(#""x""#))?.contains("there are no events of kind 'x'; there are link, guest, port, floor, drops, config, core") == true)
    }

    @Test("Telling of an event takes as much stack and memory after many events as at first")
    func manyEvents() {
        let desk = EventDesk(log: Logger(label: "events") { _ in SwiftLogNoOpLogHandler() }), told = Mutex(0)
        desk.publish { _ in told.withLock { $0 += 1 } }
        // Once, each event left a frame on the stack of all that followed, and the daemon ended after some ten thousand.
        for _ in 0..<200_000 { desk.post(event(.guest, "")) }
        #expect(told.withLock { $0 } == 200_000)
    }

    @Test func anAnswerIsNotInterrupted() throws {
        let folder = TemporaryFolder(), server = try server(folder)
        defer { server.stop() }
        let client = try RawClient(folder("control.sock")), probe = try RawClient(folder("control.sock"))
        #expect(client.ask(subscription()) != nil)
        client.send(#"{"jsonrpc":"2.0","id":2,"method":"large"}"# + "\n")
        // The large answer has begun when its first bytes are there.
        let first = client.bytes(1)
        #expect(first == 1)
        for number in 0..<100 { server.publish(event(.link, "in between", number)) }
        #expect(probe.ask(#"{"jsonrpc":"2.0","id":3,"method":"status"}"#) != nil)
        let answer = client.line()
        #expect(answer?.utf8.count ?? 0 > 8 << 20 && answer?.hasSuffix("x\"}") == true)
        for number in 0..<100 { #expect(client.line()?.contains(#""count":\#(number),"#) == true) }
    }

    @Test func whoDoesNotReadLosesEventsAndIsToldHowMany() throws {
        let folder = TemporaryFolder(), server = try server(folder)
        defer { server.stop() }
        let client = try RawClient(folder("control.sock")), probe = try RawClient(folder("control.sock"))
        #expect(client.ask(subscription()) != nil)
        let text = String(repeating: "y", count: 1_000), many = 5_000
        for number in 0..<many { server.publish(event(.drops, text, number)) }
        // What was published has been dealt with when the server's thread answers someone else.
        #expect(probe.ask(#"{"jsonrpc":"2.0","id":3,"method":"status"}"#) != nil)
        var seen = 0, lost: UInt64 = 0
        while seen < many, lost == 0 {
            let notice = try JSONRPC.decoder().decode(EventNotice.self, from: Data(try #require(client.line()).utf8)).params
            if notice.kind == .lost { lost = notice.count ?? 0 } else if notice.text == text {
                #expect(notice.count == UInt64(seen))
                seen += 1
            }
            // Each line that is read makes room, until the news of what was left out fits.
            if seen >= 100 { server.publish(event(.drops, "after")) }
        }
        // Nothing is left out untold; some of those that came after are among them.
        #expect(seen >= 200 && seen < many && lost >= UInt64(many - seen), "\(seen) \(lost)")
    }

    @Test func onlySoManyMaySubscribeAndTheyMakeRoom() throws {
        var limits = ControlServer.Limits()
        limits.subscribers = 2
        let folder = TemporaryFolder(), server = try server(folder, limits: limits)
        defer { server.stop() }
        let first = try RawClient(folder("control.sock")), second = try RawClient(folder("control.sock")), third = try RawClient(folder("control.sock"))
        #expect(first.ask(subscription())?.contains("result") == true)
        #expect(first.ask(subscription())?.contains("result") == true)
        #expect(second.ask(subscription())?.contains("result") == true)
        #expect(third.ask(subscription())?.contains("2 clients have subscribed to events already: try again later") == true)
        second.endSending()
        server.publish(event(.link, "still there"))
        #expect(second.line()?.contains("still there") == true)
        second.end()
        #expect(second.line() == nil)
        // The server notices in its own time, at the latest when it sends something.
        var isServed = false
        for _ in 0..<100_000 where !isServed {
            server.publish(event(.config, "is anybody there?"))
            isServed = third.ask(subscription(#""floor""#))?.contains("result") == true
        }
        #expect(isServed)
    }

    @Test func theLogTellsTheSame() {
        let lines = LogLines()
        var log = Logger(label: "test") { _ in lines }
        log.logLevel = .info
        let desk = EventDesk(log: log)
        let sent = LockedList()
        desk.publish { sent.append($0.text) }
        var lost = Event(.link, level: "warning", "the carrier is lost")
        lost.port = "up"
        desk.post(lost)
        desk.post(Event(.config, level: "info", "port add: 1 change"), shown: "port add: + port vm1")
        #expect(lines.all.lines == ["warning the carrier is lost port=up", "info port add: + port vm1"])
        #expect(sent.lines == ["the carrier is lost", "port add: 1 change"])
    }
}

/// Texts that several threads add to.
private final class LockedList: @unchecked Sendable {
    private let mutex = NSLock()
    private var list: [String] = []
    func append(_ text: String) { mutex.withLock { list.append(text) } }
    var lines: [String] { mutex.withLock { list } }
}

/// A log that keeps its lines.
private struct LogLines: LogHandler {
    let all = LockedList()
    var logLevel = Logger.Level.info
    var metadata: Logger.Metadata = [:]
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }
    func log(event: LogEvent) {
        all.append("\(event.level) \(event.message)" + (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined())
    }
}
