import ControlAPI
import Dispatch
import Foundation
import NIOCore
import NIOPosix

/// Serves JSON-RPC, one request a line, on a Unix socket.
///
/// Sockets are read and written on a thread of the server's own, and long requests read on another; the handler runs on the caller's queue, one request at a
/// time whatever the number of clients, and leaves to others what holds up nobody there (`Response`). A client has one request carried out at a time, in its order; what it sends meanwhile waits
/// in its socket. A request larger than `maximumRequest` is answered with an error, and its connection closed, without having
/// been held.
public final class ControlServer: Sendable {
    public typealias Handler = (Request) -> Response

    /// Limits, against clients that send without end.
    public struct Limits: Sendable {
        /// Bytes of one request.
        public var maximumRequest = 16 << 20
        /// Bytes of unfinished requests, all clients together.
        public var pending = 64 << 20
        /// Clients at a time. For another the one that has been idle the longest is closed; where none is, the other is answered with an error.
        public var clients = 256
        /// From when on a client is idle that sends no whole line and waits for nothing.
        public var idleMilliseconds = 1_000
        public init() {}
    }

    private let path: SocketPath
    private let queue: DispatchQueue
    private let limits: Limits
    private let handler: QueuedHandler
    private let obstacle: Obstacle
    private let running = Running()

    /// Why requests are not carried out now, as a sentence; nil: nothing is known to be in their way. Called on any thread.
    public typealias Obstacle = @Sendable () -> String?

    /// - Parameters:
    ///   - queue: where `handler` runs, and nowhere else; a serial one.
    ///   - obstacle: asked while a request takes over a second; what it tells is the request's answer then.
    public init(path: String, queue: DispatchQueue, limits: Limits = Limits(), obstacle: @escaping Obstacle = { nil }, handler: @escaping Handler) {
        self.obstacle = obstacle
        self.path = SocketPath(path: path)
        self.queue = queue
        self.limits = limits
        self.handler = QueuedHandler(run: handler)
    }

    /// Keeps other servers from `path` before there is one to serve it.
    /// - Throws: a sentence if another server has it, or if it cannot be served.
    package static func reserve(_ path: String) throws(ControlSocketError) -> FileLock { try SocketPath(path: path).lock() }

    /// Serves from now on. A socket on which nobody answers is replaced.
    /// - Parameter reserved: from `reserve`, and the caller's to release; nil: the server takes the path for as long as it serves.
    /// - Throws: `ControlSocketError`
    package func start(_ reserved: FileLock? = nil) throws {
        let lock = try reserved == nil ? path.lock() : nil
        let descriptor: CInt
        do {
            descriptor = try path.listen(backlog: 128)
        } catch {
            lock?.release()
            throw error
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let work = DispatchGroup()
        let ledger = Ledger(limits: limits)
        let connection = Connection.Environment(
            queue: queue, documents: DispatchQueue(label: "documents"), work: work, clients: Clients(), ledger: ledger, handler: handler, obstacle: obstacle)
        do {
            let channel = try ServerBootstrap(group: group)
                .serverChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(AcceptPause {
                            connection.clients.makeRoom(ledger, "closed to let another client in: no file descriptor is free, and this one was idle the longest")
                        })
                    }
                }
                .childChannelOption(.allowRemoteHalfClosure, value: true)
                .childChannelOption(.maxMessagesPerRead, value: 4)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Connection(connection))
                    }
                }
                .withBoundSocket(descriptor)
                .wait()
            running.set(Running.State(group: group, channel: channel, work: work, ledger: ledger, lock: lock))
        } catch {
            try? group.syncShutdownGracefully()
            path.remove()
            lock?.release()
            throw ControlSocketError("the control socket \(path.path) cannot be served: \(error)")
        }
    }

    /// Ends serving, after the requests in progress; the socket is removed. Not to be called on the handler's queue.
    public func stop() {
        guard let state = running.take() else { return }
        try? state.channel.close().wait()
        path.remove()
        state.ledger.end()
        state.work.wait()
        try? state.group.syncShutdownGracefully()
        state.lock?.release()
    }

    /// Most bytes of unfinished requests held at any time, all clients together.
    package var peakPendingBytes: Int { running.peek()?.ledger.peak ?? 0 }

    /// What there is between `start` and `stop`.
    private final class Running: @unchecked Sendable {
        struct State {
            var group: MultiThreadedEventLoopGroup
            var channel: any Channel
            var work: DispatchGroup
            var ledger: Ledger
            /// nil: another's.
            var lock: FileLock?
        }
        private let mutex = NSLock()
        private var state: State?

        func set(_ new: State) { mutex.withLock { state = new } }
        func peek() -> State? { mutex.withLock { state } }
        func take() -> State? {
            mutex.withLock {
                defer { state = nil }
                return state
            }
        }
    }
}

/// The handler on its way to its queue: other threads carry it there, only the queue runs it.
struct QueuedHandler: @unchecked Sendable {
    let run: ControlServer.Handler
}

/// What all connections share: how much they hold, and whether the server is ending.
final class Ledger: @unchecked Sendable {
    let limits: ControlServer.Limits
    private let mutex = NSLock()
    private var clients = 0
    private var pending = 0
    private var isEnding = false
    private var highest = 0

    init(limits: ControlServer.Limits) { self.limits = limits }

    var peak: Int { mutex.withLock { highest } }

    /// - Returns: false if there are too many clients.
    func enter() -> Bool {
        mutex.withLock {
            guard clients < limits.clients, !isEnding else { return false }
            clients += 1
            return true
        }
    }

    func leave(holding bytes: Int) {
        mutex.withLock {
            clients -= 1
            pending -= bytes
        }
    }

    /// - Returns: false if that is more than all clients together may hold.
    func hold(_ bytes: Int) -> Bool {
        mutex.withLock {
            guard pending + bytes <= limits.pending else { return false }
            pending += bytes
            highest = max(highest, pending)
            return true
        }
    }

    func release(_ bytes: Int) { mutex.withLock { pending -= bytes } }

    func end() { mutex.withLock { isEnding = true } }

    /// Counts a request in, unless the server is ending.
    func begin(_ work: DispatchGroup) -> Bool {
        mutex.withLock {
            if isEnding { return false }
            work.enter()
            return true
        }
    }
}
