import Foundation

/// A program that the lab started. It ends with the test run at the latest (parent-death signal), or with `stop`, which the code that started it must call. It
/// leads a process group of its own, so that its children end with it.
final class ChildProcess: @unchecked Sendable {
    enum Exit: Equatable, Sendable { case code(Int32), signal(Int32) }

    let pid: pid_t
    let command: String
    let output = Transcript()
    let errors = Transcript()
    private let input: FileHandle?
    private let condition = NSCondition()
    private var exit: Exit?

    /// - Parameters:
    ///   - namespace: the network namespace to run in; nil: that of the test run.
    ///   - cpus: the CPUs to run on, in the form that taskset takes; nil: any.
    ///   - keepsInput: whether the program gets a pipe to read from; otherwise it reads from /dev/null.
    init(
        _ arguments: [String], namespace: String? = nil, cpus: String? = nil, environment: [String: String] = [:],
        keepsInput: Bool = false
    ) throws {
        var words = ["setpriv", "--pdeathsig", "KILL", "--"]
        if let cpus { words += ["taskset", "-c", cpus] }
        if let namespace { words += ["ip", "netns", "exec", namespace] }
        words += arguments
        command = arguments.joined(separator: " ")

        let outPipe = try PipeEnds(), errPipe = try PipeEnds(), inPipe = keepsInput ? try PipeEnds() : nil
        var inherited = ProcessInfo.processInfo.environment
        inherited.merge(environment) { $1 }
        let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
        defer { close(null) }
        do {
            pid = try Spawner.shared.spawn(
                words, environment: inherited, input: inPipe?.read ?? null, output: outPipe.write, errors: errPipe.write)
        } catch {
            for pipe in [outPipe, errPipe, inPipe].compactMap({ $0 }) { close(pipe.read); close(pipe.write) }
            throw LabError("\(command): \(error)")
        }
        close(outPipe.write)
        close(errPipe.write)
        if let inPipe { close(inPipe.read) }
        input = inPipe.map { FileHandle(fileDescriptor: $0.write, closeOnDealloc: true) }

        ChildProcess.pump(outPipe.read, into: output)
        ChildProcess.pump(errPipe.read, into: errors)
        Thread.detachNewThread { [self] in
            var status: Int32 = 0
            while waitpid(pid, &status, 0) < 0 && errno == EINTR {}
            let signal = status & 0x7f
            condition.withLock {
                exit = signal == 0 ? .code((status >> 8) & 0xff) : .signal(signal)
                condition.broadcast()
            }
        }
    }

    private static func pump(_ descriptor: Int32, into transcript: Transcript) {
        Thread.detachNewThread {
            var buffer = [UInt8](repeating: 0, count: 65_536)
            while true {
                let count = read(descriptor, &buffer, buffer.count)
                if count < 0 && errno == EINTR { continue }
                if count <= 0 { break }
                buffer.withUnsafeBytes { transcript.append(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            }
            close(descriptor)
            transcript.end()
        }
    }

    var isRunning: Bool { condition.withLock { exit == nil } }

    func write(_ text: String) throws {
        guard let input else { throw LabError("\(command) was started without input") }
        try input.write(contentsOf: Data(text.utf8))
    }

    func closeInput() { try? input?.close() }

    func signal(_ number: Int32) {
        condition.withLock { if exit == nil { kill(pid, number) } }
    }

    /// Waits for the end of the process. Returns nil if it still runs at the deadline.
    func waitForExit(until deadline: Deadline) -> Exit? {
        condition.lock()
        defer { condition.unlock() }
        while exit == nil { if !condition.wait(until: deadline.date) { break } }
        return exit
    }

    /// Ends the process and everything in its group, whatever state they are in, and waits until the process is gone.
    func stop() {
        condition.withLock { if exit == nil { kill(-pid, SIGKILL) } }
        _ = waitForExit(until: .after(20))
        kill(-pid, SIGKILL)
    }

    /// Waits for the first line of `transcript` that `matches`, and returns it.
    func waitForLine(in transcript: Transcript, within seconds: Double, _ matches: (Substring) -> Bool) throws -> String {
        let line = transcript.waitForLines(until: .after(seconds)) { text in
            text.split(separator: "\n").first(where: matches).map(String.init)
        }
        if let line { return line }
        throw LabError("\(command) did not say what was awaited within \(Int(seconds)) s; it said:\n\(output.text)\(errors.text)")
    }
}

private struct PipeEnds {
    let read: Int32, write: Int32
    init() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw LabError("pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        (read, write) = (ends[0], ends[1])
    }
}

/// Starts all processes from one thread that lives as long as the test run, because Linux sends the parent-death signal when the *thread* that started a
/// process ends.
private final class Spawner: @unchecked Sendable {
    static let shared = Spawner()
    private let condition = NSCondition()
    private var jobs: [() -> Void] = []

    private init() {
        // If a guest or a daemon goes away, a write to it must fail instead of ending the test run.
        Glibc.signal(SIGPIPE, SIG_IGN)
        Thread.detachNewThread { [self] in
            while true {
                condition.lock()
                while jobs.isEmpty { condition.wait() }
                let job = jobs.removeFirst()
                condition.unlock()
                job()
            }
        }
    }

    func spawn(_ words: [String], environment: [String: String], input: Int32, output: Int32, errors: Int32) throws -> pid_t {
        let done = DispatchSemaphore(value: 0)
        nonisolated(unsafe) var pid: pid_t = 0
        nonisolated(unsafe) var failure: Int32 = 0
        condition.withLock {
            jobs.append {
                failure = Spawner.posixSpawn(words, environment, input, output, errors, &pid)
                done.signal()
            }
            condition.signal()
        }
        done.wait()
        if failure != 0 { throw LabError(String(cString: strerror(failure))) }
        return pid
    }

    private static func posixSpawn(
        _ words: [String], _ environment: [String: String], _ input: Int32, _ output: Int32, _ errors: Int32, _ pid: inout pid_t
    ) -> Int32 {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (index, descriptor) in [input, output, errors].enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(index))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var none = sigset_t(), all = sigset_t()
        sigemptyset(&none)
        sigfillset(&all)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setsigdefault(&attributes, &all)
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF))
        var argv = words.map { strdup($0) } + [nil]
        var envp = environment.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        return posix_spawnp(&pid, words[0], &actions, &attributes, &argv, &envp)
    }
}

/// Runs a program to its end. It must succeed.
@discardableResult
func run(
    _ arguments: String..., namespace: String? = nil, environment: [String: String] = [:], within seconds: Double = 60
) throws -> String {
    let result = try finish(arguments, namespace: namespace, environment: environment, within: seconds)
    guard result.status == 0 else {
        throw LabError("\(arguments.joined(separator: " ")) ended with \(result.status):\n\(result.output)\(result.errors)")
    }
    return result.output
}

struct Finished {
    /// The exit code, or 128 + the number of the signal that ended the program.
    var status: Int32
    var output: String
    var errors: String
    var seconds: Double
}

func finish(
    _ arguments: [String], namespace: String? = nil, environment: [String: String] = [:], within seconds: Double = 60
) throws -> Finished {
    let start = ContinuousClock.now
    let child = try ChildProcess(arguments, namespace: namespace, environment: environment)
    let deadline = Deadline.after(seconds)
    guard let exit = child.waitForExit(until: deadline) else {
        child.stop()
        throw LabError("\(child.command) did not end within \(Int(seconds)) s; it said:\n\(child.output.text)\(child.errors.text)")
    }
    let elapsed = Double((ContinuousClock.now - start) / .seconds(1))
    _ = child.output.waitForEnd(until: .after(5))
    _ = child.errors.waitForEnd(until: .after(5))
    let status: Int32 = switch exit { case .code(let code): code; case .signal(let number): 128 + number }
    return Finished(status: status, output: child.output.text, errors: child.errors.text, seconds: elapsed)
}
