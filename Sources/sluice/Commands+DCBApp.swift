import ArgumentParser
import ControlAPI

/// The priorities that a port has for protocols, by the key of the selector; that of other frames has the key `default-prio`.
struct AppEntries {
    /// What each key has: identifiers with their priorities. `default-prio` has identifier 0, as the standard has it.
    private var lists: [String: [(id: Int, priority: Int)]] = [:]

    static let keys = ["default-prio"] + ["ethtype", "stream-port", "dgram-port", "port", "dscp"].map { "\($0)-prio" }
    static let others = ["pcp-prio": "whether a tag says the priority is set at the port that it comes in by. Write sluice port set PORT trust pcp"]

    /// - Parameter entries: what DCBX has of the port.
    init(_ entries: [DCBStatus.Entry]) {
        for entry in entries {
            let key = entry.selector == "ethtype" && entry.id == 0 ? "default-prio" : "\(entry.selector)-prio"
            lists[key, default: []].append((entry.id, entry.priority))
        }
    }

    enum Change { case add, replace, delete, flush }

    /// Changes the entries of one key, which are written with commas.
    mutating func change(_ key: String, _ text: String, _ change: Change) throws {
        for word in text.split(separator: ",") {
            let parts = word.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
            let number = key == "default-prio" ? 0 : parts[0].lowercased().hasPrefix("0x") ? Int(parts[0].dropFirst(2), radix: 16) : Int(parts[0])
            guard parts.count == (key == "default-prio" ? 1 : 2), let id = number, let priority = parts.last.flatMap({ Int($0) }) else {
                throw Failure("'\(word)' is no entry of \(key): write \(Self.example(key))")
            }
            var list = lists[key] ?? []
            let place = list.firstIndex { $0.id == id }
            switch (change, place) {
            case (.add, let place?) where list[place].priority != priority:
                throw Failure("\(key) \(word): there is priority \(list[place].priority) already. Write sluice dcb app replace, as each protocol has one")
            case (.add, .some): break
            case (.add, nil), (.replace, nil): list.append((id, priority))
            case (.replace, let place?): list[place].priority = priority
            case (.delete, let place?) where list[place].priority == priority: list.remove(at: place)
            default: throw Failure("\(key) \(word): there is no such entry. sluice dcb app show prints those that are wanted")
            }
            lists[key] = list
        }
    }

    mutating func flush(_ key: String) { lists[key] = nil }

    /// The words that set all entries.
    var words: [String] {
        Self.keys.flatMap { key in
            let list = lists[key] ?? []
            if key == "default-prio" { return [key, list.first.map { "\($0.priority)" } ?? "none"] }
            let items = list.map { (key == "ethtype-prio" ? "0x" + String($0.id, radix: 16) : "\($0.id)") + ":\($0.priority)" }
            return [key, items.isEmpty ? "none" : items.joined(separator: ",")]
        }
    }

    private static func example(_ key: String) -> String {
        ["default-prio": "default-prio 1", "ethtype-prio": "ethtype-prio 0x8906:3", "dscp-prio": "dscp-prio 26:3"][key] ?? "\(key) 3260:4"
    }
}

/// A verb that changes some of a port's entries and keeps the others, as dcb-app(8) has them.
protocol AppEntriesCommand: DCBFeatureCommand {
    static var change: AppEntries.Change { get }
}

extension AppEntriesCommand {
    static var feature: String { "app" }
    static var keys: [String] { AppEntries.keys }
    static var others: [String: String] { AppEntries.others }

    func run() throws {
        try reporting {
            let (port, words) = try Self.words(words, Self._commandName)
            guard let status = try connecting.client.call(Methods.dcbShow, NameParams(name: port)).first else { throw Failure("port \(port) is not open") }
            var entries = AppEntries(status.app.administrative), rest = words[...]
            while let key = rest.popFirst() {
                guard let text = rest.popFirst(), !Self.keys.contains(text) else { throw Failure("\(key) needs entries") }
                try entries.change(key, text, Self.change)
            }
            try connecting.edit("port", "set", [port, "dcb", "app"] + (status.app.willing ? ["willing", "on"] : []) + entries.words)
        }
    }
}

extension DCBCommand.App {
    struct Add: AppEntriesCommand {
        static let change = AppEntries.Change.add
        static let configuration = CommandConfiguration(abstract: "Add entries: add stream-port-prio 3260:4 ethtype-prio 0x8906:3 port uplink")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "KEY ENTRY ... port PORT") var words: [String]
    }

    struct Replace: AppEntriesCommand {
        static let change = AppEntries.Change.replace
        static let configuration = CommandConfiguration(abstract: "Give protocols other priorities, or their first: replace stream-port-prio 3260:5 port uplink")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "KEY ENTRY ... port PORT") var words: [String]
    }

    struct Del: AppEntriesCommand {
        static let change = AppEntries.Change.delete
        static let configuration = CommandConfiguration(abstract: "Delete entries: del stream-port-prio 3260:4 port uplink")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "KEY ENTRY ... port PORT") var words: [String]
    }

    struct Flush: AppEntriesCommand {
        static let change = AppEntries.Change.flush
        static let configuration = CommandConfiguration(abstract: "Delete all entries, or all of some keys: flush port uplink, flush dscp-prio port uplink")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "[KEY ...] port PORT") var words: [String] = []

        func run() throws {
            try reporting {
                let words = try DCBWords(words), names = words.others
                for word in names where !Self.keys.contains(word) {
                    throw Failure("app has no key '\(word)': its keys are \(Self.keys.joined(separator: ", "))")
                }
                guard let port = words.port else { throw Failure("which port? write sluice dcb app flush port uplink") }
                try connecting.edit("port", "set", [port, "dcb", "app"] + (names.isEmpty ? Self.keys : names).flatMap { [$0, "none"] })
            }
        }
    }
}
