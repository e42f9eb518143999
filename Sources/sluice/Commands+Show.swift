import ArgumentParser
import ControlAPI
import Foundation

struct FDBCommand: ParsableCommand {
    /// The keys that select what is shown.
    static let keys = ["bridge", "port", "dev", "master", "vlan"]
    /// Other words for some of these keys, which bridge(8) uses.
    static let synonyms = ["dev": "port", "master": "bridge"]
    static let configuration = CommandConfiguration(
        commandName: "fdb", abstract: "The bridges' forwarding databases.", subcommands: [Show.self, Add.self, Del.self, Flush.self],
        defaultSubcommand: Show.self)

    static func params(_ words: [String]) throws -> FDBParams {
        let words = try Words(words, keys: keys, synonyms: synonyms)
        let vlan = words["vlan"].flatMap { Int($0) }
        if let text = words["vlan"], vlan == nil { throw ValidationError("'\(text)' is no VLAN: write 1 to 4094") }
        return FDBParams(bridge: words["bridge"], port: words["port"], vlan: vlan)
    }

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Addresses and their ports: show, show bridge br0, show port vm1, show vlan 10")
        @OptionGroup var connecting: Connecting
        @Argument(help: "bridge NAME, port NAME, vlan ID") var words: [String] = []
        func run() throws {
            let params = try FDBCommand.params(words)
            try reporting {
                try connecting.show(Methods.fdbShow, params, Tables.addresses)
            }
        }
    }

    struct Flush: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget learned addresses: flush, flush bridge br0, flush port up1, flush vlan 10. Static entries stay.")
        @OptionGroup var connecting: Connecting
        @Argument(help: "bridge NAME, port NAME, vlan ID; none: all bridges") var words: [String] = []
        func run() throws {
            let params = try FDBCommand.params(words)
            try reporting {
                try connecting.show(Methods.fdbFlush, params) {
                    "\($0.flushed) learned address\($0.flushed == 1 ? "" : "es") forgotten"
                }
            }
        }
    }

    struct Add: EditCommand {
        static let object = "fdb", verb = "add"
        static let configuration = CommandConfiguration(abstract: "Add a static entry: add 52:54:00:12:34:56 port vm1")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "ADDRESS port NAME [vlan ID]") var words: [String]
    }

    struct Del: EditCommand {
        static let object = "fdb", verb = "del"
        static let configuration = CommandConfiguration(abstract: "Delete a static entry: del 52:54:00:12:34:56")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "ADDRESS") var words: [String]
    }
}

struct ClassCommand: ParsableCommand {
    /// The keys that select what is shown.
    static let keys = ["dev", "tree", "dir"]
    static let configuration = CommandConfiguration(
        commandName: "class", abstract: "Traffic classes: floors, ceilings, borrowing.",
        subcommands: [Show.self, Set.self, Del.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Classes and their counters, as tc -s class show: show, show vm1, show dev uplink, show vm1/iscsi dir inbound")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A class's path or the end of it; dev BRIDGE-OR-PORT; dir inbound|outbound.", completion: .classes) var words: [String] = []
        func run() throws {
            let words = try Words(words, keys: ClassCommand.keys, synonyms: ["tree": "dev"], positional: true)
            if let direction = words["dir"], !["inbound", "outbound"].contains(direction) {
                throw ValidationError("dir is inbound (towards the guest) or outbound (from it), not '\(direction)'")
            }
            try reporting {
                let params = ClassParams(tree: words["dev"], path: words.first)
                if connecting.json, words["dir"] == nil { return Output.print(try connecting.client.text(of: Methods.classShow, params)) }
                let all = try connecting.client.call(Methods.classShow, params)
                let shown = all.filter { item in words["dir"].map { item.direction == $0 } ?? true }
                Output.print(connecting.json ? try Output.json(shown) : Tables.classes(shown))
            }
        }
    }

    struct Set: EditCommand {
        static let object = "class", verb = "set"
        static let configuration = CommandConfiguration(
            abstract: "Change a class: set vm1/iscsi dir inbound floor 200mbit ceiling 1gbit",
            discussion: """
                A class is a group, a guest, or GUEST/PROTOCOL. dir may be left out where there is only one direction.
                \(keys)
                """)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "CLASS [dir inbound|outbound|both] KEY VALUE ...; none unsets a value.", completion: .classes) var words: [String]
    }

    struct Del: EditCommand {
        static let object = "class", verb = "del"
        static let configuration = CommandConfiguration(abstract: "Take a class's settings away: del vm1/iscsi dir inbound")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "CLASS [dir inbound|outbound|both]", completion: .classes) var words: [String]
    }
}

struct CoreCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "core", abstract: "Who polls what, and how busy.", subcommands: [Show.self, Set.self, Balance.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All poll loops.")
        @OptionGroup var connecting: Connecting
        @OptionGroup var watching: Watching
        @Flag(help: "Measure for a second what each stage of the loops takes, in cycles a frame.") var stages = false
        @Flag(help: "List when each loop lost its CPU lately, and for how long.") var stalls = false

        func validate() throws {
            if stages && stalls { throw ValidationError("--stages and --stalls show different things: choose one") }
        }

        func run() throws {
            var before: [CoreStatus] = []
            try reporting { try watching.repeating { try show(&before) } }
        }

        /// - Parameter last: the cores as they were shown before, if they were; stalls are counted from then on.
        private func show(_ last: inout [CoreStatus]) throws {
            guard stages else {
                let cores = try connecting.client.call(Methods.coreShow, CoreParams(stalls: stalls ? true : nil))
                if connecting.json { return Output.print(try Output.json(cores)) }
                Output.print(stalls ? Tables.stalls(cores) : Tables.cores(cores, since: last))
                last = cores
                return
            }
            let before = try connecting.client.call(Methods.coreShow, CoreParams(stages: true))
            Thread.sleep(forTimeInterval: 1)
            let after = try connecting.client.call(Methods.coreShow, CoreParams(stages: true))
            let cores = zip(before, after).map { CoreStatus.stages(from: $0, to: $1) }
            Output.print(connecting.json ? try Output.json(cores) : Tables.stages(cores))
        }
    }

    struct Set: EditCommand {
        static let object = "core", verb = "set"
        static let configuration = CommandConfiguration(
            abstract: "Change how a poll loop waits: set 3 polling polling, set all polling adaptive; and what all do: set all delay on",
            discussion: """
                polling: it never sleeps. adaptive: it sleeps after a while without frames. interrupt: it sleeps as soon as there are none.
                default takes a core's own mode away. wake-latency: the longest that idle CPUs may take to wake, such as 10us; none: as the kernel likes. \
                balance: queues move from busy cores to idle ones by themselves. delay: loops count how long frames wait (class show, top).
                """)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "CPU|all polling polling|adaptive|interrupt|default; all balance|delay on|off; all wake-latency TIME|none") var words: [String]
    }

    struct Balance: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Move queues from busy cores to idle ones, by their load over the last second.",
            discussion: "No frame is lost or overtaken: a queue whose old core holds frames that may not leave yet stays where it is.")
        @OptionGroup var connecting: Connecting
        @Flag(name: .long, help: "Say what would move, and move nothing.") var dryRun = false
        func run() throws {
            try reporting {
                try connecting.show(Methods.coreBalance, BalanceParams(dryRun: dryRun)) { Tables.moves($0, planned: dryRun) }
            }
        }
    }
}

struct StatsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats", abstract: "The daemon's totals.", subcommands: [Show.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Frames received, delivered, queued and dropped.")
        @OptionGroup var connecting: Connecting
        @OptionGroup var watching: Watching
        func run() throws {
            try reporting {
                var last: (stats: StatsReply, time: ContinuousClock.Instant)?
                try watching.repeating {
                    let stats = try connecting.client.call(Methods.statsShow, NoParams())
                    let now = ContinuousClock.now
                    defer { last = (stats, now) }
                    if connecting.json { return Output.print(try Output.json(stats)) }
                    Output.print(Tables.stats(stats, since: last.map { ($0.stats, (now - $0.time) / .seconds(1)) }))
                }
            }
        }
    }
}

struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "status", abstract: "The daemon in a few lines.")
    @OptionGroup var connecting: Connecting
    func run() throws { try reporting { try connecting.show(Methods.status, NoParams(), Tables.status) } }
}

struct VersionCommand: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "version", abstract: "The running daemon's version.")
    @OptionGroup var connecting: Connecting
    func run() throws {
        try reporting {
            try connecting.show(Methods.version, NoParams()) { "sluiced \($0.version), \($0.dpdk)" }
        }
    }
}

/// Words such as `bridge br0 port vm1`: pairs of a known key and a value, behind at most one word that stands by itself.
struct Words {
    private(set) var first: String?
    private var values: [String: String] = [:]

    /// - Parameters:
    ///   - keys: the keys that are allowed, synonyms included.
    ///   - synonyms: keys that are other words for a key, with that key.
    ///   - positional: whether a word may stand by itself in front.
    init(_ words: [String], keys: [String], synonyms: [String: String], positional: Bool = false) throws {
        var rest = words[...]
        if positional, let word = rest.first, !keys.contains(word) { first = rest.removeFirst() }
        while let key = rest.popFirst() {
            guard keys.contains(key) else { throw ValidationError("'\(key)' is no key: write \(keys.map { "\($0) NAME" }.joined(separator: " or "))") }
            guard let value = rest.popFirst() else { throw ValidationError("'\(key)' needs a value") }
            guard values.updateValue(value, forKey: synonyms[key] ?? key) == nil else {
                let other = synonyms[key] ?? synonyms.first { $0.value == key }?.key
                throw ValidationError("'\(key)' stands twice\(other.map { " (\($0) is another word for it)" } ?? ""): write it once")
            }
        }
    }

    subscript(key: String) -> String? { values[key] }
}
