import Synchronization

/// Lets other threads find out that one poll loop no longer reads what they have unpublished. A thread that has unpublished something asks a numbered question,
/// and the loop's next turn echoes the number. This costs the loop one load and one store a turn, and nobody waits longer than until the next turn begins.
///
/// Why this is correct, whatever the processor and the compiler reorder: A turn reads the number of the last question with acquire before it reads anything
/// else, so neither that turn nor a later one finds what was unpublished before the question. The turn stores the echo with release after all reads of earlier
/// turns, so a thread that reads the echo with acquire frees memory only after these reads. A loop at rest reads nothing that others may free. The loop goes to
/// rest and rises by changing the very word that holds the question's number. So a question comes before the loop goes to rest, while it rests, or after it has
/// risen. In the first two cases, the loop rises to what was published before the question; in the last, it is awake and echoes.
package struct LoopEpoch: ~Copyable {
    /// Twice the number of the last question. The lowest bit is set while the loop is at rest, as it is until it runs.
    private let asked = Atomic<UInt64>(1)
    /// The value of `asked` that the loop found when its latest turn began. The loop is awake then, so the lowest bit is not set.
    private let echoed = Atomic<UInt64>(0)

    package init() {}

    // MARK: The loop

    /// Begins a turn: what earlier turns have read is no longer in use. It must come before the turn reads anything that others may free.
    @inline(__always) @_noLocks
    package func beginTurn() { echoed.store(asked.load(ordering: .acquiring), ordering: .releasing) }

    /// From here on, the loop reads nothing that others may free, until it has risen.
    @inline(__always) @_noLocks
    package func goToRest() { asked.bitwiseOr(1, ordering: .acquiringAndReleasing) }

    /// The loop is about to begin a turn and may read such things again.
    @inline(__always) @_noLocks
    package func rise() { asked.bitwiseAnd(~1, ordering: .acquiringAndReleasing) }

    // MARK: Any other thread

    /// Asks a question, after what is to be freed has been unpublished.
    /// - Returns: the number to give to `isAnswered`.
    package func ask() -> UInt64 { asked.add(2, ordering: .acquiringAndReleasing).newValue & ~1 }

    /// Whether the loop no longer reads what was unpublished before the question.
    package func isAnswered(_ question: UInt64) -> Bool {
        Int64(bitPattern: echoed.load(ordering: .acquiring) &- question) >= 0 || asked.load(ordering: .acquiring) & 1 != 0
    }
}
