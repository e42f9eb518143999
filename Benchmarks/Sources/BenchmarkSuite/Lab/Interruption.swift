import Foundation
import Synchronization

/// On SIGINT and SIGTERM, ends the programs that the suite started as each of them wants to be ended, and then the suite.
enum Interruption {
    private static let running = Mutex<Set<pid_t>>([])

    static func add(_ pid: pid_t) { running.withLock { _ = $0.insert(pid) } }
    static func remove(_ pid: pid_t) { running.withLock { _ = $0.remove(pid) } }

    /// Must be called before any other thread is started.
    static func watch() {
        signal(SIGPIPE, SIG_IGN)
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGTERM)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        let awaited = set
        Thread.detachNewThread {
            var number: Int32 = 0
            var waited = awaited
            sigwait(&waited, &number)
            let children = running.withLock { $0 }
            for child in children { kill(child, SIGTERM) }
            for _ in 0..<30 where children.contains(where: { kill($0, 0) == 0 }) {
                for child in children { waitpid(child, nil, WNOHANG) }
                usleep(100_000)
            }
            exit(128 + number)
        }
    }
}
