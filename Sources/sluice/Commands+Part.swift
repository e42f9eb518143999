import ArgumentParser
import Configuration
import ControlAPI

struct PartCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "part", abstract: "Parts of the configuration that hooks own: ports and guests that come and go as one.",
        subcommands: [Show.self, Set.self, Del.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All parts, or one as it was set.")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A part's name.") var name: String?
        func run() throws {
            try reporting { try connecting.show(Methods.partShow, NameParams(name: name)) { Tables.parts($0, details: name != nil) } }
        }
    }

    struct Set: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Put a part in place of the one of this name, whole or not at all: set vm1 FILE",
            discussion: "The file is YAML with ports and guests. The daemon keeps it; sluice apply neither changes nor removes what it has.")
        @OptionGroup var connecting: Connecting
        @Flag(name: .shortAndLong, help: "Say what would change, and change nothing.") var dryRun = false
        @Argument(help: "The part's name.") var name: String
        @Argument(help: "A YAML file, or - for standard input.", completion: .yaml) var file: String
        func run() throws {
            try reporting {
                let document = try ConfigurationFile(file)
                let reply = try connecting.client.call(Methods.partSet, PartParams(name: name, yaml: document.text, dryRun: dryRun))
                try Output.tell(reply, json: connecting.json)
            }
        }
    }

    struct Del: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Delete a part with its ports and guests: del vm1")
        @OptionGroup var connecting: Connecting
        @Argument(help: "The part's name.") var name: String
        func run() throws {
            try reporting {
                let reply = try connecting.client.call(Methods.partDel, PartDeletion(name: name))
                try Output.tell(reply, json: connecting.json)
            }
        }
    }
}
