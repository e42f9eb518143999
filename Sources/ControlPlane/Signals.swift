import DataPlane
import Foundation

/// Receives the process's signals on a thread of its own, from before any other thread is made.
///
/// SIGTERM, SIGINT and SIGQUIT end the daemon; a second one ends it at once, even if something keeps a clean end from coming. SIGHUP reloads the configuration
/// file, unless it was ignored when the daemon was started (nohup). Other signals that would end a process are ignored, except SIGABRT and those raised by
/// faults of the program.
final class Signals: @unchecked Sendable {
    enum Event { case end(CInt), reload }

    private static let ending = [SIGTERM, SIGINT, SIGQUIT]
    private static let ignored = [SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGSTKFLT, SIGXCPU, SIGXFSZ]

    private let condition = NSCondition()
    private var events: [Event] = []

    init() {
        for number in Self.ignored { signal(number, SIG_IGN) }
        // DPDK's tap driver uses the second realtime signal, but only if its disposition has not been changed.
        let first = __libc_current_sigrtmin()
        for number in first...__libc_current_sigrtmax() where number != first + 1 { signal(number, SIG_IGN) }
        var taken = sigset_t()
        sigemptyset(&taken)
        for number in Self.ending { sigaddset(&taken, number) }
        var hangUp = sigaction()
        sigaction(SIGHUP, nil, &hangUp)
        if !isIgnored(hangUp) { sigaddset(&taken, SIGHUP) }
        // Every thread made later inherits this mask, so that only `sigwait` receives these signals.
        pthread_sigmask(SIG_BLOCK, &taken, nil)
        Thread.detachNewThread { [self, taken] in wait(for: taken) }
    }

    private func isIgnored(_ action: sigaction) -> Bool {
        withUnsafeBytes(of: action.__sigaction_handler) { $0.load(as: Int.self) } == 1
    }

    private func wait(for signals: sigset_t) {
        var signals = signals
        var isEnding = false
        while true {
            var caught: CInt = 0
            guard sigwait(&signals, &caught) == 0 else { continue }
            guard Self.ending.contains(caught) else { put(.reload); continue }
            if isEnding {
                // The message must not keep the daemon from ending if nobody reads it.
                StandardError.write("sluiced: ended at once by a second signal\n")
                _exit(128 + caught)
            }
            isEnding = true
            put(.end(caught))
        }
    }

    private func put(_ event: Event) {
        condition.withLock {
            // A request to reload that is still waiting covers any further ones.
            if case .reload = event, case .reload = events.last { return }
            events.append(event)
            condition.signal()
        }
    }

    /// Waits for the next event.
    func next() -> Event {
        condition.withLock {
            while events.isEmpty { condition.wait() }
            return events.removeFirst()
        }
    }
}
