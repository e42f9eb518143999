import Glibc

@_silgen_name("fork") private func fork() -> pid_t
@_silgen_name("ptrace") private func ptrace(_ request: Int, _ process: pid_t, _ address: Int, _ data: Int) -> Int

/// Runs something in a copy of this process, and stops it before each instruction.
enum SteppedProcess {
    // ptrace(2).
    private static let traceMe = 0, singleStep = 9

    /// - Parameters:
    ///   - body: what the copy does. It shares memory that was mapped so.
    ///   - look: called each time the copy is stopped. What it finds is what would be there if the copy were killed now.
    /// - Returns: whether the copy came to its end.
    static func run(_ body: () -> Void, look: () -> Void) -> Bool {
        let copy = fork()
        if copy == 0 {
            _ = ptrace(traceMe, 0, 0, 0)
            raise(SIGSTOP)
            body()
            _exit(0)
        }
        guard copy > 0 else { return false }
        var status: CInt = 0
        while waitpid(copy, &status, 0) == copy {
            if status & 0x7f == 0 { return status == 0 }
            // Not stopped: it died of a signal.
            guard status & 0xff == 0x7f else { return false }
            look()
            let signal = status >> 8 & 0xff
            if ptrace(singleStep, copy, 0, signal == SIGTRAP || signal == SIGSTOP ? 0 : Int(signal)) != 0 { return false }
        }
        return false
    }
}
