import Foundation
import Testing

/// A poll loop reports when it lost its CPU, and does not mistake sleep for that.
extension EndToEnd {
    @Suite("Stalls", .needs(.hugepages))
    struct StallTests {
        private func start(_ lab: Lab, _ polling: String) throws -> Daemon {
            try Daemon(lab, "daemon: {cpus: [1], buffers: 16384, polling: \(polling)}\nbridges: [{name: br0}]\n")
        }

        private func stalls(_ daemon: Daemon) throws -> (count: Int, longest: Double, total: Double) {
            let stalls = try daemon.show("core", "show")[0]["stalls"]
            guard let count = stalls["count"].int, let longest = stalls["longest_microseconds"].double, let total = stalls["total_microseconds"].double else {
                throw LabError("no stalls in \(stalls)")
            }
            return (count, longest, total)
        }

        /// Stops the daemon for at least this long, counted from the moment at which all of its threads stand still. The duration itself is under test, so
        /// there is no event to wait for.
        private func suspend(_ daemon: Daemon, milliseconds: Int) throws {
            let tasks = "/proc/\(daemon.process.pid)/task"
            daemon.process.signal(SIGSTOP)
            defer { daemon.process.signal(SIGCONT) }
            try eventually("all threads are stopped") {
                try FileManager.default.contentsOfDirectory(atPath: tasks).allSatisfy { thread in
                    let stat = try String(contentsOfFile: "\(tasks)/\(thread)/stat", encoding: .utf8)
                    return stat[stat.index(after: stat.lastIndex(of: ")") ?? stat.startIndex)...].hasPrefix(" T")
                }
            }
            usleep(UInt32(milliseconds) * 1_000)
        }

        @Test("a loop that was stopped for 50 ms tells of it")
        func stopped() throws {
            try withLab { lab in
                let daemon = try start(lab, "polling")
                let before = try stalls(daemon)
                try suspend(daemon, milliseconds: 50)
                let after = try eventually("the stall is counted") {
                    let now = try stalls(daemon)
                    return now.longest >= 50_000 ? now : nil
                }
                #expect(after.count > before.count && after.total >= before.total + 50_000)
                // The machine may take the CPU away again meanwhile, so the count may have grown.
                let told = try #require(try daemon.command("core", "show").firstMatch(of: /CPU 1 was lost (\d+) times?/), "no word of a lost CPU")
                #expect(try #require(Int(told.1)) >= after.count)
                let listed = try daemon.show("core", "show", "--stalls")[0]["stalls"]["latest"].items
                #expect(listed.contains { ($0["microseconds"].double ?? 0) >= 50_000 })
                #expect(try daemon.command("core", "show", "--stalls").contains("AGO"))
                daemon.stop()
            }
        }

        @Test("sleep is no stall", arguments: ["adaptive", "interrupt"])
        func asleep(_ polling: String) throws {
            try withLab { lab in
                let daemon = try start(lab, polling)
                func sleeps() throws -> Int { try daemon.show("core", "show")[0]["sleeps"].int ?? 0 }
                let before = (sleeps: try sleeps(), total: try stalls(daemon).total)
                // Each sleep takes 100 ms, unless something wakes the loop.
                try eventually("it slept 20 times more") { try sleeps() >= before.sleeps + 20 }
                #expect(try stalls(daemon).total - before.total < 1_000_000)
                let awake = try daemon.show("core", "show")[0]["stalls"]["awake_microseconds"].double ?? 0
                #expect(try stalls(daemon).total <= awake + 1)
                daemon.stop()
            }
        }

        @Test("a wake latency is asked of the kernel while the daemon runs, and while it is wanted")
        func wakeLatency() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "daemon: {cpus: [1], buffers: 16384, wake-latency: 7us}\nbridges: [{name: br0}]\n")
                func isHeld() throws -> Bool {
                    let folder = "/proc/\(daemon.process.pid)/fd"
                    return try FileManager.default.contentsOfDirectory(atPath: folder).contains {
                        (try? FileManager.default.destinationOfSymbolicLink(atPath: "\(folder)/\($0)")) == "/dev/cpu_dma_latency"
                    }
                }
                /// The lowest latency that any process has requested, as the kernel reports it.
                func inForce() throws -> Int32 {
                    let file = try FileHandle(forReadingFrom: URL(fileURLWithPath: "/dev/cpu_dma_latency"))
                    defer { try? file.close() }
                    return try (file.read(upToCount: 4) ?? Data()).withUnsafeBytes { $0.loadUnaligned(as: Int32.self) }
                }
                #expect(try isHeld() && inForce() <= 7)
                try daemon.command("core", "set", "all", "wake-latency", "none")
                #expect(try !isHeld())
                try daemon.command("core", "set", "all", "wake-latency", "20us")
                #expect(try isHeld() && inForce() <= 20)
                #expect(try daemon.configuration().contains("wake-latency: 20us"))
                daemon.stop()
            }
        }
    }
}
