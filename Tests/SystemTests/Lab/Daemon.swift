import Foundation
import Testing

/// The daemon under test, which runs in the foreground with a configuration of its own.
final class Daemon {
    let lab: Lab
    let socket: String
    let state: String
    let config: String
    private(set) var process: ChildProcess
    private let environment: [String: String]
    private let limits: [String]
    /// The seconds from the start to `ready`.
    private(set) var startSeconds = 0.0

    /// The beginning of every test's configuration, unless it has a `daemon:` section of its own: one poll loop on CPU 1 (guests and generators run on CPU 0),
    /// and few buffers.
    static let preamble = "daemon: {cpus: [1], buffers: 16384}\n"

    /// Starts the daemon and waits until it serves.
    /// - Parameters:
    ///   - limits: the words of a command that runs the daemon with limits.
    ///   - state: the path of the state file; nil: beside the other files.
    ///   - isConfigured: whether it gets a configuration file; if not, it starts from its state file alone.
    init(
        _ lab: Lab, _ yaml: String, name: String = "control", environment: [String: String] = [:], limitedBy limits: [String] = [], state: String? = nil,
        isConfigured: Bool = true
    ) throws {
        self.lab = lab
        self.environment = environment
        self.limits = limits
        socket = lab.path("\(name).sock")
        self.state = state ?? lab.path("\(name).state.json")
        config = try lab.write("\(name).yaml", yaml.contains("daemon:") ? yaml : Daemon.preamble + yaml)
        process = try Daemon.launch(lab, limits + Daemon.command(config, socket, self.state, isConfigured: isConfigured), environment)
        try waitUntilReady()
    }

    static func command(_ config: String, _ socket: String, _ state: String, isConfigured: Bool = true) -> [String] {
        [Build.program("sluiced")] + (isConfigured ? ["--config", config] : []) + ["--socket", socket, "--state", state]
    }

    private static func launch(_ lab: Lab, _ command: [String], _ environment: [String: String]) throws -> ChildProcess {
        let process = try ChildProcess(command, environment: environment)
        lab.atClose {
            // If the daemon has been stopped already, this does nothing. What a failure left behind must not affect the next test.
            process.stop()
            try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-\(process.pid)")
        }
        return process
    }

    private func waitUntilReady() throws {
        let start = ContinuousClock.now
        _ = try process.waitForLine(in: process.output, within: 30) { $0.hasPrefix("ready") }
        startSeconds = Double((ContinuousClock.now - start) / .seconds(1))
    }

    /// Kills the daemon as a crash would, and starts it again with the same files. Guests are not told.
    /// - Parameters:
    ///   - isConfigured: whether it gets its configuration file; if not, it starts from its state file alone.
    ///   - meanwhile: what happens while no daemon runs.
    func crashAndRestart(isConfigured: Bool = true, meanwhile: () throws -> Void = {}) throws {
        process.signal(SIGKILL)
        guard process.waitForExit(until: .after(20)) == .signal(SIGKILL) else { throw LabError("sluiced did not die of SIGKILL") }
        try meanwhile()
        process = try Daemon.launch(lab, limits + Daemon.command(config, socket, state, isConfigured: isConfigured), environment)
        try waitUntilReady()
    }

    /// Ends the daemon as an operator would, and checks that it leaves nothing behind.
    func stop(_ signal: Int32 = SIGTERM, sourceLocation: SourceLocation = #_sourceLocation) {
        process.signal(signal)
        let exit = process.waitForExit(until: .after(30))
        #expect(exit == .code(0), "sluiced did not end by itself with status 0; it said:\n\(process.errors.text)", sourceLocation: sourceLocation)
        let left = [socket, "/var/run/dpdk/sluice-\(process.pid)"].filter { FileManager.default.fileExists(atPath: $0) }
        #expect(left.isEmpty, "sluiced left \(left) behind", sourceLocation: sourceLocation)
    }

    var isRunning: Bool { process.isRunning }
    var log: String { process.errors.text }

    /// Its memory in KiB: resident now, or the most that ever was (`VmHWM`); see proc(5).
    func memory(_ key: String = "VmRSS") throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(process.pid)/status", encoding: .utf8)
        let line = status.split(separator: "\n").first { $0.hasPrefix(key + ":") }
        guard let number = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }).dropFirst().first.flatMap({ Int($0) }) else { throw LabError("no \(key) in \(status)") }
        return number
    }

    /// The seconds for which its threads were ready to run while others ran (proc(5): schedstat, second figure), plus what the hypervisor took.
    func secondsWithoutCPU() throws -> Double {
        let threads = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/task")
        let waited = threads.reduce(0.0) { sum, thread in
            let text = try? String(contentsOfFile: "/proc/\(process.pid)/task/\(thread)/schedstat", encoding: .utf8)
            return sum + (text?.split(separator: " ").dropFirst().first.flatMap { Double($0) } ?? 0) / 1e9
        }
        let cpu = try String(contentsOfFile: "/proc/stat", encoding: .utf8).split(separator: "\n").first { $0.hasPrefix("cpu1 ") }
        let stolen = cpu?.split(separator: " ").dropFirst(8).first.flatMap { Double($0) } ?? 0
        return waited + stolen / 100
    }

    // MARK: The command line

    /// Runs `sluice WORDS...` with this daemon's socket.
    func sluice(_ words: String...) throws -> Finished { try sluice(words) }
    func sluice(_ words: [String]) throws -> Finished {
        let result = try finish([Build.program("sluice")] + words, environment: ["SLUICE_SOCKET": socket], within: 30)
        guard process.isRunning else {
            let exit = process.waitForExit(until: .after(1))
            throw LabError(
                "sluiced ended (\(exit.map { "\($0)" } ?? "?")) while `sluice \(words.joined(separator: " "))` asked it; it said:\n\(process.errors.text)",
                isFinal: true)
        }
        return result
    }

    /// Runs a command that must succeed, and returns its output.
    @discardableResult
    func command(_ words: String...) throws -> String { try command(words) }
    @discardableResult
    func command(_ words: [String]) throws -> String {
        let result = try sluice(words)
        guard result.status == 0 else {
            throw LabError("sluice \(words.joined(separator: " ")) ended with \(result.status):\n\(result.output)\(result.errors)")
        }
        return result.output
    }

    /// Runs `sluice WORDS... -j` and parses its JSON.
    func show(_ words: String...) throws -> JSON {
        let result = try sluice(words + ["-j"])
        guard result.status == 0 else {
            throw LabError("sluice \(words.joined(separator: " ")) -j ended with \(result.status):\n\(result.output)\(result.errors)")
        }
        return try JSON(result.output)
    }

    // MARK: What it shows

    func port(_ name: String) throws -> JSON { try named(show("port", "show", name), name, "port") }
    func bridge(_ name: String) throws -> JSON { try named(show("bridge", "show", name), name, "bridge") }
    func guest(_ name: String) throws -> JSON { try named(show("guest", "show", name), name, "guest") }
    func protocolRow(_ name: String) throws -> JSON { try named(show("protocol", "show", name), name, "protocol") }

    private func named(_ list: JSON, _ name: String, _ what: String) throws -> JSON {
        guard let found = list.items.first(where: { $0["name"].string == name }) else { throw LabError("no \(what) \(name) in \(list)") }
        return found
    }

    /// The class at `path` in the tree of a bridge (inbound) or of a physical port (outbound).
    func classStatus(_ tree: String, _ path: String) throws -> JSON {
        let all = try show("class", "show")
        guard let found = all.items.first(where: { $0["tree"].string == tree && $0["path"].string == path }) else {
            throw LabError("no class \(path) in tree \(tree): \(all)")
        }
        return found
    }

    func waitUntil(port name: String, is state: String, within seconds: Double = 60) throws {
        try eventually("port \(name) is \(state)", within: seconds) { try port(name)["state"].string == state }
    }

    /// The running configuration, as text.
    func configuration() throws -> String {
        let reply = try ControlClient(socket).call("config.get")
        guard let yaml = reply["result"]["yaml"].string else { throw LabError("no configuration in \(reply)") }
        return yaml
    }

    /// The number of frames that no counter accounts for when nothing moves any more: received + copied + injected - delivered - queued - dropped. If no frame
    /// is queued, also waits until all buffers are free.
    func unaccountedFrames() throws -> Int {
        let stats = try atRest()
        let dropped = stats["dropped"].members.values.reduce(0) { $0 + ($1.int ?? 0) }
        func frames(_ key: String) throws -> Int {
            guard let value = stats[key]["frames"].int else { throw LabError("no \(key) in \(stats)") }
            return value
        }
        // The rings of taps and wires always hold buffers, so this can only be checked without them.
        if try frames("queued") == 0, try show("port", "show").items.allSatisfy({ $0["kind"].string == "vhost" }) { try waitUntilBuffersAreFree() }
        return try frames("received") + frames("copied") + frames("injected") - frames("delivered") - frames("queued") - dropped
    }

    func buffersInUse() throws -> Int {
        guard let buffers = try show("status")["buffers_in_use"].int else { throw LabError("no buffers in the status") }
        return buffers
    }

    func waitUntilBuffersAreFree() throws {
        try eventually("all buffers are free", within: 10) {
            let buffers = try buffersInUse()
            if buffers != 0 { throw LabError("\(buffers) are in use") }
            return true
        }
    }

    /// The totals, once two consecutive readings are the same.
    func atRest() throws -> JSON {
        var last = try show("stats", "show")
        return try eventually("the switch is at rest") {
            let now = try show("stats", "show")
            defer { last = now }
            return now == last ? now : nil
        }
    }

    /// The first of its threads whose name contains `name`.
    func thread(named name: String) throws -> Int? {
        let folder = "/proc/\(process.pid)/task"
        return try FileManager.default.contentsOfDirectory(atPath: folder).compactMap(Int.init).first {
            try String(contentsOfFile: "\(folder)/\($0)/comm", encoding: .utf8).contains(name)
        }
    }
}
