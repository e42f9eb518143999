import ArgumentParser
import ControlAPI

struct FilterCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "filter", abstract: "Filters: rules about frames, for ports to name.", subcommands: [Show.self, Add.self, Set.self, Del.self],
        defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All filters, or one: their rules, and how many frames each decided about.")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A filter's name.", completion: .names(Methods.filterShow)) var name: String?
        func run() throws {
            try reporting { try connecting.show(Methods.filterShow, NameParams(name: name), Tables.filters) }
        }
    }

    struct Add: EditCommand {
        static let object = "filter", verb = "add"
        static let configuration = CommandConfiguration(
            abstract: "Add a filter: add no-smtp deny \"tcp dst port 25 and not dst net 10.0.0.0/8\"",
            discussion: """
                Frames are compared with rules in the order in which these are written. Ports name filters: sluice port set vm1 filter outbound no-smtp.
                \(keys)
                """)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...") var words: [String]
    }

    struct Set: EditCommand {
        static let object = "filter", verb = "set"
        static let configuration = CommandConfiguration(
            abstract: "Change a filter: set no-smtp default deny; set no-smtp append deny \"tcp dst port 465\"",
            discussion: """
                Rules replace all that there were, behind the word append they come after them; rules none takes all away.
                \(keys)
                """)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME [append] KEY VALUE ...", completion: .names(Methods.filterShow)) var words: [String]
    }

    struct Del: EditCommand {
        static let object = "filter", verb = "del"
        static let configuration = CommandConfiguration(abstract: "Delete a filter that no port names: del no-smtp")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME", completion: .names(Methods.filterShow)) var words: [String]
    }
}
