import Configuration
import ControlAPI
import DataPlane
import Foundation
import Logging

/// The configurations that ran before, and one that is undone unless it is confirmed.
extension Engine {
    /// What runs as it was when a request came, so that another thread can record it before it is replaced.
    struct Before: Sendable {
        let base: Model
        /// How many changes there had been.
        let changes: UInt64
        let history: RevisionFolder?

        let log: Logger

        /// Records what runs, if single changes have been made since the latest revision. What failed is logged: what runs is saved elsewhere.
        /// - Returns: the number of the revision that says what runs; nil: there is none.
        @discardableResult
        func record() -> Int? {
            do throws(StateFileError) {
                return try history?.record(base, how: "single changes")
            } catch {
                log.error("\(error)")
                return nil
            }
        }
    }

    var before: Before { Before(base: running.base, changes: changes, history: history, log: log) }

    /// Keeps a configuration that is now in force. What failed is logged: what runs is saved elsewhere.
    /// - Returns: its number; nil: it is not kept.
    @discardableResult
    func remember(_ text: String, _ model: Model?, how: String, who: Peer?, changes: Int) -> Int? {
        do throws(StateFileError) {
            return try history?.record(text, model, how: how, who: who, changes: changes)
        } catch {
            log.error("\(error)")
            return nil
        }
    }

    /// Keeps what runs from the start on, in the background, and before it what does not run any more because the configuration file was edited.
    func rememberStart(_ replaced: Model?) {
        guard let history else { return }
        let (base, log) = (running.base, log)
        DispatchQueue.global(qos: .utility).async {
            do throws(StateFileError) {
                if let replaced {
                    let number = try history.record(replaced, how: "what ran before")
                    log.notice("what ran before the start is past configuration \(number): `sluice config history \(number)` shows it, `sluice config rollback \(number)` returns to it")
                }
                try history.record(base, how: "start")
            } catch {
                log.error("\(error)")
            }
        }
    }

    // MARK: Requests

    func showHistory() throws -> Response {
        let history = try requireHistory()
        return .later { .reply(history.list()) }
    }

    func showRevision(_ request: Request) throws -> Response {
        let history = try requireHistory(), params = try request.params(RevisionParams.self)
        return .later { Self.answering { .reply(try history.text(params.revision)) } }
    }

    /// Applies a revision, as if its text were applied.
    func rollBack(_ request: Request) throws -> Response {
        let history = try requireHistory(), (file, before) = (file, before)
        return document {
            let params = try request.params(RollbackParams.self)
            let text = try history.text(params.revision).yaml
            return try Applying(
                ApplyParams(yaml: text, dryRun: params.dryRun ?? false, confirm: params.confirm), file, before, how: "rollback to \(params.revision)", who: request.peer)
        } yaml: { $0.params.yaml } then: { try $0.apply($1, $2) }
    }

    private func requireHistory() throws(RPCError) -> RevisionFolder {
        guard let history else { throw RPCError(RPCError.refused, "no past configurations are kept, as sluiced was started with --state none") }
        return history
    }

    // MARK: Confirming

    /// A configuration that is in force and is undone unless it is confirmed.
    struct Trial {
        /// The operator's configuration before it.
        let old: Model
        let deadline: ContinuousClock.Instant
        /// Why it could not be undone, if that was tried.
        var obstacle: String?

        var secondsLeft: UInt64 { UInt64(max(0, ((deadline - .now) / .seconds(1)).rounded(.up))) }
        var sentence: String { "a configuration waits for `sluice confirm` and is otherwise undone in \(secondsLeft) s: confirm it, or undo it with `sluice confirm --undo`, first" }
    }

    /// Seconds for which a configuration may wait to be confirmed.
    private static let waits: ClosedRange<UInt64> = 1...86_400

    static func checkWait(_ seconds: UInt64) throws(RPCError) {
        guard waits ~= seconds else { throw RPCError(RPCError.invalidParams, "'confirm' takes 1 to \(waits.upperBound) seconds, not \(seconds)") }
    }

    /// Refuses to replace the operator's configuration as long as another one waits to be confirmed.
    func refuseDuringTrial() throws(RPCError) {
        if let trial { throw RPCError(RPCError.refused, trial.sentence) }
    }

    func confirm(_ params: ConfirmParams, _ peer: Peer?) throws -> ChangeReply {
        guard trial != nil else { throw RPCError(RPCError.refused, "no configuration waits to be confirmed") }
        if params.undo == true {
            return try undoTrial(how: "undone by hand", who: peer)
        }
        _ = try record(.confirmed)
        endTrial()
        tell("confirm", ["the configuration is confirmed"], peer)
        return ChangeReply(changes: [], applied: true, notes: ["confirmed"])
    }

    /// Undoes a configuration that was not confirmed in time.
    func undoTrialInTime() {
        guard let trial, trial.deadline <= .now else { return }
        do {
            if trial.obstacle == nil { log.warning("the configuration that was to be confirmed was not, and is undone") }
            _ = try undoTrial(how: "undone, as not confirmed in time", who: nil)
        } catch {
            // It is tried again at the next call.
            if trial.obstacle != "\(error)" { log.error("the configuration that was not confirmed cannot be undone: \(error)") }
            self.trial?.obstacle = "\(error)"
        }
    }

    private func undoTrial(how: String, who: Peer?) throws -> ChangeReply {
        guard let old = trial?.old else { return ChangeReply(changes: [], applied: true) }
        let began = ContinuousClock.now
        before.record()
        let target = running.fitting(old), parts = running.parts
        let change = try running.starting(with: target.model, target.parts)
        // What changes nothing is not recorded otherwise.
        if change.plan.isEmpty { _ = try record(.undone) }
        let lines = try carryOut(change, .undone, began)
        for part in parts.all where target.parts[part.name] == nil {
            unfit[part.name] = UnfitPart(part: part, sentence: "it does not go together with the configuration that was returned to")
        }
        endTrial()
        remember(old.yaml, old, how: how, who: who, changes: lines.count)
        tell(how, lines, who)
        return ChangeReply(changes: lines, applied: true, notes: ["undone: what ran before runs again"], warnings: change.warnings)
    }

    private func endTrial() {
        trial = nil
        keeper?.undo = nil
    }
}
