import NIOCore

/// The connections that count as clients. Used on their event loop, which is one for all.
final class Clients: @unchecked Sendable {
    private var connections: [ObjectIdentifier: Connection] = [:]

    func add(_ connection: Connection) { connections[ObjectIdentifier(connection)] = connection }
    func remove(_ connection: Connection) { connections[ObjectIdentifier(connection)] = nil }

    /// Closes the connection that has been idle the longest, so that who holds connections open keeps nobody out. One that has only just come, or was
    /// answered, is let be.
    /// - Parameter why: what it is told; nil: there are as many clients as may be.
    /// - Returns: false if there is none to close.
    @discardableResult
    func makeRoom(_ ledger: Ledger, _ why: String? = nil) -> Bool {
        let latest = NIODeadline.now() - .milliseconds(Int64(ledger.limits.idleMilliseconds))
        let idle = connections.values.filter { $0.isIdle && $0.lastActive <= latest }
        guard let longest = idle.min(by: { $0.lastActive < $1.lastActive }) else { return false }
        longest.giveWay(why)
        return true
    }
}
