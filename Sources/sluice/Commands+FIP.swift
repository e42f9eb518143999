import ArgumentParser
import ControlAPI

extension DCBCommand {
    struct FIP: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "fip", abstract: "Addresses of Fibre Channel on bridges with a port that has fip-snooping.", subcommands: [Show.self],
            defaultSubcommand: Show.self)

        struct Show: ParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Who has which, and from whom: show, show bridge br0, show port vm1, show vlan 10")
            @OptionGroup var connecting: Connecting
            @Argument(help: "bridge NAME, port NAME, vlan ID") var words: [String] = []
            func run() throws {
                let params = try FDBCommand.params(words)
                try reporting { try connecting.show(Methods.fipShow, params, Tables.grants) }
            }
        }
    }
}

extension Tables {
    /// Addresses in the manner of `bridge fdb show`.
    package static func grants(_ grants: [FIPGrantStatus]) -> String {
        if grants.isEmpty { return "no node has an address: sluice port set vm1 fip-snooping on, and nodes have to log in or claim one" }
        return grants.map { grant in
            var line = "\(grant.address) dev \(grant.port)"
            if let vlan = grant.vlan { line += " vlan \(vlan)" }
            line += " master \(grant.bridge)"
            if let guest = grant.guest { line += " guest \(guest)" }
            return line + " node \(grant.node) \(grant.fcf.map { "fcf \($0)" } ?? "vn2vn") age \(Int(grant.age))s ends \(Int(grant.timeLeft))s"
        }.joined(separator: "\n")
    }
}
