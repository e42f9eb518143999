import ArgumentParser
import ControlAPI

struct MirrorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mirror", abstract: "Mirrors: copies of a port's, a guest's or a class's frames.", subcommands: [Show.self, Add.self, Set.self, Del.self],
        defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All mirrors, or one: what they copy, where to, how many they did, and how many not and why.")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A mirror's name.", completion: .names(Methods.mirrorShow)) var name: String?
        func run() throws {
            try reporting { try connecting.show(Methods.mirrorShow, NameParams(name: name), Tables.mirrors) }
        }
    }

    struct Add: EditCommand {
        static let object = "mirror", verb = "add"
        static let configuration = CommandConfiguration(
            abstract: "Add a mirror: add m1 port vm1 direction in filter \"tcp port 80\" truncate 128 rate 100mbit to mon0",
            discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...") var words: [String]
    }

    struct Set: EditCommand {
        static let object = "mirror", verb = "set"
        static let configuration = CommandConfiguration(
            abstract: "Change a mirror: set m1 rate none; set m1 to mon1; set m1 erspan session 7",
            discussion: """
                Another source, or another target, takes the place of the one there is.
                \(keys)
                """)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...", completion: .names(Methods.mirrorShow)) var words: [String]
    }

    struct Del: EditCommand {
        static let object = "mirror", verb = "del"
        static let configuration = CommandConfiguration(abstract: "Delete a mirror: del m1")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME", completion: .names(Methods.mirrorShow)) var words: [String]
    }
}
