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
