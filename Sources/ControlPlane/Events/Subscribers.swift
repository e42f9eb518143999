import ControlAPI
import Foundation
import NIOCore

/// What a client wants to be sent.
struct Subscription: Sendable {
    /// The most bytes of events that a client has not read yet; beyond them events are left out.
    static let most = 256 << 10

    let kinds: Set<Event.Kind>
    /// Bytes that are on their way to the client.
    var unread: Int
    /// Events that were left out since the last one that was sent.
    var lost: UInt64 = 0

    init(_ kinds: Set<Event.Kind>, unread: Int) { (self.kinds, self.unread) = (kinds, unread) }

    static func line(_ event: Event) -> ByteBuffer {
        // Texts and numbers always encode.
        ByteBuffer(bytes: ((try? JSONRPC.encoder().encode(EventNotice(event))) ?? Data()) + [0x0a])
    }
}

/// The connections whose clients have subscribed to events. It is used only on their event loop, which is the same for all of them.
final class Subscribers: @unchecked Sendable {
    private var connections: [ObjectIdentifier: Connection] = [:]

    func add(_ connection: Connection) { connections[ObjectIdentifier(connection)] = connection }
    func remove(_ connection: Connection) { connections[ObjectIdentifier(connection)] = nil }

    func send(_ event: Event) {
        guard !connections.isEmpty else { return }
        let line = Subscription.line(event)
        for connection in Array(connections.values) { connection.send(event, line) }
    }
}
