import DataPlane
import Foundation

/// What the daemon does on signals, from before its first thread is made: a thread of their own takes them.
///
/// SIGTERM, SIGINT and SIGQUIT end it; a second one ends it at once, whatever keeps a clean end from coming. SIGHUP reloads the configuration
/// file, unless whoever started the daemon had it ignored (nohup). Others that would end a process are ignored; SIGABRT and what a fault of
/// the program raises are not.
final class Signals: @unchecked Sendable {
    enum Event { case end(CInt), reload }

    private static let ending = [SIGTERM, SIGINT, SIGQUIT]
    private static let ignored = [SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU, SIGXFSZ]

    private let condition = NSCondition()
    private var events: [Event] = []

    init() {
        for number in Self.ignored { signal(number, SIG_IGN) }
        // DPDK's tap driver takes the second realtime signal for itself, and only if nobody has done anything with it.
        let first = __libc_current_sigrtmin()
        for number in first...__libc_current_sigrtmax() where number != first + 1 { signal(number, SIG_IGN) }
        var taken = sigset_t()
        sigemptyset(&taken)
        for number in Self.ending { sigaddset(&taken, number) }
        var hangUp = sigaction()
        sigaction(SIGHUP, nil, &hangUp)
        if !isIgnored(hangUp) { sigaddset(&taken, SIGHUP) }
        // Every thread inherits this, so that `sigwait` alone gets them.
        pthread_sigmask(SIG_BLOCK, &taken, nil)
        Thread.detachNewThread { [self, taken] in take(taken) }
    }

    private func isIgnored(_ action: sigaction) -> Bool {
        withUnsafeBytes(of: action.__sigaction_handler) { $0.load(as: Int.self) } == 1
    }

    private func take(_ signals: sigset_t) {
        var signals = signals
        var isEnding = false
        while true {
            var caught: CInt = 0
            guard sigwait(&signals, &caught) == 0 else { continue }
            guard Self.ending.contains(caught) else { put(.reload); continue }
            if isEnding {
                // Where nobody reads it, it must not keep the end from coming.
                StandardError.write("sluiced: ended at once by a second signal\n")
                _exit(128 + caught)
            }
            isEnding = true
            put(.end(caught))
        }
    }

    private func put(_ event: Event) {
        condition.withLock {
            // Any number of requests to reload are one.
            if case .reload = event, case .reload = events.last { return }
            events.append(event)
            condition.signal()
        }
    }

    /// Waits for what is to be done next.
    func next() -> Event {
        condition.withLock {
            while events.isEmpty { condition.wait() }
            return events.removeFirst()
        }
    }
}
