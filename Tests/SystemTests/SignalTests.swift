import Foundation
import Testing

extension EndToEnd {
    @Suite("Signals, and poll loops that do not answer", .needs(.hugepages))
    struct SignalTests {
        @Test("SIGHUP reloads the configuration file, whole or not at all; other signals change nothing")
        func signals() throws {
            try withLab { lab in
                let daemon = try Daemon(lab, "bridges: [{name: br0}]\n")
                for number in [SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGPWR, SIGXCPU, SIGXFSZ, SIGPIPE, 36, 63] { daemon.process.signal(number) }
                #expect(try daemon.show("bridge", "show").items.count == 1)

                _ = try lab.write("control.yaml", Daemon.preamble + "bridges: [{name: br0}, {name: br1}]\n")
                daemon.process.signal(SIGHUP)
                try eventually("the file is reloaded") { try daemon.show("bridge", "show").items.count == 2 }

                let before = try daemon.configuration()
                _ = try lab.write("control.yaml", Daemon.preamble + "bridges: [{name: br0, rate: 5}]\n")
                daemon.process.signal(SIGHUP)
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 10) { $0.contains("rate 5 has no unit") }
                #expect(try daemon.configuration() == before)

                // An empty file, as one that is just being written may be, must not remove everything, not even if it is applied by hand.
                func refusals() -> Int { daemon.log.components(separatedBy: "control.yaml is not reloaded").count }
                let sentence = "this is empty, and would take away all that runs (2 bridges): write {} instead if that is meant"
                for text in ["", "# to be written\n", "---\n"] {
                    let file = try lab.write("control.yaml", text), known = refusals()
                    daemon.process.signal(SIGHUP)
                    try eventually("it is refused") { refusals() > known }
                    #expect(try daemon.sluice("apply", file).errors == "\(sentence)\n")
                    #expect(try daemon.sluice("apply", "--dry-run", file).status == 1)
                    #expect(try daemon.command("diff", file).contains("- bridge br1"))
                    #expect(try daemon.configuration() == before)
                }
                #expect(daemon.log.contains(sentence), "\(daemon.log)")

                // A file whose reading might never end is not read, and does not delay other signals.
                let file = lab.path("control.yaml")
                try FileManager.default.removeItem(atPath: file)
                try #require(mkfifo(file, 0o600) == 0)
                daemon.process.signal(SIGHUP)
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 10) { $0.contains("\(file) is not a regular file, and reading it might never end") }
                #expect(try daemon.configuration() == before)
                daemon.stop(SIGINT)
            }
        }

        @Test("a poll loop that hangs is named, and nobody waits for it without end")
        func hangingLoop() throws {
            try withLab { lab in
                // A loop that polls never sleeps, so it always has to be waited for.
                let settings = "daemon: {cpus: [1], buffers: 16384, polling: polling}\n"
                let daemon = try Daemon(lab, settings + "bridges: [{name: br0}]\nports: [{name: one, type: tap, bridge: br0, interface: \(lab.tag)1}]\n")
                let loop = try #require(try daemon.thread(named: "worker"))
                let hold = try held(loop, lab)
                let refused = try daemon.sluice("port", "set", "one", "cpus", "1")
                #expect(refused.status != 0)
                #expect(refused.errors.contains("the poll loop on CPU 1 has not answered for"), "\(refused.errors)")
                #expect(refused.errors.contains("its thread \(loop) is held by a debugger"), "\(refused.errors)")
                #expect(refused.errors.contains("this is not done yet, and will be when it answers"), "\(refused.errors)")
                let behind = try daemon.sluice("status")
                #expect(behind.errors.contains("this was not done"), "\(behind.errors)")
                #expect(daemon.log.contains("the poll loop on CPU 1 has not answered"))

                hold.stop()
                try eventually("the change is made after all") { try daemon.configuration().contains("cpus: [1]") }

                // A clean end has to wait for the loop; a second signal ends the daemon without waiting.
                let again = try held(loop, lab)
                daemon.process.signal(SIGTERM)
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 10) { $0.contains("another signal ends it at once") }
                daemon.process.signal(SIGTERM)
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 10) { $0.contains("ended at once by a second signal") }
                // The thread must be released before the kernel reports that the process has ended.
                again.stop()
                #expect(daemon.process.waitForExit(until: .after(10)) == .code(128 + SIGTERM))
            }
        }

        @Test("a service manager is told of the start, of a reload and of the end, and that all poll loops run for as long as they do")
        func serviceManager() throws {
            try withLab { lab in
                let manager = try NotifySocket(lab)
                let settings = "daemon: {cpus: [1], buffers: 16384, polling: polling}\n"
                let daemon = try Daemon(
                    lab, settings + "bridges: [{name: br0}]\nports: [{name: one, type: tap, bridge: br0, interface: \(lab.tag)1}]\n",
                    environment: manager.environment(watchdogMicroseconds: 1_000_000))
                try manager.waitForLine { $0 == "READY=1 STATUS=carrying traffic; 1 port" }
                try manager.waitForLine { $0 == "WATCHDOG=1" }
                let before = manager.messages.count
                daemon.process.signal(SIGHUP)
                try manager.waitForLine(from: before) { $0.hasPrefix("RELOADING=1 MONOTONIC_USEC=") }
                try manager.waitForLine(from: before) { $0.hasPrefix("READY=1") }
                // It takes 5 s until a silent loop is told of. Until then the watchdog would have been fed ten times; the first of them may count a turn
                // that the loop took before it was held.
                let hold = try held(try #require(try daemon.thread(named: "worker")), lab)
                let atHold = manager.messages.count
                _ = try daemon.sluice("port", "set", "one", "cpus", "1")
                _ = try daemon.process.waitForLine(in: daemon.process.errors, within: 20) { $0.contains("the poll loop on CPU 1 has not answered") }
                let fed = manager.messages.text(from: atHold).split(separator: "\n").filter { $0 == "WATCHDOG=1" }.count
                #expect(fed <= 1)
                let atRelease = manager.messages.count
                hold.stop()
                try manager.waitForLine(from: atRelease) { $0 == "WATCHDOG=1" }

                try run("sh", "-c", "ip link del $0 && ip tuntap add dev $0 mode tap", "\(lab.tag)1")
                lab.atClose { _ = try? run("ip", "link", "del", "\(lab.tag)1") }
                try manager.waitForLine { $0 == "STATUS=carrying traffic; 1 port, 1 failed: see sluice status" }
                daemon.stop()
                try manager.waitForLine { $0 == "STOPPING=1 STATUS=ending" }
            }
        }

        /// AF_XDP's libraries print to standard error by themselves when they open an interface.
        @Test("the first SIGTERM ends a daemon whose standard error nobody reads, whatever it has ports for and wherever its output goes", arguments: [false, true])
        func unreadErrors(_ isOutputUnread: Bool) throws {
            try withLab { lab in
                let wire = try VethPair(lab, "w")
                let config = try lab.write("c.yaml", Daemon.preamble + """
                    bridges: [{name: br0}]
                    ports: [{name: uplink, type: physical, bridge: br0, device: \(wire.near), rate: 1gbit}]
                    """)
                let unread = try UnreadPipe(lab, "errors"), socket = lab.path("c.sock")
                let command = Daemon.command(config, socket, lab.path("c.json")).joined(separator: " ")
                let process = try lab.start("/bin/sh", "-c", "exec \(command) 2>\(unread.path)" + (isOutputUnread ? " >&2" : ""))
                lab.atClose { try? FileManager.default.removeItem(atPath: "/var/run/dpdk/sluice-\(process.pid)") }
                try eventually("it serves", within: 30) { FileManager.default.fileExists(atPath: socket) }
                let driver = try ControlClient(socket).call("port.show")["result"][0]["driver"].string
                #expect(driver == "net_af_xdp")
                process.signal(SIGTERM)
                #expect(process.waitForExit(until: .after(30)) == .code(0))
            }
        }

        @Test("a daemon that does not start ends, though nobody reads why")
        func unreadReason() throws {
            try withLab { lab in
                let unread = try UnreadPipe(lab, "errors")
                let command = Daemon.command(try lab.write("c.yaml", "bridges: 5\n"), lab.path("c.sock"), lab.path("c.json")).joined(separator: " ")
                let process = try lab.start("/bin/sh", "-c", "exec \(command) 2>\(unread.path)")
                #expect(process.waitForExit(until: .after(30)) == .code(1))
            }
        }

        /// Holds one thread as a debugger would, until the returned process is stopped: ptrace(2), PTRACE_SEIZE and PTRACE_INTERRUPT.
        private func held(_ thread: Int, _ lab: Lab) throws -> ChildProcess {
            #if arch(arm64)
            let number = 117
            #else
            let number = 101
            #endif
            let program = "$| = 1; for (0x4206, 0x4207) { syscall(\(number), $_, \(thread), 0, 0) == 0 or die $! } print qq(held\\n); sleep 600"
            let process = try ChildProcess(["perl", "-e", program])
            lab.atClose { process.stop() }
            _ = try process.waitForLine(in: process.output, within: 10) { $0 == "held" }
            return process
        }
    }
}
