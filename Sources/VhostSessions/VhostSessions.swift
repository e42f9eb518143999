import CLinux
import Glibc
import Synchronization
import VhostUser

/// The vhost-user sockets of all ports, served by one thread. Ports are added and removed from any thread.
public final class VhostSessions: Sendable {
    /// A port, by which it is removed.
    public struct PortID: Sendable, Hashable {
        let number: Int
    }

    private enum Command: Sendable {
        case add(Int, PortOptions, any VhostDelegate, Listener?)
        case remove(Int, Signal)
        case disconnect(Int, String, isFault: Bool)
        case resume(Int)
        case requireSealedMemory(Int, Bool, Signal)
        case offer(Int, VirtioFeatures)
        case end
    }

    private struct Shared {
        var commands: [Command] = []
        var nextNumber = 0
        var thread: pthread_t?
        var isEnded = false
    }

    private let shared = Mutex(Shared())
    private let wake: Int32
    private let ended = Signal()

    /// Starts the thread.
    /// - Parameter onThread: called on it before anything else; the place to choose its CPUs.
    /// - Throws: a sentence if the system lets no thread be started.
    public init(onThread: (@Sendable () -> Void)? = nil) throws(VhostError) {
        wake = eventfd(0, Int32(EFD_NONBLOCK) | Int32(EFD_CLOEXEC))
        if wake < 0 { throw VhostError("no eventfd can be made: \(errorText())") }
        let server: Server
        do throws(VhostError) { server = try Server(wake: wake) } catch {
            close(wake)
            throw error
        }
        // The thread owns the server from here on.
        let start = Start(sessions: self, server: server, onThread: onThread)
        var thread = pthread_t()
        let passed = Unmanaged.passRetained(start)
        let result = pthread_create(&thread, nil, { argument in
            guard let argument else { return nil }
            Unmanaged<Start>.fromOpaque(argument).takeRetainedValue().run()
            return nil
        }, passed.toOpaque())
        guard result == 0 else {
            passed.release()
            server.end()
            close(wake)
            throw VhostError("the thread for vhost-user cannot be started: \(errorText(result))")
        }
        let started = thread
        shared.withLock { $0.thread = started }
    }

    private final class Start {
        let sessions: VhostSessions, server: Server, onThread: (@Sendable () -> Void)?

        init(sessions: VhostSessions, server: Server, onThread: (@Sendable () -> Void)?) {
            (self.sessions, self.server, self.onThread) = (sessions, server, onThread)
        }

        func run() {
            blockSignals()
            onThread?()
            while sessions.turn(server) {}
            server.end()
            sessions.ended.send()
        }

        /// Signals are for other threads. Those that a fault of this thread raises cannot be put off.
        private func blockSignals() {
            var signals = sigset_t()
            sigfillset(&signals)
            for fault in [SIGBUS, SIGSEGV, SIGFPE, SIGILL] { sigdelset(&signals, fault) }
            pthread_sigmask(SIG_BLOCK, &signals, nil)
        }
    }

    /// Begins to serve a port. A server listens when this returns; a client connects as soon as there is somebody to connect to.
    /// - Throws: a sentence if the socket cannot be had.
    public func add(_ options: PortOptions, _ delegate: any VhostDelegate) throws(VhostError) -> PortID {
        try UnixSocket.checkLength(options.path)
        let listener = options.mode == .server ? try UnixSocket.listen(at: options.path, prepare: options.prepare) : nil
        let number = shared.withLock { shared in
            shared.nextNumber += 1
            return shared.nextNumber
        }
        guard post(.add(number, options, delegate, listener)) else {
            listener?.end()
            throw VhostError("\(options.path) cannot be served: the thread for vhost-user has ended")
        }
        return PortID(number: number)
    }

    /// Ends a port. When this returns, its rings are stopped, its memory is unmapped, its connection and its socket are closed, and its delegate is not called
    /// any more. Not to be called by a delegate.
    public func remove(_ port: PortID) {
        let done = Signal()
        if post(.remove(port.number, done)) { done.wait() }
    }

    /// Ends a port's connection, if there is one. A client connects again.
    /// - Parameters:
    ///   - reason: a sentence.
    ///   - isFault: whether the frontend is to blame, as `VhostDelegate.disconnected` is told.
    public func disconnect(_ port: PortID, because reason: String, isFault: Bool = false) { _ = post(.disconnect(port.number, reason, isFault: isFault)) }

    /// Lets frontends be connected again at a port whose delegate had asked that nobody be for a time.
    public func resume(_ port: PortID) { _ = post(.resume(port.number)) }

    /// Changes `PortOptions.requiresSealedMemory` of a port. If memory is to be sealed from now on, the connection is at its end when this returns. Not to be
    /// called by a delegate.
    public func requireSealedMemory(_ port: PortID, _ isRequired: Bool) {
        let done = Signal()
        if post(.requireSealedMemory(port.number, isRequired, done)) { done.wait() }
    }

    /// Changes what a port offers to frontends that connect from now on. Who is connected keeps what it was offered.
    public func offer(_ port: PortID, _ features: VirtioFeatures) { _ = post(.offer(port.number, features)) }

    /// Ends all ports and the thread. Not to be called by a delegate.
    public func end() {
        let isFirst = shared.withLock { shared in
            defer { shared.isEnded = true }
            if !shared.isEnded { shared.commands.append(.end) }
            return !shared.isEnded
        }
        guard isFirst else { return }
        eventfd_write(wake, 1)
        ended.wait()
        if let thread = shared.withLock({ $0.thread }) { pthread_join(thread, nil) }
        close(wake)
    }

    private func post(_ command: Command) -> Bool {
        shared.withLock { shared in
            if shared.isEnded { return false }
            shared.commands.append(command)
            // Within the lock, as `end` closes the descriptor.
            eventfd_write(wake, 1)
            return true
        }
    }

    /// One turn of the thread.
    /// - Returns: whether there is another.
    private func turn(_ server: Server) -> Bool {
        guard server.turn() else { return true }
        for command in shared.withLock({ shared in
            defer { shared.commands = [] }
            return shared.commands
        }) {
            switch command {
            case .add(let id, let options, let delegate, let listener): server.add(Port(id: id, options, delegate, listener))
            case .remove(let id, let done):
                server.remove(id)
                done.send()
            case .disconnect(let id, let reason, let isFault): server.disconnect(id, because: reason, isFault: isFault)
            case .resume(let id): server.resume(id)
            case .requireSealedMemory(let id, let isRequired, let done):
                server.requireSealedMemory(id, isRequired)
                done.send()
            case .offer(let id, let features): server.offer(id, features)
            case .end: return false
            }
        }
        return true
    }
}
