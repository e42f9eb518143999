import Configuration
import Logging

/// What ran last: the state file, and the changes that its journals add.
package struct SavedState {
    /// The highest of which there is a file.
    package private(set) var generation: UInt64
    /// nil: what the state file holds is not a configuration.
    package private(set) var running: Running?

    package init(_ file: StateFile, _ contents: StateFile.Contents, _ log: Logger) {
        generation = contents.generation ?? 0
        running = (try? Model.checked(yaml: contents.yaml)).map { Running($0, ids: contents.ids) }
        guard contents.generation != nil else { return }
        while let journal = StateJournal.contents(file.path, generation) {
            do {
                for change in journal.changes { try running?.carryOut(change) }
            } catch {
                log.warning("a change that was made before cannot be made again: \(error)")
            }
            if journal.lost != 0 {
                let aside = StateJournal.keepDamaged(file.path, generation)
                log.error("the journal \(aside) is damaged: the change in its first damaged line and \(journal.lost) after it are not made again; compare `sluice config show` with what should run")
            }
            generation += 1
        }
    }
}

extension Running {
    package mutating func carryOut(_ change: StateChange) throws(ConfigurationError) {
        switch change {
        case .document(let yaml): adopt(try changed(to: try Model.checked(yaml: yaml, daemon: model.daemon), isChecked: true))
        case .edit(let object, let verb, let words):
            switch try edited(object, verb, words) {
            case .local(let change): adopt(change)
            case .whole(let change): adopt(change)
            }
        }
    }
}
