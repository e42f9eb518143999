import ArgumentParser
import Configuration
import ControlAPI

struct SchemaCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "schema", abstract: "A JSON Schema of configuration files, for editors and other programs.",
        discussion: "It needs no daemon. Whether names, addresses and rates go together, sluice check tells.")

    func run() throws { try reporting { Output.print(try Output.json(JSONValue(Model.schema))) } }
}
