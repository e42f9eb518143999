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
package final class StateKeeper {
    /// Within this time an acknowledged change is on disk.
    static let syncMilliseconds = 100
    /// Seconds of work that the journal may take to go through.
    private static let mostReplay = 1.0

    private let file: StateFile
    private let writer = DispatchQueue(label: "state")
    /// Apart from the writer, whose work may take longer than a change may wait for its disk.
    private let syncer = DispatchQueue(label: "journal")
    private let log: Logger
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
        let hasFailed = Atomic<Bool>(false)
        let isSyncing = Atomic<Bool>(false)
    }

    /// - Parameter generation: the highest of which there is a state file or a journal.
    package init(_ file: StateFile, generation: UInt64, log: Logger) {
        self.file = file
        self.generation = generation
        self.log = log
    }

    /// This run's state has been saved once.
    package var hasBegun: Bool { journal != nil }

    /// Replaces what another run left, and returns when the disk has it.
    /// - Returns: what brings back the state file as it was.
    package func begin(_ running: Running.Change) throws(StateFileError) -> () -> Void {
        let before = file.contents
        try file.save(ids: running.ids, yaml: running.model.yaml, generation: generation + 1)
        let journal = try StateJournal(file.path, generation + 1)
        generation += 1
        self.journal = journal
        return { [self] in
            unlink(journal.path)
            self.journal = nil
            try? file.restore(before)
        }
    }

    /// What `begin` wrote is what runs: other runs' journals go.
    package func settle() { StateJournal.remove(file.path, before: generation) }

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
        guard journal != nil, !progress.isWriting.load(ordering: .acquiring) else { return }
        let now = DispatchTime.now().uptimeNanoseconds
        if progress.hasFailed.load(ordering: .relaxed) {
            if now &- writtenAt > 10_000_000_000 { write(running) }
        } else if let changedAt, now &- changedAt > 900_000_000 || replaySeconds > Self.mostReplay {
            write(running)
        }
    }

    /// Writes what is not written yet, and returns when the disk has it.
    package func end(_ running: Running) {
        writer.sync {}
        if changedAt != nil || progress.hasFailed.load(ordering: .relaxed) { write(running) }
        writer.sync {}
        syncer.sync {}
        guard let journal else { return }
        if !progress.hasFailed.load(ordering: .relaxed) { unlink(journal.path) }
        journal.end()
    }

    private func write(_ running: Running) {
        guard let old = journal else { return }
        do {
            journal = try StateJournal(file.path, generation + 1)
        } catch {
            log.warning("\(error)")
            return
        }
        generation += 1
        changedAt = nil
        replaySeconds = 0
        writtenAt = DispatchTime.now().uptimeNanoseconds
        progress.isWriting.store(true, ordering: .releasing)
        let (file, generation, progress, syncer, log) = (file, generation, progress, syncer, log)
        let (ids, model) = (running.ids, running.model)
        writer.async {
            do {
                try file.save(ids: ids, yaml: model.yaml, generation: generation)
                StateJournal.remove(file.path, before: generation)
                progress.hasFailed.store(false, ordering: .relaxed)
            } catch {
                // The journals go on telling what the file does not.
                log.error("\(error)")
                progress.hasFailed.store(true, ordering: .relaxed)
            }
            syncer.async { old.end() }
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
