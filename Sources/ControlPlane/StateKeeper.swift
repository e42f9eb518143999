import Configuration
import Dispatch
import Foundation
import Logging
import Synchronization

/// Sees to it that what runs is found again after a restart, off the path of changes.
///
/// A change is appended to a journal before it is carried out: from then on it survives the daemon, and 0.1 s later the machine as well. The state file itself,
/// which takes as long as the configuration is large, is written by a thread of its own: when nothing changed for a second, or when what changed since took
/// as long as would be felt at the next start, whose work it is to go through the journal. Used by the control thread alone.
///
/// Where the disk takes nothing at the start, what an earlier run left stays as it is and nothing can be changed until the disk takes what runs.
package final class StateKeeper {
    /// Within this time an acknowledged change is on disk.
    static let syncMilliseconds = 100
    /// Seconds of work that the journal may take to go through.
    private static let mostReplay = 1.0
    /// Nanoseconds from one try to save what could not be saved to the next.
    private static let pause: UInt64 = 10_000_000_000

    private let file: StateFile
    private let writer = DispatchQueue(label: "state")
    /// Apart from the writer, whose work may take longer than a change may wait for its disk.
    private let syncer = DispatchQueue(label: "journal")
    private let log: Logger
    /// Keeps other daemons from the file; nil: it is not to be had yet, and nothing is written without it.
    private var lock: FileLock?
    /// Of the state file as it was last written, or is being written.
    private var generation: UInt64
    /// nil: the state file is another run's still.
    private var journal: StateJournal?
    private var changedAt: UInt64?
    private var writtenAt: UInt64 = 0
    private var replaySeconds = 0.0
    private let progress = Progress()

    private final class Progress: Sendable {
        let isWriting = Atomic<Bool>(false)
        let isSyncing = Atomic<Bool>(false)
        private let obstacle = Mutex<String?>(nil)

        /// Why the state file does not tell what runs, though it should; nil: it does.
        var failure: String? { obstacle.withLock { $0 } }

        /// Logs what is new.
        func note(_ failure: String?, _ log: Logger) {
            let before = obstacle.withLock { obstacle in
                defer { obstacle = failure }
                return obstacle
            }
            guard failure != before else { return }
            if let failure { log.error("\(failure)") } else { log.notice("what runs is saved again") }
        }
    }

    /// - Parameters:
    ///   - lock: of `file`; nil: it was not to be had.
    ///   - generation: the highest of which there is a state file or a journal.
    package init(_ file: StateFile, lock: FileLock?, generation: UInt64, log: Logger) {
        self.file = file
        self.lock = lock
        self.generation = max(generation, StateJournal.highest(file.path) ?? 0)
        self.log = log
    }

    /// This run's state has been saved once.
    package var hasBegun: Bool { journal != nil }

    /// Why the state file does not tell what runs, a sentence; nil: it does, or soon will.
    package var obstacle: String? { progress.failure }

    /// Replaces what another run left, and returns when the disk has it.
    /// - Returns: what brings back the state file as it was.
    package func begin(_ running: Running.Change) throws(StateFileError) -> () -> Void { try begin(running.model, running.ids) }

    private func begin(_ model: Model, _ ids: ClassIDs) throws(StateFileError) -> () -> Void {
        writtenAt = DispatchTime.now().uptimeNanoseconds
        if lock == nil {
            lock = try file.lock()
            // Others may have had it meanwhile.
            generation = max(generation, (try? file.load())?.generation ?? 0, StateJournal.highest(file.path) ?? 0)
        }
        let before = file.contents
        // First: the file says that it is there.
        let journal = try StateJournal(file.path, generation + 1)
        do {
            try file.save(ids: ids, yaml: model.yaml, generation: generation + 1, journal: true)
        } catch {
            journal.remove()
            throw error
        }
        generation += 1
        self.journal = journal
        return { [self] in
            journal.remove()
            self.journal = nil
            try? file.restore(before)
        }
    }

    /// What `begin` wrote is what runs: other runs' journals go.
    package func settle() { StateJournal.remove(file.path, before: generation) }

    /// `begin` could not write, and what an earlier run left stays until `catchUp` can.
    package func postpone(_ error: StateFileError) {
        progress.note("""
            \(error). Until then nothing can be changed, and the next start finds what was saved before; \
            it is tried again at each change and every \(Self.pause / 1_000_000_000) s
            """, log)
    }

    /// Saves what runs where the start could not.
    /// - Throws: a sentence; nothing has been written then.
    package func catchUp(_ running: Running) throws(StateFileError) {
        guard journal == nil else { return }
        _ = try begin(running.model, running.ids)
        settle()
        progress.note(nil, log)
    }

    /// Adds a change that is about to be carried out.
    /// - Returns: what takes it back.
    package func record(_ change: StateChange) throws(StateFileError) -> () -> Void {
        let before = journal?.length ?? 0
        try journal?.append(change)
        changedAt = DispatchTime.now().uptimeNanoseconds
        synchronizeSoon()
        return { [self] in journal?.shorten(to: before) }
    }

    /// - Parameter seconds: what a change took to work out.
    package func count(_ seconds: Double) { replaySeconds += seconds }

    /// Called about once a second.
    package func tick(_ running: Running) {
        guard !progress.isWriting.load(ordering: .acquiring) else { return }
        let now = DispatchTime.now().uptimeNanoseconds
        if obstacle != nil {
            guard now &- writtenAt > Self.pause else { return }
            do throws(StateFileError) {
                if journal == nil { try catchUp(running) } else { write(running) }
            } catch {
                postpone(error)
            }
        } else if let changedAt, now &- changedAt > 900_000_000 || replaySeconds > Self.mostReplay {
            write(running)
        }
    }

    /// Writes what runs, with no journal to go with it, and returns when the disk has it.
    package func end(_ running: Running) {
        writer.sync {}
        syncer.sync {}
        do throws(StateFileError) {
            try catchUp(running)
            try file.save(ids: running.ids, yaml: running.model.yaml, generation: generation + 1, journal: false)
            StateJournal.remove(file.path, before: generation + 2)
        } catch {
            let consequence = journal == nil ? "the next start finds what was saved before" : "the next start finds what ran by going through the journal"
            log.error("what ran is not in the state file, and \(consequence): \(error)")
        }
        journal?.end()
        lock?.release()
    }

    private func write(_ running: Running) {
        guard let old = journal else { return }
        writtenAt = DispatchTime.now().uptimeNanoseconds
        // One that a failed try began and nothing was added to is as good as a new one.
        let isNew = obstacle == nil || old.length > 0
        if isNew {
            do throws(StateFileError) {
                journal = try StateJournal(file.path, generation + 1)
            } catch {
                return progress.note("\(error)", log)
            }
            generation += 1
        }
        changedAt = nil
        replaySeconds = 0
        progress.isWriting.store(true, ordering: .releasing)
        let (file, generation, progress, syncer, log) = (file, generation, progress, syncer, log)
        let (ids, model) = (running.ids, running.model)
        writer.async {
            do throws(StateFileError) {
                try file.save(ids: ids, yaml: model.yaml, generation: generation, journal: true)
                StateJournal.remove(file.path, before: generation)
                progress.note(nil, log)
            } catch {
                // The journals go on telling what the file does not.
                progress.note("\(error)", log)
            }
            if isNew { syncer.async { old.end() } }
            progress.isWriting.store(false, ordering: .releasing)
        }
    }

    private func synchronizeSoon() {
        guard let journal, !progress.isSyncing.exchange(true, ordering: .relaxed) else { return }
        let progress = progress
        syncer.asyncAfter(deadline: .now() + .milliseconds(Self.syncMilliseconds / 2)) {
            progress.isSyncing.store(false, ordering: .relaxed)
            journal.synchronize()
        }
    }
}
