import Configuration
import ControlAPI
import Foundation

/// The configuration file and what runs: single changes make a difference between them, which can be told, and saved in the file.
extension Engine {
    /// The parameters of `config.apply`, and whether the document is the text of the configuration file.
    struct Applying: Sendable {
        var params: ApplyParams
        var isFile: Bool

        /// - Parameter file: the configuration file, which is read; nil: there is none.
        init(_ params: ApplyParams, _ file: LoadedFile?) throws {
            self.params = params
            isFile = file.flatMap { try? $0.current() } == params.yaml
        }
    }

    /// Applies a document that a client sent.
    func apply(_ wanted: Applying, _ model: Model) throws -> ChangeReply {
        try refuseBlank(wanted.params.yaml)
        let isDryRun = wanted.params.dryRun ?? false, before = running.base
        let changes = try apply(model, source: wanted.params.yaml, isDryRun: isDryRun)
        let notes = removals(from: before, to: model, isDryRun: isDryRun)
        if isDryRun { return ChangeReply(changes: changes, applied: false, notes: notes) }
        if wanted.isFile { try adopt(file: wanted.params.yaml, model) }
        return ChangeReply(changes: changes + retryParts(), applied: true, notes: notes)
    }

    /// Applies the text of the configuration file.
    /// - Returns: the changes, one on each line.
    func reload(_ text: String, _ model: Model) throws -> [String] {
        try refuseBlank(text)
        let lines = try apply(model, source: text) + retryParts()
        try adopt(file: text, model)
        return lines
    }

    /// A sentence that names what the new configuration does not have any more; none if it has everything.
    private func removals(from old: Model, to new: Model, isDryRun: Bool) -> [String] {
        func gone<Element>(_ kind: String, _ list: KeyPath<Model, [Element]>, _ name: KeyPath<Element, String>) -> [String] {
            let there = Set(new[keyPath: list].map { $0[keyPath: name] })
            return old[keyPath: list].map { $0[keyPath: name] }.filter { !there.contains($0) }.map { "\(kind) \($0)" }
        }
        let names = gone("bridge", \.bridges, \.name) + gone("port", \.ports, \.name) + gone("group", \.groups, \.name) + gone("guest", \.guests, \.name)
            + gone("protocol", \.protocols, \.name) + gone("filter", \.filters, \.name) + gone("mirror", \.mirrors, \.name)
        if names.isEmpty { return [] }
        let shown = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and \(names.count - 12) more" : "")
        return ["\(isDryRun ? "would delete" : "deleted"), as the file does not have it: \(shown)"]
    }

    // MARK: Differences

    /// What is needed to compare the configuration file with what runs. It may be used on any thread.
    struct Comparison: Sendable {
        let file: LoadedFile
        let fileModel: Model
        let running: Model
        let parts: Parts

        var base: Model { parts.base(of: running) }
        var plan: Plan { Plan.objects(from: fileModel, to: base) }

        /// Adds to the status how the file and what runs differ.
        func told(in status: StatusReply) -> StatusReply {
            var status = status
            status.drift = plan.lines(from: fileModel, to: base).count
            do throws(TextFileError) {
                status.configEdited = try file.current() != file.text
            } catch {
                status.configFlaw = status.configFlaw ?? error.description
            }
            return status
        }
    }

    /// nil: there is no configuration file.
    var comparison: Comparison? { file.map { Comparison(file: $0, fileModel: fileModel, running: running.model, parts: running.parts) } }

    /// The text of the document that `config.diff` compares with what runs: the one in its parameters or, without one, the configuration file's.
    static func compared(_ params: DiffParams, _ file: LoadedFile?) throws -> String {
        if let yaml = params.yaml { return yaml }
        guard let file else { throw noFile("give the file to compare with") }
        do throws(TextFileError) {
            return try file.current()
        } catch {
            throw RPCError(RPCError.failed, error.description)
        }
    }

    /// Answers what single changes have made of the configuration file.
    func drift() throws -> Response {
        guard let comparison else { throw Self.noFile("nothing that runs differs from one") }
        return .later { .reply(ChangeReply(changes: comparison.plan.lines(from: comparison.fileModel, to: comparison.base), applied: false)) }
    }

    private static func noFile(_ otherwise: String) -> RPCError {
        RPCError(RPCError.refused, "the daemon was started without a configuration file (--config): \(otherwise)")
    }

    // MARK: Saving

    /// Writes what runs into the configuration file. Another thread does so; then the engine records it.
    func save(_ request: Request) -> Response {
        let comparison = comparison
        nonisolated(unsafe) let engine = self
        return .first {
            let written = Result { try Self.write(try request.params(SaveParams.self), comparison) }
            return Response.Continuation {
                Self.answering {
                    let (reply, text, model) = try written.get()
                    if let text { try engine.adopt(file: text, model) }
                    return .reply(reply)
                }
            }
        }
    }

    /// - Returns: the answer, and the text that the file has now and what it says; no text: the file was not written.
    private static func write(_ params: SaveParams, _ comparison: Comparison?) throws -> (ChangeReply, text: String?, Model) {
        guard let comparison else { throw noFile("write `sluice config show` to a file, and start sluiced with it") }
        let file = comparison.file, model = comparison.base, plan = comparison.plan
        let lines = plan.lines(from: comparison.fileModel, to: model)
        let present = try? file.current()
        let isEdited = present != file.text
        if isEdited, params.force != true {
            let what = present == nil ? "is not there any more" : "was edited since it was loaded"
            throw RPCError(
                RPCError.refused,
                "\(file.path) \(what), and is not written over: `sluice diff` shows what it says otherwise; apply it, or write over it with `sluice config save --force`")
        }
        if plan.actions.isEmpty, !isEdited { return (ChangeReply(changes: [], applied: false), nil, model) }
        let text = LoadedFile.document(model, after: present ?? "")
        do {
            _ = try file.replace(with: text) { found in
                guard found == present else { throw RPCError(RPCError.refused, "\(file.path) is being edited right now: try again") }
            }
        } catch let error as StateFileError {
            throw RPCError(RPCError.failed, error.description)
        }
        return (ChangeReply(changes: lines, applied: true, notes: ["saved in \(file.path)"]), text, model)
    }
}
