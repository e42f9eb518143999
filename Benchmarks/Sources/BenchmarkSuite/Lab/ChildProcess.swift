import Foundation

/// Says why something could not be measured.
struct Fault: Error, CustomStringConvertible {
    var description: String
    init(_ description: String) { self.description = description }
}

/// A program that the suite started, in a process group of its own. It ends together with the suite at the latest.
final class ChildProcess {
    let pid: pid_t
    let name: String
    /// The file for its standard error, and for its standard output unless that is read here.
    let log: String
    private let input: Int32
    private let output: Int32
    private var pending: [UInt8] = []
    private var status: Int32?

    /// - Parameters:
    ///   - talks: whether it gets pipes for standard input and output, for `write` and `readLine`.
    init(_ arguments: [String], log: String, environment: [String: String] = [:], keepsInput: Bool = false, talks: Bool = false) throws {
        name = arguments.first { !$0.hasPrefix("-") && !["stdbuf", "ip", "netns", "exec"].contains($0) }.map { ($0 as NSString).lastPathComponent } ?? "?"
        self.log = log
        let words = ["setpriv", "--pdeathsig", "KILL", "--"] + arguments
        let file = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw Fault("cannot write \(log): \(String(cString: strerror(errno)))") }
        defer { close(file) }
        var toChild: [Int32] = [-1, -1], fromChild: [Int32] = [-1, -1]
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(null) }
        if keepsInput || talks { try Self.makePipe(&toChild) }
        if talks { try Self.makePipe(&fromChild) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, keepsInput || talks ? toChild[0] : null, 0)
        posix_spawn_file_actions_adddup2(&actions, talks ? fromChild[1] : file, 1)
        posix_spawn_file_actions_adddup2(&actions, file, 2)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK))
        var inherited = ProcessInfo.processInfo.environment
        inherited.merge(environment) { $1 }
        var argv = words.map { strdup($0) } + [nil]
        var envp = inherited.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        var child: pid_t = 0
        let result = posix_spawnp(&child, words[0], &actions, &attributes, &argv, &envp)
        for end in [toChild[0], fromChild[1]] where end >= 0 { close(end) }
        (input, output) = (toChild[1], fromChild[0])
        guard result == 0 else { throw Fault("cannot start \(name): \(String(cString: strerror(result)))") }
        pid = child
        Interruption.add(child)
    }

    deinit {
        stop()
        for end in [input, output] where end >= 0 { close(end) }
    }

    private static func makePipe(_ ends: inout [Int32]) throws {
        guard pipe(&ends) == 0 else { throw Fault("no pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
    }

    var isRunning: Bool {
        if status != nil { return false }
        var value: Int32 = 0
        guard waitpid(pid, &value, WNOHANG) == pid else { return true }
        status = value
        Interruption.remove(pid)
        return false
    }

    /// The exit status, or 128 + the number of the signal that ended it; nil while it runs.
    var exitStatus: Int32? {
        guard !isRunning, let status else { return nil }
        return status & 0x7f == 0 ? status >> 8 & 0xff : 128 + status & 0x7f
    }

    @discardableResult
    func waitForExit(within seconds: Double) -> Bool {
        guard isRunning else { return true }
        // A thread waits for the process, because checking now and then would take CPU time from what is being measured.
        let ended = DispatchSemaphore(value: 0)
        Thread.detachNewThread { [pid] in
            var info = siginfo_t()
            waitid(P_PID, id_t(pid), &info, WEXITED | WNOWAIT)
            ended.signal()
        }
        _ = ended.wait(timeout: .now() + seconds)
        return !isRunning
    }

    func send(_ signal: Int32) { if isRunning { kill(pid, signal) } }

    /// Asks the process to end, and kills it if it does not.
    func stop() {
        guard isRunning else { return }
        kill(pid, SIGTERM)
        if !waitForExit(within: 10) { kill(-pid, SIGKILL) }
        waitForExit(within: 10)
    }

    func write(_ line: String) throws {
        let bytes = Array((line + "\n").utf8)
        guard Foundation.write(input, bytes, bytes.count) == bytes.count else { throw failed("does not listen any more") }
    }

    /// The next line of its standard output.
    func readLine(within seconds: Double) throws -> String {
        let end = ContinuousClock.now + .seconds(seconds)
        while true {
            if let newline = pending.firstIndex(of: 10) {
                let line = String(decoding: pending[..<newline], as: UTF8.self)
                pending.removeSubrange(...newline)
                return line
            }
            var request = pollfd(fd: output, events: Int16(POLLIN), revents: 0)
            let left = (end - ContinuousClock.now) / .milliseconds(1)
            guard left > 0, poll(&request, 1, CInt(left) + 1) > 0 else { throw failed("gave no answer in \(Int(seconds)) s") }
            var buffer = [UInt8](repeating: 0, count: 65_536)
            let count = read(output, &buffer, buffer.count)
            guard count > 0 else {
                waitForExit(within: 5)
                throw failed("ended (status \(exitStatus ?? -1))")
            }
            pending += buffer[0..<count]
        }
    }

    /// Waits until its log contains a text.
    func waitFor(_ text: String, within seconds: Double) throws {
        let end = ContinuousClock.now + .seconds(seconds)
        while !logText.contains(text) {
            guard isRunning else { throw failed("ended (status \(exitStatus ?? -1))") }
            guard ContinuousClock.now < end else { throw failed("did not say `\(text)` in \(Int(seconds)) s") }
            usleep(20_000)
        }
    }

    var logText: String { FileManager.default.contents(atPath: log).map { String(decoding: $0, as: UTF8.self) } ?? "" }

    /// An error that says `what`, with the end of the process's log.
    func failed(_ what: String) -> Fault {
        let tail = logText.split(separator: "\n").suffix(15).map { "      " + $0 }.joined(separator: "\n")
        return Fault("\(name) \(what)" + (tail.isEmpty ? "" : "; its log ends:\n\(tail)"))
    }

    /// The seconds for which its threads were ready to run while others ran (proc(5), schedstat).
    var secondsWithoutCPU: Double { secondsWithoutCPU(threads) }

    /// The same for those of its threads that are bound to a single CPU, if it is one of these.
    func secondsWithoutCPU(boundTo cpus: [Int]) -> Double {
        secondsWithoutCPU(threads.filter { thread in
            let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/status", encoding: .utf8)
            let line = text?.split(separator: "\n").first { $0.hasPrefix("Cpus_allowed_list:") }
            return line?.split(separator: "\t").last.flatMap { Int($0) }.map(cpus.contains) ?? false
        })
    }

    private func secondsWithoutCPU(_ threads: [String]) -> Double {
        threads.reduce(0) { sum, thread in
            let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/schedstat", encoding: .utf8)
            return sum + (text?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0) / 1e9
        }
    }

    /// The seconds of CPU time that the process has used.
    var secondsOfCPU: Double {
        threads.reduce(0) { sum, thread in
            let text = try? String(contentsOfFile: "/proc/\(pid)/task/\(thread)/schedstat", encoding: .utf8)
            return sum + (text?.split(separator: " ").first.flatMap { Double($0) } ?? 0) / 1e9
        }
    }

    private var threads: [String] { (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task")) ?? [] }
}

/// Runs a program to its end and returns what it printed.
@discardableResult
func shell(_ arguments: String..., environment: [String: String] = [:], within seconds: Double = 30) throws -> String {
    try shell(arguments, environment: environment, within: seconds)
}

@discardableResult
func shell(_ arguments: [String], environment: [String: String] = [:], within seconds: Double = 30) throws -> String {
    let log = NSTemporaryDirectory() + "/sluice-bench-\(getpid())-\(UInt32.random(in: 0 ... .max)).log"
    defer { unlink(log) }
    let child = try ChildProcess(arguments, log: log, environment: environment)
    guard child.waitForExit(within: seconds) else { throw child.failed("did not end in \(Int(seconds)) s") }
    guard child.exitStatus == 0 else { throw child.failed("failed (\(arguments.joined(separator: " ")))") }
    return child.logText
}
