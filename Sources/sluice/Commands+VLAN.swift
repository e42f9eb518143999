import ArgumentParser
import ControlAPI

struct VLANCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "vlan", abstract: "VLANs of ports, as bridge vlan show. They are set with port set vm1 vlan 10.", subcommands: [Show.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "VLANs of all ports, or of one: show, show uplink")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A port's name.") var name: String?
        func run() throws {
            try reporting {
                let ports = try connecting.client.call(Methods.portShow, NameParams(name: name))
                let shown = ports.filter { $0.vlans != nil }
                Output.print(connecting.json ? try Output.json(shown.map { PortVLANsShown(port: $0.name, vlans: $0.vlans ?? []) }) : Tables.vlans(shown))
            }
        }
    }
}

/// The VLANs of a port as `bridge -j vlan show` prints them.
private struct PortVLANsShown: Encodable {
    var port: String
    var vlans: [VLANRange]
}
