import Foundation

/// SIGINT and SIGTERM, blocked in every thread and taken by the control thread when it likes.
public enum Signals {
    /// Must run before any other thread starts. SIGPIPE is ignored: a reader that leaves ends nothing.
    public static func block() {
        var set = mask()
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Whether one waits to be taken. It stays until then.
    public static var pending: Bool {
        var set = sigset_t()
        guard sigpending(&set) == 0 else { return false }
        return sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGTERM) == 1
    }

    /// Takes one within the time given; false when none came.
    public static func wait(nanoseconds: Int) -> Bool {
        var set = mask()
        var time = timespec(tv_sec: nanoseconds / 1_000_000_000, tv_nsec: nanoseconds % 1_000_000_000)
        return sigtimedwait(&set, nil, &time) > 0
    }

    private static func mask() -> sigset_t {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGINT)
        sigaddset(&set, SIGTERM)
        return set
    }
}
