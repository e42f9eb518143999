import Foundation

/// SIGINT and SIGTERM, which are blocked in every thread and taken by the control thread when it is ready.
public enum Signals {
    /// Blocks the signals; it must run before any other thread starts. SIGPIPE is ignored, so that a reader that leaves does not end the process.
    public static func block() {
        var set = mask()
        pthread_sigmask(SIG_BLOCK, &set, nil)
        signal(SIGPIPE, SIG_IGN)
    }

    /// Whether a signal waits to be taken. It stays pending until it is.
    public static var pending: Bool {
        var set = sigset_t()
        guard sigpending(&set) == 0 else { return false }
        return sigismember(&set, SIGINT) == 1 || sigismember(&set, SIGTERM) == 1
    }

    /// Takes a signal if one comes within the given time.
    /// - Returns: false if none came.
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
