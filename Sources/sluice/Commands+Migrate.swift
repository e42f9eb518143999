import ArgumentParser
import BridgeImport
import Configuration
import ControlAPI
import Foundation
import Netlink

struct MigrateCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "migrate", abstract: "Hand a kernel bridge's ways to the wire to Sluice, so that it can be undone.",
        subcommands: [Bridge.self, Confirm.self, Undo.self, Watch.self])

    struct Bridge: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put Sluice between a kernel bridge and the wire: bridge br0 --libvirt --confirm-within 60s",
            discussion: """
                The bridge keeps the host's addresses and the guests' taps: a tap of Sluice's takes the NIC's place in it, so that guests run on. \
                Everything is undone unless sluice migrate confirm is said in time, even if this terminal is gone meanwhile. sluiced must be running.
                """)
        @OptionGroup var source: ImportSource
        @OptionGroup var connecting: Connecting
        @Option(help: "Undo everything after this time, 5s to 1h, unless it is confirmed.") var confirmWithin = "60s"
        @Option(help: "A configuration to run, instead of the one that is imported.", completion: .yaml) var config: String?
        @Option(name: .shortAndLong, help: "File to write what is imported to.", completion: .yaml) var output: String?
        @Flag(name: .shortAndLong, help: "Say what would be done, and change nothing.") var dryRun = false
        @Flag(help: "Go on where something has no counterpart.") var force = false
        @Flag(help: "Do not wait here until it is confirmed or undone.") var noWait = false

        func run() throws { try reporting { try migrate() } }

        private func migrate() throws {
            let file = MigrationFile(socket: connecting.socket)
            if let other = file.read() {
                throw Failure("the migration of \(other.bridge) is neither confirmed nor undone: say sluice migrate confirm, or sluice migrate undo")
            }
            let seconds = try patience()
            let reader = try KernelReader(), kernel = try reader.bridge(named: source.bridge)
            let (model, yaml) = try wanted()
            let uplinks = kernel.ports.filter { port in model.ports.contains { if case .physical(port.name, _) = $0.kind { true } else { false } } }
            guard !uplinks.isEmpty else { throw Failure("no port of \(source.bridge) leads to the wire: name one with --uplink") }
            let taps = model.ports.compactMap { port -> String? in if case .tap(let interface, nil, _) = port.kind { interface } else { nil } }
            guard taps.count == 1 else { throw Failure("the configuration has \(taps.count) taps, and it takes one to stand in \(source.bridge): write one") }
            let client = connecting.client
            let running = try client.call(Methods.configGet, NoParams())
            let (old, new) = try merged(running.yaml, model)
            let before = old.yaml, links = try LinkSocket()
            var migration = Migration(
                bridge: source.bridge, hasVLANs: kernel.vlanFiltering,
                uplinks: try uplinks.map { port in
                    Migration.Uplink(
                        name: port.name, settings: reader.portSettings(of: port.name),
                        vlans: port.vlans.map { .init(id: $0.id, isPVID: $0.isPVID, isUntagged: $0.isUntagged) },
                        isPromiscuous: try links.link(named: port.name).isPromiscuous,
                        entries: kernel.entries.filter { $0.port == port.name && $0.state == .fixed }.map { .init(mac: $0.mac.value, vlan: $0.vlan) })
                },
                tap: taps[0], socket: connecting.socket ?? Client.standardPath, before: before, seconds: seconds)
            if dryRun { return try tell(migration, new, client) }
            if let output { try ImportSource.write(yaml, to: output) }
            // The kernel must have none of this name yet.
            if links.exists(migration.tap) {
                throw Failure("there is an interface \(migration.tap) already: remove it, or write another name for the tap")
            }
            unlink(file.outcome)
            try file.write(migration)
            // Whatever happens from here on is undone in time, by a process that does not hang on this terminal.
            migration.watcher = try Self.startWatcher(migration.socket)
            do {
                _ = try client.call(Methods.configApply, ApplyParams(yaml: new.yaml))
                try waitUntilOpen(model, client)
                try migration.handOver()
            } catch {
                if file.take() {
                    let faults = migration.undo()
                    throw Failure((["\(error)", "everything was undone"] + faults).joined(separator: "\n"))
                }
                throw error
            }
            Output.print("\(migration.bridge) reaches the wire by Sluice now; it is undone in \(seconds) s unless you say: sluice migrate confirm")
            if !noWait { try wait(file) }
        }

        private func patience() throws -> Int {
            let time: UInt64
            do { time = try Quantity.time.parse(confirmWithin) } catch { throw Failure("--confirm-within: \(error.description)") }
            guard 5_000...3_600_000 ~= time else { throw Failure("--confirm-within takes 5s to 1h, not \(confirmWithin)") }
            return Int(time / 1_000)
        }

        /// The configuration to run, checked, and its text.
        private func wanted() throws -> (Model, String) {
            if let config {
                let file = try ConfigurationFile(config)
                return (try file.model(), file.text)
            }
            let result = try source.read(.behindHost)
            let lost = result.remarks.filter { $0.kind == .lost }
            guard lost.isEmpty || force else {
                let advice = "some things have no counterpart: --force goes on without them, --config FILE takes a configuration that you wrote"
                throw Failure((lost.map(\.description) + [advice]).joined(separator: "\n"))
            }
            try ImportSource.check(result)
            return (result.model, result.yaml)
        }

        /// What the daemon runs now, and what it is to run.
        private func merged(_ running: String, _ model: Model) throws -> (Model, Model) {
            do {
                let old = try Model(yaml: running)
                var new = old
                new.bridges += model.bridges
                new.ports += model.ports
                new.groups += model.groups
                new.guests += model.guests
                new.protocols += model.protocols.filter { row in !old.protocols.contains(row) }
                new.filters += model.filters
                if old.bridges.isEmpty, old.ports.isEmpty, config != nil { new.daemon = model.daemon }
                return (old, try Model.checked(yaml: new.yaml))
            } catch {
                throw Failure("what sluiced runs and what \(source.bridge) becomes do not go together:\n\(error)")
            }
        }

        private func tell(_ migration: Migration, _ new: Model, _ client: Client) throws {
            let reply = try client.call(Methods.configApply, ApplyParams(yaml: new.yaml, dryRun: true))
            let names = migration.uplinks.map(\.name).joined(separator: ", ")
            Output.print(
                (["sluiced would change:"] + reply.changes.map { "  \($0)" } + [
                    "then: take \(names) out of \(migration.bridge), and put \(migration.tap) in its place",
                    "then: undo both after \(migration.seconds) s, unless it is confirmed",
                ]).joined(separator: "\n"))
        }

        /// Waits until the ports that the network will hang on are open; `failed` ends it.
        private func waitUntilOpen(_ model: Model, _ client: Client) throws {
            let names = Set(model.ports.filter { port in if case .vhost = port.kind { false } else { true } }.map(\.name))
            let deadline = ContinuousClock.now + .seconds(20)
            while true {
                let ports = try client.call(Methods.portShow, NameParams())
                let waiting = ports.filter { names.contains($0.name) && $0.state != .up }
                if waiting.isEmpty { return }
                guard ContinuousClock.now < deadline, !waiting.contains(where: { $0.state == .failed }) else {
                    throw Failure(waiting.map { "port \($0.name) is \($0.state.rawValue)\($0.reason.map { ": \($0)" } ?? "")" }.joined(separator: "\n"))
                }
                usleep(5_000)
            }
        }

        private func wait(_ file: MigrationFile) throws {
            while access(file.path, F_OK) == 0 { usleep(200_000) }
            // Who took the file says how it ended when it has; undoing takes as long as the daemon does.
            let deadline = ContinuousClock.now + .seconds(180)
            while access(file.outcome, F_OK) != 0, ContinuousClock.now < deadline { usleep(100_000) }
            let outcome = (try? String(contentsOfFile: file.outcome, encoding: .utf8)) ?? "the process that undoes it has not told how it ended"
            if outcome.hasPrefix("confirmed") { return Output.print(outcome) }
            throw Failure(outcome.trimmingCharacters(in: .whitespacesAndNewlines))
        }

        /// Starts the process that undoes the migration, in a session of its own: it gets no hang-up, and nothing of this terminal's.
        private static func startWatcher(_ socket: String) throws -> Int32 {
            var attributes = posix_spawnattr_t()
            posix_spawnattr_init(&attributes)
            defer { posix_spawnattr_destroy(&attributes) }
            posix_spawnattr_setflags(&attributes, 0x80 /* POSIX_SPAWN_SETSID, which spawn.h has for _GNU_SOURCE only */)
            var actions = posix_spawn_file_actions_t()
            posix_spawn_file_actions_init(&actions)
            defer { posix_spawn_file_actions_destroy(&actions) }
            for descriptor in [STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO] { posix_spawn_file_actions_addopen(&actions, descriptor, "/dev/null", O_RDWR, 0) }
            let own = "/proc/self/exe", program = (try? FileManager.default.destinationOfSymbolicLink(atPath: own)) ?? own
            let arguments = ["sluice", "migrate", "watch", "--socket", socket]
            var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
            var environment: [UnsafeMutablePointer<CChar>?] = ProcessInfo.processInfo.environment.map { strdup("\($0)=\($1)") } + [nil]
            defer { for text in words + environment { free(text) } }
            var process: pid_t = 0
            let status = posix_spawn(&process, program, &actions, &attributes, &words, &environment)
            guard status == 0 else { throw Failure("the process that would undo the migration cannot be started: \(String(cString: strerror(status)))") }
            return process
        }
    }

    struct Confirm: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Keep what sluice migrate bridge did.")
        @OptionGroup var connecting: Connecting
        func run() throws {
            try reporting {
                let file = MigrationFile(socket: connecting.socket)
                guard let migration = file.read() else { throw Failure("no migration waits to be confirmed") }
                guard file.take() else { throw Failure("it is being undone already: the time was over") }
                file.say("confirmed: it stays")
                Output.print(
                    """
                    confirmed: \(migration.bridge) stays behind \(migration.tap)
                    save what runs: sluice config show > /etc/sluice/sluice.yaml
                    \(migration.tap) stays in \(migration.bridge) when sluiced is started again
                    let it come back when the host is started again, with a line of the unit's [Service]:
                      ExecStartPost=/sbin/ip link set \(migration.tap) master \(migration.bridge)
                    and take \(migration.uplinks.map(\.name).joined(separator: ", ")) out of \(migration.bridge) in the host's own network configuration
                    """)
            }
        }
    }

    struct Undo: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Undo what sluice migrate bridge did, before its time is over.")
        @OptionGroup var connecting: Connecting
        func run() throws {
            try reporting {
                let file = MigrationFile(socket: connecting.socket)
                guard let migration = file.read() else { throw Failure("no migration waits to be confirmed") }
                guard file.take() else { throw Failure("it is being undone already, or was confirmed") }
                try Self.undo(migration, file)
                Output.print("undone: \(migration.bridge) is as it was")
            }
        }

        static func undo(_ migration: Migration, _ file: MigrationFile) throws {
            let faults = migration.undo()
            file.say(faults.isEmpty ? "undone: \(migration.bridge) is as it was" : "undone, but for: \(faults.joined(separator: "; "))")
            if !faults.isEmpty { throw Failure(faults.joined(separator: "\n")) }
        }
    }

    /// What undoes a migration when its time is over.
    struct Watch: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Wait until a migration is confirmed, or undo it.", shouldDisplay: false)
        @OptionGroup var connecting: Connecting
        func run() throws {
            signal(SIGHUP, SIG_IGN)
            signal(SIGINT, SIG_IGN)
            signal(SIGPIPE, SIG_IGN)
            let file = MigrationFile(socket: connecting.socket)
            guard let migration = file.read() else { return }
            let deadline = ContinuousClock.now + .seconds(migration.seconds)
            while ContinuousClock.now < deadline {
                if access(file.path, F_OK) != 0 { return }
                usleep(100_000)
            }
            guard file.take() else { return }
            try? Undo.undo(migration, file)
        }
    }
}
