import Configuration
import ControlAPI
import Foundation

/// A configuration file: what is accepted reads back as the same model from its YAML and from its JSON, and can be made by commands.
func fuzzDocument(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    let model: Model
    do throws(ConfigurationError) {
        model = try Model.checked(yaml: text)
    } catch {
        check(error, lines: lineCount(text))
        // What is wrong is the same each time.
        claim(refusal { () throws(ConfigurationError) in try Model.checked(yaml: text) } == error, "the same document is refused for the same reasons: \(error)")
        return
    }
    checkWritten(model)
    checkCommands(model)
    _ = Model.isBlank(yaml: text)
    var running = Running()
    let change = accepted("a model without problems can be adopted") { () throws(ConfigurationError) in try running.changed(to: model) }
    _ = change.plan.lines(from: Model(), to: model)
    running.adopt(change)
    let back = accepted("the empty model can be adopted again") { () throws(ConfigurationError) in try running.changed(to: Model()) }
    _ = back.plan.lines(from: model, to: Model())
}

/// A model without problems reads back from what it is written as.
func checkWritten(_ model: Model) {
    let yaml = model.yaml
    let again = accepted("what was written can be read:\n\(yaml)") { () throws(ConfigurationError) in try Model.checked(yaml: yaml) }
    claim(again == model, "what was written reads back as the same model:\n\(yaml)\n\(model)\n\(again)")
    claim(again.yaml == yaml, "it is written as before:\n\(yaml)\n\(again.yaml)")
    let json: String
    do {
        json = String(decoding: try JSONEncoder().encode(JSONValue(model.document)), as: UTF8.self)
    } catch { return claim(false, "a model can be written as JSON: \(error)") }
    let third = accepted("the JSON can be read:\n\(json)") { () throws(ConfigurationError) in try Model.checked(yaml: json) }
    claim(third == model, "the JSON reads back as the same model:\n\(json)\n\(yaml)")
}

/// The ports and guests of a model can be added and deleted by the commands that say so.
private func checkCommands(_ model: Model) {
    var rest = model, part = Model()
    (part.ports, part.guests) = (model.ports, model.guests)
    (rest.ports, rest.guests) = ([], [])
    guard rest.problems.isEmpty else { return }
    func told(_ commands: [EditCommand]) -> String { commands.map(\.description).joined(separator: "\n") }
    let commands = rest.commands(replacing: Model(), with: part)
    let made = accepted("the commands make the ports and guests:\n\(told(commands))") { () throws(ConfigurationError) in try rest.edited(commands) }
    claim(made == model, "the commands make the same model:\n\(told(commands))\n\(made.yaml)\n\(model.yaml)")
    let gone = model.commands(replacing: part, with: Model())
    let left = accepted("the commands delete the ports and guests:\n\(told(gone))") { () throws(ConfigurationError) in try model.edited(gone) }
    claim(left == rest, "the commands delete the ports and guests:\n\(left.yaml)\n\(rest.yaml)")
}

func accepted<Value>(_ claimed: @autoclosure () -> String, _ body: () throws(ConfigurationError) -> Value) -> Value {
    do throws(ConfigurationError) {
        return try body()
    } catch {
        claim(false, "\(claimed())\n\(error)")
        fatalError()
    }
}

func refusal<Value>(_ body: () throws(ConfigurationError) -> Value) -> ConfigurationError? {
    do throws(ConfigurationError) {
        _ = try body()
        return nil
    } catch { return error }
}
