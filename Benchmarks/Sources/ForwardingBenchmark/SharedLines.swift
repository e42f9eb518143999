import ArgumentParser
import Foundation
import MachineCode
import NUMA
import Stepping

/// Finds what keeps several poll loops from doing as much as single ones: memory that one loop writes and another accesses.
struct SharedLines: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shared-lines",
        abstract: "Find cache lines that one poll loop writes and another touches; fail if there are any.",
        discussion: """
            Each loop in turn executes so many instructions one by one (ptrace), some thousand a turn, while the others go on. From the registers and from \
            what objdump says of the instructions follows what they read and wrote. A line that one loop writes and another touches is carried from CPU to \
            CPU, and so may be the two lines of a pair of 128 bytes. Nothing of it depends on the clock. What happens seldom (learning an address, \
            renewing a lease) may be missed.
            """)

    @Option(help: "Poll loops, 2 or more.")
    var loops = 2
    @Option(help: "Instructions of each loop.")
    var instructions = 100_000
    @OptionGroup var load: Load

    mutating func validate() throws {
        guard 2...64 ~= loops else { throw ValidationError("--loops takes 2 to 64") }
        guard 1_000...10_000_000 ~= instructions else { throw ValidationError("--instructions takes 1000 to 10000000") }
    }

    func run() throws {
        let cpus = NUMA.allowedCPUs
        guard loops <= cpus.count else { throw Failure("\(loops) poll loops need as many CPUs, and this process may use \(cpus.count)") }
        let player = try Player.loops(Array(cpus.suffix(loops)), load)
        defer { player.end() }
        player.resume()
        let threads = try Self.pollLoops(of: player.id)
        guard threads.count == loops else { throw Failure("of \(loops) poll loops' threads \(threads.count) were found") }
        var code = try LoadedCode(of: player.id)
        let uses = try code.uses(of: threads.map { try Self.trace($0, instructions) })
        let summary = uses.map { "\($0.lines.count) lines touched, \($0.written) written" }.joined(separator: "; ")
        print("\(instructions) instructions of each of \(loops) loops: \(summary)")
        var found = 0
        for (first, use) in uses.enumerated() {
            for (offset, other) in uses[(first + 1)...].enumerated() {
                let second = first + 1 + offset
                for line in use.contested(with: other) {
                    found += 1
                    print("line \(code.place(line)): " + [(first, use), (second, other)].map { "loop \($0) \(code.words($1, line))" }.joined(separator: ", "))
                }
                for line in use.contestedPairs(with: other) {
                    found += 1
                    let mine = use.lines[line] == nil ? line + 1 : line
                    print("pair \(code.place(line)): loop \(first) \(code.words(use, mine)), loop \(second) \(code.words(other, mine ^ 1))")
                }
            }
        }
        print(found == 0 ? "no line or pair of lines that one writes is touched by another" : "\(found) lines and pairs that one writes are touched by another")
        if found != 0 { throw ExitCode.failure }
    }

    /// The poll loops' threads, which EAL calls rte-worker-1, and from version 23.11 on dpdk-worker1.
    private static func pollLoops(of process: pid_t) throws -> [pid_t] {
        let tasks = "/proc/\(process)/task"
        return try FileManager.default.contentsOfDirectory(atPath: tasks).filter { thread in
            let name = (try? String(contentsOfFile: "\(tasks)/\(thread)/comm", encoding: .utf8)) ?? ""
            return name.hasPrefix("rte-worker") || name.hasPrefix("dpdk-worker")
        }.compactMap { pid_t($0) }.sorted()
    }

    private static func trace(_ thread: pid_t, _ count: Int) throws -> [step_registers] {
        try [step_registers](unsafeUninitializedCapacity: count) { buffer, initialized in
            let result = step_thread(thread, count, buffer.baseAddress!)
            guard result == 0 else {
                let mending = result == -EPERM ? ": tracing is not permitted here; run as root, in a container with CAP_SYS_PTRACE (`docker run --cap-add SYS_PTRACE`)" : ""
                throw Failure("executing a poll loop step by step failed: \(String(cString: strerror(-result)))\(mending)")
            }
            initialized = count
        }
    }
}
