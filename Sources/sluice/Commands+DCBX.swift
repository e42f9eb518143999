import ArgumentParser
import ControlAPI

/// Who negotiates a port's DCB settings, and how, in the words of dcb-dcbx(8). Sluice does it itself (`host`) as IEEE 802.1Q has it (`ieee`), or nobody does
/// (`static`).
package struct DCBXMode: Codable, Equatable {
    package var port: String
    package var host = true
    package var lldManaged = false
    package var cee = false
    package var ieee = true
    package var `static`: Bool
    /// What the port's LLDP agent does: `on`, `tx`, `rx` (nothing is told) or `off` (`static`).
    package var lldp: String

    package init(_ status: LLDPStatus) {
        (port, lldp, `static`) = (status.port, status.mode, status.mode == "off")
    }
}

extension DCBCommand {
    struct DCBX: ParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "dcbx", abstract: "Whether the switch negotiates with the one at the other end.", subcommands: [Set.self, Show.self],
            defaultSubcommand: Show.self)

        struct Show: ParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Who does, as dcb-dcbx(8) has it: show, show port uplink")
            @OptionGroup var connecting: Connecting
            @Argument(help: "[port] PORT") var words: [String] = []
            func run() throws {
                try reporting {
                    let modes = try connecting.client.call(Methods.lldpShow, NameParams(name: try DCBCommand.port(words))).map { DCBXMode($0) }
                    Output.print(connecting.json ? try Output.json(modes) : Tables.dcbx(modes))
                }
            }
        }

        struct Set: ParsableCommand {
            static let configuration = CommandConfiguration(abstract: "Change it: set host ieee port uplink, or set host ieee static port uplink for nobody")
            @OptionGroup var connecting: Connecting
            @Argument(parsing: .allUnrecognized, help: "host ieee [static] port PORT") var words: [String]

            func validate() throws { try DCBWords.refuseOptions(words) }

            func run() throws {
                try reporting {
                    let (port, mode) = try Self.mode(words)
                    try connecting.edit("port", "set", [port, "lldp", mode])
                }
            }

            /// The port, and what its LLDP agent has to do for the words to be true.
            static func mode(_ words: [String]) throws -> (port: String, lldp: String) {
                let refused = [
                    "lld-managed": "no NIC negotiates for a port of Sluice, which has the NIC to itself. Write host ieee",
                    "cee": "DCBX as it was before the standard is not spoken. Write host ieee, and set the switch at the other end to IEEE",
                ]
                let words = try DCBWords(words), flags = words.others
                for word in flags where !["host", "ieee", "static"].contains(word) {
                    if let sentence = refused[word] { throw Failure("\(word): \(sentence)") }
                    throw Failure("dcbx has no word '\(word)': write host ieee, or host ieee static for nobody to negotiate")
                }
                guard let port = words.port else { throw Failure("which port? write sluice dcb dcbx set host ieee port uplink") }
                guard flags.contains("host"), flags.contains("ieee") else {
                    throw Failure("the switch negotiates itself, as IEEE 802.1Q has it: write host ieee, or host ieee static for nobody to negotiate")
                }
                return (port, flags.contains("static") ? "off" : "on")
            }
        }
    }
}

extension Tables {
    /// A line for each port, with the words of dcb-dcbx(8).
    package static func dcbx(_ modes: [DCBXMode]) -> String {
        let lines = modes.map { mode in
            "\(mode.port): host ieee" + (mode.static ? " static" : "") + (mode.lldp == "rx" ? " (listens and tells nothing: lldp rx)" : mode.lldp == "tx" ? " (tells and does not listen: lldp tx)" : "")
        }
        return lines.isEmpty ? "no physical port is open" : lines.joined(separator: "\n")
    }
}
