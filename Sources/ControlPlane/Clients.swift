import NIOCore

/// The connections that count as clients. It is used only on their event loop, which is the same for all of them.
final class Clients: @unchecked Sendable {
    private var connections: [ObjectIdentifier: Connection] = [:]

    func add(_ connection: Connection) { connections[ObjectIdentifier(connection)] = connection }
    func remove(_ connection: Connection) { connections[ObjectIdentifier(connection)] = nil }

    /// Closes the connection that has been idle for longest, so that clients that merely hold connections open do not keep others out. A connection that has
    /// only just come or was only just answered is not closed.
    /// - Parameter why: what that client is told; nil: that there are as many clients as are allowed.
    /// - Returns: false if there is no connection that may be closed.
    @discardableResult
    func makeRoom(_ ledger: Ledger, _ why: String? = nil) -> Bool {
        let latest = NIODeadline.now() - .milliseconds(Int64(ledger.limits.idleMilliseconds))
        let idle = connections.values.filter { $0.isIdle && $0.lastActive <= latest }
        guard let longest = idle.min(by: { $0.lastActive < $1.lastActive }) else { return false }
        longest.giveWay(why)
        return true
    }

    /// Closes the connections whose clients have taken nothing of their answers for a while, as other answers need the room.
    func closeThoseWhoDoNotRead(_ ledger: Ledger) {
        let latest = NIODeadline.now() - .milliseconds(Int64(ledger.limits.idleMilliseconds))
        for connection in Array(connections.values) where connection.isAnswering && connection.lastActive <= latest { connection.giveWay() }
    }
}
