import ArgumentParser
import ControlAPI

struct MDBCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mdb", abstract: "Groups that were joined behind ports, as bridge mdb show, of bridges with mcast-snooping on.", subcommands: [Show.self],
        defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Members of groups, routers and queriers: show, show bridge br0, show port vm1, show vlan 10")
        @OptionGroup var connecting: Connecting
        @Argument(help: "bridge NAME, port NAME, vlan ID") var words: [String] = []
        func run() throws {
            let params = try FDBCommand.params(words)
            try reporting { try connecting.show(Methods.mdbShow, params, Tables.members) }
        }
    }
}
