import ArgumentParser
import Configuration
import ControlAPI
import Doctor
import Filters
import Foundation

struct ConfigCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "config", abstract: "The running configuration, and the file that the daemon was started with.",
        subcommands: [Show.self, Diff.self, Save.self, History.self, Rollback.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Print it as YAML, ready to be applied again.")
        @OptionGroup var connecting: Connecting
        func run() throws {
            try reporting {
                let reply = try connecting.client.call(Methods.configGet, NoParams())
                Output.print(connecting.json ? try Output.json(reply.json) : reply.yaml)
            }
        }
    }
}

extension ConfigCommand {
    struct Diff: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "What single changes have made of the daemon's configuration file.",
            discussion: "They are made again after every restart, as long as the file does not say otherwise.")
        @OptionGroup var connecting: Connecting
        func run() throws { try reporting { try connecting.change(Methods.configDrift, NoParams()) } }
    }

    struct Save: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Write what runs into the daemon's configuration file.",
            discussion: "What parts own stays out of it. Of the file's comments, those at its head are kept.")
        @OptionGroup var connecting: Connecting
        @Flag(help: "Write over a file that was edited since it was loaded.") var force = false
        func run() throws {
            try reporting {
                try connecting.show(Methods.configSave, SaveParams(force: force)) {
                    $0.applied ? Output.changes($0) : "nothing to save: the file says what runs"
                }
            }
        }
    }
}

extension ConfigCommand {
    struct History: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Configurations that were applied, reloaded or saved, the latest last; with a number: its text.")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A number from the list.") var number: Int?

        func run() throws {
            try reporting {
                guard let number else { return try connecting.show(Methods.configHistory, NoParams(), Tables.revisions) }
                try connecting.show(Methods.configRevision, RevisionParams(revision: number), \.yaml)
            }
        }
    }

    struct Rollback: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Make the daemon run a configuration of its history again, whole or not at all.")
        @OptionGroup var connecting: Connecting
        @OptionGroup var applying: Applying
        @Argument(help: "Its number: see sluice config history.") var number: Int

        func run() throws {
            try reporting {
                let params = RollbackParams(revision: number, dryRun: applying.dryRun, confirm: applying.seconds)
                try connecting.change(Methods.configRollback, params)
            }
        }
    }
}

/// Options of verbs that replace the whole configuration.
struct Applying: ParsableArguments {
    @Flag(name: .shortAndLong, help: "Say what would change, and change nothing.") var dryRun = false
    @Option(help: "Undo it after this time, 1s to 24h, unless `sluice confirm` comes before.") var confirm: String?

    func validate() throws {
        guard let confirm else { return }
        if dryRun { throw ValidationError("--dry-run changes nothing that could be confirmed: leave out --confirm") }
        let time: UInt64
        do { time = try Quantity.time.parse(confirm) } catch { throw ValidationError("--confirm: \(error.description)") }
        guard 1_000...86_400_000 ~= time else { throw ValidationError("--confirm takes 1s to 24h, not \(confirm)") }
    }

    /// The time in seconds; nil: nothing is to be confirmed.
    var seconds: UInt64? { confirm.flatMap { try? Quantity.time.parse($0) }.map { ($0 + 999) / 1_000 } }
}

struct ConfirmCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "confirm", abstract: "Keep the configuration that was applied with --confirm.")
    @OptionGroup var connecting: Connecting
    @Flag(help: "Undo it at once instead.") var undo = false
    func run() throws {
        try reporting {
            try connecting.change(Methods.configConfirm, ConfirmParams(undo: undo)) { ($0.changes + ($0.notes ?? [])).joined(separator: "\n") }
        }
    }
}

struct ApplyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "apply", abstract: "Make the daemon run a configuration, whole or not at all.")
    @OptionGroup var connecting: Connecting
    @OptionGroup var applying: Applying
    @Argument(help: "A YAML file, or - for standard input.", completion: .yaml) var file: String

    func run() throws {
        try reporting {
            let document = try ConfigurationFile(file)
            // Problems of the file itself can be told without a daemon.
            _ = try document.model()
            let reply = try connecting.client.call(Methods.configApply, ApplyParams(yaml: document.text, dryRun: applying.dryRun, confirm: applying.seconds))
            try Output.tell(reply, json: connecting.json)
        }
    }
}

struct DiffCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "diff", abstract: "What would change: from what runs to a file, or from one file to another.")
    @OptionGroup var connecting: Connecting
    @Argument(help: "A YAML file, or - for standard input; none: the daemon's own configuration file.", completion: .yaml) var file: String?
    @Argument(help: "A second one; then no daemon is asked.", completion: .yaml) var other: String?

    func validate() throws {
        guard other != nil, connecting.socket != nil || connecting.timeout != nil else { return }
        throw ValidationError("two files are compared without a daemon: leave out --socket and --timeout, or the second file")
    }

    func run() throws {
        try reporting {
            guard let file else { return try connecting.change(Methods.configDiff, DiffParams()) }
            let first = try ConfigurationFile(file)
            let reply: ChangeReply
            if let other {
                let from = try first.model(), to = try ConfigurationFile(other).model()
                let lines = Configuration.diff(from: from, to: to).lines(from: from, to: to)
                reply = ChangeReply(changes: lines, applied: false, warnings: to.warnings(since: from))
            } else {
                _ = try first.model()
                reply = try connecting.client.call(Methods.configDiff, DiffParams(yaml: first.text))
            }
            try Output.tell(reply, json: connecting.json)
        }
    }
}

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "check", abstract: "Check a configuration without a daemon.")
    @Argument(help: "A YAML file, or - for standard input.", completion: .yaml) var file: String
    @Flag(name: .shortAndLong, help: "Print JSON.") var json = false

    /// What a configuration without problems contains.
    private struct Contents: Codable {
        var bridges: Int, ports: Int, groups: Int, guests: Int
        /// What will not work as it is written, on this host or anywhere.
        var warnings: [String]
    }

    func run() throws {
        try reporting {
            let document = try ConfigurationFile(file), model = try document.model()
            let isBlank = Model.isBlank(yaml: document.text)
            let blank = isBlank ? ["this is empty: it configures nothing"] : []
            let isUnread = (!model.filters.isEmpty || model.mirrors.contains { $0.filter != nil }) && !PacketExpression.isAvailable
            let unread = isUnread ? ["filters and mirrors: libpcap is not on this host, so nobody has looked at their expressions: sluiced will, or install libpcap0.8"] : []
            let warnings = blank + unread + model.warnings.map(\.description) + Self.unusableSockets(model)
                + Checks.lacks(of: model, HostReader().facts(Needs(model), daemon: .absent("nobody was asked"), process: nil))
            if json {
                return Output.print(try Output.json(Contents(
                    bridges: model.bridges.count, ports: model.ports.count, groups: model.groups.count, guests: model.guests.count, warnings: warnings)))
            }
            if isBlank { return Output.print("\(file): empty: it configures nothing, and where something runs `sluice apply` refuses it") }
            func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
            let parts = [
                count(model.bridges.count, "bridge"), count(model.ports.count, "port"), count(model.groups.count, "group"),
                count(model.guests.count, "guest"),
            ]
            for warning in warnings { Output.error("\(file): warning: \(warning)") }
            Output.print("\(file): good\(warnings.isEmpty ? "" : " but for \(count(warnings.count, "warning"))"): \(parts.joined(separator: ", "))")
        }
    }

    /// Warnings about vhost sockets that cannot be made on this host as it is now.
    private static func unusableSockets(_ model: Model) -> [String] {
        model.ports.enumerated().compactMap { index, port in
            guard case .vhost(let socket, _, _) = port.kind else { return nil }
            let folder = URL(fileURLWithPath: socket).deletingLastPathComponent().path
            var isFolder: ObjCBool = false
            guard FileManager.default.fileExists(atPath: folder, isDirectory: &isFolder), isFolder.boolValue else {
                return "ports[\(index)].socket: there is no folder \(folder) on this host: make it before sluiced starts"
            }
            var info = stat()
            guard stat(socket, &info) == 0, info.st_mode & S_IFMT != S_IFSOCK else { return nil }
            return "ports[\(index)].socket: \(socket) exists on this host and is not a socket: choose another path, or remove it before sluiced starts"
        }
    }
}

/// A configuration file and its text.
struct ConfigurationFile {
    let name: String
    let text: String

    init(_ name: String) throws {
        self.name = name
        do {
            text = try textFile(name)
        } catch {
            throw Failure(error.description)
        }
    }

    /// The model that the file describes.
    /// - Throws: `Failure` with its problems as `file:line: path: sentence`.
    func model() throws -> Model {
        do {
            return try Model.checked(yaml: text)
        } catch {
            let lines = error.problems.map { problem in
                let place = problem.line.map { "\(name):\($0)" } ?? name
                return [place, problem.path.isEmpty ? nil : problem.path, problem.sentence].compactMap { $0 }.joined(separator: ": ")
            }
            throw Failure(lines.joined(separator: "\n"))
        }
    }
}
