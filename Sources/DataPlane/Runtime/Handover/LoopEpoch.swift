import Synchronization

/// How others learn that one poll loop no longer reads what they have unpublished. Who unpublished something asks, and the loop's next turn echoes the
/// number of the question: the loop pays for that with a load and a store a turn, and nobody waits for more than one turn to begin.
///
/// Why it is sound, whatever processor and compiler reorder. What is asked is read with acquire by the turn that echoes it, before that turn reads anything
/// else: so what was unpublished before the question is not found by that turn, nor by any later one. The echo is written with release after all that turns
/// before have read: so who reads it with acquire frees what they read after they have read it. A loop at rest reads nothing that others may free. It goes to
/// rest and rises by changing the very word in which it is asked, so that a question comes either before it goes to rest, while it is there, or after it has
/// risen: in the first two cases it rises to what was published before the question, in the last it is awake and echoes.
package struct LoopEpoch: ~Copyable {
    /// Twice the number of the last question; the lowest bit is set while the loop is at rest, as it is until it runs.
    private let asked = Atomic<UInt64>(1)
    /// What the loop found there as its present turn began, or its last one. It is awake then, so the lowest bit is not set.
    private let echoed = Atomic<UInt64>(0)

    package init() {}

    // MARK: The loop

    /// A turn begins: what turns before have read is no longer in use. Comes before the turn reads anything that others may free.
    @inline(__always) @_noLocks
    package func beginTurn() { echoed.store(asked.load(ordering: .acquiring), ordering: .releasing) }

    /// The loop reads nothing that others may free until it has risen.
    @inline(__always) @_noLocks
    package func goToRest() { asked.bitwiseOr(1, ordering: .acquiringAndReleasing) }

    /// The loop is about to begin a turn.
    @inline(__always) @_noLocks
    package func rise() { asked.bitwiseAnd(~1, ordering: .acquiringAndReleasing) }

    // MARK: Any other thread

    /// The number of a question, to be given to `isAnswered`. What is to be freed has been unpublished.
    package func ask() -> UInt64 { asked.add(2, ordering: .acquiringAndReleasing).newValue & ~1 }

    /// Whether the loop no longer reads what had been unpublished before the question.
    package func isAnswered(_ question: UInt64) -> Bool {
        Int64(bitPattern: echoed.load(ordering: .acquiring) &- question) >= 0 || asked.load(ordering: .acquiring) & 1 != 0
    }
}
