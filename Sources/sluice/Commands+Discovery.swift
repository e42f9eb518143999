import ArgumentParser
import ControlAPI

struct LLDPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lldp", abstract: "Neighbours of physical ports, as they tell of themselves by LLDP.", subcommands: [Show.self],
        defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Neighbours and counters of all physical ports, or of one: show, show uplink")
        @OptionGroup var connecting: Connecting
        @Argument(help: "the physical port's name") var name: String?
        func run() throws {
            try reporting { try connecting.show(Methods.lldpShow, NameParams(name: name), Tables.lldp) }
        }
    }
}

struct DCBCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dcb", abstract: "What physical ports negotiate by DCBX: ETS, PFC and priorities of protocols.",
        subcommands: [Show.self, ETS.self, PFC.self, App.self, Buffer.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What is wanted, in use, and told by the peer: show, show uplink")
        @OptionGroup var connecting: Connecting
        @Argument(help: "the physical port's name") var name: String?
        func run() throws {
            try reporting { try connecting.show(Methods.dcbShow, NameParams(name: name), Tables.dcb) }
        }
    }
}

extension DCBCommand {
    struct ETS: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ets", abstract: "How traffic classes share a port's rate.", subcommands: [Set.self, DCBCommand.Show.self],
            defaultSubcommand: DCBCommand.Show.self)

        struct Set: DCBFeatureCommand {
            static let feature = "ets", keys = ["willing", "exceeding-floors"] + ["", "reco-"].flatMap { ["\($0)tc-tsa", "\($0)tc-bw", "\($0)prio-tc"] }
            static let configuration = CommandConfiguration(
                abstract: "Change it, in the words of dcb-ets(8): set tc-tsa 0:ets 1:ets tc-bw 0:70 1:30 prio-tc all:0 4:1 port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(parsing: .allUnrecognized, help: "KEY VALUE ... port PORT") var words: [String]
        }
    }

    struct PFC: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pfc", abstract: "Which priorities may be paused.", subcommands: [Set.self, DCBCommand.Show.self],
            defaultSubcommand: DCBCommand.Show.self)

        struct Set: DCBFeatureCommand {
            static let feature = "pfc", keys = ["willing", "prio-pfc"]
            static let configuration = CommandConfiguration(abstract: "Change it, in the words of dcb-pfc(8): set prio-pfc all:off 3:on port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(parsing: .allUnrecognized, help: "KEY VALUE ... port PORT") var words: [String]
        }
    }

    struct App: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "app", abstract: "Which priorities protocols have.", subcommands: [Set.self, DCBCommand.Show.self],
            defaultSubcommand: DCBCommand.Show.self)

        struct Set: DCBFeatureCommand {
            static let feature = "app"
            static let keys = ["willing", "default-prio"] + ["ethtype", "stream-port", "dgram-port", "port", "dscp"].map { "\($0)-prio" }
            static let configuration = CommandConfiguration(
                abstract: "Set the entries of each key that is written, in the words of dcb-app(8): set stream-port-prio 3260:4 860:4 port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(parsing: .allUnrecognized, help: "KEY VALUE ... port PORT") var words: [String]
        }
    }
}

extension DCBCommand {
    struct Buffer: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "buffer", abstract: "How much of lossless priorities may wait.", subcommands: [Set.self, DCBCommand.Show.self],
            defaultSubcommand: DCBCommand.Show.self)

        struct Set: DCBFeatureCommand {
            static let feature = "buffer", keys = ["prio-buffer", "buffer-size"]
            static let configuration = CommandConfiguration(
                abstract: "Change it, in the words of dcb-buffer(8): set prio-buffer all:0 3:1 buffer-size 1:512kib port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(parsing: .allUnrecognized, help: "KEY VALUE ... port PORT") var words: [String]
        }
    }
}

/// A verb that changes one feature of a port's `dcb`.
protocol DCBFeatureCommand: ParsableCommand {
    static var feature: String { get }
    /// The keys of the feature.
    static var keys: [String] { get }
    var connecting: Connecting { get }
    var words: [String] { get }
}

extension DCBFeatureCommand {
    func validate() throws {
        for word in words where word.hasPrefix("-") { throw ValidationError("Unknown option '\(word)'") }
    }

    func run() throws {
        try reporting {
            let (port, words) = try Self.words(words)
            try connecting.edit("port", "set", [port, "dcb", Self.feature] + words)
        }
    }

    /// The port, which is written as `port NAME` or, as in dcb(8), `dev NAME`; and the other words, in which the values of a key are one word with commas.
    static func words(_ all: [String]) throws -> (port: String, words: [String]) {
        var port: String?, result: [String] = [], isFirst = true
        var rest = all[...]
        while let word = rest.popFirst() {
            if word == "port" || word == "dev" {
                guard let name = rest.popFirst() else { throw Failure("'\(word)' needs the name of a physical port") }
                port = name
            } else if keys.contains(word) {
                result.append(word)
                isFirst = true
            } else if result.isEmpty {
                throw Failure("\(feature) has no key '\(word)': its keys are \(keys.joined(separator: ", "))")
            } else if isFirst {
                result.append(word)
                isFirst = false
            } else {
                result[result.count - 1] += "," + word
            }
        }
        guard let port else { throw Failure("which port? write sluice dcb \(feature) set ... port uplink") }
        if result.isEmpty { throw Failure("what is to be changed? The keys of \(feature) are \(keys.joined(separator: ", "))") }
        return (port, result)
    }
}
