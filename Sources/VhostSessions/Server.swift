import CLinux
import Glibc
import VhostUser

/// Serves all ports on one thread. No port can hold up another: nothing here waits for a frontend, and each port's work in a turn is bounded.
final class Server {
    private enum Target {
        case wake
        case folders
        case listener(Port)
        case connection(Port)
    }

    private var poller: Poller
    private let wake: Int32
    private var targets: [UInt64: Target] = [:]
    private var ports: [Int: Port] = [:]
    private var deadlines = Deadlines()
    private var folders = FolderWatches()

    /// Messages of a port in one turn; connections that a listening socket takes in one turn.
    private static let messagesPerTurn = 16, connectionsPerTurn = 8
    /// More connections than may wait at a listening socket.
    private static let mostWaiting = 32

    /// - Parameter wake: readable when there are commands. It stays the caller's.
    init(wake: Int32) throws(VhostError) {
        poller = try Poller()
        self.wake = wake
        guard let number = poller.add(wake) else { throw VhostError("epoll has no room: \(errorText())") }
        targets[number] = .wake
        if let descriptor = folders.descriptor, let number = poller.add(descriptor) { targets[number] = .folders }
    }

    func end() {
        for id in ports.keys { remove(id) }
        folders.end()
        poller.end()
    }

    /// One turn: waits for events and handles them.
    /// - Returns: whether there may be commands.
    func turn() -> Bool {
        var hasCommands = false
        for event in poller.wait(until: deadlines.first) {
            switch targets[event] {
            case .wake:
                var count: eventfd_t = 0
                eventfd_read(wake, &count)
                hasCommands = true
            case .folders: appeared(folders.read())
            case .listener(let port): accept(port)
            case .connection(let port): serve(port)
            case nil: break
            }
        }
        let now = monotonicNow()
        // Handling one may add another, which is handled in the next turn.
        for _ in 0..<ports.count * 4 + 64 {
            guard let due = deadlines.take(now) else { break }
            guard let port = ports[due.port] else { continue }
            if port.listed == due.time { port.listed = nil }
            isDue(port, now)
            list(port)
        }
        return hasCommands
    }

    // MARK: Ports

    func add(_ port: Port) {
        ports[port.id] = port
        if let listener = port.listener {
            if let number = poller.add(listener.descriptor) {
                port.listenerNumber = number
                targets[number] = .listener(port)
            } else {
                write(port, "nobody can connect to \(port.options.path): epoll has no room (\(errorText()))")
            }
        } else {
            connect(port)
        }
    }

    func remove(_ id: Int) {
        guard let port = ports[id] else { return }
        disconnect(port, because: "the port was closed")
        ports[id] = nil
        folders.unwatch(id)
        if let listener = port.listener {
            poller.remove(listener.descriptor)
            targets[port.listenerNumber] = nil
            listener.end()
        }
    }

    func disconnect(_ id: Int, because reason: String, isFault: Bool) { if let port = ports[id] { disconnect(port, because: reason, isFault: isFault) } }

    /// Ends the time for which nobody is connected at a port.
    func resume(_ id: Int) {
        guard let port = ports[id], port.isHeld else { return }
        port.next = 0
        isDue(port, monotonicNow())
    }

    /// Whoever is connected has to connect again if its memory is to be looked at.
    func requireSealedMemory(_ id: Int, _ isRequired: Bool) {
        guard let port = ports[id] else { return }
        port.options.requiresSealedMemory = isRequired
        if isRequired { disconnect(port, because: "memory that could become shorter is refused from now on, and the frontend's has to be looked at") }
    }

    func offer(_ id: Int, _ features: VirtioFeatures) { ports[id]?.options.offer.features = features }

    private func isDue(_ port: Port, _ now: UInt64) {
        if let connection = port.connection, let deadline = connection.deadline, deadline <= now { disconnect(port, because: connection.impatience, isFault: true) }
        if let next = port.next, next <= now {
            port.next = nil
            let wasHeld = port.isHeld
            port.isHeld = false
            if let listener = port.listener {
                // Who came meanwhile and has gone again is not listened to.
                if wasHeld { accept(port, afterHold: true) }
                if !port.isHeld { poller.change(listener.descriptor, number: port.listenerNumber, .reading) }
            } else if port.connection == nil {
                connect(port)
            }
        }
        if let summary = port.limiter.summary(now) { port.delegate.log(summary) }
    }

    /// Puts a port into the list of deadlines, unless it is there early enough.
    private func list(_ port: Port) {
        guard let due = port.due, port.listed.map({ due < $0 }) ?? true else { return }
        port.listed = due
        deadlines.add(due, port: port.id)
    }

    private func write(_ port: Port, _ line: String) {
        let now = monotonicNow()
        if port.limiter.admits(now) {
            port.delegate.log(line)
        } else {
            list(port)
        }
    }

    private func look(at port: Port, after pause: UInt64) {
        port.next = monotonicNow() + pause
        list(port)
    }

    // MARK: Connecting

    /// Something happened in the folders of these clients' sockets.
    private func appeared(_ ids: Set<Int>) {
        for id in ids {
            guard let port = ports[id], port.connection == nil, port.listener == nil, !port.isHeld else { continue }
            port.pause = Port.shortestPause
            connect(port)
        }
    }

    private func connect(_ port: Port) {
        let path = port.options.path
        // First the watch, then the look: what happens in between is not missed.
        folders.watch(path, port: port.id)
        let obstacle: String
        do throws(VhostError) {
            switch try UnixSocket.connect(to: path) {
            case .success(let socket):
                folders.unwatch(port.id)
                port.obstacle = nil
                return begin(port, socket)
            case .failure(let failure) where failure.number == ENOENT || failure.number == ENOTDIR:
                // Nothing to be told: the guest is not there yet. The watch tells when it comes.
                port.obstacle = nil
                return look(at: port, after: Port.longestPause)
            case .failure(let failure):
                obstacle = UnixSocket.obstacle(at: path) ?? "\(path) cannot be connected to: \(errorText(failure.number))"
            }
        } catch {
            obstacle = error.description
        }
        // A socket is there before anybody listens on it, so the first looks follow each other closely, and nothing is said about them.
        let pause = port.takePause()
        if pause == Port.longestPause, port.obstacle != obstacle {
            port.obstacle = obstacle
            write(port, obstacle)
        }
        look(at: port, after: pause)
    }

    /// - Parameter afterHold: whether nobody was connected for a time, in which many may have come and gone.
    private func accept(_ port: Port, afterHold: Bool = false) {
        guard let listener = port.listener else { return }
        for _ in 0..<(afterHold ? Self.mostWaiting : Self.connectionsPerTurn) {
            let flags = Int32(SOCK_NONBLOCK.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
            let socket = Int32(uninterrupted { Int(accept4(listener.descriptor, nil, nil, flags)) })
            guard socket >= 0 else {
                if errno == EAGAIN || errno == EWOULDBLOCK || errno == ECONNABORTED { return }
                write(port, "nobody can connect to \(port.options.path) now: \(errorText())")
                poller.change(listener.descriptor, number: port.listenerNumber, .none)
                return look(at: port, after: 100_000_000)
            }
            if afterHold, UnixSocket.isHungUp(socket) {
                close(socket)
                continue
            }
            if let connection = port.connection {
                // Only one frontend is served. The end of the earlier connection may be known only after the next has been made.
                guard UnixSocket.isHungUp(connection.socket) else {
                    close(socket)
                    write(port, "a second connection to \(port.options.path) was closed, as a frontend is being served")
                    continue
                }
                disconnect(port, because: "the frontend closed the connection")
            }
            begin(port, socket)
        }
    }

    private func begin(_ port: Port, _ socket: Int32) {
        guard let number = poller.add(socket) else {
            write(port, "a connection was closed: epoll has no room (\(errorText()))")
            close(socket)
            if port.listener == nil { look(at: port, after: Port.longestPause) }
            return
        }
        targets[number] = .connection(port)
        port.connectionNumber = number
        port.connection = Connection(socket: socket, now: monotonicNow())
        port.session = Session(offer: port.options.offer)
        port.delegate.connected()
    }

    private func disconnect(_ port: Port, because reason: String, isFault: Bool = false) {
        guard let connection = port.connection else { return }
        port.session?.end()
        // The reason is known.
        _ = port.carryOut(monotonicNow()) { write(port, $0) }
        poller.remove(connection.socket)
        targets[port.connectionNumber] = nil
        (port.connection ?? connection).end()
        port.connection = nil
        port.session = nil
        let hold = port.delegate.disconnected(because: reason, isFault: isFault)
        write(port, "disconnected: \(reason)")
        if let hold {
            port.isHeld = true
            folders.unwatch(port.id)
            if let listener = port.listener { poller.change(listener.descriptor, number: port.listenerNumber, .none) }
            return look(at: port, after: hold)
        }
        guard port.listener == nil else { return }
        // A frontend whose connections end at once is not to keep this thread busy.
        if monotonicNow() - connection.since >= Port.longestPause { port.pause = Port.shortestPause }
        look(at: port, after: port.takePause())
        folders.watch(port.options.path, port: port.id)
    }

    // MARK: Messages

    private func serve(_ port: Port) {
        let now = monotonicNow()
        if port.connection?.hasUnsent ?? false, let reason = port.connection?.flush(now) { return disconnect(port, because: reason) }
        for _ in 0..<Self.messagesPerTurn {
            // Who does not read replies is not heard.
            if port.connection?.hasUnsent ?? true { break }
            switch port.connection?.receive(now) {
            case .message(let header, let payload, let descriptors):
                port.session?.receive(header, payload: payload, descriptors: descriptors.map(Inspection.inspect))
                if let reason = port.carryOut(now, write: { write(port, $0) }) { return disconnect(port, because: reason, isFault: true) }
            case .nothing, nil: return updateInterest(port)
            case .end: return disconnect(port, because: "the frontend closed the connection")
            case .failure(let sentence): return disconnect(port, because: sentence, isFault: true)
            }
        }
        updateInterest(port)
    }

    private func updateInterest(_ port: Port) {
        guard let connection = port.connection else { return }
        poller.change(connection.socket, number: port.connectionNumber, connection.hasUnsent ? .writing : .reading)
        list(port)
    }
}
