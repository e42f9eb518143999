import ArgumentParser
import ControlAPI

struct DCBCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dcb", abstract: "What physical ports negotiate by DCBX: ETS, PFC and priorities of protocols.",
        subcommands: [Show.self, ETS.self, PFC.self, App.self, Buffer.self, DCBX.self, FIP.self],
        defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What is wanted, in use, and told by the peer: show, show uplink, show port uplink")
        @OptionGroup var connecting: Connecting
        @Argument(help: "[port] PORT") var words: [String] = []
        func run() throws {
            try reporting { try connecting.show(Methods.dcbShow, NameParams(name: try DCBCommand.port(words))) { Tables.dcb($0) } }
        }
    }

    /// What dcb(8) has besides, and where Sluice has it.
    static let elsewhere = [
        "maxrate": "the rates of classes are set with the classes: write sluice guest set vm1 outbound ceiling 1gbit",
        "apptrust": "whether frames say their priority is set at the port that they come in by: write sluice port set PORT trust dscp",
        "rewr": "frames leave with the priorities that sluice dcb app set gives protocols",
    ]

    /// The port that is to be shown, which is written as `port NAME`, as in dcb(8) `dev NAME`, or as its name alone; nil: all.
    static func port(_ words: [String]) throws -> String? {
        switch words.count {
        case 0: return nil
        case 1 where words[0] == "port" || words[0] == "dev": throw Failure("'\(words[0])' needs the name of a physical port")
        case 1: return words[0]
        case 2 where words[0] == "port" || words[0] == "dev": return words[1]
        default: throw Failure("'\(words.joined(separator: " "))' names no port: a port is shown with all that it has. Write show port uplink")
        }
    }
}

/// The words of a change, which name the port as `port NAME` or, as in dcb(8), `dev NAME`.
struct DCBWords {
    /// nil: none is named.
    private(set) var port: String?
    /// The words but these.
    private(set) var others: [String] = []

    init(_ words: [String]) throws {
        var rest = words[...]
        while let word = rest.popFirst() {
            if word != "port" && word != "dev" {
                others.append(word)
            } else if let name = rest.popFirst() {
                port = name
            } else {
                throw Failure("'\(word)' needs the name of a physical port")
            }
        }
    }

    /// Options that nobody knows are among the words, as values may begin with anything else.
    static func refuseOptions(_ words: [String]) throws {
        for word in words where word.hasPrefix("-") { throw ValidationError("Unknown option '\(word)'") }
    }
}

/// A verb that shows one feature of ports.
protocol DCBFeatureShowCommand: ParsableCommand {
    static var feature: String { get }
    var connecting: Connecting { get }
    var words: [String] { get }
}

extension DCBFeatureShowCommand {
    func run() throws {
        try reporting {
            try connecting.show(Methods.dcbShow, NameParams(name: try DCBCommand.port(words))) { Tables.dcb($0, only: Self.feature) }
        }
    }
}

extension DCBCommand {
    struct ETS: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "ets", abstract: "How traffic classes share a port's rate.", subcommands: [Set.self, Show.self],
            defaultSubcommand: Show.self)

        struct Show: DCBFeatureShowCommand {
            static let feature = "ets", configuration = CommandConfiguration(abstract: "How they do: show, show port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(help: "[port] PORT") var words: [String] = []
        }

        struct Set: DCBFeatureCommand {
            static let feature = "ets", keys = ["willing", "exceeding-floors"] + ["", "reco-"].flatMap { ["\($0)tc-tsa", "\($0)tc-bw", "\($0)prio-tc"] }
            static let others = [
                "pg-bw": "that is of the DCBX before the standard (CEE). Write tc-bw", "ets-cap": "it is eight, always", "cbs": "no traffic class is shaped by credits",
            ]
            static let configuration = CommandConfiguration(
                abstract: "Change it, in the words of dcb-ets(8): set tc-tsa 0:ets 1:ets tc-bw 0:70 1:30 prio-tc all:0 4:1 port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(parsing: .allUnrecognized, help: "KEY VALUE ... port PORT") var words: [String]
        }
    }

    struct PFC: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "pfc", abstract: "Which priorities may be paused.", subcommands: [Set.self, Show.self],
            defaultSubcommand: Show.self)

        struct Show: DCBFeatureShowCommand {
            static let feature = "pfc", configuration = CommandConfiguration(abstract: "Which those are, and who has been paused: show, show port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(help: "[port] PORT") var words: [String] = []
        }

        struct Set: DCBFeatureCommand {
            static let feature = "pfc", keys = ["willing", "prio-pfc"]
            static let others = [
                "pfc-cap": "it is eight, always", "macsec-bypass": "no link is encrypted here",
                "delay": "the headroom follows from the link's speed. Write sluice dcb buffer set buffer-size 3:512kib port uplink",
                "requests": "that is counted: write sluice dcb pfc show", "indications": "that is counted: write sluice dcb pfc show",
            ]
            static let configuration = CommandConfiguration(abstract: "Change it, in the words of dcb-pfc(8): set prio-pfc all:off 3:on port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(parsing: .allUnrecognized, help: "KEY VALUE ... port PORT") var words: [String]
        }
    }

    struct App: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "app", abstract: "Which priorities protocols have.",
            subcommands: [Set.self, Add.self, Replace.self, Del.self, Flush.self, Show.self],
            defaultSubcommand: Show.self)

        struct Show: DCBFeatureShowCommand {
            static let feature = "app", configuration = CommandConfiguration(abstract: "Which those are: show, show port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(help: "[port] PORT") var words: [String] = []
        }

        struct Set: DCBFeatureCommand {
            static let feature = "app", keys = ["willing"] + AppEntries.keys, others = AppEntries.others
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
            commandName: "buffer", abstract: "How much of lossless priorities may wait.", subcommands: [Set.self, Show.self],
            defaultSubcommand: Show.self)

        struct Show: DCBFeatureShowCommand {
            static let feature = "buffer", configuration = CommandConfiguration(abstract: "How much that is: show, show port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(help: "[port] PORT") var words: [String] = []
        }

        struct Set: DCBFeatureCommand {
            static let feature = "buffer", keys = ["prio-buffer", "buffer-size"]
            static let others = ["total-size": "all buffers are of the frame buffers that daemon: {buffers: ...} has"]
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
    /// Keys of dcb(8) that are not set here, and what to do instead.
    static var others: [String: String] { get }
    var connecting: Connecting { get }
    var words: [String] { get }
}

extension DCBFeatureCommand {
    static var others: [String: String] { [:] }

    func validate() throws { try DCBWords.refuseOptions(words) }

    func run() throws {
        try reporting {
            let (port, words) = try Self.words(words, "set")
            try connecting.edit("port", "set", [port, "dcb", Self.feature] + words)
        }
    }

    /// The port, and the other words, in which the values of a key are one word with commas.
    static func words(_ all: [String], _ verb: String) throws -> (port: String, words: [String]) {
        let all = try DCBWords(all)
        var result: [String] = [], isFirst = true
        for word in all.others {
            if let sentence = others[word] {
                throw Failure("\(feature) has no key '\(word)': \(sentence)")
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
        guard let port = all.port else { throw Failure("which port? write sluice dcb \(feature) \(verb) ... port uplink") }
        if result.isEmpty { throw Failure("what is to be changed? The keys of \(feature) are \(keys.joined(separator: ", "))") }
        return (port, result)
    }
}
