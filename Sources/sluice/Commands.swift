import ArgumentParser
import Configuration
import ControlAPI

// Verbs that change one object. Their words are sent to the daemon unchanged and read there against the running configuration, so that two people's
// simultaneous changes do not undo each other.

protocol EditCommand: ParsableCommand {
    static var object: String { get }
    static var verb: String { get }
    var connecting: Connecting { get }
    var words: [String] { get }
}

extension EditCommand {
    /// A word that begins with a sign and a digit is a value, which the daemon refuses by the name of its key. Any other word that begins with a dash would be
    /// an option, and there is no such option.
    func validate() throws {
        for word in words where word.hasPrefix("-") && word.dropFirst().first?.isNumber != true {
            throw ValidationError("Unknown option '\(word)'")
        }
    }

    func run() throws { try reporting { try connecting.edit(Self.object, Self.verb, words) } }

    /// The keys that the verb takes, for its help.
    static var keys: String { EditObject(rawValue: object)?.keys ?? "" }
}

/// Prints a `Failure` on standard error, one sentence on each line, and ends with exit status 1.
func reporting(_ body: () throws -> Void) throws {
    do {
        try body()
    } catch let failure as Failure {
        Output.error(failure.description)
        if failure.isOfName, let hint = Sluice.verbHint(CommandLine.arguments) { Output.error(hint) }
        throw ExitCode(1)
    }
}

struct PortCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "port", abstract: "Ports: vhost, tap and physical.", subcommands: [Show.self, Add.self, Set.self, Reset.self, Del.self],
        defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "State and counters of all ports, or of one.")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A port's name.", completion: .names(Methods.portShow)) var name: String?
        @OptionGroup var watching: Watching
        @OptionGroup var showing: ShowingRates
        @OptionGroup var sorting: SortingPorts
        @Flag(help: "Print what connects a QEMU guest to the port: arguments, and libvirt XML.") var qemu = false

        func validate() throws {
            if qemu, name == nil { throw ValidationError("which port? write sluice port show vm1 --qemu") }
        }

        func run() throws {
            try reporting {
                if qemu {
                    try connecting.show(Methods.portQEMU, NameParams(name: name), Tables.qemu)
                } else {
                    try watching.repeating {
                        if connecting.json, sorting.sort == nil {
                            return Output.print(try connecting.client.text(of: Methods.portShow, NameParams(name: name)))
                        }
                        let ports = sorting.sorted(try connecting.client.call(Methods.portShow, NameParams(name: name)), showing)
                        Output.print(connecting.json ? try Output.json(ports) : Tables.ports(ports, details: name != nil, layer: showing.layer))
                    }
                }
            }
        }
    }

    struct Add: EditCommand {
        static let object = "port", verb = "add"
        static let configuration = CommandConfiguration(
            abstract: "Add a port: add vm1 type vhost bridge br0 socket /run/sluice/vm1.sock mode client queues 4",
            discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...") var words: [String]
    }

    struct Set: EditCommand {
        static let object = "port", verb = "set"
        static let configuration = CommandConfiguration(abstract: "Change a port: set vm1 mtu 9000 pace average 1gbit", discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...; none unsets a value.", completion: .names(Methods.portShow)) var words: [String]
    }

    struct Reset: ParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Close a port that is not up and open it again at once: reset uplink",
            discussion: """
                A guest in quarantine is served at once. Failed ports are tried again by themselves, at first after a second, later every half minute. \
                A port of mode server ends its connection: QEMU comes again only with reconnect= in its chardev, as port show --qemu prints it.
                """)
        @OptionGroup var connecting: Connecting
        @Argument(help: "A port's name.", completion: .names(Methods.portShow)) var name: String
        func run() throws {
            try reporting { try connecting.change(Methods.portReset, NameParams(name: name)) }
        }
    }

    struct Del: EditCommand {
        static let object = "port", verb = "del"
        static let configuration = CommandConfiguration(abstract: "Delete a port: del vm1")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME", completion: .names(Methods.portShow)) var words: [String]
    }
}

struct BridgeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bridge", abstract: "Bridges.", subcommands: [Show.self, Add.self, Set.self, Del.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "State and counters of all bridges, or of one.")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A bridge's name.", completion: .names(Methods.bridgeShow)) var name: String?
        func run() throws {
            try reporting { try connecting.show(Methods.bridgeShow, NameParams(name: name), Tables.bridges) }
        }
    }

    struct Add: EditCommand {
        static let object = "bridge", verb = "add"
        static let configuration = CommandConfiguration(
            abstract: "Add a bridge: add br0 rate 10gbit", discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...") var words: [String]
    }

    struct Set: EditCommand {
        static let object = "bridge", verb = "set"
        static let configuration = CommandConfiguration(abstract: "Change a bridge: set br0 ageing 60s", discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...; none unsets a value.", completion: .names(Methods.bridgeShow)) var words: [String]
    }

    struct Del: EditCommand {
        static let object = "bridge", verb = "del"
        static let configuration = CommandConfiguration(abstract: "Delete a bridge without ports: del br0")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME", completion: .names(Methods.bridgeShow)) var words: [String]
    }
}

struct GroupCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "group", abstract: "Classes above guests, such as tenants.",
        subcommands: [Show.self, Add.self, Set.self, Del.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All groups, or one: limits, guests, what they sent.")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A group's name.", completion: .names(Methods.groupShow)) var name: String?
        func run() throws {
            try reporting { try connecting.show(Methods.groupShow, NameParams(name: name), Tables.groups) }
        }
    }

    struct Add: EditCommand {
        static let object = "group", verb = "add"
        static let configuration = CommandConfiguration(
            abstract: "Add a group: add tenant-a bridge br0 inbound floor 2gbit outbound floor 800mbit", discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...") var words: [String]
    }

    struct Set: EditCommand {
        static let object = "group", verb = "set"
        static let configuration = CommandConfiguration(abstract: "Change a group: set tenant-a parent none", discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...; none unsets a value.", completion: .names(Methods.groupShow)) var words: [String]
    }

    struct Del: EditCommand {
        static let object = "group", verb = "del"
        static let configuration = CommandConfiguration(abstract: "Delete a group without guests: del tenant-a")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME", completion: .names(Methods.groupShow)) var words: [String]
    }
}

struct GuestCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "guest", abstract: "Guests: whose traffic it is, by MAC address.",
        subcommands: [Show.self, Add.self, Set.self, Del.self], defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All guests, or one.")
        @OptionGroup var connecting: Connecting
        @OptionGroup var watching: Watching
        @OptionGroup var showing: ShowingRates
        @OptionGroup var sorting: SortingGuests
        @Argument(help: "A guest's name.", completion: .names(Methods.guestShow)) var name: String?
        func run() throws {
            try reporting {
                try watching.repeating {
                    if connecting.json, sorting.sort == nil { return Output.print(try connecting.client.text(of: Methods.guestShow, NameParams(name: name))) }
                    let guests = sorting.sorted(try connecting.client.call(Methods.guestShow, NameParams(name: name)), showing)
                    Output.print(connecting.json ? try Output.json(guests) : Tables.guests(guests, layer: showing.layer))
                }
            }
        }
    }

    struct Add: EditCommand {
        static let object = "guest", verb = "add"
        static let configuration = CommandConfiguration(
            abstract: "Add a guest: add vm1 port vm1 macs 52:54:00:12:34:56 inbound floor 200mbit ceiling 1gbit",
            discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...") var words: [String]
    }

    struct Set: EditCommand {
        static let object = "guest", verb = "set"
        static let configuration = CommandConfiguration(abstract: "Change a guest: set vm1 macs 52:54:00:12:34:56,52:54:00:12:34:57", discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...; none unsets a value.", completion: .names(Methods.guestShow)) var words: [String]
    }

    struct Del: EditCommand {
        static let object = "guest", verb = "del"
        static let configuration = CommandConfiguration(abstract: "Delete a guest; its port stays: del vm1")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME", completion: .names(Methods.guestShow)) var words: [String]
    }
}

struct ProtocolCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "protocol", abstract: "The protocol table.", subcommands: [Show.self, Add.self, Set.self, Del.self],
        defaultSubcommand: Show.self)

    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "All protocols, or one.")
        @OptionGroup var connecting: Connecting
        @Argument(help: "A protocol's name.", completion: .names(Methods.protocolShow)) var name: String?
        func run() throws {
            try reporting { try connecting.show(Methods.protocolShow, NameParams(name: name), Tables.protocols) }
        }
    }

    struct Add: EditCommand {
        static let object = "protocol", verb = "add"
        static let configuration = CommandConfiguration(
            abstract: "Add a row: add backup match \"tcp 873,dscp 10\" pcp 1",
            discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...") var words: [String]
    }

    struct Set: EditCommand {
        static let object = "protocol", verb = "set"
        static let configuration = CommandConfiguration(abstract: "Change a row, a built-in one too: set iscsi pcp 5", discussion: keys)
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME KEY VALUE ...", completion: .names(Methods.protocolShow)) var words: [String]
    }

    struct Del: EditCommand {
        static let object = "protocol", verb = "del"
        static let configuration = CommandConfiguration(abstract: "Delete a row, or the changes to a built-in one: del backup")
        @OptionGroup var connecting: Connecting
        @Argument(parsing: .allUnrecognized, help: "NAME", completion: .names(Methods.protocolShow)) var words: [String]
    }
}
