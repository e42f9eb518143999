import Configuration
import ControlAPI
import Foundation

/// The configuration file and what runs: single changes make a difference between them, which can be told, and saved in the file.
extension Engine {
    /// A document that is to be applied.
    struct Applying: Sendable {
        let params: ApplyParams
        /// Whether it is the text of the configuration file.
        let isFile: Bool
        let before: Before
        /// The number of the revision that says what runs; nil: there is none.
        let previous: Int?
        let how: String
        let who: Peer?

        /// Reads the configuration file, and keeps what runs unless this is a dry run. It may be called on any thread.
        /// - Parameter file: the configuration file; nil: there is none.
        init(_ params: ApplyParams, _ file: LoadedFile?, _ before: Before, how: String, who: Peer?) throws(RPCError) {
            if let seconds = params.confirm { try checkWait(seconds) }
            self.params = params
            isFile = file.flatMap { try? $0.current() } == params.yaml
            self.before = before
            previous = params.dryRun == true ? nil : before.record()
            (self.how, self.who) = (how, who)
        }
    }

    /// Applies a document.
    func apply(_ wanted: Applying, _ model: Model) throws -> ChangeReply {
        let params = wanted.params, isDryRun = params.dryRun ?? false, began = ContinuousClock.now
        try refuseBlank(params.yaml)
        if !isDryRun { try refuseDuringTrial() }
        let old = running.base, change = try running.changed(base: model)
        let isTrial = params.confirm != nil && !change.plan.isEmpty
        // Something has changed since another thread kept what ran.
        let previous = isDryRun || wanted.before.changes == changes ? wanted.previous : before.record()
        let lines = try carryOut(change, isTrial ? .trial(yaml: params.yaml) : .document(yaml: params.yaml), began, isDryRun: isDryRun)
        var notes = removals(from: old, to: model, isDryRun: isDryRun, previous)
        if isDryRun { return ChangeReply(changes: lines, applied: false, notes: notes, warnings: change.warnings) }
        if isTrial, let seconds = params.confirm {
            trial = Trial(old: old, deadline: .now + .seconds(Int64(seconds)))
            keeper?.undo = old.yaml
            notes.append("undone in \(seconds) s unless `sluice confirm` comes before")
        }
        note(wanted, model, lines.count)
        tell(isTrial ? "\(wanted.how), to be confirmed" : wanted.how, lines, wanted.who)
        return ChangeReply(changes: lines + retryParts(), applied: true, notes: notes, warnings: change.warnings)
    }

    /// Records that a document runs now.
    private func note(_ wanted: Applying, _ model: Model, _ count: Int) {
        do throws(StateFileError) {
            if wanted.isFile { try adopt(file: wanted.params.yaml, model) }
        } catch {
            // What runs is saved; the next start finds that the file says the same.
            log.error("\(error)")
        }
        if count == 0, history?.isLatest(model) == true { return }
        remember(wanted.params.yaml, model, how: wanted.params.confirm == nil ? wanted.how : "\(wanted.how), to be confirmed", who: wanted.who, changes: count)
    }

    /// A sentence that names what the new configuration does not have any more; none if it has everything.
    /// - Parameter previous: the number of the revision that has it; nil: none is kept.
    private func removals(from old: Model, to new: Model, isDryRun: Bool, _ previous: Int?) -> [String] {
        func gone<Element>(_ kind: String, _ list: KeyPath<Model, [Element]>, _ name: KeyPath<Element, String>) -> [String] {
            let there = Set(new[keyPath: list].map { $0[keyPath: name] })
            return old[keyPath: list].map { $0[keyPath: name] }.filter { !there.contains($0) }.map { "\(kind) \($0)" }
        }
        let names = gone("bridge", \.bridges, \.name) + gone("port", \.ports, \.name) + gone("group", \.groups, \.name) + gone("guest", \.guests, \.name)
            + gone("protocol", \.protocols, \.name) + gone("filter", \.filters, \.name) + gone("mirror", \.mirrors, \.name)
        if names.isEmpty { return [] }
        let shown = names.prefix(12).joined(separator: ", ") + (names.count > 12 ? " and \(names.count - 12) more" : "")
        return ["\(isDryRun ? "would delete" : "deleted"), as the file does not have it: \(shown)\(previous.map { "; `sluice config rollback \($0)` brings back what ran" } ?? "")"]
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
    func save(_ request: Request) throws(RPCError) -> Response {
        try refuseDuringTrial()
        let comparison = comparison, history = history, peer = request.peer
        nonisolated(unsafe) let engine = self
        return .first {
            let written = Result { try Self.write(try request.params(SaveParams.self), comparison, history) }
            return Response.Continuation {
                Self.answering {
                    let (reply, text, model) = try written.get()
                    if let text {
                        try engine.adopt(file: text, model)
                        engine.remember(text, model, how: "save", who: peer, changes: reply.changes.count)
                        engine.tell("config save", reply.notes ?? [], peer)
                    }
                    return .reply(reply)
                }
            }
        }
    }

    /// - Returns: the answer, and the text that the file has now and what it says; no text: the file was not written.
    private static func write(_ params: SaveParams, _ comparison: Comparison?, _ history: RevisionFolder?) throws -> (ChangeReply, text: String?, Model) {
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
            // Comments, and whatever else the file says, are not lost.
            let kept = try present.map { try history?.record($0, try? Model(yaml: $0), how: "the file before save", who: nil, changes: 0) } ?? nil
            _ = try file.replace(with: text) { found in
                guard found == present else { throw RPCError(RPCError.refused, "\(file.path) is being edited right now: try again") }
            }
            let notes = ["saved in \(file.path)\(kept.map { "; `sluice config history \($0)` shows its old text" } ?? "")"]
            return (ChangeReply(changes: lines, applied: true, notes: notes), text, model)
        } catch let error as StateFileError {
            throw RPCError(RPCError.failed, error.description)
        }
    }
}
