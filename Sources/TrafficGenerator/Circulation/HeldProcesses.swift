import Foundation

/// The processes of several switches, of which one switch runs at a time and the others are stopped. All of them run again when this is released, and also when
/// this process ends in whatever way: a shell that waits for its end continues them. Processes that were not given to it are never stopped.
final class HeldProcesses {
    private let switches: [CirculatedSwitch]
    private var guardian: pid_t = 0
    /// The writing end of a pipe to that shell, which the kernel closes when this process ends.
    private var lifeline: Int32 = -1

    init(_ switches: [CirculatedSwitch]) throws {
        self.switches = switches
        for one in switches {
            for process in one.processes {
                guard process != getpid() else { throw RunError("switch \(one.name): \(process) is sluice-gen itself") }
                guard kill(process, 0) == 0 else {
                    throw RunError("switch \(one.name): process \(process) cannot be stopped and continued: \(String(cString: strerror(errno)))")
                }
            }
            try check(one)
        }
        if !switches.isEmpty { try startGuardian() }
    }

    private func startGuardian() throws {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { throw RunError("no pipe: \(String(cString: strerror(errno)))") }
        for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
        lifeline = ends[1]
        defer { close(ends[0]) }
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
        for output in [STDOUT_FILENO, STDERR_FILENO] { posix_spawn_file_actions_addopen(&actions, output, "/dev/null", O_WRONLY, 0) }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The shell gets a process group of its own, so that what ends this process's group does not end it.
        posix_spawnattr_setpgroup(&attributes, 0)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETPGROUP))
        let words = ["sh", "-c", "read line; kill -CONT \"$@\"", "sh"] + switches.flatMap(\.processes).map(String.init)
        var argv = words.map { strdup($0) } + [nil]
        defer { argv.forEach { free($0) } }
        let result = posix_spawn(&guardian, "/bin/sh", &actions, &attributes, &argv, environ)
        guard result == 0 else { throw RunError("cannot start /bin/sh: \(String(cString: strerror(result)))") }
    }

    /// - Throws: `RunError` if a process of the switch has ended.
    func check(_ index: Int) throws { if switches.indices.contains(index) { try check(switches[index]) } }

    private func check(_ one: CirculatedSwitch) throws {
        for process in one.processes where Self.hasEnded(process) {
            throw RunError("switch \(one.name): its process \(process) has ended; its own log may say why")
        }
    }

    private static func hasEnded(_ process: pid_t) -> Bool {
        guard kill(process, 0) == 0 || errno == EPERM else { return true }
        // A process that has ended exists until its parent has asked for its status. Its state, behind the name in parentheses, is Z or X then (proc(5)).
        guard let text = try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8), let name = text.lastIndex(of: ")") else { return true }
        return text[name...].dropFirst(2).first.map { $0 == "Z" || $0 == "X" } ?? true
    }

    func resume(_ index: Int) throws { try send(SIGCONT, index) }
    func hold(_ index: Int) throws { try send(SIGSTOP, index) }

    private func send(_ signal: Int32, _ index: Int) throws {
        guard switches.indices.contains(index) else { return }
        for process in switches[index].processes where kill(process, signal) != 0 { try check(index) }
    }

    func times(_ index: Int) -> ThreadTimes { ThreadTimes(of: switches.indices.contains(index) ? switches[index].processes : []) }

    /// Continues all processes. It must be the last call.
    func release() {
        for process in switches.flatMap(\.processes) { kill(process, SIGCONT) }
        guard lifeline >= 0 else { return }
        close(lifeline)
        lifeline = -1
        waitpid(guardian, nil, 0)
    }

    deinit { release() }
}
