import Configuration
import Dispatch
import Foundation
import Logging
import Synchronization

/// Makes sure that what runs is found again after a restart, without delaying changes.
///
/// A change is appended to a journal before it is carried out. From then on it survives the end of the daemon, and 0.1 s later also a crash of the machine. The
/// state file itself, whose writing takes longer the larger the configuration is, is written on a thread of its own: when nothing has changed for a second, or
/// when the changes since took so long to work out that repeating them from the journal would delay the next start noticeably. Only the control thread uses
/// this class.
///
/// If the disk refuses to be written at the start, the state of the earlier run stays as it is, and nothing can be changed until what runs could be saved.
package final class StateKeeper {
    /// The most milliseconds until an acknowledged change is on disk.
    static let syncMilliseconds = 100
    /// The most seconds of work that repeating the journal's changes may take.
    private static let mostReplay = 1.0
    /// Nanoseconds between two tries to save what could not be saved.
    private static let pause: UInt64 = 10_000_000_000

    private let file: StateFile
    private let writer = DispatchQueue(label: "state")
    /// A queue apart from the writer's, as writing the state file may take longer than a change may wait until it is on disk.
    private let syncer = DispatchQueue(label: "journal")
    private let log: Logger
    /// The lock that keeps other daemons from the file; nil: it could not be taken yet, and nothing is written without it.
    private var lock: FileLock?
    /// The generation of the state file that was last written, or is being written.
    private var generation: UInt64
    /// The configuration file, as it was last loaded or saved; nil: there is none.
    package var loaded: LoadedFile?
    /// The operator's configuration to which the next start returns, as YAML; nil: what ran last runs again.
    package var undo: String?
    /// The journal of this run; nil: the state file is still that of another run.
    private var journal: StateJournal?
    private var changedAt: UInt64?
    private var writtenAt: UInt64 = 0
    private var replaySeconds = 0.0
    private let progress = Progress()

    private final class Progress: Sendable {
        let isWriting = Atomic<Bool>(false)
        let isSyncing = Atomic<Bool>(false)
        private let obstacle = Mutex<String?>(nil)

        /// Why the state file does not describe what runs although it should; nil: it does.
        var failure: String? { obstacle.withLock { $0 } }

        /// Records the outcome of an attempt, and logs it if it differs from the last one.
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
    ///   - lock: the lock of `file`; nil: it could not be taken.
    ///   - generation: the highest generation in use so far; new files get higher ones.
    package init(_ file: StateFile, lock: FileLock?, generation: UInt64, log: Logger) {
        self.file = file
        self.lock = lock
        self.generation = max(generation, StateJournal.highest(file.path) ?? 0)
        self.log = log
    }

    /// Whether this run's state has been saved once.
    package var hasBegun: Bool { journal != nil }

    /// Why the state file does not describe what runs, as a sentence; nil: it does, or soon will.
    package var obstacle: String? { progress.failure }

    /// Replaces what another run left, and returns when that is on disk.
    /// - Returns: a closure that brings the state file back as it was.
    package func begin(_ running: Running.Change) throws(StateFileError) -> () -> Void { try begin(running.model, running.ids, running.parts) }

    private func begin(_ model: Model, _ ids: ClassIDs, _ parts: Parts) throws(StateFileError) -> () -> Void {
        writtenAt = DispatchTime.now().uptimeNanoseconds
        if lock == nil {
            lock = try file.lock()
            // Other daemons may have had the lock and written meanwhile.
            generation = max(generation, (try? file.load())?.generation ?? 0, StateJournal.highest(file.path) ?? 0)
        }
        let before = file.contents
        // The journal is made first, as the file says that it exists.
        let journal = try StateJournal(file.path, generation + 1)
        do {
            try file.save(ids: ids, yaml: model.yaml, generation: generation + 1, journal: true, parts: parts, file: loaded, undo: undo)
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

    /// Confirms that what `begin` wrote now runs: the journals of other runs are removed.
    package func removeEarlier() { StateJournal.remove(file.path, before: generation) }

    /// Records that `begin` could not write. What an earlier run left stays until `catchUp` succeeds.
    package func postpone(_ error: StateFileError) {
        progress.note("""
            \(error). Until then nothing can be changed, and the next start finds what was saved before; \
            it is tried again at each change and every \(Self.pause / 1_000_000_000) s
            """, log)
    }

    /// Saves what runs if that was not possible at the start.
    /// - Throws: a sentence; nothing has been written then.
    package func catchUp(_ running: Running) throws(StateFileError) {
        guard journal == nil else { return }
        _ = try begin(running.model, running.ids, running.parts)
        removeEarlier()
        progress.note(nil, log)
    }

    /// Appends a change that is about to be carried out.
    /// - Returns: a closure that takes it back.
    package func record(_ change: StateChange) throws(StateFileError) -> () -> Void {
        let before = journal?.length ?? 0
        try journal?.append(change)
        changedAt = DispatchTime.now().uptimeNanoseconds
        synchronizeSoon()
        return { [self] in journal?.shorten(to: before) }
    }

    /// Adds the time that a change took to work out.
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

    /// Saves what runs, with no journal to follow it, and returns when that is on disk.
    package func end(_ running: Running) {
        writer.sync {}
        syncer.sync {}
        do throws(StateFileError) {
            try catchUp(running)
            try file.save(ids: running.ids, yaml: running.model.yaml, generation: generation + 1, journal: false, parts: running.parts, file: loaded, undo: undo)
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
        // A journal that a failed attempt began and that is still empty serves as a new one.
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
        let (ids, model, parts, loaded, undo) = (running.ids, running.model, running.parts, loaded, undo)
        writer.async {
            do throws(StateFileError) {
                try file.save(ids: ids, yaml: model.yaml, generation: generation, journal: true, parts: parts, file: loaded, undo: undo)
                StateJournal.remove(file.path, before: generation)
                progress.note(nil, log)
            } catch {
                // The journals continue to hold what the file does not.
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
