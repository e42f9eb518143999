import ControlAPI
import Dispatch
import Foundation
import NIOCore
import NIOPosix

/// Serves JSON-RPC, one request on each line, on a Unix socket.
///
/// The sockets are read and written on one thread of the server, and long requests are parsed on another one. The handler runs on the caller's queue, one
/// request at a time for all clients, and leaves work that need not be done there to other threads (`Response`). Each client has one request carried out at a
/// time, in order; what it sends meanwhile waits in its socket. A request larger than `maximumRequest` is answered with an error and its connection closed,
/// without ever being held in memory as a whole.
public final class ControlServer: Sendable {
    public typealias Handler = (Request) -> Response

    /// Limits that protect the daemon from clients that send without end.
    public struct Limits: Sendable {
        /// The most bytes of one request.
        public var maximumRequest = 16 << 20
        /// The most bytes of requests that are incomplete or being carried out, over all clients.
        public var pending = 64 << 20
        /// The most bytes of answers that clients have not read yet, over all clients.
        public var answers = 128 << 20
        /// The most clients at a time. For one more, the client that has been idle for longest is closed; if none is idle, the new client is answered with an
        /// error.
        public var clients = 256
        /// The most clients that are sent events. They are not idle as long as they read them.
        public var subscribers = 64
        /// How long a client must neither complete a line nor wait for an answer until it counts as idle.
        public var idleMilliseconds = 1_000
        public init() {}
    }

    private let path: SocketPath
    private let queue: DispatchQueue
    private let limits: Limits
    private let handler: QueuedHandler
    private let obstacle: Obstacle
    private let access: Access?
    private let running = Running()

    /// Tells why requests cannot be carried out now, as a sentence; nil: nothing is known that keeps them from it. It is called on any thread.
    public typealias Obstacle = @Sendable () -> String?

    /// - Parameters:
    ///   - path: the socket's path in the file system.
    ///   - queue: a serial queue, the only place where `handler` runs.
    ///   - access: the groups whose members may connect; nil: those of the socket's own group.
    ///   - obstacle: called when a request has taken over a second. A sentence that it returns becomes the request's answer.
    package init(path: String, queue: DispatchQueue, limits: Limits = Limits(), access: Access? = nil, obstacle: @escaping Obstacle = { nil }, handler: @escaping Handler) {
        self.obstacle = obstacle
        self.access = access
        self.path = SocketPath(path: path)
        self.queue = queue
        self.limits = limits
        self.handler = QueuedHandler(run: handler)
    }

    /// Keeps other servers from using `path` before this one serves it.
    /// - Throws: a sentence if another server has it, or if it cannot be served.
    package static func reserve(_ path: String) throws(ControlSocketError) -> FileLock { try SocketPath(path: path).lock() }

    /// Begins to serve. A socket on which nobody answers any more is replaced.
    /// - Parameter reserved: the result of `reserve`, which the caller releases; nil: the server takes its own lock on the path for as long as it serves.
    /// - Throws: `ControlSocketError`
    package func start(_ reserved: FileLock? = nil) throws {
        let lock = try reserved == nil ? path.lock() : nil
        let descriptor: CInt
        do {
            descriptor = try path.listen(backlog: 128, access)
        } catch {
            lock?.release()
            throw error
        }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let work = DispatchGroup()
        let ledger = Ledger(limits: limits), subscribers = Subscribers()
        let connection = Connection.Environment(
            queue: queue, documents: DispatchQueue(label: "documents"), work: work, clients: Clients(), subscribers: subscribers, ledger: ledger, handler: handler, obstacle: obstacle)
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
            running.set(Running.State(group: group, channel: channel, work: work, subscribers: subscribers, ledger: ledger, lock: lock))
        } catch {
            try? group.syncShutdownGracefully()
            path.remove()
            lock?.release()
            throw ControlSocketError("the control socket \(path.path) cannot be served: \(error)")
        }
    }

    /// Stops serving when the requests in progress are finished, and removes the socket. It must not be called on the handler's queue.
    public func stop() {
        guard let state = running.take() else { return }
        try? state.channel.close().wait()
        path.remove()
        state.ledger.end()
        state.work.wait()
        try? state.group.syncShutdownGracefully()
        state.lock?.release()
    }

    /// Sends an event to the clients that have subscribed to its kind. It may be called on any thread.
    package func publish(_ event: Event) {
        guard let state = running.peek() else { return }
        let subscribers = state.subscribers
        state.channel.eventLoop.execute { subscribers.send(event) }
    }

    /// The most bytes of unfinished requests that were ever held at the same time, over all clients.
    package var peakPendingBytes: Int { running.peek()?.ledger.peak.pending ?? 0 }

    /// The most bytes of answers that clients had not read yet, at the same time, over all clients.
    package var peakAnswerBytes: Int { running.peek()?.ledger.peak.answers ?? 0 }

    /// What exists between `start` and `stop`.
    private final class Running: @unchecked Sendable {
        struct State {
            var group: MultiThreadedEventLoopGroup
            var channel: any Channel
            var work: DispatchGroup
            var subscribers: Subscribers
            var ledger: Ledger
            /// The lock that belongs to the socket; nil if the caller holds it.
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

/// Lets the handler pass through other threads on the way to its queue, which alone calls it.
struct QueuedHandler: @unchecked Sendable {
    let run: ControlServer.Handler
}
