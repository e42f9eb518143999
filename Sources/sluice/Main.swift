import ArgumentParser
import Configuration
import ControlAPI

/// The command line. A verb sends at most one request to the daemon; `check` and `diff` of two files send none.
@main
struct Sluice: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sluice",
        abstract: "Show and change a running sluiced, and check its configuration.",
        discussion: """
            Single changes are written as with ip and tc: sluice port add vm1 type vhost bridge br0 socket /run/sluice/vm1.sock. \
            Rates, sizes and times need units: 500mbit, 100kpps, 64kib, 300s.
            """,
        version: sluiceVersion,
        subcommands: [
            PortCommand.self, BridgeCommand.self, GroupCommand.self, GuestCommand.self, FDBCommand.self, MDBCommand.self, VLANCommand.self, LLDPCommand.self,
            DCBCommand.self, ClassCommand.self, ProtocolCommand.self, FilterCommand.self, MirrorCommand.self, SFlowCommand.self, CoreCommand.self, StatsCommand.self, TopCommand.self, SlowCommand.self, ExplainCommand.self, CaptureCommand.self, MonitorCommand.self,
            ConfigCommand.self, ApplyCommand.self, ConfirmCommand.self, DiffCommand.self, PartCommand.self, LibvirtCommand.self, ImportCommand.self,
            MigrateCommand.self, CheckCommand.self, SchemaCommand.self, DoctorCommand.self, StatusCommand.self, VersionCommand.self,
        ])

    static func main() {
        let arguments = Self.withOptionsLast(Array(CommandLine.arguments.dropFirst()))
        if let sentence = Self.unknownWord(arguments) {
            Output.error("sluice: \(sentence); sluice --help explains them")
            exit(withError: ExitCode.validationFailure)
        }
        main(arguments)
    }

    /// What is wrong with the object or the verb; nil if nothing is. Without this check, an unknown verb would be taken for a name to show, and the error would
    /// be about the words behind it.
    static func unknownWord(_ arguments: [String]) -> String? {
        if let option = arguments.first, ["-s", "--socket"].contains(option) {
            return "\(option) takes the path of the daemon's socket, and what to do follows: sluice \(option) /run/sluice/control.sock status"
        }
        let words = arguments.prefix { !$0.hasPrefix("-") }
        let objects = configuration.subcommands.map { $0.configuration }
        guard let first = words.first, first != "help" else { return nil }
        guard let object = objects.first(where: { $0.commandName == first }) else {
            return "there is no '\(first)'; \(choice(first, among: objects.compactMap(\.commandName)))"
        }
        let verbs = object.subcommands.map { $0._commandName }
        guard !verbs.isEmpty, words.count > 1, !verbs.contains(words[1]) else { return nil }
        if first == "dcb", let sentence = DCBCommand.elsewhere[words[1]] { return "dcb has no '\(words[1])': \(sentence)" }
        // Without a verb the object is shown. It is selected by its name or by pairs of a key and a value, for classes with a path in front.
        let keys = ["fdb": FDBCommand.keys, "mdb": FDBCommand.keys, "class": ClassCommand.keys][first]
        if let keys {
            if keys.contains(words[1]) || first == "class" && (words.count == 2 || keys.contains(words[2])) { return nil }
        } else if words.count == 2 {
            return nil
        }
        return "\(first) has no verb '\(words[1])'; \(choice(words[1], among: verbs))"
    }

    private static func choice(_ word: String, among words: [String]) -> String {
        let all = "there are \(words.joined(separator: ", "))"
        return nearest(to: word, among: words).map { "did you mean '\($0)'? (\(all))" } ?? all
    }

    /// A sentence for whoever may have meant the name of an object that there is not as a verb; nil: the name stands behind a verb.
    /// - Parameter arguments: all words, the program's name first.
    static func verbHint(_ arguments: [String]) -> String? {
        let words = withOptionsLast(Array(arguments.dropFirst())).prefix { !$0.hasPrefix("-") }
        let objects = configuration.subcommands.map { $0.configuration }
        guard words.count == 2, let object = objects.first(where: { $0.commandName == words[0] }) else { return nil }
        let verbs = object.subcommands.map { $0._commandName }
        return verbs.isEmpty || verbs.contains(words[1]) ? nil : "nor is '\(words[1])' a verb of \(words[0]); \(choice(words[1], among: verbs))"
    }

    /// Moves options to the end: `sluice -j -s PATH port show`, as one writes with ip and tc, means `sluice port show -j -s PATH`, because options belong to
    /// the verb.
    static func withOptionsLast(_ arguments: [String]) -> [String] {
        var rest = arguments[...]
        var options: [String] = []
        while let word = rest.first {
            if ["-j", "--json"].contains(word) || ["-s=", "--socket=", "--timeout="].contains(where: word.hasPrefix) {
                options.append(word)
                rest = rest.dropFirst()
            } else if ["-s", "--socket", "--timeout"].contains(word), rest.count > 1 {
                options += rest.prefix(2)
                rest = rest.dropFirst(2)
            } else {
                break
            }
        }
        return rest + options
    }
}

/// The options of every verb that asks the daemon.
struct Connecting: ParsableArguments {
    @Option(name: .shortAndLong, help: "The daemon's control socket (also SLUICE_SOCKET).", completion: .file())
    var socket: String?

    @Flag(name: .shortAndLong, help: "Print JSON.")
    var json = false

    @Option(help: "How long to wait for the daemon's answer, 100ms to 1h (default: 120s).")
    var timeout: String?

    func validate() throws { _ = try patience() }

    private func patience() throws -> Duration {
        guard let timeout else { return Client.standardPatience }
        let time: UInt64
        do { time = try Quantity.time.parse(timeout) } catch { throw ValidationError("--timeout: \(error.description)") }
        guard 100...3_600_000 ~= time else { throw ValidationError("--timeout takes 100ms to 1h, not \(timeout)") }
        return .milliseconds(time)
    }

    var client: Client { Client(path: socket ?? Client.standardPath, patience: (try? patience()) ?? Client.standardPatience) }

    /// Calls a method, and prints the reply as JSON or as a table.
    func show<Params, Value>(_ method: Method<Params, Value>, _ params: Params, _ table: (Value) -> String) throws {
        Output.print(json ? try client.text(of: method, params) : table(try client.call(method, params)))
    }

    /// Sends one change, and prints what it did.
    func edit(_ object: String, _ verb: String, _ words: [String]) throws {
        let reply: ChangeReply = try client.call("\(object).\(verb)", WordsParams(words))
        try Output.tell(reply, json: json)
    }

    /// Calls a method that changes something, or says what would change, and prints that.
    func change<Params>(_ method: Method<Params, ChangeReply>, _ params: Params, _ text: (ChangeReply) -> String = Output.changes) throws {
        try Output.tell(try client.call(method, params), json: json, text)
    }
}
