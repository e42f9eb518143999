import ArgumentParser
import ControlAPI

struct LLDPCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "lldp", abstract: "Neighbours of ports, as they tell of themselves by LLDP.", subcommands: [Show.self],
        defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Neighbours and counters of physical ports, and of taps that have lldp, or of one: show, show uplink")
        @OptionGroup var connecting: Connecting
        @Argument(help: "the port's name") var name: String?
        func run() throws {
            try reporting { try connecting.show(Methods.lldpShow, NameParams(name: name), Tables.lldp) }
        }
    }
}
