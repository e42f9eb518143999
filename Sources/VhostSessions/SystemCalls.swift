import Glibc

/// What a system call's error number says.
func errorText(_ number: Int32 = errno) -> String { String(cString: strerror(number)) }

/// Nanoseconds of the clock that no one sets.
package func monotonicNow() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}

/// Calls again what a signal interrupted.
@inline(__always) func uninterrupted(_ call: () -> Int) -> Int {
    while true {
        let result = call()
        if result >= 0 || errno != EINTR { return result }
    }
}
