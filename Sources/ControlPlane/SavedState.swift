import Configuration
import Logging

/// What ran last, according to the state file and the changes that its journals add.
package struct SavedState {
    /// The generation behind that of the last journal that was read; the state file's own if no journal was.
    package private(set) var generation: UInt64
    /// The configuration that ran last; nil if the content of the state file is not a valid configuration.
    package private(set) var running: Running?
    /// The configuration file that this began with, as it was when it was last loaded or saved; nil: there was none.
    package private(set) var file: LoadedFile?
    /// The operator's configuration before one that has not been confirmed; nil: none waits.
    private var undo: Model?

    package init(_ file: StateFile, _ contents: StateFile.Contents, _ log: Logger) {
        generation = contents.generation ?? 0
        self.file = contents.file
        running = (try? Model.checked(yaml: contents.yaml)).map { Running($0, ids: contents.ids, parts: Parts(contents.parts ?? [:])) }
        guard let first = contents.generation else { return }
        undo = contents.undo.flatMap { try? Model.checked(yaml: $0) }
        defer { comeBack(log) }
        do throws(StateFileError) {
            while let journal = try StateJournal.contents(file.path, generation) {
                carryOut(journal, file, log)
                generation += 1
            }
        } catch {
            log.error("\(error); what changed after \(file.path) was written is not made again: \(Self.advice)")
            return
        }
        // The journal of this generation does not exist, although the state file says that there was one, or a later journal exists.
        guard generation == first && contents.journal == true || StateJournal.highest(file.path) ?? 0 > generation else { return }
        log.error("the journal \(StateJournal.path(of: file.path, generation)) is missing, so the changes in it are not made again: \(Self.advice)")
    }

    /// Returns to what ran before a configuration that was never confirmed.
    private mutating func comeBack(_ log: Logger) {
        guard let undo else { return }
        running = running?.fitting(undo)
        self.undo = nil
        log.warning("a configuration that was to be confirmed had not been when the daemon ended, and is undone: what ran before it runs again")
    }

    private static let advice = "compare `sluice config show` with what should run"

    private mutating func carryOut(_ journal: StateJournal.Contents, _ file: StateFile, _ log: Logger) {
        do {
            for change in journal.changes {
                switch change {
                case .file(let text): self.file?.text = text
                case .trial:
                    undo = running?.base
                    try running?.carryOut(change)
                case .confirmed: undo = nil
                case .undone:
                    running = undo.flatMap { running?.fitting($0) } ?? running
                    undo = nil
                default: try running?.carryOut(change)
                }
            }
        } catch {
            log.warning("a change that was made before cannot be made again: \(error)")
        }
        guard journal.lost != 0 else { return }
        let aside = StateJournal.keepDamaged(file.path, generation)
        log.error("the journal \(aside) is damaged: the change in its first damaged line and \(journal.lost) after it are not made again; \(Self.advice)")
    }

    /// Logs an error if there are journals but no state file to which their changes could be added.
    package static func tellOrphans(of file: StateFile, _ log: Logger) {
        guard let highest = StateJournal.highest(file.path) else { return }
        let journal = StateJournal.path(of: file.path, highest)
        log.error("\(file.path) is missing, so the changes in its journal \(journal) are not made again, and classes get new ids: \(advice)")
    }
}

extension Running {
    /// Makes a change again that was made in an earlier run.
    package mutating func carryOut(_ change: StateChange) throws(ConfigurationError) {
        switch change {
        case .document(let yaml): adopt(try changed(base: try Model.checked(yaml: yaml, daemon: model.daemon)))
        case .part(let name, let yaml): adopt(try changed(part: name, to: try yaml.map { text throws(ConfigurationError) in try Part(name, yaml: text) }))
        case .edit(let object, let verb, let words):
            switch try edited(object, verb, words) {
            case .local(let change): adopt(change)
            case .whole(let change): adopt(change)
            }
        case .trial(let yaml): try carryOut(.document(yaml: yaml))
        case .file, .confirmed, .undone: break
        }
    }
}
